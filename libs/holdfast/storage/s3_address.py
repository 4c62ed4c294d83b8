"""How people write an S3 address, and how restic and botocore want it.  Pure."""

from urllib.parse import urlsplit

from holdfast.kernel.errors import InvalidRequestError
from holdfast.storage.base import S3Target


def endpoint_url(endpoint: str) -> str:
    """With a scheme (https unless one was written), without a path or trailing slash.

    Raises InvalidRequestError.
    """
    text = endpoint.strip()
    text = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError(f"The endpoint {endpoint!r} is not an address.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequestError(
            f"The endpoint {endpoint!r} is not an address.",
            guidance="Write a host, as in s3.eu-central-1.amazonaws.com, or http://nas:9000.",
        )
    if parts.path or parts.query or parts.username:
        raise InvalidRequestError(
            f"The endpoint {endpoint!r} has more than a host and a port.",
            guidance="The bucket and the prefix have fields of their own.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def is_virtual_host(target: S3Target) -> bool:
    """Whether the bucket goes in front of the host's name.

    Unless told, only at Amazon, where new buckets know nothing else; every other server
    knows the path, and a house's own has no names for its buckets.
    """
    if target.virtual_host is not None:
        return target.virtual_host
    host = urlsplit(endpoint_url(target.endpoint)).hostname or ""
    # A dot in the bucket's name does not fit the provider's certificate.
    return host.endswith(".amazonaws.com") and "." not in target.bucket


def bucket_folder(target: S3Target) -> str:
    """What every object of the repository begins with: "" or "prefix/"."""
    prefix = target.prefix.strip("/")
    return f"{prefix}/" if prefix else ""


def repository_url(target: S3Target) -> str:
    """restic's ``s3:https://host:port/bucket/prefix``."""
    folder = bucket_folder(target).rstrip("/")
    parts = [endpoint_url(target.endpoint), target.bucket, *([folder] if folder else [])]
    return "s3:" + "/".join(parts)
