"""restic on an S3 store: the credentials arrive, and nobody sees them."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from holdfast.devices.local import LocalRunner
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic, S3Access
from holdfast.restic.commands import backup, check, forget, init, prune, restore, snapshots

pytestmark = [pytest.mark.restic, pytest.mark.s3]


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    """A machine with S3 credentials of its own, all of them wrong."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = WRONG123\naws_secret_access_key = wrong\n"
    )
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": "WRONG123",
        "AWS_SECRET_ACCESS_KEY": "wrong",
        "AWS_PROFILE": "other",
        "RESTIC_PASSWORD": "wrong",
    }


@pytest.fixture
async def restic(
    binary: Path, s3: S3Access, s3_url: str, hostile: dict[str, str], run_id: str, tmp_path: Path
) -> Restic:
    repository = Repository(
        url=s3_url, password=Secret("pass-s3-hush"), s3=s3, cache_dir=str(tmp_path / "cache")
    )
    restic = Restic(binary, LocalRunner(hostile), repository, run_id=run_id)
    async with asyncio.timeout(30):
        await init.run(restic)
    return restic


async def test_the_whole_way_on_s3(restic: Restic, source: Path, tmp_path: Path) -> None:
    result = await backup.run(restic, backup.BackupOptions(paths=(".",), cwd=str(source)))
    out = tmp_path / "out"

    await restore.run(
        restic, restore.RestoreOptions(snapshot=result.snapshot_id, target=str(out), verify=True)
    )

    assert (out / "big").read_bytes() == (source / "big").read_bytes()
    assert (await check.run(restic, check.CheckOptions(read_part=(1, 1)))).sound
    await forget.run(restic, forget.ForgetOptions(snapshot_ids=(result.snapshot_id,)))
    assert (await prune.run(restic, prune.PruneOptions(max_unused="0"))).freed > 0
    assert await snapshots.run(restic) == ()


async def test_no_secret_is_in_the_arguments_or_environment_of_any_process(
    restic: Restic, run_id: str
) -> None:
    assert restic.repository.s3 is not None
    secrets = [restic.repository.password, restic.repository.s3.secret_key]
    options = backup.BackupOptions(command=("tail", "-f", "/dev/null"))
    looked_at = 0

    task = asyncio.create_task(backup.run(restic, options))
    async with asyncio.timeout(20):
        while looked_at < 3:
            await asyncio.sleep(0.02)
            for entry in Path("/proc").iterdir():
                try:
                    environ = (entry / "environ").read_bytes()
                    cmdline = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if run_id.encode() not in environ:
                    continue
                looked_at += b"tail" in cmdline
                for secret in secrets:
                    assert secret.reveal().encode() not in environ + cmdline
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_wrong_credentials_of_a_repository_do_not_fall_back_to_the_machines(
    restic: Restic, s3: S3Access
) -> None:
    wrong = msgspec.structs.replace(
        restic.repository,
        s3=S3Access(access_key=s3.access_key, secret_key=Secret("wrong")),
    )
    task = asyncio.create_task(snapshots.run(Restic(restic.binary, restic.runner, wrong)))

    # restic tries a refused key again for minutes, so there is no answer to wait for.
    done, _ = await asyncio.wait([task], timeout=2)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not done or task.exception() is not None
