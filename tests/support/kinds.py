"""The kinds of destination, each on a real server, for the suite that all of them pass."""

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from holdfast.events.work import DestinationSecrets, LockMode, ObjectLock
from support.executor import Place, local_place, s3_place, sftp_place
from support.gate import Gate
from support.radosgw import Radosgw
from support.servers import RcloneS3
from support.sshd import Sshd


class Kind(ABC):
    """How a destination of this kind is made, and what can happen to it."""

    refusal = ""
    """What wrong credentials are called; empty: it has none."""
    append_only = False
    """Whether backups go through a relay that deletes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new_place(self) -> Place:
        """A new, empty place."""
        place = self._new_place()
        place.address = replace(place.address, append_only=self.append_only)
        return place

    @abstractmethod
    def _new_place(self) -> Place: ...

    def strange(self, secrets: DestinationSecrets) -> DestinationSecrets:
        """The same with credentials that the server does not know."""
        raise NotImplementedError

    @abstractmethod
    def leave(self) -> None:
        """The server goes away, in the middle of whatever it does."""

    @abstractmethod
    def come_back(self) -> None: ...

    @abstractmethod
    def was_missed(self) -> bool:
        """Whether anybody has noticed yet that it is away."""

    @abstractmethod
    def close(self) -> None:
        """Nothing of it goes on."""

    def small(self) -> bool:
        """Before there is a place: its disk has 24 MiB.  False where no disk can be chosen."""
        nas = self.folder / "nas"
        nas.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(nas)], check=True)
        return True


class LocalKind(Kind):
    """A path of this machine: a disk that is taken out and put back."""

    def _new_place(self) -> Place:
        self.nas = self.folder / "nas"
        self.nas.mkdir(exist_ok=True)
        return local_place(self.nas)

    def leave(self) -> None:
        self.nas.rename(self.folder / "elsewhere")
        self.nas.mkdir()  # the empty mount point

    def come_back(self) -> None:
        self.nas.rename(self.folder / f"mount-point-{uuid4().hex[:6]}")
        (self.folder / "elsewhere").rename(self.nas)

    def was_missed(self) -> bool:
        # restic makes the folders that it misses.
        return any(each.is_file() for each in self.nas.rglob("*"))

    def close(self) -> None:
        unmount(self.folder / "nas")


class SftpKind(Kind):
    """A directory of an SSH server; a NAS path on a device is reached in the same way."""

    refusal = "bad_credentials"

    def __init__(self, folder: Path, server: Sshd) -> None:
        super().__init__(folder)
        self._gate = Gate(server.port)
        self._server = server

    def _new_place(self) -> Place:
        (self.folder / "nas").mkdir(exist_ok=True)
        place = sftp_place(self._server, self.folder / "nas")
        place.address = replace(place.address, sftp_port=self._gate.port)
        return place

    def strange(self, secrets: DestinationSecrets) -> DestinationSecrets:
        import asyncssh

        key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        return replace(secrets, sftp_private_key=key)

    def leave(self) -> None:
        self._gate.shut()

    def come_back(self) -> None:
        self._gate.open()

    def was_missed(self) -> bool:
        return self._gate.refused > 0

    def close(self) -> None:
        self._gate.close()
        unmount(self.folder / "nas")


class S3Kind(Kind):
    """A bucket."""

    refusal = "bad_credentials"

    def __init__(self, folder: Path, server: RcloneS3) -> None:
        super().__init__(folder)
        self._gate = Gate(server.port)
        self._server = server

    def _new_place(self) -> Place:
        place = s3_place(self._server, f"bucket-{uuid4().hex[:12]}")
        return self._behind_the_gate(place)

    def _behind_the_gate(self, place: Place) -> Place:
        endpoint = f"http://127.0.0.1:{self._gate.port}"
        place.address = replace(place.address, s3_endpoint=endpoint)
        return place

    def strange(self, secrets: DestinationSecrets) -> DestinationSecrets:
        return replace(secrets, s3_secret_key="not the secret of anybody")

    leave = SftpKind.leave
    come_back = SftpKind.come_back
    was_missed = SftpKind.was_missed
    close = SftpKind.close

    def small(self) -> bool:
        return False  # a bucket has no disk of its own


class LockedKind(S3Kind):
    """A bucket with Object Lock: what is deleted stays until its time is over."""

    def __init__(self, folder: Path, server: Radosgw) -> None:
        super().__init__(folder, _Owned(server))

    def _new_place(self) -> Place:
        place = super()._new_place()
        lock = ObjectLock(mode=LockMode.GOVERNANCE, days=1)
        place.address = replace(place.address, object_lock=lock)
        return place


class _Owned:
    """The gateway, with the names that ``s3_place`` asks a server for."""

    def __init__(self, server: Radosgw) -> None:
        self.port, self.endpoint = server.port, server.endpoint
        self.access_key = server.owner.access_key
        self.secret_key = server.owner.secret_key
        self._client: Any = server.client()

    def make_bucket(self, name: str) -> None:
        self._client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)


def unmount(folder: Path) -> None:
    """If it is a disk of its own."""
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)
