"""What is looked at before a restore changes anything: all that stands in the way, at once."""

from collections.abc import Mapping

import msgspec

from holdfast.events.work import AppRestoreRequested
from holdfast.executor.apps import containers
from holdfast.executor.apps.databases import KeptDump, dumps_among
from holdfast.executor.apps.definitions import Kept, Network
from holdfast.executor.apps.hand import Hand, Look
from holdfast.executor.apps.making import Making, making_of
from holdfast.executor.apps.plan import Place, file_problems, places_of, sources_of
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.engine import (
    AppContainer,
    Engine,
    EngineMissingError,
    engine_of,
)
from holdfast.restic import Restic
from holdfast.restic.commands import ls, snapshots
from holdfast.restic.commands.ls import LsOptions, Node
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.errors import SnapshotNotFoundError


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and what would be done."""

    places: tuple[Place, ...]
    looks: Mapping[str, Look]
    """By path; a volume that is yet to be made has none."""
    engine: Engine | None
    there: Mapping[str, AppContainer]
    """The app's containers that are there, by name, in the order in which they are started."""
    making: Making
    """Those that are not there, or not as they were."""
    dumps: tuple[KeptDump, ...]
    """Of the databases among the containers that will run."""
    new_volumes: tuple[str, ...]
    networks: Mapping[str, Network]
    """Those that the containers were in, as far as they are known."""
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


async def survey(
    attempt: Attempt, work: AppRestoreRequested, restic: Restic, hand: Hand, kept: Kept
) -> Survey:
    """Look at everything; nothing is changed.  *kept* lies beside the snapshot.

    Raises SnapshotNotFoundError.
    """
    found = await snapshots.run(restic, SnapshotsOptions(ids=(work.restic_snapshot_id,)))
    if not found:
        raise SnapshotNotFoundError
    sources = sources_of(work.found)
    nodes = await nodes_of(restic, work.restic_snapshot_id, [path for path, _ in sources])
    names = [name for path, name in sources if name and path in nodes]
    problems: list[str] = []
    engine: Engine | None = None
    there: dict[str, AppContainer] = {}
    volumes: dict[str, str] = {}
    making = Making()
    dumps: tuple[KeptDump, ...] = ()
    if work.found.services or names:
        try:
            engine = await engine_of(attempt)
            await containers.must_answer(attempt, engine)
            there = await containers.present(attempt, engine, work.found)
            volumes = await containers.volumes(attempt, engine, names)
            making = await making_of(attempt, work, there, kept)
            problems += making.problems
            will_run = {*there, *(each.plain_name for each in making.definitions)}
            dumps = tuple(
                each
                for each in dumps_among(kept.beside, work.found, kept.definitions)
                if each.container in will_run
            )
        except EngineMissingError as error:
            problems.append(f"{error.message} {error.hint}")
    places = places_of(work.found, nodes, volumes)
    if not places:
        problems.append("The snapshot has nothing of what is known of the app.")
    known = [each for each in places if each.path]
    looks = await hand.look([each.path for each in known])
    total = found[0].summary.total_bytes_processed if found[0].summary else 0
    problems += file_problems(known, looks, total, may_replace=work.overwrite or not work.elsewhere)
    if work.elsewhere and there and not work.overwrite:
        problems.append(f"There are containers of the same names: {', '.join(there)}.")
    return Survey(
        places=places,
        looks={place.path: look for place, look in zip(known, looks, strict=True)},
        engine=engine,
        there=there,
        making=making,
        dumps=dumps,
        networks=kept.networks,
        new_volumes=tuple(name for name in names if name not in volumes),
        problems=tuple(problems),
        warnings=making.warnings,
    )


async def nodes_of(restic: Restic, snapshot: str, paths: list[str]) -> dict[str, Node]:
    """What the snapshot has at each of *paths*."""
    wanted = set(paths)
    if not wanted:
        return {}
    options = LsOptions(snapshot=snapshot, paths=tuple(paths))
    async with ls.open_stream(restic, options) as nodes:
        return {node.path: node async for node in nodes if node.path in wanted}
