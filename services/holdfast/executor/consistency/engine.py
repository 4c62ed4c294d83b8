"""The container engine where the app is, by its own command: ``docker`` or ``podman``."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.devices.base import Program
from holdfast.events.drilling import DrillRequested
from holdfast.events.work import AppRestoreRequested, BackupRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import lines_of, runner_of
from holdfast.kernel.errors import HoldfastError

PODMAN = "podman"

FIND = "command -v docker || command -v podman"
FIND_PODMAN = (
    # Behind the command 'docker' may be Podman, with a socket of its own.
    "docker version 2>/dev/null | grep -q Podman && command -v docker || "
    "command -v podman || command -v docker"
)

FINDS = (AppRestoreRequested, BackupRequested, DrillRequested)
"""Work that knows what a discovery said of its app."""

STOP_SECONDS = 120
"""A database may take so long to end in order before it is killed."""


class EngineMissingError(HoldfastError):
    """There is no container engine where the app is."""

    code = "engine_missing"
    guidance = "Install the command 'docker' or 'podman' there, or name no containers."


class ContainerMissingError(HoldfastError):
    """A container of the app is not there."""

    code = "container_missing"
    guidance = "Name the containers as 'docker ps -a' shows them."


class AppContainer(msgspec.Struct, frozen=True, kw_only=True):
    """One container of an app, as it is now."""

    id: str
    name: str
    image: str
    running: bool
    paused: bool = False


class Engine:
    """Words for an engine's command; nothing is run but ``look``."""

    def __init__(self, command: str) -> None:
        self.command = command

    def exec(
        self, container: str, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """To run something in a container; the exit code is its own."""
        given = [
            word
            for name, value in (environment or {}).items()
            for word in ("-e", f"{name}={value}")
        ]
        return (self.command, "exec", *given, container, *argv)

    def stop(self, id: str) -> tuple[str, ...]:
        """To end a container in order."""
        return (self.command, "stop", "--time", str(STOP_SECONDS), id)

    async def look(self, attempt: Attempt, names: Sequence[str]) -> tuple[AppContainer, ...]:
        """The containers of those *names*, in that order.  Raises ContainerMissingError."""
        if not names:
            return ()
        argv = (self.command, "inspect", "--type", "container", "--", *names)
        async with runner_of(attempt).start(Program(argv=argv)) as process:
            told = "\n".join(await lines_of(process.lines()))
            said = await lines_of(process.error_lines())
            code = await process.wait()
        if code != 0:
            raise ContainerMissingError(detail="\n".join(said)[:2000])
        return tuple(read_container(each) for each in json.loads(told))


class _State(msgspec.Struct, rename="pascal"):
    running: bool = False
    paused: bool = False


class _Config(msgspec.Struct, rename="pascal"):
    image: str = ""


class _Inspected(msgspec.Struct, rename="pascal"):
    id: str
    name: str
    state: _State
    config: _Config


def read_container(told: object) -> AppContainer:
    """One of the objects that ``inspect`` prints."""
    found = msgspec.convert(told, _Inspected)
    return AppContainer(
        id=found.id,
        name=found.name.lstrip("/"),
        image=found.config.image,
        running=found.state.running,
        paused=found.state.paused,
    )


def is_podmans(attempt: Attempt) -> bool:
    """Whether the run's app was found in a Podman; there may be a Docker beside it."""
    work = attempt.work
    found = work.found if isinstance(work, FINDS) else None
    return found is not None and found.engine == PODMAN


async def engine_of(attempt: Attempt) -> Engine:
    """The engine where the app is.  Raises EngineMissingError."""
    argv = ("sh", "-c", FIND_PODMAN if is_podmans(attempt) else FIND)
    async with runner_of(attempt).start(Program(argv=argv)) as process:
        told = await lines_of(process.lines())
        await process.wait()
    if not told:
        raise EngineMissingError
    return Engine(told[0])
