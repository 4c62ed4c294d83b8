"""Databases of an app that were dumped as they ran: they come back from that, not from files that
were copied while somebody wrote into them.

The database's own files are taken away again before its container is started, so that its image
makes a new one, by the variables that the container has; then the dump is loaded into it.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from holdfast.events.discovery import FoundApp
from holdfast.events.work import DestinationAddress
from holdfast.executor.apps.definitions import Definition
from holdfast.executor.apps.plan import Place
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.consistency.rules import DumpRule, filename_of, rule_of
from holdfast.executor.there import with_restic
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import dump_into
from holdfast.restic.commands.dump import DumpOptions
from holdfast.restic.commands.snapshots import Snapshot

READY_SECONDS = 300.0
"""A new database may take so long on a slow disk."""

LOOK_SECONDS = 0.5
STEADY_LOOKS = 3
"""A server that is only there to make the database ends again: it must be seen so often."""

GONE_LOOKS = 10
"""One that was seen so often as ended does not come back by itself."""

ANSWER_SECONDS = 20.0


class DatabaseNotReadyError(HoldfastError):
    """A database that was to take its dump did not come up."""

    code = "database_not_ready"
    guidance = "See the container's log for why."


class KeptDump(msgspec.Struct, frozen=True, kw_only=True):
    """A dump beside the snapshot, and the container that takes it."""

    container: str
    filename: str
    restic_snapshot_id: str
    rule: DumpRule
    folders: tuple[str, ...] = ()
    """Where, in the snapshot's paths, the database's own files are."""


def dumps_among(
    beside: Sequence[Snapshot], found: FoundApp, definitions: Mapping[str, Definition]
) -> tuple[KeptDump, ...]:
    """Those of the app's containers, in the order in which they are started, among what lies
    *beside* the snapshot, oldest first.  Pure."""
    newest = {posixpath.basename(path): each.id for each in beside for path in each.paths}
    dumps = []
    for service in found.services:
        rule = rule_of(service.image)
        if rule is None or not rule.load:
            continue
        filename = filename_of(rule, service.container)
        if filename not in newest:
            continue
        dumps.append(
            KeptDump(
                container=service.container,
                filename=filename,
                restic_snapshot_id=newest[filename],
                rule=rule,
                folders=folders_of(rule, definitions.get(service.container)),
            )
        )
    return tuple(dumps)


def folders_of(rule: DumpRule, definition: Definition | None) -> tuple[str, ...]:
    """The database's own directories that are not in the container, as the device had them.  Pure.

    Only these: a volume may hold more than a database.
    """
    if definition is None:
        return ()
    told = [str(each) for each in definition.config.get("Env") or ()]
    variables = dict(each.split("=", 1) for each in told if "=" in each)
    named = variables.get(rule.data_variable, "")
    folders = []
    for inside in (named,) if named else rule.data_folders:
        path = posixpath.normpath(inside)
        for mount in definition.mounts or ():
            below = posixpath.relpath(path, mount.destination)
            if mount.source and not below.startswith(".."):
                folders.append(posixpath.normpath(posixpath.join(mount.source, below)))
    return tuple(dict.fromkeys(folders))


def to_empty(dumps: Iterable[KeptDump], places: Iterable[Place]) -> tuple[str, ...]:
    """Where the databases' own files come to lie on the device.  Pure.

    Only within places, whose previous state is set aside.
    """
    paths = []
    for folder in (folder for each in dumps for folder in each.folders):
        for place in places:
            below = posixpath.relpath(folder, place.source)
            if place.is_folder and place.path and not below.startswith(".."):
                paths.append(posixpath.normpath(posixpath.join(place.path, below)))
    return tuple(dict.fromkeys(paths))


async def load(
    attempt: Attempt, address: DestinationAddress, restic: Restic, engine: Engine, kept: KeptDump
) -> None:
    """Into the container, which runs.  Raises DatabaseNotReadyError and TakerFailedError."""
    await _until_ready(attempt, engine, kept)
    options = DumpOptions(snapshot=kept.restic_snapshot_id, path=f"/{kept.filename}")
    use = partial(
        dump_into.run,
        options=options,
        engine=engine.command,
        container=kept.container,
        line=kept.rule.load,
    )
    await with_restic(attempt, address, restic, use)


async def _until_ready(attempt: Attempt, engine: Engine, kept: KeptDump) -> None:
    argv = engine.exec(kept.container, ("sh", "-c", kept.rule.is_ready))
    deadline = attempt.deps.monotonic() + READY_SECONDS
    seen = gone = 0
    while seen < STEADY_LOOKS:
        asked = await ended(attempt, argv, seconds=ANSWER_SECONDS)
        seen = seen + 1 if asked.ok else 0
        (now,) = await engine.look(attempt, [kept.container])
        gone = 0 if now.running else gone + 1
        if gone == GONE_LOOKS:
            raise DatabaseNotReadyError(f"{kept.container}, which has a database, ended.")
        if attempt.deps.monotonic() > deadline:
            raise DatabaseNotReadyError(
                f"The database in {kept.container} did not come up in {READY_SECONDS:.0f} s.",
                detail=asked.output,
            )
        await attempt.hold.pause(LOOK_SECONDS)
