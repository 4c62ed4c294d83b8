"""Changing the master key, killed anywhere: nobody is locked out, and no secret is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from holdfast.catalog.deps import Deps
from holdfast.catalog.rotation import (
    Step,
    UnfinishedRotationError,
    finish,
    key_files_beside,
    keys_status,
    rotate,
)
from holdfast.catalog.secrets import CatalogSecrets, open_secrets
from holdfast.catalog.store.destinations import sealed_secrets
from holdfast.events.work import DestinationSecrets
from holdfast.secretbox.errors import MasterKeyFileMissingError, WrongMasterKeyError
from holdfast.settings import Settings
from support.catalog import Clock, opened_catalog
from support.destinations import ready_destination
from support.rotating import FINISH, source
from support.token import SoftToken

pytestmark = pytest.mark.postgres

TOP = Path(__file__).parents[2]
PASSPHRASE_STEPS = 5
FILE_STEPS = 7


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SoftToken(tmp_path / "token").environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def house(postgres_dsn: str, tmp_path: Path, clock: Clock) -> AsyncIterator["ChangedHouse"]:
    async with opened_catalog(postgres_dsn, tmp_path / "data", clock) as deps:
        ids = [await ready_destination(deps, name) for name in "AB"]
        async with deps.pool.acquire() as connection:
            sealed = await sealed_secrets(connection, ids)
        before = {each.id: deps.secrets.open_destination(each) for each in sealed}
        yield ChangedHouse(deps, tmp_path / "data", postgres_dsn, before)


class ChangedHouse:
    """A catalog with secrets, whose master key is changed."""

    def __init__(
        self, deps: Deps, data: Path, dsn: str, before: dict[object, DestinationSecrets]
    ) -> None:
        self.deps = deps
        self.data = data
        self.dsn = dsn
        self.before = before
        self.told: list[Step] = []

    def settings(self, kind: str) -> Settings:
        """As a person writes them for that kind of master key."""
        environ = {"HOLDFAST_DATA": str(self.data), "HOLDFAST_POSTGRES_DSN": self.dsn}
        named = source(kind, self.data)
        if kind.startswith("passphrase"):
            environ["HOLDFAST_MASTER_PASSPHRASE"] = f"a long enough {kind}"
        elif kind == "pkcs11":
            environ["HOLDFAST_PKCS11_MODULE"] = str(named.access.module)  # type: ignore[union-attr] - it is a token
            environ["HOLDFAST_PKCS11_PIN"] = "9876"
        return Settings.from_environment(environ)

    async def starts_with(self, kind: str) -> None:
        """A catalog starts, and every secret is what it was."""
        opened: CatalogSecrets = await open_secrets(
            self.deps.pool, self.settings(kind), self.deps.now()
        )
        async with self.deps.pool.acquire() as connection:
            sealed = await sealed_secrets(connection, list(self.before))  # type: ignore[arg-type] - ids
        assert {each.id: opened.open_destination(each) for each in sealed} == self.before
        assert opened.public_key == self.deps.secrets.public_key

    async def rotate(self, old: str, new: str) -> None:
        await rotate(
            self.deps.pool,
            source(old, self.data),
            source(new, self.data),
            self.deps.now(),
            self.told.append,
        )

    async def finish(self, kind: str, *, delete_files: bool = False) -> Sequence[Path]:
        files = key_files_beside(self.data / "master-key")
        return await finish(
            self.deps.pool,
            source(kind, self.data),
            files,
            self.told.append,
            delete_files=delete_files,
        )

    async def killed_after(self, steps: int, old: str, new: str) -> list[str]:
        """A process that begins it and is killed; the steps that it did."""
        process = await asyncio_run(self.dsn, self.data, old, new, steps)
        assert process.returncode == -signal.SIGKILL, process.stderr
        return process.stdout.split()


async def asyncio_run(
    dsn: str, data: Path, old: str, new: str, steps: int
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "support.rotating", dsn, str(data), old, new, str(steps)],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


KINDS = ("file", "passphrase", "pkcs11")


@pytest.mark.usefixtures("token")
async def test_from_any_kind_to_any_other(house: ChangedHouse) -> None:
    now = "file"
    for new in ("passphrase", "pkcs11", "file", "pkcs11", "passphrase", "file"):
        await house.rotate(now, new)
        await house.starts_with(now)
        await house.starts_with(new)
        await house.finish(new)
        await house.starts_with(new)
        with pytest.raises((WrongMasterKeyError, MasterKeyFileMissingError)):
            await house.starts_with(now)
        now = new


async def test_from_one_passphrase_to_another_and_from_one_file_to_the_next(
    house: ChangedHouse,
) -> None:
    first = (house.data / "master-key").read_bytes()
    await house.rotate("file", "file")
    assert (house.data / "master-key").read_bytes() != first
    await house.starts_with("file")
    (old,) = await house.finish("file")
    assert old.read_bytes() == first
    assert await house.finish("file", delete_files=True) == ()
    assert not old.exists()
    await house.starts_with("file")

    await house.rotate("file", "passphrase")
    await house.finish("passphrase")
    await house.rotate("passphrase", "passphrase 2")
    await house.starts_with("passphrase")
    await house.starts_with("passphrase 2")
    await house.finish("passphrase 2")
    with pytest.raises(WrongMasterKeyError, match="opens with a passphrase"):
        await house.starts_with("passphrase")


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        *(("file", "file", step) for step in range(1, FILE_STEPS + 1)),
        *(("file", "passphrase", step) for step in range(1, PASSPHRASE_STEPS + 1)),
        *(("pkcs11", "file", step) for step in range(1, FILE_STEPS + 1)),
        *(("file", "pkcs11", step) for step in range(1, PASSPHRASE_STEPS + 1)),
    ],
)
@pytest.mark.usefixtures("token")
async def test_killed_between_any_two_steps(
    house: ChangedHouse, old: str, new: str, steps: int
) -> None:
    if old != "file":
        await house.rotate("file", old)
        await house.finish(old)

    done = await house.killed_after(steps, old, new)

    assert len(done) == steps
    await house.starts_with(old)
    if Step.BOTH_OPEN.name in done and (new != "file" or Step.SWITCHED.name in done):
        await house.starts_with(new)
    if Step.SWITCHED.name not in done:
        await house.rotate(old, new)
    await house.starts_with(old)
    await house.starts_with(new)
    await house.finish(new, delete_files=True)
    await house.starts_with(new)
    status = await keys_status(house.deps.pool, source(new, house.data))
    assert [each.id for each in status.master_keys] == [status.named]


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_killed_while_the_old_one_is_dropped(house: ChangedHouse, steps: int) -> None:
    await house.rotate("file", "file")

    await house.killed_after(steps, "file", FINISH)

    await house.starts_with("file")
    assert await house.finish("file", delete_files=True) == ()
    await house.starts_with("file")
    assert [each.name for each in house.data.glob("master-key*")] == ["master-key"]


async def test_a_change_can_be_called_off(house: ChangedHouse) -> None:
    await house.rotate("file", "passphrase")

    await house.finish("file")

    await house.starts_with("file")
    with pytest.raises(WrongMasterKeyError):
        await house.starts_with("passphrase")


async def test_one_change_at_a_time(house: ChangedHouse) -> None:
    await house.rotate("file", "passphrase")
    with pytest.raises(UnfinishedRotationError):
        await house.rotate("file", "passphrase 2")
    await house.rotate("file", "passphrase")  # again is nothing new
    await house.finish("passphrase")
    await house.starts_with("passphrase")


async def test_the_status_says_what_opens_and_what_is_wrong(house: ChangedHouse) -> None:
    status = await keys_status(house.deps.pool, source("file", house.data))
    assert [each.kind for each in status.master_keys] == ["file"]
    assert status.named == status.master_keys[0].id
    assert (status.data_keys, status.secrets) == (1, 3)

    wrong = await keys_status(house.deps.pool, source("passphrase", house.data))
    assert wrong.named == ""
    assert "a key file" in wrong.why_not
