"""Where the gateway listens."""

import socket

import pytest

from holdfast.gateway.service import open_socket, url_of
from holdfast.kernel.errors import InvalidRequestError, UnavailableError


@pytest.mark.parametrize("listen", ["127.0.0.1:0", ":0", "localhost:0"])
def test_port_0_takes_a_free_one_and_tells_it(listen: str) -> None:
    with open_socket(listen) as listener:
        host, port = listener.getsockname()[:2]

        assert port > 0
        assert url_of(listener).endswith(f":{port}")
        assert host in {"127.0.0.1", "::1"}


def test_an_address_for_everybody_is_told_as_this_machines_own() -> None:
    with open_socket("0.0.0.0:0") as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    with open_socket("[::1]:0") as listener:
        assert url_of(listener).startswith("http://[::1]:")


def test_an_address_in_use_is_told_in_words() -> None:
    with open_socket("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]

        with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}") as caught:
            open_socket(f"127.0.0.1:{port}")

    assert "--listen" in caught.value.hint


@pytest.mark.parametrize("listen", ["", "localhost", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(InvalidRequestError):
        open_socket(listen)
