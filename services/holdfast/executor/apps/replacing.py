"""A container in whose place another one is made: set aside, and kept as an image in the end.

While the restore goes on it is only renamed: so it is back in a moment when something fails.
At the good end it must go, because compose would start it beside the other one, on the same
data: what it wrote outside of its volumes, and how it was, are in an image then.  Each of
these may be cut off anywhere and done again.
"""

import contextlib

from holdfast.executor.apps.containers import EngineSaidNoError, engine_does, engine_tells, remove
from holdfast.executor.apps.journal import NEVER, Journal, Replaced
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.engine import ContainerMissingError, Engine
from holdfast.telemetry.logs import Log

log = Log("executor")

COMMIT_SECONDS = 1800.0
"""All that a container wrote is copied."""


async def set_aside(attempt: Attempt, engine: Engine, replaced: Replaced) -> None:
    """It has another name, and does not start by itself any more.  Raises EngineSaidNoError."""
    if replaced.starts:
        await engine_does(attempt, (engine.command, "update", "--restart", NEVER, replaced.id))
    await engine_does(attempt, (engine.command, "rename", replaced.id, replaced.aside))


async def put_back(attempt: Attempt, engine: Engine, replaced: Replaced) -> None:
    """It is in its place again, and what was made there is gone.  Raises EngineSaidNoError."""
    with contextlib.suppress(ContainerMissingError):
        (now,) = await engine.look(attempt, [replaced.id])
        if now.name != replaced.name:
            await remove(attempt, engine, replaced.name)
            await engine_does(attempt, (engine.command, "rename", replaced.id, replaced.name))
        if replaced.starts:
            words = ("update", "--restart", replaced.restart, replaced.id)
            await engine_does(attempt, (engine.command, *words))


async def keep_all(attempt: Attempt, journal: Journal) -> tuple[str, ...]:
    """After the good end: each is an image, and no container any more.  Of those that could
    not be made one, a sentence each."""
    left = []
    for each in journal.replaced:
        try:
            await _keep(attempt, Engine(journal.engine), each)
        except EngineSaidNoError as error:
            log.warning("container_not_kept", container=each.aside, error=error.detail)
            left.append(
                f"{each.name} of before could not be made an image. It is there, stopped, as "
                f"{each.aside}: see that nothing starts it, and remove it once it is not needed."
            )
    return tuple(left)


async def _keep(attempt: Attempt, engine: Engine, replaced: Replaced) -> None:
    if not await _is_aside(attempt, engine, replaced):
        return
    if not await _is_kept(attempt, engine, replaced):
        words = (engine.command, "commit", replaced.id, replaced.image)
        await engine_does(attempt, words, seconds=COMMIT_SECONDS)
    await remove(attempt, engine, replaced.id)


async def discard(attempt: Attempt, engine: Engine, replaced: Replaced) -> None:
    """What was kept of it goes for good.  Raises EngineSaidNoError."""
    if await _is_aside(attempt, engine, replaced):
        await remove(attempt, engine, replaced.id)
    if await _is_kept(attempt, engine, replaced):
        await engine_does(attempt, (engine.command, "rmi", replaced.image))


async def _is_aside(attempt: Attempt, engine: Engine, replaced: Replaced) -> bool:
    """Whether it is there, and by its other name: otherwise it is somebody's again."""
    with contextlib.suppress(ContainerMissingError):
        (now,) = await engine.look(attempt, [replaced.id])
        return now.name == replaced.aside and not now.running
    return False


async def _is_kept(attempt: Attempt, engine: Engine, replaced: Replaced) -> bool:
    words = (engine.command, "image", "inspect", "--format", "{{.Id}}", replaced.image)
    return bool(await engine_tells(attempt, words))
