"""An app's containers while it is brought back: stopped, out of the way, and running again."""

import contextlib
from collections.abc import Sequence

from holdfast.events.discovery import FoundApp
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import Ended, ended, told_by
from holdfast.executor.consistency.engine import (
    STOP_SECONDS,
    AppContainer,
    ContainerMissingError,
    Engine,
)
from holdfast.kernel.errors import HoldfastError

ENGINE_SECONDS = 60.0
HEALTHY_SECONDS = 180.0
"""A container that has a health check may take so long to be healthy."""
LOOK_SECONDS = 0.3
STEADY_LOOKS = 5
"""One that has none is well when it was seen running so often in a row."""

ON_THE_WAY = frozenset(
    (
        *("running", "created", "restarting", "exited"),
        # Podman's own words for moments between these.
        *("configured", "initialized", "stopping", "stopped"),
    )
)
"""One that is paused, dead or being removed does not become well by itself."""

STATE = (
    "{{.State.Status}} {{.State.ExitCode}} "
    "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
)
MOUNTPOINT = "{{.Mountpoint}}"


class EngineSaidNoError(HoldfastError):
    """The container engine did not do what the app needs."""

    code = "engine_said_no"
    guidance = "The detail has the engine's words."


class NotHealthyError(HoldfastError):
    """A container of the app does not run as it should."""

    code = "app_not_healthy"
    guidance = "Choose another snapshot, or see the container's log for why."


async def must_answer(attempt: Attempt, engine: Engine) -> None:
    """An engine that is off looks like one without containers.  Raises EngineSaidNoError."""
    await engine_does(attempt, (engine.command, "ps", "--quiet"))


async def present(attempt: Attempt, engine: Engine, found: FoundApp) -> dict[str, AppContainer]:
    """Those of the app's containers that are there, by name."""
    there = {}
    for service in found.services:
        with contextlib.suppress(ContainerMissingError):
            (there[service.container],) = await engine.look(attempt, [service.container])
    return there


async def stop(attempt: Attempt, engine: Engine, containers: Sequence[AppContainer]) -> None:
    """Whoever needs others first.  Raises EngineSaidNoError."""
    for each in reversed(containers):
        if each.paused:
            await engine_does(attempt, (engine.command, "unpause", each.id))
        await engine_does(attempt, engine.stop(each.id), seconds=STOP_SECONDS + 30)


async def stop_if_there(attempt: Attempt, engine: Engine, id: str) -> None:
    """One that is gone, or at rest, is left so.  Raises EngineSaidNoError."""
    with contextlib.suppress(ContainerMissingError):
        (now,) = await engine.look(attempt, [id])
        if now.running:
            await stop(attempt, engine, [now])


async def start(attempt: Attempt, engine: Engine, name: str) -> None:
    """Raises EngineSaidNoError."""
    await engine_does(attempt, (engine.command, "start", name))


async def remove(attempt: Attempt, engine: Engine, name: str) -> None:
    """One that is not there is gone already.  Raises EngineSaidNoError."""
    with contextlib.suppress(ContainerMissingError):
        await engine.look(attempt, [name])
        await engine_does(attempt, (engine.command, "rm", "--force", name), seconds=STOP_SECONDS)


async def volumes(attempt: Attempt, engine: Engine, names: Sequence[str]) -> dict[str, str]:
    """Where the files of each of those volumes are, of those that are there."""
    found = {}
    for name in names:
        told = await engine_tells(
            attempt, (engine.command, "volume", "inspect", "--format", MOUNTPOINT, name)
        )
        if told:
            found[name] = told[0]
    return found


async def make_volume(attempt: Attempt, engine: Engine, name: str, project: str) -> None:
    """As compose makes it, if the app is a project.  Raises EngineSaidNoError."""
    labels: tuple[str, ...] = ()
    if project:
        prefix = "com.docker.compose"
        labels = (
            *("--label", f"{prefix}.project={project}"),
            *("--label", f"{prefix}.volume={name.removeprefix(f'{project}_')}"),
        )
    await engine_does(attempt, (engine.command, "volume", "create", *labels, name))


async def remove_volume(attempt: Attempt, engine: Engine, name: str) -> None:
    """One that is not there is gone already.  Raises EngineSaidNoError."""
    if await volumes(attempt, engine, [name]):
        await engine_does(attempt, (engine.command, "volume", "rm", name))


async def wait_until_well(attempt: Attempt, engine: Engine, name: str) -> None:
    """Until it is healthy, or runs on if it has no health check.

    One that ended by itself with 0 had no more to do.  Raises NotHealthyError.
    """
    argv = (engine.command, "inspect", "--type", "container", "--format", STATE, name)
    deadline = attempt.deps.monotonic() + HEALTHY_SECONDS
    seen = 0
    while seen < STEADY_LOOKS:
        told = await engine_tells(attempt, argv)
        # Without a health check Podman tells an empty word, which is none.
        status, code, health, *_ = (*told[0].split(), "none") if told else ("missing", "", "")
        if health == "unhealthy" or status not in ON_THE_WAY:
            raise NotHealthyError(f"{name} is {health if status == 'running' else status}.")
        if status == "exited":
            if code != "0":
                raise NotHealthyError(f"{name} ended with {code}.")
            return
        if health == "healthy":
            return
        seen = seen + 1 if (status, health) == ("running", "none") else 0
        if attempt.deps.monotonic() > deadline:
            raise NotHealthyError(f"{name} is {status}, {health} after {HEALTHY_SECONDS:.0f} s.")
        await attempt.hold.pause(LOOK_SECONDS)


async def engine_does(
    attempt: Attempt, argv: Sequence[str], *, seconds: float = ENGINE_SECONDS
) -> Ended:
    """One of its words.  Raises EngineSaidNoError."""
    end = await ended(attempt, argv, seconds=seconds)
    if not end.ok:
        raise EngineSaidNoError(detail=f"{' '.join(argv[1:])}: {end.output}")
    return end


async def engine_tells(attempt: Attempt, argv: Sequence[str]) -> list[str]:
    """What it says; nothing when there is no such thing."""
    told = await told_by(attempt, argv)
    return told.lines if told.code == 0 else []
