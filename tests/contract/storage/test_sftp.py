"""What is wrong with an SFTP server, by its cause, on real ones."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from msgspec.structs import replace

from holdfast.kernel.secret import Secret
from holdfast.storage import sftp, sftp_connection
from holdfast.storage.base import SftpTarget, fingerprint_of
from holdfast.storage.errors import (
    BadCredentialsError,
    ConnectionLostError,
    EndpointRefusedError,
    EndpointTimeoutError,
    HostKeyChangedError,
    HostNotFoundError,
    NotSshError,
    PathMissingError,
    PathNotDirectoryError,
    PathNotWritableError,
    PrivateKeyError,
    SftpOffError,
    StorageError,
    StorageFullError,
)
from holdfast.storage.registry import host_key_of, open_backend
from support.servers import free_port
from support.sshd import PasswordServer, Sshd

pytestmark = pytest.mark.sftp


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    (tmp_path / "nas").mkdir()
    return tmp_path / "nas"


@pytest.fixture
def target(sshd: Sshd, nas: Path) -> SftpTarget:
    return target_at(sshd, nas)


def target_at(server: Sshd, parent: Path) -> SftpTarget:
    return SftpTarget(
        host="127.0.0.1",
        port=server.port,
        user=server.user,
        path=str(parent / "homelab-backups"),
        parent=str(parent),
        host_key=server.host_key,
        private_key=Secret(server.private_key),
    )


@pytest.fixture
def password_server(tmp_path: Path) -> Iterator[PasswordServer]:
    server = PasswordServer(tmp_path / "root").start()
    yield server
    server.stop()


async def refusal(target: SftpTarget) -> StorageError:
    with pytest.raises(StorageError) as caught:
        await open_backend(target).probe(write=True)
    told = f"{caught.value} {caught.value.detail}"
    for secret in (target.password, target.private_key, target.passphrase):
        assert not secret.reveal() or secret.reveal() not in told
    assert caught.value.hint
    return caught.value


def other_key(**options: Any) -> Secret:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return Secret(key.export_private_key(**options).decode())


async def test_a_password_opens_it_and_a_wrong_one_is_said(password_server: PasswordServer) -> None:
    (password_server.root / "backups").mkdir()
    target = SftpTarget(
        host="127.0.0.1",
        port=password_server.port,
        user=password_server.user,
        path="backups/homelab-backups",
        parent="backups",
        host_key=password_server.host_key,
        password=Secret(password_server.password),
    )

    found = await open_backend(target).probe(write=True)
    error = await refusal(replace(target, password=Secret("wrong horse")))

    assert not found.has_config
    assert found.free_bytes
    assert type(error) is BadCredentialsError
    assert "password" in error.message
    assert list((password_server.root / "backups").iterdir()) == []


async def test_a_key_with_a_passphrase(sshd: Sshd, target: SftpTarget) -> None:
    locked = Secret(sshd.key.export_private_key(passphrase="hush").decode())

    await open_backend(replace(target, private_key=locked, passphrase=Secret("hush"))).probe(
        write=True
    )
    missing = await refusal(replace(target, private_key=locked))
    wrong = await refusal(replace(target, private_key=locked, passphrase=Secret("loud")))

    assert type(missing) is type(wrong) is PrivateKeyError
    assert "passphrase" in missing.message
    assert "does not open" in wrong.message


async def test_each_cause_has_its_error(sshd: Sshd, target: SftpTarget, nas: Path) -> None:
    (nas / "file").write_text("")
    cases = [
        (replace(target, private_key=other_key()), BadCredentialsError),
        (replace(target, private_key=Secret("nonsense")), PrivateKeyError),
        (replace(target, user="nobody-of-that-name"), BadCredentialsError),
        (replace(target, host="nowhere.invalid"), HostNotFoundError),
        (replace(target, port=free_port()), EndpointRefusedError),
        (replace(target, parent=str(nas / "gone")), PathMissingError),
        (replace(target, parent=str(nas / "file")), PathNotDirectoryError),
    ]

    for wrong, error in cases:
        assert type(await refusal(wrong)) is error

    assert sorted(each.name for each in nas.iterdir()) == ["file"]


async def test_a_place_that_may_not_be_written_to_is_said(target: SftpTarget) -> None:
    # Not even root may make files there.
    wrong = replace(target, parent="/proc", path="/proc/homelab-backups")

    assert type(await refusal(wrong)) is PathNotWritableError


async def test_a_full_disk_is_told_from_a_place_that_is_not_writable(
    target: SftpTarget, nas: Path
) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(nas)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        with pytest.raises(OSError, match="No space left"):
            (nas / "full").write_bytes(b"x" * 128 * 1024)
        error = await refusal(target)
    finally:
        subprocess.run(["umount", str(nas)], check=True)

    assert type(error) is StorageFullError


async def test_a_server_without_sftp_is_said(own_sshd: Sshd, nas: Path) -> None:
    own_sshd.subsystem = ""
    own_sshd.start()

    assert type(await refusal(target_at(own_sshd, nas))) is SftpOffError


@asynccontextmanager
async def answering(words: bytes | None) -> AsyncIterator[int]:
    """The port of a server that says these words to everybody and waits; None: it hangs up."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        if words is not None:
            writer.write(words)
            with suppress(ConnectionError):
                await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*(task for task in tasks if task is not None))


