"""A small client of the gateway: finds it, asks it, follows its events."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from holdfast.kernel.errors import HoldfastError, NotFoundError, UnavailableError
from holdfast.settings import Settings

T = TypeVar("T")

API = "/api/v1"


def address_file(data: Path) -> Path:
    """Where a running gateway leaves its address for the commands of the same machine."""
    return data / "address"


class ProblemBody(msgspec.Struct, kw_only=True):
    """Problem details (RFC 9457) as the gateway sends them."""

    detail: str = ""
    code: str = "internal_error"
    guidance: str = ""
    status: int = 500


class ServerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One server-sent event."""

    type: str
    data: bytes


class GatewayClient:
    """Typed calls of the REST API; every problem is raised as a HoldfastError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(10.0, read=150.0),
        )

    @staticmethod
    def find(environ: Mapping[str, str] = os.environ) -> "GatewayClient":
        """The gateway of HOLDFAST_URL and HOLDFAST_TOKEN, or the one of this machine.

        Raises UnavailableError that says how to name one.
        """
        settings = Settings.from_environment(environ)
        return GatewayClient(
            environ.get("HOLDFAST_URL") or _read(address_file(settings.data), "HOLDFAST_URL"),
            environ.get("HOLDFAST_TOKEN") or _read(settings.admin_token_file, "HOLDFAST_TOKEN"),
        )

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, reply: type[T], /, **parameters: object) -> T:
        """GET below /api/v1."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return msgspec.json.decode(self._send("GET", path, parameters=given), type=reply)

    def post(self, path: str, reply: type[T], body: Any = None, **parameters: object) -> T:
        """POST below /api/v1."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return msgspec.json.decode(self._send("POST", path, body, given), type=reply)

    def delete(self, path: str, reply: type[T], **parameters: object) -> T:
        """DELETE below /api/v1."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return msgspec.json.decode(self._send("DELETE", path, parameters=given), type=reply)

    def file(self, path: str, body: Any) -> bytes:
        """POST below /api/v1 for what is answered as a file."""
        return self._send("POST", path, body)

    def events(self) -> Iterator[ServerEvent]:
        """Follow the event stream until the caller stops reading."""
        try:
            with self._http.stream(
                "GET", f"{API}/events", timeout=httpx.Timeout(10, read=None)
            ) as r:
                if r.status_code != httpx.codes.OK:
                    raise problem_of(r.status_code, r.read())
                kind, data = "message", ""
                for line in r.iter_lines():
                    if line.startswith("event:"):
                        kind = line[6:].strip()
                    elif line.startswith("data:"):
                        data += line[5:].strip()
                    elif not line and data:
                        yield ServerEvent(type=kind, data=data.encode())
                        kind, data = "message", ""
        except httpx.HTTPError as error:
            raise _unreachable(self.url, error) from error

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        parameters: Mapping[str, str] | None = None,
    ) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        try:
            response = self._http.request(
                method,
                API + path,
                content=content,
                params=parameters,
                headers={"Content-Type": "application/json"} if content else None,
            )
        except httpx.HTTPError as error:
            raise _unreachable(self.url, error) from error
        if response.is_success:
            return response.content
        raise problem_of(response.status_code, response.content)


def problem_of(status: int, body: bytes) -> HoldfastError:
    """The error that a problem document tells of."""
    try:
        problem = msgspec.json.decode(body, type=ProblemBody)
    except msgspec.MsgspecError:
        problem = ProblemBody(detail=f"The server answered {status}.", status=status)
    error = NotFoundError if status == httpx.codes.NOT_FOUND else HoldfastError
    raised = error(problem.detail or f"The server answered {status}.", guidance=problem.guidance)
    raised.code = problem.code
    raised.status = status
    return raised


def _read(path: Path, variable: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UnavailableError(
            "No running Holdfast was found on this machine.",
            guidance=f"Start one with 'holdfast up', or set {variable}; looked at {path}.",
        ) from error


def _unreachable(url: str, error: httpx.HTTPError) -> UnavailableError:
    return UnavailableError(
        f"{url} does not answer.",
        guidance="Is 'holdfast up' running? HOLDFAST_URL names another one.",
        detail=str(error) or type(error).__name__,
    )
