"""An append-only relay on real rclone and restic: what it takes, and what it refuses."""

import base64
import contextlib
import http.client
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import pytest
from msgspec.structs import replace

from holdfast.devices.local import LocalRunner
from holdfast.kernel.errors import InvalidRequestError
from holdfast.kernel.secret import Secret
from holdfast.restic import Repository, Restic
from holdfast.restic.binary import find_restic
from holdfast.restic.commands import backup, check, forget, init, locks, prune, snapshots
from holdfast.restic.errors import ResticError
from holdfast.storage.base import LocalTarget, S3Target, SftpTarget, Target
from holdfast.storage.errors import StorageFullError
from holdfast.storage.rclone import find_rclone, remote_of
from holdfast.storage.relay import USER, Relay, RelayError, open_relay
from support.executor import until
from support.sshd import PasswordServer, Sshd
from support.trees import make_tree

pytestmark = pytest.mark.restic
PASSWORD = Secret("a-password-for-tests")


@pytest.fixture(
    params=[
        "local",
        pytest.param("s3", marks=pytest.mark.s3),
        pytest.param("sftp", marks=pytest.mark.sftp),
    ]
)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "local":
        return LocalTarget(path=str(tmp_path / "repo"))
    if request.param == "sftp":
        sshd: Sshd = request.getfixturevalue("sshd")
        return SftpTarget(
            host="127.0.0.1",
            port=sshd.port,
            user=sshd.user,
            path=str(tmp_path / "repo"),
            host_key=sshd.host_key,
            private_key=Secret(sshd.private_key),
        )
    server: Any = request.getfixturevalue("s3_server")
    bucket = f"bucket-{uuid4().hex[:12]}"
    server.make_bucket(bucket)
    return S3Target(
        endpoint=server.endpoint,
        bucket=bucket,
        region="us-east-1",
        access_key=Secret(server.access_key),
        secret_key=Secret(server.secret_key),
        prefix="home/lab",
    )


@pytest.fixture
async def relay(target: Target) -> AsyncIterator[Relay]:
    async with open_relay(find_rclone(), LocalRunner(), target, append_only=True) as opened:
        yield opened


def restic(relay: Relay, tmp_path: Path) -> Restic:
    repository = Repository(
        url=relay.repository_url(), password=PASSWORD, cache_dir=str(tmp_path / "cache")
    )
    return Restic(find_restic(), LocalRunner(), repository)


def ask(relay: Relay, method: str, path: str, *, password: str | None = None) -> int:
    """One request with exactly this path, as no well-behaved client would send it."""
    connection = http.client.HTTPConnection(relay.address.removeprefix("http://"), timeout=20)
    connection.putrequest(method, path, skip_accept_encoding=True)
    if password is None:
        password = relay.password.reveal()
    if password:
        basic = base64.b64encode(f"{USER}:{password}".encode()).decode()
        connection.putheader("Authorization", f"Basic {basic}")
    body = b"not what was there" if method == "POST" else b""
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


async def made(relay: Relay, tmp_path: Path) -> tuple[Restic, str, str]:
    """A repository with one snapshot, all of it through the relay; snapshot and pack."""
    through = restic(relay, tmp_path)
    await init.run(through)
    options = backup.BackupOptions(paths=(str(make_tree(tmp_path / "data")),))
    snapshot = (await backup.run(through, options)).snapshot_id
    listed = await through.run(("list", "packs", "--no-lock"))
    return through, snapshot, listed.stdout[0].decode().strip()


async def test_what_is_there_can_be_neither_deleted_nor_changed(
    relay: Relay, tmp_path: Path
) -> None:
    through, snapshot, pack = await made(relay, tmp_path)
    assert await locks.run(through) == (), "restic could delete its own lock"

    refused = {
        (method, path): ask(relay, method, path)
        for method, path in (
            ("DELETE", f"/snapshots/{snapshot}"),
            ("DELETE", f"/data/{pack}"),
            ("DELETE", f"/data/{pack[:2]}/{pack}"),
            ("DELETE", "/config"),
            ("POST", f"/data/{pack}"),
            ("POST", f"/data/{pack[:2]}/{pack}"),
            ("POST", f"/snapshots/{snapshot}"),
            ("POST", "/config"),
            # As a lock, which may go, that is none.
            ("DELETE", f"/snapshots/{snapshot}/locks/.."),
            ("DELETE", f"/snapshots/{snapshot}%2Flocks%2F.."),
            ("DELETE", f"/locks/..%2F..%2Fsnapshots%2F{snapshot}"),
            ("POST", f"/snapshots/../data/{pack[:2]}/{pack}"),
        )
    }

    assert set(refused.values()) <= {400, 403, 405}, refused
    with pytest.raises(ResticError):
        await forget.run(through, forget.ForgetOptions(snapshot_ids=(snapshot,)))
    assert [each.id for each in await snapshots.run(through)] == [snapshot]
    await check.run(through, check.CheckOptions(read_part=(1, 1)))


async def test_prune_frees_nothing(relay: Relay, tmp_path: Path) -> None:
    through, _, _ = await made(relay, tmp_path)
    stray = "ab" * 32
    assert ask(relay, "POST", f"/data/{stray}") == 200, "what is new is taken"

    with contextlib.suppress(ResticError):  # it takes a pack that it cannot delete lightly
        await prune.run(through, prune.PruneOptions(max_unused="0"))

    assert ask(relay, "HEAD", f"/data/{stray}") == 200


