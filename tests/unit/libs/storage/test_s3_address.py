"""How an S3 address is read."""

import pytest

from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.storage.base import S3Target
from holdfast.storage.s3_address import endpoint_url, is_virtual_host, repository_url


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com"),
        ("https://s3.wasabisys.com/", "https://s3.wasabisys.com"),
        ("http://nas:9000", "http://nas:9000"),
        ("nas:9000", "https://nas:9000"),
        (" minio.lan ", "https://minio.lan"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_an_endpoint_is_read_as_people_write_it(written: str, meant: str) -> None:
    assert endpoint_url(written) == meant


@pytest.mark.parametrize(
    "written", ["", "ftp://nas", "http://", "https://s3.example.com/bucket", "http://nas:port"]
)
def test_what_is_no_endpoint_is_refused(written: str) -> None:
    with pytest.raises(InvalidRequestError):
        endpoint_url(written)


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("", "s3:https://b2.example/homelab"),
        ("/house/", "s3:https://b2.example/homelab/house"),
        ("a/b", "s3:https://b2.example/homelab/a/b"),
    ],
)
def test_the_repository_url_is_as_restic_wants_it(prefix: str, url: str) -> None:
    target = S3Target(
        endpoint="b2.example",
        bucket="homelab",
        region="eu",
        access_key=Secret("a"),
        secret_key=Secret("b"),
        prefix=prefix,
    )

    assert repository_url(target) == url


@pytest.mark.parametrize(
    ("endpoint", "bucket", "told", "virtual"),
    [
        ("s3.eu-central-1.amazonaws.com", "house", None, True),
        ("s3.eu-central-1.amazonaws.com", "house.lan", None, False),
        ("s3.eu-central-1.amazonaws.com", "house", False, False),
        ("s3.us-west-002.backblazeb2.com", "house", None, False),
        ("http://nas:9000", "house", None, False),
        ("http://nas:9000", "house", True, True),
    ],
)
def test_where_the_buckets_name_goes(
    endpoint: str, bucket: str, told: bool | None, virtual: bool
) -> None:
    target = S3Target(
        endpoint=endpoint,
        bucket=bucket,
        region="",
        access_key=Secret("a"),
        secret_key=Secret("s"),
        virtual_host=told,
    )

    assert is_virtual_host(target) is virtual
