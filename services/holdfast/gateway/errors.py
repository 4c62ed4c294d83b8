"""Every error as problem details, made in one place."""

import re
import traceback
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from holdfast.events.run import Failure, RunStatus
from holdfast.events.views import RunView
from holdfast.gateway.schemas.problem import FieldError, Problem
from holdfast.gateway.schemas.text import IN_WORDS
from holdfast.kernel.errors import HoldfastError, UnavailableError
from holdfast.kernel.ids import new_id
from holdfast.telemetry.logs import Log

log = Log("gateway")

MEDIA_TYPE = "application/problem+json"
API = "/api/v1"

CONFLICTS = frozenset(
    {
        "would_overwrite",
        "nothing_to_discard",
        "restore_unfinished",
        "foreign_journal",
        "restore_broken_off",
        "conflict",
        "foreign_repository",
        "other_repository",
        "repository_exists",
        "repository_holds_data",
        "repository_locked",
    }
)
"""Failures that a change of state, not of the request, would cure."""

DESTINATION_FAULTS = frozenset(
    {
        # told by restic
        "access_denied",
        "destination_unreachable",
        "repository_damaged",
        "repository_locked",
        "repository_not_found",
        "restic_failed",
        "restic_killed",
        "restic_output",
        "snapshot_not_found",
        "wrong_password",
        # told by the probe before it
        "bad_credentials",
        "clock_skew",
        "connection_lost",
        "connection_refused",
        "connection_timeout",
        "destination_full",
        "destination_unusable",
        "endpoint_fault",
        "foreign_repository",
        "host_key_changed",
        "host_key_invalid",
        "host_not_found",
        "no_such_bucket",
        "not_s3",
        "not_ssh",
        "other_repository",
        "path_missing",
        "path_not_a_directory",
        "path_not_writable",
        "path_unreadable",
        "repository_holds_data",
        "private_key_unreadable",
        "repository_missing",
        "sftp_off",
        "jump_refused",
        "tls_failed",
        "wrong_region",
    }
)
"""Failures of a restore that lie on the destination's side, not in what was asked for."""

CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_not_supported",
    503: "unavailable",
}
"""The codes of errors that the web framework raises by itself."""


class RunError(HoldfastError):
    """The run did not end well."""

    code = "run_failed"
    status = 422

    def __init__(self, run_id: UUID, failure: Failure, status: int) -> None:
        super().__init__(failure.message, guidance=failure.guidance, detail=failure.detail)
        self.run_id = run_id
        self.code = failure.code
        self.retryable = failure.retryable
        self.status = status


class StillRunningError(HoldfastError):
    """The run goes on, but the time to wait for it is over."""

    code = "still_running"
    guidance = "Ask for the run until it has ended; nothing is lost."
    status = 504

    def __init__(self, run_id: UUID) -> None:
        super().__init__()
        self.run_id = run_id


class RunOutOfSightError(UnavailableError):
    """The catalog went away; the run goes on."""

    guidance = "Ask for the run in a moment; nothing is lost."

    def __init__(self, run_id: UUID) -> None:
        super().__init__()
        self.run_id = run_id


def failure_of(run: RunView) -> Failure:
    """Why a run that has ended is no success, in words even if nobody gave any."""
    if run.failure is not None:
        return run.failure
    if run.status is RunStatus.CANCELLED:
        return Failure(code="run_cancelled", message="The run was cancelled.")
    return Failure(code="run_failed", message=f"The run ended as {run.status.value}.")


def adding_failed(run: RunView) -> RunError:
    """The error of a destination that could not be added or changed: the client's to mend (4xx)."""
    failure = failure_of(run)
    return RunError(run.id, failure, 409 if failure.code in CONFLICTS else 422)


def restoring_failed(run: RunView) -> RunError:
    """The error of a restore: 502 when the destination is at fault, 409 when files are in
    the way, otherwise 422."""
    failure = failure_of(run)
    if failure.code in DESTINATION_FAULTS:
        return RunError(run.id, failure, 502)
    return RunError(run.id, failure, 409 if failure.code in CONFLICTS else 422)


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Any exception, as the framework hands it over, to the answer."""
    path = request.scope["path"]
    match error:
        case HoldfastError() if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = _of_ours(error, path)
        case ValidationException():
            problem = _of_validation(error, path)
        case RecursionError():  # from decoding: a body of a hundred thousand brackets
            problem = _problem("invalid_request", 400, "The body is nested too deeply.", path)
        case HTTPException() if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = _of_framework(error, path, request.method)
        case _:
            problem = _of_internal(error, path)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=_headers(problem.status, error),
    )


def _headers(status: int, error: Exception) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, HTTPException):
        headers.update(error.headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="holdfast"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    return headers


def _problem(code: str, status: int, detail: str, instance: str, **more: Any) -> Problem:
    more.setdefault("guidance", "")
    return Problem(
        type=f"urn:holdfast:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        instance=instance,
        **more,
    )


def _of_ours(error: HoldfastError, path: str) -> Problem:
    run_id: UUID | None = getattr(error, "run_id", None)
    return _problem(
        error.code,
        error.status,
        error.message,
        path if run_id is None else f"{API}/backup/runs/{run_id}",
        guidance=error.hint,
        cause=error.detail,
        run_id=run_id,
    )


_NAMED = re.compile(r"(?:unknown field|missing required field) `([^`]+)`")
_WHERE = re.compile(r" - at `\$?\.?([^`]*)`$")


def _of_validation(error: ValidationException, path: str) -> Problem:
    extra = error.extra if isinstance(error.extra, list) else []
    errors = tuple(_field_error(each) for each in extra if isinstance(each, dict))
    detail = "; ".join(f"{each.field}: {each.message}".removeprefix(": ") for each in errors)
    return _problem(
        "invalid_request", 400, detail or "The request is not valid.", path, errors=errors
    )


def _field_error(raw: dict[str, Any]) -> FieldError:
    message = str(raw.get("message", ""))
    field = str(raw.get("key", ""))
    if field == "data":  # the body as a whole
        field = ""
    if message == "'data'":  # the framework's word for no body at all
        message = "The body is missing"
    if where := _WHERE.search(message):
        message = message[: where.start()]
        field = field or where[1]
    if named := _NAMED.search(message):
        field = f"{field}.{named[1]}" if field else named[1]
    message = next((word for rule, word in IN_WORDS.items() if repr(rule) in message), message)
    return FieldError(field=field, message=message)


def _of_framework(error: HTTPException, path: str, method: str) -> Problem:
    status = error.status_code
    detail = {
        400: f"The body is not valid JSON: {error.detail}",
        404: f"There is nothing at {path}.",
        405: f"{method} is not offered at {path}.",
        413: "The body is larger than 1 MiB.",
    }.get(status, error.detail or HTTPStatus(status).description)
    return _problem(CODES.get(status, f"http_{status}"), status, detail, path)


def _of_internal(error: Exception, path: str) -> Problem:
    """Tells nothing about the inside; the log has it under the same id."""
    error_id = new_id()
    log.error(
        "request_failed",
        error_id=str(error_id),
        path=path,
        error=f"{type(error).__name__}: {error}",
        detail=getattr(error, "detail", ""),
        exception=_traceback(error),
    )
    return _problem(
        "internal_error",
        500,
        "Something went wrong in Holdfast.",
        f"urn:uuid:{error_id}",
        guidance=f"The log of the service has the details, under {error_id}.",
    )


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