async def test_nobody_gets_in_without_the_password(relay: Relay) -> None:
    assert ask(relay, "GET", "/config", password="") == 401
    assert ask(relay, "GET", "/config", password="guessed") == 401
    assert ask(relay, "GET", "/config") == 404


async def test_secrets_are_in_no_argument_and_no_environment(
    target: Target, tmp_path: Path
) -> None:
    mark = uuid4().hex
    relaying = open_relay(find_rclone(), LocalRunner(), target, append_only=True, run_id=mark)
    async with relaying as relay:
        through = Restic(
            find_restic(),
            LocalRunner(),
            Repository(url=relay.repository_url(), password=PASSWORD),
            run_id=mark,
        )
        await init.run(through)
        paths = (str(make_tree(tmp_path / "data")),)
        async with through.start(backup.argv(backup.BackupOptions(paths=paths))) as running:
            async for _ in running.lines():
                break
            shown = "".join(_shown(pid) for pid in _marked(mark))
        assert "rclone" in shown
        assert "restic" in shown
        hidden = [relay.password.reveal(), PASSWORD.reveal()]
        if isinstance(target, S3Target):
            hidden.append(target.secret_key.reveal())
        assert not [each for each in hidden if each in shown]


async def test_work_ends_at_once_when_rclone_is_gone(target: Target) -> None:
    mark = uuid4().hex
    opened = open_relay(find_rclone(), LocalRunner(), target, append_only=True, run_id=mark)
    async with opened as relay:

        async def die() -> None:
            for pid in _marked(mark):
                os.kill(pid, signal.SIGKILL)
            await until(lambda: False, seconds=60)

        with pytest.raises(RelayError):
            await relay.while_it_lives(die())


async def test_rclone_dies_with_whoever_started_it(tmp_path: Path) -> None:
    mark = uuid4().hex
    script = tmp_path / "starts.py"
    script.write_text(
        textwrap.dedent(f"""
        import asyncio
        from holdfast.devices.local import LocalRunner
        from holdfast.storage.base import LocalTarget
        from holdfast.storage.rclone import find_rclone
        from holdfast.storage.relay import open_relay

        async def main():
            target = LocalTarget(path={str(tmp_path / "repo")!r})
            opened = open_relay(
                find_rclone(), LocalRunner(), target, append_only=True, run_id={mark!r}
            )
            async with opened:
                print("ready", flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout as output:
        assert output.readline() == b"ready\n"
        assert len(_marked(mark)) == 1

        process.kill()

        await until(lambda: not _marked(mark), what="rclone ends")


async def test_a_relay_that_cannot_start_says_why(tmp_path: Path) -> None:
    false = tmp_path / "rclone"
    false.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    false.chmod(0o755)

    with pytest.raises(RelayError) as raised:
        async with open_relay(false, LocalRunner(), LocalTarget(path="/nowhere"), append_only=True):
            pass

    assert raised.value.detail == "no such thing"


async def test_a_full_destination_is_told_at_once(tmp_path: Path) -> None:
    """restic hears only of an error of the server, which it takes for one that may pass."""
    full = tmp_path / "rclone"
    full.write_text(
        "#!/bin/sh\n"
        "echo 'NOTICE: Serving restic REST API on [http://127.0.0.1:1/]' >&2\n"
        "echo 'ERROR: data/ab: Post request rcat error: write: no space left on device' >&2\n"
        "exec sleep 60\n"
    )
    full.chmod(0o755)
    opened = open_relay(full, LocalRunner(), LocalTarget(path="/nowhere"), append_only=True)

    async with opened as relay:
        with pytest.raises(StorageFullError):
            await relay.while_it_lives(until(lambda: False, seconds=60))


@pytest.mark.sftp
async def test_another_host_key_or_password_is_refused(tmp_path: Path) -> None:
    server = PasswordServer(tmp_path / "root").start()
    try:
        right = SftpTarget(
            host="127.0.0.1",
            port=server.port,
            user=server.user,
            path="repo",
            host_key=server.host_key,
            password=Secret(server.password),
        )
        strange = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        async with open_relay(find_rclone(), LocalRunner(), right, append_only=True) as relay:
            assert ask(relay, "GET", "/config") == 404
        for wrong in (replace(right, host_key=strange), replace(right, password=Secret("other"))):
            with pytest.raises(RelayError):
                async with open_relay(find_rclone(), LocalRunner(), wrong, append_only=True):
                    pass
    finally:
        server.stop()


async def test_a_secret_that_would_break_out_of_its_line_is_refused() -> None:
    for bad in ("a\nb", "`quoted", "%(type)s"):
        target = S3Target(
            endpoint="http://nas:9000",
            bucket="b",
            region="",
            access_key=Secret("AKID"),
            secret_key=Secret(bad),
        )
        with pytest.raises(InvalidRequestError):
            await remote_of(target, find_rclone(), LocalRunner())


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"HOLDFAST_RUN={mark}".encode() in environment:
                found.append(int(entry.name))
    return found


def _shown(pid: int) -> str:
    """What ``ps`` may show."""
    entry = Path(f"/proc/{pid}")
    try:
        shown = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has ended: what helps rclone lives for a moment
    return shown.decode(errors="replace")
