"""A real OpenSSH server on a port of 127.0.0.1, run by whoever runs the tests."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh

from support.networks import Network, door
from support.servers import Background, free_port


class Sshd:
    """One server: its own host key, one authorized key, and the machine's files."""

    def __init__(
        self,
        data: Path,
        *,
        subsystem: str = "internal-sftp",
        inside: Network | None = None,
        at: Network | None = None,
    ) -> None:
        """*inside* the network that it sees, and *at* the one where it listens; None: the tests'.

        Where the two differ it is a way from the one into the other.
        """
        self.data = data
        self.inside = inside
        self.at = at
        self.environment: tuple[str, ...] = ()
        """NAME=value for each session; before it is started."""
        self.before: tuple[str, ...] = ()
        """What to put before the server's command; before it is started."""
        self.options = ""
        """Further lines of its configuration."""
        self.port = free_port()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.private_key = self.key.export_private_key().decode()
        self.subsystem = subsystem
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host_key(self) -> str:
        """As it is pinned."""
        line = (self.data / "host_key.pub").read_text()
        return " ".join(line.split()[:2])

    @property
    def fingerprint(self) -> str:
        return asyncssh.import_public_key(self.host_key).get_fingerprint()

    def start(self) -> "Sshd":
        self.data.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        if not (self.data / "host_key").exists():
            self.new_host_key()
        (self.data / "authorized_keys").write_bytes(self.key.export_public_key())
        subsystem = f"Subsystem sftp {self.subsystem}\n" if self.subsystem else ""
        (self.data / "config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.data}/host_key\n"
            f"AuthorizedKeysFile {self.data}/authorized_keys\nPidFile none\nStrictModes no\n"
            "UsePAM no\nUseDNS no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"MaxStartups 100:30:200\n{subsystem}{self.options}"
            + (f"SetEnv {' '.join(self.environment)}\n" if self.environment else "")
        )
        dying = ("setpriv", "--pdeathsig", "KILL", "--")
        sshd = (
            *self.before,
            str(sshd_binary()),
            "-E",
            str(self.data / "log"),
            "-f",
            str(self.data / "config"),
        )
        inside = self.inside.entered if self.inside else ()
        at = self.at.entered if self.at else ()
        argv = (*inside, *dying, *sshd, "-D")  # all of it becomes the server, one after the other
        if self.inside is not self.at:
            argv = (*at, *dying, *door(self.port, *inside, *sshd, "-i"))
        self._process = subprocess.Popen(argv, start_new_session=True)
        self._wait()
        return self

    def new_host_key(self) -> None:
        """As a server that was set up anew; before it is started."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(self.data / "host_key"))
        (self.data / "host_key").chmod(0o600)
        key.write_public_key(str(self.data / "host_key.pub"))

    def sessions(self) -> list[int]:
        """The processes that serve connections right now."""
        assert self._process is not None
        found = [self._process.pid]
        for pid in found:
            with contextlib.suppress(OSError):  # it has just ended
                for task in list(Path(f"/proc/{pid}/task").glob("*")):
                    found += [int(each) for each in (task / "children").read_text().split()]
        return found[1:]

    def stop(self) -> None:
        """With every connection."""
        if self._process is None:
            return
        for pid in [*self.sessions(), self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        # A session that was only just begun has the door too, until it closes it: a server that is
        # started meanwhile cannot have it.
        while self.at is None and self._listens():
            time.sleep(0.01)
        self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Every connection stays open, and nobody answers."""
        assert self._process is not None
        stopped = [*self.sessions(), self._process.pid]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _wait(self) -> None:
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self.data / "log").read_text()
            if self._listens():
                return

    def _listens(self) -> bool:
        if self.at is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return True
            return False
        assert self._process is not None
        with contextlib.suppress(OSError):  # it is just being started
            seen = Path(f"/proc/{self._process.pid}/net/tcp").read_text()
            return f":{self.port:04X} 00000000:0000 0A" in seen
        return False


def sshd_binary() -> str | None:
    """sshd, which insists on being started by its whole path; None: not installed."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class PasswordServer:
    """asyncssh's own server, with one user and a password, which sshd would ask the machine for."""

    user = "backup"
    password = "correct horse battery"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self._background = Background()
        self._key = asyncssh.generate_private_key("ssh-ed25519")

    def start(self) -> "PasswordServer":
        self.root.mkdir(parents=True, exist_ok=True)
        self._background.do(self._listen())
        return self

    async def _listen(self) -> None:
        server = self

        class Login(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == (server.user, server.password)

        def session(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=str(self.root).encode())

        self._server = await asyncssh.create_server(
            Login,
            "127.0.0.1",
            self.port,
            server_host_keys=[self._key],
            sftp_factory=session,
        )

    @property
    def host_key(self) -> str:
        return " ".join(self._key.export_public_key().decode().split()[:2])

    def stop(self) -> None:
        async def close() -> None:
            self._server.close()
            await self._server.wait_closed()

        self._background.do(close())
        self._background.close()
