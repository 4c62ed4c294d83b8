"""Where a destination is, and which of two are at one place."""

import pytest

from holdfast.catalog.domain.destination import checked_secrets, new_destination
from holdfast.events.queries import AddDestination
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.ids import new_id


def local(path: str) -> AddDestination:
    return AddDestination(name="NAS", type=DestinationType.LOCAL, device_id=new_id(), path=path)


def s3(
    endpoint: str, bucket: str = "backups", prefix: str = "", region: str = ""
) -> AddDestination:
    return AddDestination(
        name="B2",
        type=DestinationType.S3,
        s3_endpoint=endpoint,
        s3_bucket=bucket,
        s3_prefix=prefix,
        s3_region=region,
    )


@pytest.mark.parametrize(
    ("path", "local_path"),
    [
        ("/mnt/nfs/backups", "/mnt/nfs/backups/homelab-backups"),
        ("/mnt/nfs//backups/", "/mnt/nfs/backups/homelab-backups"),
        ("/", "/homelab-backups"),
    ],
)
def test_a_local_repository_is_a_directory_of_its_own_below_the_path(
    path: str, local_path: str
) -> None:
    query = local(path)

    new = new_destination(query)

    assert new.local_path == local_path
    assert new.place == f"local:{query.device_id}:{local_path}"


def test_a_local_destination_needs_its_device() -> None:
    with pytest.raises(InvalidRequestError, match=r"^device_id"):
        new_destination(AddDestination(name="NAS", type=DestinationType.LOCAL, path="/mnt"))


@pytest.mark.parametrize(
    ("endpoint", "kept", "place"),
    [
        ("s3.us-west-002.backblazeb2.com",) * 2 + ("s3:s3.us-west-002.backblazeb2.com/backups/",),
        ("https://S3.example.com/", "https://s3.example.com", "s3:s3.example.com/backups/"),
        ("https://s3.example.com:443", "https://s3.example.com:443", "s3:s3.example.com/backups/"),
        ("http://10.0.0.2:9000", "http://10.0.0.2:9000", "s3:10.0.0.2:9000/backups/"),
        ("http://[::1]:9000", "http://[::1]:9000", "s3:[::1]:9000/backups/"),
        ("nas:9000", "nas:9000", "s3:nas:9000/backups/"),
    ],
)
def test_an_s3_place_is_known_by_host_bucket_and_prefix(
    endpoint: str, kept: str, place: str
) -> None:
    new = new_destination(s3(endpoint))

    assert (new.s3_endpoint, new.place) == (kept, place)


def test_slashes_around_a_prefix_do_not_make_another_place() -> None:
    places = {new_destination(s3("nas", prefix=prefix)).place for prefix in ("a/b", "/a//b/")}

    assert places == {"s3:nas/backups/a/b"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (s3(""), "endpoint"),
        (s3("ftp://nas"), "endpoint"),
        (s3("https://nas/bucket"), "endpoint"),
        (s3("https://user:secret@nas"), "endpoint"),
        (s3("https://nas:99999"), "endpoint"),
        (s3("nas", bucket=""), "bucket"),
        (s3("nas", bucket="a/b"), "bucket"),
        (s3("nas", prefix="../x"), "prefix"),
        (s3("nas", region="eu west"), "region"),
    ],
)
def test_an_s3_address_that_will_not_do_is_refused_by_field(
    query: AddDestination, field: str
) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{field}"):
        new_destination(query)


def test_s3_needs_both_parts_of_its_access_key() -> None:
    with pytest.raises(InvalidRequestError, match=r"^secret_key is empty"):
        checked_secrets(
            DestinationType.S3, DestinationSecrets(repo_password="", s3_access_key="AK")
        )


def test_a_password_with_a_line_break_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        checked_secrets(DestinationType.LOCAL, DestinationSecrets(repo_password="hush\nhush"))

    assert "hush" not in str(refusal.value)


def test_a_password_in_an_address_is_not_told_again() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        new_destination(s3("https://user:hunter2@nas"))

    assert "hunter2" not in str(caught.value) + caught.value.detail
