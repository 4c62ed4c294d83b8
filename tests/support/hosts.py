"""A device behind SSH, as an executor meets it."""

import os
from pathlib import Path

from holdfast.events.jumps import JumpLogin, SshHost
from holdfast.events.work import DestinationSecrets, DeviceAddress
from holdfast.kernel.ids import new_id
from support.executor import Bench
from support.people import UID, Person
from support.sshd import Sshd


def jump_host(sshd: Sshd, number: int) -> SshHost:
    """A server on the way, as work names it."""
    return SshHost(
        device_id=new_id(),
        name=f"gate-{number}",
        host="127.0.0.1",
        port=sshd.port,
        user=sshd.user,
        host_key=sshd.host_key,
    )


class Pi:
    """A device behind SSH whose home, cache and temporary files are this test's own."""

    def __init__(
        self, sshd: Sshd, root: Path, *, path: str = "", jumps: tuple[Sshd, ...] = ()
    ) -> None:
        """*jumps*: the started servers through which it is reached, the first one first."""
        self.sshd = sshd
        self.root = root
        self.cache = root / ".cache"
        self.temporary = root / "tmp"
        for each in (self.cache, self.temporary):
            each.mkdir(parents=True)
        sshd.environment = (f"HOME={root}", f"TMPDIR={self.temporary}")
        if path:
            sshd.environment += (f"PATH={path}",)
        sshd.start()
        self.address = DeviceAddress(
            device_id=new_id(),
            name="pi",
            host="127.0.0.1",
            port=sshd.port,
            user=sshd.user,
            host_key=sshd.host_key,
            jumps=tuple(jump_host(each, number) for number, each in enumerate(jumps)),
        )
        if sshd.user == Person.name:
            for each in (root, self.cache, self.temporary):
                os.chown(each, UID, -1)
        self._logins = tuple(
            JumpLogin(device_id=jump.device_id, private_key=each.private_key)
            for jump, each in zip(self.address.jumps, jumps, strict=True)
        )

    def known_to(self, bench: Bench) -> "Pi":
        secrets = DestinationSecrets(
            repo_password="",
            sftp_private_key=self.sshd.private_key,
            jump_logins=self._logins,
        )
        bench.logins[self.address.device_id] = secrets
        return self

    def files(self) -> list[Path]:
        """All that is on its disk."""
        return [each for each in self.root.rglob("*") if each.is_file()]
