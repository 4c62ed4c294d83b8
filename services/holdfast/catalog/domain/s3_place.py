"""Where a bucket is, spelled one way."""

import re
import ssl
from urllib.parse import urlsplit

import msgspec

from holdfast.catalog.domain.text import checked_text
from holdfast.events.queries import S3Provider
from holdfast.kernel.errors import InvalidRequestError

LONGEST_CERTIFICATE = 64 * 1024
"""Bytes."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_REGION = re.compile(r"[A-Za-z0-9-]{0,64}")
_DEFAULT_PORTS = {"http": 80, "https": 443}


_ENDPOINTS = {
    S3Provider.B2: "s3.{region}.backblazeb2.com",
    S3Provider.WASABI: "s3.{region}.wasabisys.com",
    S3Provider.AWS: "s3.{region}.amazonaws.com",
}


class S3Place(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket and a prefix in it, checked."""

    place: str
    """All of it in one line."""
    endpoint: str
    bucket: str
    region: str
    prefix: str


def s3_place(*, endpoint: str, bucket: str, region: str, prefix: str) -> S3Place:
    """InvalidRequestError names the field that will not do."""
    address, host = _endpoint(endpoint)
    if not _BUCKET.fullmatch(bucket):
        raise InvalidRequestError(f"bucket: {bucket!r} is not the name of a bucket.")
    if not _REGION.fullmatch(region):
        raise InvalidRequestError(f"region: {region!r} is not the name of a region.")
    folder = _prefix(prefix)
    return S3Place(
        place=f"s3:{host}/{bucket}/{folder}",
        endpoint=address,
        bucket=bucket,
        region=region,
        prefix=folder,
    )


def provider_endpoint(provider: S3Provider | None, region: str) -> str:
    """Where *provider* serves *region*.  Raises InvalidRequestError when that does not tell."""
    pattern = _ENDPOINTS.get(provider) if provider else None
    if pattern is None:
        raise InvalidRequestError(
            "endpoint is missing.",
            guidance="Write the host of the S3 service; only b2, wasabi and aws are known by name.",
        )
    if not region:
        raise InvalidRequestError(
            "region is missing.", guidance="The provider shows it beside the bucket."
        )
    return pattern.format(region=region)


def checked_certificate(pem: str) -> str:
    """Certificates in PEM, or nothing.  Raises InvalidRequestError."""
    text = checked_text(pem, "ca_certificate", longest=LONGEST_CERTIFICATE).strip()
    if not text:
        return ""
    if "PRIVATE KEY" in text:
        raise InvalidRequestError(
            "ca_certificate holds a private key.", guidance="Give the certificate only."
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidRequestError(
            "ca_certificate cannot be read.",
            guidance="Give the certificate of the authority in PEM form, "
            "from BEGIN CERTIFICATE to END CERTIFICATE.",
        ) from error
    return text + "\n"


def _endpoint(value: str) -> tuple[str, str]:
    """The endpoint in lower case without a slash at the end, and its host with the port.

    Without a scheme it means https, and is kept without one, as providers print it.
    """
    text = checked_text(value, "endpoint", longest=500).strip().rstrip("/").lower()
    if "@" in text:
        # Not quoted back: what stands before the sign is secret.
        raise InvalidRequestError(
            "endpoint: an address has no user name or password in it.",
            guidance="access_key and secret_key have fields of their own.",
        )
    scheme, mark, _ = text.partition("://")
    parts = urlsplit(text if mark else f"https://{text}")
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError(f"endpoint: {value!r} has no valid port.") from error
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if (
        (mark and scheme not in _DEFAULT_PORTS)
        or parts.path
        or parts.query
        or parts.fragment
        or not _HOST.fullmatch(host)
    ):
        raise InvalidRequestError(
            f"endpoint: {value!r} is not the address of an S3 service.",
            guidance="Write a host such as s3.us-west-002.backblazeb2.com, or a URL such as "
            "http://nas.lan:9000, without the bucket.",
        )
    usual = _DEFAULT_PORTS[scheme if mark else "https"]
    return text, host if port in (None, usual) else f"{host}:{port}"


def _prefix(value: str) -> str:
    """Path parts with one slash between and none around."""
    parts = [part for part in checked_text(value, "prefix", longest=500).split("/") if part]
    if any(part in (".", "..") or not part.isprintable() for part in parts):
        raise InvalidRequestError(f"prefix: {value!r} cannot be used.")
    return "/".join(parts)
