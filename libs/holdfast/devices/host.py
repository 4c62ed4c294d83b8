"""A device for the time of one run: programs of ours there, and what is asked around them."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files

import asyncssh

from holdfast.devices.base import GRACE, RUN_MARKER, DeviceLostError, LeftoverError, Program, Runner
from holdfast.devices.engine import Open
from holdfast.devices.holders import FIRST_PID_NAMESPACE, Sight
from holdfast.devices.ssh import SshRunner, opener
from holdfast.kernel.errors import HoldfastError

SCRIPT = files("holdfast.devices").joinpath("host.sh").read_text(encoding="utf-8")

MOST_ARGUMENTS = 64 * 1024
"""Bytes of paths that fit into one command of SSH beside our script."""

LOOPBACK = "127.0.0.1"


class ForwardingRefusedError(HoldfastError):
    """The device's SSH server forwards no ports, and this destination is reached through one."""

    code = "forwarding_refused"
    guidance = "Set 'AllowTcpForwarding yes' (or 'remote') for this user in its sshd_config."


class TargetState(StrEnum):
    """What is at a path below which something is to be written."""

    FREE = "free"
    """Nothing, or an empty directory."""
    FULL = "full"
    """A directory with something in it."""
    OTHER = "other"
    """No directory."""


class Host:
    """A device that we are logged in to.

    *sudo*: what is done there is done as root.
    """

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        *,
        restic: str,
        cache: str,
        sudo: bool = False,
        warnings: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self.restic = restic
        """The path there of a restic that can be used."""
        self.cache = cache
        """Our private directory there."""
        self.warnings = warnings
        """What somebody should look after there."""
        self.runner: Runner = SshRunner(connection, sudo=sudo, environment=environment)
        self.open: Open = opener(connection)
        """Connects to a socket there, as the user who is logged in."""

    async def missing(self, paths: Sequence[str]) -> list[str]:
        """Those of *paths* that are not there.  Of very many, restic finds out by itself."""
        if sum(len(path.encode(errors="surrogateescape")) + 1 for path in paths) > MOST_ARGUMENTS:
            return []
        code, told = await self._ask("missing", *paths)
        if code != 0:
            raise DeviceLostError("The device does not tell which paths are there.")
        return [paths[int(each) - 1] for each in told]

    async def target(self, path: str) -> TargetState:
        """What is there for somebody who wants to write below *path*."""
        code, told = await self._ask("target", path)
        if code != 0 or not told:
            raise DeviceLostError("The device does not tell what is at the target.")
        return TargetState(told[0])

    async def end_leftovers(self, run_id: str, *, grace: float = GRACE) -> int:
        """End what an earlier attempt left there; how many there were.  Raises LeftoverError."""
        code, told = await self._ask("end", f"{RUN_MARKER}={run_id}", f"{grace:.0f}")
        if code != 0:
            raise LeftoverError
        return int(told[0])

    async def sight(self) -> Sight:
        """What can be seen of restics there; see ``holders.look``."""
        _, told = await self._ask("restics")
        hostname, namespace, first, *living = (*told, "", "", "")[: max(3, len(told))]
        restics = [each.partition(" ") for each in living]
        return Sight(
            hostname=hostname,
            sees_all=namespace == FIRST_PID_NAMESPACE and first != "",
            restics={int(pid): run_id for pid, _, run_id in restics},
        )

    @contextlib.asynccontextmanager
    async def port_to(self, port: int) -> AsyncIterator[int]:
        """A port on the device's loopback that leads to *port* of ours while the block lasts.

        Whoever is on the device can reach it: what listens must ask for a password.
        Raises ForwardingRefusedError.
        """
        try:
            listener = await self._connection.forward_remote_port(LOOPBACK, 0, LOOPBACK, port)
        except asyncssh.ChannelListenError as error:
            raise ForwardingRefusedError(detail=str(error)) from error
        except (OSError, asyncssh.Error) as error:
            raise DeviceLostError(detail=str(error)) from error
        try:
            yield listener.get_port()
        finally:
            listener.close()

    async def _ask(self, *words: str) -> tuple[int, list[str]]:
        program = Program(argv=("sh", "-c", SCRIPT, "host", *words))
        async with self.runner.start(program) as process:
            told = [line.decode(errors="replace") async for line in process.lines()]
            return await process.wait(), told
