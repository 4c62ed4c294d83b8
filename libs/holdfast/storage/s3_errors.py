"""From what botocore raises to what a person can act on."""

import socket
import ssl

from holdfast.storage.base import S3Target
from holdfast.storage.errors import (
    AccessDeniedError,
    BadCredentialsError,
    ClockSkewError,
    EndpointFaultError,
    EndpointRefusedError,
    EndpointTimeoutError,
    HostNotFoundError,
    NoSuchBucketError,
    StorageError,
    StorageFullError,
    TlsError,
    WrongRegionError,
)

BAD_CREDENTIALS = frozenset(
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure", "401")
)
FULL = frozenset(("XMinioStorageFull", "QuotaExceeded", "StorageFull"))
BUSY = frozenset((408, 429))
"""The server did not wait, or has had enough for now."""
WRONG_REGION = frozenset(
    (
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "301",
    )
)


def error_of(error: BaseException, target: S3Target) -> StorageError:
    """The StorageError that says what *error* means.  The original's words are its detail."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _from_answer(error.response, target)
    return _from_connection(error, target)


def _from_answer(response: dict[str, object], target: S3Target) -> StorageError:
    problem = response.get("Error")
    fields = problem if isinstance(problem, dict) else {}
    meta = response.get("ResponseMetadata")
    status = meta.get("HTTPStatusCode", 0) if isinstance(meta, dict) else 0
    headers = meta.get("HTTPHeaders", {}) if isinstance(meta, dict) else {}
    code = str(fields.get("Code", ""))
    detail = f"{code} ({status}): {fields.get('Message', '')}"

    if code in BAD_CREDENTIALS or status == 401:
        return BadCredentialsError(detail=detail)
    if code == "NoSuchBucket":
        return NoSuchBucketError(f"There is no bucket {target.bucket!r}.", detail=detail)
    if code in WRONG_REGION or status == 301:
        region = str(fields.get("Region") or headers.get("x-amz-bucket-region") or "")
        where = f"The bucket {target.bucket!r} is in {region or 'another region'}"
        return WrongRegionError(f"{where}, not in {target.region!r}.", detail=detail)
    if code == "RequestTimeTooSkewed":
        return ClockSkewError(detail=detail)
    if code in FULL or status == 507:
        return StorageFullError(detail=detail)
    if status == 403:
        return AccessDeniedError(detail=detail)
    if status >= 500 or status in BUSY:
        return EndpointFaultError(detail=detail)
    return StorageError(detail=detail)


def _from_connection(error: BaseException, target: S3Target) -> StorageError:
    """By the causes beneath: botocore wraps aiohttp, which wraps the system's own error."""
    causes = list(_causes(error))
    detail = str(error)
    where = target.endpoint
    if any(
        isinstance(each, socket.gaierror) for each in causes
    ) or "ClientConnectorDNSError" in repr(causes):
        return HostNotFoundError(f"The host of {where} is not known.", detail=detail)
    if any(isinstance(each, ssl.SSLError) for each in causes) or "SSL" in type(error).__name__:
        return TlsError(f"No trusted TLS connection to {where}.", detail=detail)
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return EndpointRefusedError(f"{where} refuses the connection.", detail=detail)
    if any(isinstance(each, TimeoutError) for each in causes) or "Timeout" in type(error).__name__:
        return EndpointTimeoutError(f"{where} does not answer.", detail=detail)
    return EndpointFaultError(f"{where} breaks off.", detail=detail)


def _causes(error: BaseException | None) -> "list[BaseException]":
    found: list[BaseException] = []
    pending = [error]
    while pending:
        each = pending.pop()
        if each is None or each in found:
            continue
        found.append(each)
        inner = [each.__cause__, each.__context__]
        inner += [value for value in vars(each).values() if isinstance(value, BaseException)]
        inner += [value for value in each.args if isinstance(value, BaseException)]
        kwargs = getattr(each, "kwargs", None)
        if isinstance(kwargs, dict):
            inner += [value for value in kwargs.values() if isinstance(value, BaseException)]
        pending += inner
    return found
