"""Addresses to listen at, as settings write them."""

from holdfast.kernel.errors import InvalidRequestError

MAX_PORT = 65535


def host_and_port(listen: str) -> tuple[str, int]:
    """HOST:PORT apart; without a host it is this machine alone.  Raises InvalidRequestError."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > MAX_PORT:
        raise InvalidRequestError(
            f"{listen!r} is no address to listen at.",
            guidance="Write HOST:PORT, as in 127.0.0.1:8700 or [::1]:8700.",
        )
    return host.strip("[]") or "127.0.0.1", int(port)
