"""A real restic, a fresh repository a test, and an S3 store on the loopback."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from holdfast.devices.base import Program
from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, S3Access
from holdfast.restic.binary import ResticMissingError, find_restic
from holdfast.restic.commands import init
from holdfast.restic.keyfile import make_quick
from support.key_files import Folder

SECRET_KEY = "SK#secret;\"quoted'%d=" + uuid4().hex


@pytest.fixture(scope="session")
def binary() -> Path:
    """The restic that HOLDFAST_RESTIC names, else this checkout's, else the installed one."""
    tools = Path(__file__).parents[3] / ".tools" / "bin" / "restic"
    if tools.exists() and "HOLDFAST_RESTIC" not in os.environ:
        return tools
    try:
        return find_restic()
    except ResticMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def run_id() -> str:
    return uuid4().hex


@pytest.fixture(scope="session")
def template(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An empty repository that opens quickly, to be copied: making one takes seconds."""
    root = tmp_path_factory.mktemp("template") / "repository"
    repository = Repository(url=str(root), password=Secret(uuid4().hex + uuid4().hex))

    async def make() -> None:
        restic = Restic(binary, LocalRunner(), repository)
        await init.run(restic)
        await make_quick(restic, Folder(root), now=datetime.now(UTC))

    asyncio.run(make())
    return repository


@pytest.fixture
def new_restic(binary: Path, tmp_path: Path, run_id: str) -> Restic:
    """A place for a repository, not made yet."""
    repository = Repository(
        url=str(tmp_path / "repository"),
        password=Secret(f"{uuid4().hex}{uuid4().hex}"),
        cache_dir=str(tmp_path / "cache"),
    )
    return Restic(binary, LocalRunner(), repository, run_id=run_id)


@pytest.fixture
def restic(new_restic: Restic, template: Repository) -> Restic:
    """An empty repository."""
    repository = msgspec.structs.replace(new_restic.repository, password=template.password)
    shutil.copytree(template.url, repository.url)
    return Restic(new_restic.binary, new_restic.runner, repository, run_id=new_restic.run_id)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files whose names a careless driver would break on."""
    root = tmp_path / "source"
    (root / "deep").mkdir(parents=True)
    names = [b"plain", b" with spaces ", b"new\nline", b"\xfe\xff.bin", b"[x]*", b"q?\\z", b"$HOME"]
    for name in [*names, b'"quoted"', b"-dash", b"xx", "é".encode(), b"deep/[a-z]"]:
        with open(bytes(root) + b"/" + name, "wb") as file:
            file.write(name * 50)
    (root / "big").write_bytes(b"0123456789" * 200_000)
    (root / "link").symlink_to("plain")
    return root


@pytest.fixture
def s3() -> S3Access:
    """Credentials of a store whose address is in ``s3_url``."""
    return S3Access(access_key=Secret("AKTEST12"), secret_key=Secret(SECRET_KEY))


@pytest.fixture
def port() -> int:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@pytest.fixture
async def s3_url(tmp_path: Path, port: int) -> AsyncIterator[str]:
    """Address of a bucket in a store that knows the credentials of ``s3``."""
    rclone = shutil.which("rclone")
    if rclone is None:
        pytest.skip("rclone is not installed")
    store = tmp_path / "store"
    store.mkdir()
    argv = (
        rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"AKTEST12,{SECRET_KEY}", str(store),
    )  # fmt: skip
    async with LocalRunner().start(Program(argv=argv)):
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield f"s3:http://127.0.0.1:{port}/bucket/prefix"
