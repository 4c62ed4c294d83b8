"""One suite for every storage whose objects can be had one by one."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.kernel.secret import Secret
from holdfast.storage.base import LocalTarget, S3Target, SftpTarget
from holdfast.storage.objects import (
    CHUNK,
    ObjectDamagedError,
    ObjectMissingError,
    Objects,
    is_sound,
    path_of,
    transfer,
    whole,
)
from holdfast.storage.registry import open_objects
from support.servers import RcloneS3
from support.sshd import Sshd

pytestmark = [pytest.mark.s3, pytest.mark.sftp]

CONTENT = b"a pack" * 1_000_000
NAME = hashlib.sha256(CONTENT).hexdigest()
PATH = path_of("data", NAME)


class Store:
    """The objects to test, and the folder in which they are files."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self.objects = objects
        self.folder = folder

    def put(self, content: bytes, path: str = PATH) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found}


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_objects(LocalTarget(path=str(tmp_path / "nas"))) as objects:
        yield Store(objects, tmp_path / "nas")


@pytest.fixture
async def s3(tmp_path: Path, s3_server: RcloneS3) -> AsyncIterator[Store]:
    bucket = tmp_path.name.replace("_", "-")[:50].lower().strip("-")
    s3_server.make_bucket(bucket)
    target = S3Target(
        endpoint=s3_server.endpoint,
        bucket=bucket,
        region="us-east-1",
        access_key=Secret(s3_server.access_key),
        secret_key=Secret(s3_server.secret_key),
        prefix="house",
    )
    async with open_objects(target) as objects:
        yield Store(objects, s3_server.data / bucket / "house")


@pytest.fixture
async def sftp(tmp_path: Path, sshd: Sshd) -> AsyncIterator[Store]:
    target = SftpTarget(
        host="127.0.0.1",
        port=sshd.port,
        user=sshd.user,
        path=str(tmp_path / "synology"),
        host_key=sshd.host_key,
        private_key=Secret(sshd.private_key),
    )
    async with open_objects(target) as objects:
        yield Store(objects, tmp_path / "synology")


@pytest.fixture(params=["local", "s3", "sftp"])
def store(request: pytest.FixtureRequest, local: Store, s3: Store, sftp: Store) -> Store:
    return {"local": local, "s3": s3, "sftp": sftp}[request.param]


@pytest.fixture
def other(store: Store, local: Store, s3: Store) -> Store:
    """Another kind: what is brought over comes from there."""
    return s3 if store is local else local


async def test_an_object_is_brought_over_whole_and_appears_in_the_listing(
    store: Store, other: Store
) -> None:
    other.put(CONTENT)

    size = await transfer(other.objects, store.objects, PATH)

    assert size == len(CONTENT) > CHUNK
    assert (store.folder / PATH).read_bytes() == CONTENT
    assert store.files() == {PATH}
    assert (await store.objects.names("data"))[NAME].size == len(CONTENT)
    assert await store.objects.size(PATH) == len(CONTENT)
    assert await is_sound(store.objects, PATH)


async def test_a_damaged_object_replaces_nothing(store: Store, other: Store) -> None:
    other.put(CONTENT[:-1] + b"X")
    store.put(CONTENT)

    with pytest.raises(ObjectDamagedError):
        await transfer(other.objects, store.objects, PATH)

    assert (store.folder / PATH).read_bytes() == CONTENT
    assert store.files() == {PATH}
    assert not await is_sound(other.objects, PATH)


async def test_a_good_object_takes_the_place_of_a_damaged_one(store: Store, other: Store) -> None:
    other.put(CONTENT)
    store.put(b"rotten")

    await transfer(other.objects, store.objects, PATH)

    assert (store.folder / PATH).read_bytes() == CONTENT


async def test_what_breaks_off_leaves_nothing(store: Store) -> None:
    async def break_off() -> None:
        async with store.objects.receive(PATH) as incoming:
            await incoming.write(CONTENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()

    assert store.files() == set()
    assert await store.objects.size(PATH) is None


async def test_what_is_not_there_is_told(store: Store, other: Store) -> None:
    with pytest.raises(ObjectMissingError):
        await transfer(other.objects, store.objects, PATH)

    assert not await is_sound(other.objects, PATH)
    assert await store.objects.names("data") == {}


async def test_an_object_is_set_aside_and_put_back(store: Store) -> None:
    store.put(b"some bytes")

    await store.objects.set_aside(PATH)

    assert await store.objects.size(PATH) is None
    assert await store.objects.names("data") == {}
    assert await store.objects.aside() == (PATH,)
    await store.objects.put_back(PATH)
    assert await whole(store.objects, PATH) == b"some bytes"
    assert await store.objects.aside() == ()
    await store.objects.put_back(PATH)  # nothing is there: nothing happens
    await store.objects.delete(PATH)
    await store.objects.delete(PATH)
    assert store.files() == set()


@pytest.mark.parametrize("path", ["../config", "locks/" + NAME, f"data/00/{NAME}", "index/x", ""])
async def test_nothing_but_objects_is_touched(local: Store, path: str) -> None:
    with pytest.raises(ValueError, match="is no object"):
        await local.objects.delete(path)
