"""How the bridge to an SFTP server is started, and what it is given.  Needs no asyncssh."""

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from holdfast.kernel.secret import Secret
from holdfast.storage.base import SftpTarget

TICKET = "HOLDFAST_SFTP"
"""The variable that holds the ticket's path."""

COMMAND = (sys.executable, "-m", "holdfast.storage.sftp_bridge")

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
"""So that the bridge is the one of this Holdfast, whatever is installed."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A target with its secrets in plain: only ever in memory."""

    host: str
    port: int
    user: str
    host_key: str
    password: str = ""
    private_key: str = ""
    passphrase: str = ""
    keepalive_seconds: float
    name: str = ""
    via: "Ticket | None" = None

    def target(self) -> SftpTarget:
        """As the connection wants it; the path is restic's business."""
        return SftpTarget(
            host=self.host,
            port=self.port,
            user=self.user,
            path="",
            host_key=self.host_key,
            password=Secret(self.password),
            private_key=Secret(self.private_key),
            passphrase=Secret(self.passphrase),
            keepalive_seconds=self.keepalive_seconds,
            name=self.name,
            via=self.via.target() if self.via else None,
        )


def ticket_of(target: SftpTarget) -> Secret:
    """What the bridge needs to reach *target*."""
    return Secret(msgspec.json.encode(_ticket(target)).decode())


def _ticket(target: SftpTarget) -> Ticket:
    return Ticket(
        host=target.host,
        port=target.port,
        user=target.user,
        host_key=target.host_key,
        password=target.password.reveal(),
        private_key=target.private_key.reveal(),
        passphrase=target.passphrase.reveal(),
        keepalive_seconds=target.keepalive_seconds,
        name=target.name,
        via=_ticket(target.via) if target.via else None,
    )


def read_ticket(environ: Mapping[str, str]) -> SftpTarget:
    """The target whose ticket *environ* names."""
    content = Path(environ[TICKET]).read_bytes()
    return msgspec.json.decode(content, type=Ticket).target()
