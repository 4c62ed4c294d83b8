"""One suite for every kind of storage: what is there, what is wrong, and what is undone."""

import asyncio
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.kernel.secret import Secret
from holdfast.storage.base import Backend, LocalTarget, S3Target, SftpTarget
from holdfast.storage.errors import (
    BadCredentialsError,
    EndpointRefusedError,
    HostNotFoundError,
    NoSuchBucketError,
    NotJustInitialisedError,
    PathMissingError,
    PathNotDirectoryError,
    StorageError,
    TlsError,
)
from holdfast.storage.local import in_thread
from holdfast.storage.registry import open_backend
from support.servers import RcloneS3, free_port
from support.sshd import Sshd

pytestmark = pytest.mark.s3


class Place:
    """A destination to test, and the folder in which its objects are files."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self.backend = backend
        self.folder = folder

    def put(self, name: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")

    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found}


def s3_target(server: RcloneS3, bucket: str) -> S3Target:
    return S3Target(
        endpoint=server.endpoint,
        bucket=bucket,
        region="us-east-1",
        access_key=Secret(server.access_key),
        secret_key=Secret(server.secret_key),
        prefix="house/one",
    )


def sftp_target(server: Sshd, parent: Path) -> SftpTarget:
    return SftpTarget(
        host="127.0.0.1",
        port=server.port,
        user=server.user,
        path=str(parent / "homelab-backups"),
        parent=str(parent),
        host_key=server.host_key,
        private_key=Secret(server.private_key),
    )


@pytest.fixture(params=["local", "s3", pytest.param("sftp", marks=pytest.mark.sftp)])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3_server: RcloneS3, sshd: Sshd) -> Place:
    if request.param == "sftp":
        (tmp_path / "nas").mkdir()
        backend = open_backend(sftp_target(sshd, tmp_path / "nas"))
        return Place(backend, tmp_path / "nas" / "homelab-backups")
    if request.param == "local":
        folder = tmp_path / "nas" / "homelab-backups"
        (tmp_path / "nas").mkdir()
        target = LocalTarget(path=str(folder), parent=str(tmp_path / "nas"))
        return Place(open_backend(target), folder)
    bucket = tmp_path.name.replace("_", "-")[:50].lower().strip("-")
    s3_server.make_bucket(bucket)
    backend = open_backend(s3_target(s3_server, bucket))
    return Place(backend, s3_server.data / bucket / "house" / "one")


async def test_an_empty_place_is_reached_and_left_as_it_was(place: Place) -> None:
    found = await place.backend.probe(write=True)

    assert not found.has_config
    assert not found.has_parts
    assert place.files() == set()


async def test_a_repository_is_seen(place: Place) -> None:
    await place.backend.prepare()
    for name in ("config", "keys/a", "data/00/b"):
        place.put(name)

    found = await place.backend.probe(write=True)

    assert found.has_config
    assert found.has_data
    assert not found.is_debris
    assert place.files() == {"config", "keys/a", "data/00/b"}


async def test_parts_without_a_config_are_debris(place: Place) -> None:
    await place.backend.prepare()
    place.put("index/a")

    assert (await place.backend.probe(write=False)).is_debris


async def test_a_fresh_initialisation_is_undone(place: Place) -> None:
    await place.backend.prepare()
    place.put("config")
    place.put("keys/a")

    await place.backend.remove_initialisation()

    assert place.files() == set()
    assert not (await place.backend.probe(write=False)).has_parts


@pytest.mark.parametrize("name", ["data/00/pack", "index/a", "snapshots/a"])
async def test_a_repository_with_data_is_never_removed(place: Place, name: str) -> None:
    await place.backend.prepare()
    everything = {"config", "keys/a", name}
    for each in everything:
        place.put(each)

    with pytest.raises(NotJustInitialisedError):
        await place.backend.remove_initialisation()

    assert place.files() == everything


async def test_key_files_are_listed_read_written_and_removed(place: Place) -> None:
    await place.backend.prepare()
    place.put("keys/one")

    await place.backend.write_key("two", b"wrapped")

    assert await place.backend.list_keys() == ("one", "two")
    assert await place.backend.read_key("two") == b"wrapped"
    await place.backend.delete_key("one")
    assert await place.backend.list_keys() == ("two",)


async def test_locks_are_listed_and_removed_and_nothing_else(place: Place) -> None:
    await place.backend.prepare()
    lock = "ab" * 32
    place.put(f"locks/{lock}")
    place.put("locks/not-a-lock")

    assert await place.backend.list_locks() == (lock,)
    await place.backend.delete_lock(lock)
    await place.backend.delete_lock(lock)
    with pytest.raises(ValueError, match="no lock's name"):
        await place.backend.delete_lock("../config")
    assert place.files() == {"locks/not-a-lock"}


async def test_a_repository_is_known_by_its_config(place: Place) -> None:
    await place.backend.prepare()
    empty = await place.backend.probe(write=False)
    place.put("config")

    found = await place.backend.probe(write=False)
    (place.folder / "config").write_bytes(b"another")
    other = await place.backend.probe(write=False)

    assert empty.config_digest == ""
    assert found.config_digest == hashlib.sha256(b"content").hexdigest()
    assert other.config_digest not in ("", found.config_digest)


Change = Callable[[S3Target], S3Target]


def changed(**fields: Any) -> Change:
    return lambda target: msgspec.structs.replace(target, **fields)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (changed(secret_key=Secret("not the secret")), BadCredentialsError),
        (changed(access_key=Secret("NOBODYSKEY")), BadCredentialsError),
        (changed(bucket="no-such-bucket"), NoSuchBucketError),
        (changed(endpoint="http://nowhere.invalid"), HostNotFoundError),
        (changed(endpoint=f"http://127.0.0.1:{free_port()}"), EndpointRefusedError),
    ],
    ids=["wrong secret", "unknown key", "no bucket", "no host", "refused"],
)
async def test_what_is_wrong_with_s3_is_said(
    s3_server: RcloneS3, change: Change, error: type[StorageError]
) -> None:
    s3_server.make_bucket("wrongs")

    with pytest.raises(error) as caught:
        await open_backend(change(s3_target(s3_server, "wrongs"))).probe(write=True)

    assert caught.value.hint
    assert s3_server.secret_key not in str(caught.value) + caught.value.detail
    assert not (s3_server.data / "no-such-bucket").exists()


async def test_only_ones_own_certificate_is_trusted_where_one_is_given(
    s3_server: RcloneS3, tls_s3_server: RcloneS3
) -> None:
    tls_s3_server.make_bucket("house")
    target = s3_target(tls_s3_server, "house")
    trusted = msgspec.structs.replace(target, ca_certificate=tls_s3_server.certificate)

    with pytest.raises(TlsError):
        await open_backend(target).probe(write=True)
    found = await open_backend(trusted).probe(write=True)

    assert not found.has_parts
    with pytest.raises(TlsError):
        await open_backend(
            msgspec.structs.replace(trusted, endpoint=f"https://127.0.0.1:{s3_server.port}")
        ).probe(write=True)


async def test_a_local_path_that_is_not_there_is_said_and_not_made(tmp_path: Path) -> None:
    parent = tmp_path / "not mounted"
    backend = open_backend(LocalTarget(path=str(parent / "repository"), parent=str(parent)))

    with pytest.raises(PathMissingError, match="not mounted"):
        await backend.probe(write=True)
    with pytest.raises(PathMissingError):
        await backend.prepare()

    assert not parent.exists()


async def test_a_local_path_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(PathNotDirectoryError):
        await open_backend(LocalTarget(path=str(tmp_path / "file"))).probe(write=True)


async def test_a_cancelled_caller_leaves_no_thread_at_work() -> None:
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
