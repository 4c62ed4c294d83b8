"""Destinations over SFTP, S3 by its provider's name, and what may change about them."""

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.catalog.domain.destination import checked_secrets, new_destination
from holdfast.catalog.domain.destination_change import changed_secrets
from holdfast.catalog.domain.s3_place import checked_certificate
from holdfast.events.queries import AddDestination, S3Provider
from holdfast.events.work import DestinationSecrets, DestinationType
from holdfast.kernel.errors import InvalidRequestError

SFTP = AddDestination(
    name="nas",
    type=DestinationType.SFTP,
    sftp_host="NAS.lan",
    sftp_user="backup",
    path="/volume1//backups/",
)


def test_an_sftp_server_is_spelled_one_way() -> None:
    new = new_destination(SFTP)

    assert new.place == "sftp:backup@nas.lan:22:/volume1/backups/homelab-backups"
    assert (new.sftp_host, new.sftp_port, new.parent_path) == ("nas.lan", 22, "/volume1/backups")


@pytest.mark.parametrize(
    ("path", "repository"),
    [
        ("/", "/homelab-backups"),
        ("backups", "backups/homelab-backups"),
        ("./backups/", "backups/homelab-backups"),
        ("~/backups", "backups/homelab-backups"),
        ("~", "homelab-backups"),
        (".", "homelab-backups"),
    ],
)
def test_a_remote_path_may_be_below_the_users_home(path: str, repository: str) -> None:
    assert new_destination(replace(SFTP, path=path)).sftp_path == repository


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"sftp_host": ""}, "host"),
        ({"sftp_host": "sftp://nas"}, "host"),
        ({"sftp_host": "nas/backups"}, "host"),
        ({"sftp_host": "-oProxyCommand=x"}, "host"),
        ({"sftp_port": 0}, "port"),
        ({"sftp_port": 65_536}, "port"),
        ({"sftp_user": " "}, "user"),
        ({"path": ""}, "path"),
        ({"path": "a/../b"}, "path"),
        ({"sftp_host_key": "not a key"}, "host_key"),
        ({"sftp_host_key": "SHA256:short"}, "host_key"),
    ],
)
def test_what_will_not_do_for_sftp_is_named(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"^{word}"):
        new_destination(replace(SFTP, **fields))


@pytest.mark.parametrize("host", ["nas", "192.168.1.7", "fd00::7", "[fd00::7]", "my_nas.lan"])
def test_names_and_addresses_of_machines_are_taken(host: str) -> None:
    assert new_destination(replace(SFTP, sftp_host=host)).sftp_host == host.strip("[]")


def test_sftp_needs_a_password_or_a_key() -> None:
    with pytest.raises(InvalidRequestError, match="both missing"):
        checked_secrets(DestinationType.SFTP, DestinationSecrets(repo_password=""))


def test_a_private_key_has_lines() -> None:
    key = DestinationSecrets(repo_password="", sftp_private_key="-----BEGIN\nx\n-----END\n")

    assert checked_secrets(DestinationType.SFTP, key) == key


OLD = DestinationSecrets(repo_password="r", sftp_private_key="key", sftp_passphrase="p")


def test_a_password_takes_the_place_of_a_key_and_back() -> None:
    given = DestinationSecrets(repo_password="", sftp_password="new")
    with_password = changed_secrets(DestinationType.SFTP, OLD, given)
    again = changed_secrets(
        DestinationType.SFTP,
        with_password,
        DestinationSecrets(repo_password="", sftp_private_key="other"),
    )

    assert with_password == DestinationSecrets(repo_password="r", sftp_password="new")
    assert again == DestinationSecrets(repo_password="r", sftp_private_key="other")


def test_what_a_kind_has_no_use_for_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^access_key: "):
        changed_secrets(
            DestinationType.SFTP, OLD, DestinationSecrets(repo_password="", s3_access_key="a")
        )


@pytest.mark.parametrize(
    ("provider", "region", "endpoint"),
    [
        (S3Provider.B2, "us-west-002", "s3.us-west-002.backblazeb2.com"),
        (S3Provider.WASABI, "eu-central-1", "s3.eu-central-1.wasabisys.com"),
        (S3Provider.AWS, "eu-central-1", "s3.eu-central-1.amazonaws.com"),
    ],
)
def test_a_provider_and_a_region_tell_the_endpoint(
    provider: S3Provider, region: str, endpoint: str
) -> None:
    query = AddDestination(
        name="x", type=DestinationType.S3, s3_bucket="house", s3_provider=provider
    )

    assert new_destination(replace(query, s3_region=region)).s3_endpoint == endpoint
    with pytest.raises(InvalidRequestError, match="region is missing"):
        new_destination(query)


def test_a_server_of_ones_own_needs_its_endpoint() -> None:
    query = AddDestination(
        name="x", type=DestinationType.S3, s3_bucket="house", s3_provider=S3Provider.MINIO
    )

    with pytest.raises(InvalidRequestError, match="endpoint is missing"):
        new_destination(query)


@pytest.mark.parametrize(
    "pem", ["nonsense", "-----BEGIN CERTIFICATE-----\nAA\n-----END", "PRIVATE KEY"]
)
def test_a_certificate_that_is_none_is_refused(pem: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^ca_certificate"):
        checked_certificate(pem)