@pytest.mark.parametrize(
    ("words", "kind"),
    [(b"HTTP/1.1 400 Bad Request\r\n" * 20_000, NotSshError), (None, ConnectionLostError)],
)
async def test_what_is_no_ssh_server_is_said(
    target: SftpTarget, words: bytes | None, kind: type[StorageError]
) -> None:
    async with answering(words) as port:
        assert type(await refusal(replace(target, port=port))) is kind


async def test_a_server_that_says_nothing_is_given_up(
    target: SftpTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp_connection, "LOGIN_SECONDS", 0.3)
    monkeypatch.setattr(sftp_connection, "CONNECT_SECONDS", 0.3)
    async with answering(b"") as port:
        assert type(await refusal(replace(target, port=port))) is EndpointTimeoutError
        with pytest.raises(EndpointTimeoutError):
            await host_key_of("127.0.0.1", port, "")


async def test_a_server_that_freezes_after_the_login_is_given_up(
    own_sshd: Sshd, nas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp, "CALL_SECONDS", 1.5)
    backend = open_backend(target_at(own_sshd.start(), nas))
    await backend.probe(write=True)

    with own_sshd.frozen(), pytest.raises(EndpointTimeoutError):
        await backend.probe(write=True)

    await backend.probe(write=True)


async def test_the_first_key_is_pinned_and_another_one_refused(own_sshd: Sshd, nas: Path) -> None:
    own_sshd.start()
    pinned = await host_key_of("127.0.0.1", own_sshd.port, "")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(own_sshd.data / "host_key.pub")],
        capture_output=True,
        text=True,
        check=True,
    )
    target = replace(target_at(own_sshd, nas), host_key=pinned)
    own_sshd.stop()
    own_sshd.new_host_key()
    own_sshd.start()

    error = await refusal(target)

    assert fingerprint_of(pinned) == shown.stdout.split()[1]
    assert type(error) is HostKeyChangedError
    assert fingerprint_of(pinned) in error.message
    assert own_sshd.fingerprint in error.message
    assert not error.retryable


async def test_another_kind_of_host_key_is_a_change_too(own_sshd: Sshd, nas: Path) -> None:
    own_sshd.start()
    rsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    pinned = sftp_connection.public_line(rsa)

    assert type(await refusal(replace(target_at(own_sshd, nas), host_key=pinned))) is (
        HostKeyChangedError
    )


async def test_a_wanted_fingerprint_or_key_must_be_the_servers(sshd: Sshd) -> None:
    where = ("127.0.0.1", sshd.port)

    assert await host_key_of(*where, sshd.fingerprint) == sshd.host_key
    assert await host_key_of(*where, f"{sshd.host_key} anna@nas") == sshd.host_key
    with pytest.raises(HostKeyChangedError, match=sshd.fingerprint.replace("+", r"\+")):
        await host_key_of(*where, "SHA256:" + "A" * 43)


async def test_nothing_of_this_machines_own_ssh_counts(
    target: SftpTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(target.private_key.reveal())
    (home / ".ssh" / "config").write_text("Host *\n  User somebody-else\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no agent"))

    await open_backend(target).probe(write=True)
    error = await refusal(replace(target, private_key=Secret(""), password=Secret("swordfish")))

    assert type(error) is BadCredentialsError
    assert os.listdir(home / ".ssh")
