"""An app brought up on what a drill restored: its own containers are not touched."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from holdfast.events.drilling import DrillRequested
from holdfast.events.drills import ProbeAnswer
from holdfast.executor.apps import containers, databases, remaking
from holdfast.executor.apps.databases import KeptDump, kept_dumps
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.remaking import Definition, api_of
from holdfast.executor.apps.steps import Steps
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended
from holdfast.executor.consistency.engine import EngineMissingError, engine_of
from holdfast.executor.discovery import DRILL
from holdfast.executor.drills.isolation import (
    Isolated,
    is_within,
    isolated,
    name_of,
    network_of,
)
from holdfast.executor.drills.probes import Asked, answer_of
from holdfast.executor.there import missing_paths
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import snapshots
from holdfast.restic.commands.snapshots import SnapshotsOptions
from holdfast.restic.errors import SnapshotNotFoundError

CLEAR_SECONDS = 120.0


class NotBootableError(HoldfastError):
    """The app cannot be brought up from its snapshot."""

    code = "not_bootable"
    guidance = "Mode 'compare' needs no containers."
    status = 409


class NotClearedError(HoldfastError):
    """Containers of a drill could not be taken away."""

    code = "drill_not_cleared"
    guidance = "Remove what 'docker ps -a' and 'docker network ls' show as holdfast-drill-…."


class Booted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    answers: tuple[ProbeAnswer, ...]
    left_out: tuple[str, ...]


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is made, in the order in which it is started."""

    makes: tuple[Isolated, ...]
    dumps: tuple[KeptDump, ...]
    """Of its databases; the containers are the drill's."""
    to_empty: tuple[str, ...]
    """The databases' own directories: they come back from the dumps."""
    images: Mapping[str, str]
    """By the containers' names in the app."""


async def boot(
    attempt: Attempt, work: DrillRequested, restic: Restic, root: str, steps: Steps
) -> Booted:
    """Bring it up on what lies below *root*, and ask it.

    Raises NotBootableError, and what containers and databases raise that are not well.
    """
    with steps.step("look how the app is brought up"):
        engine = await engine_of(attempt)
        await containers.must_answer(attempt, engine)
        plan = await _plan(attempt, work, restic, root)
    with steps.step("make its containers, shut off from all else"):
        await _make(attempt, work, plan)
    hand = Hand(attempt, work.configuration_id)
    for path in plan.to_empty:
        await hand.empty(path)
    for dump in plan.dumps:
        with steps.step(f"load the database of {dump.container}"):
            await containers.start(attempt, engine, dump.container)
            await databases.load(attempt, work.address, restic, engine, dump)
    for each in plan.makes:
        with steps.step(f"start {each.name}"):
            await containers.start(attempt, engine, each.name)
    for each in plan.makes:
        with steps.step(f"wait until {each.name} is well"):
            await containers.wait_until_well(attempt, engine, each.name)
    with steps.step("ask it"):
        asked = Asked(drill=work.configuration_id, engine=engine, images=plan.images)
        answers = tuple([await answer_of(attempt, asked, each) for each in work.probes])
    return Booted(
        answers=answers, left_out=tuple(told for each in plan.makes for told in each.left_out)
    )


async def clear(attempt: Attempt, work: DrillRequested) -> None:
    """Nothing of the configuration's drills is at the engine any more.  Raises NotClearedError.

    By its label: whatever died, that was on it from the beginning.
    """
    try:
        engine = await engine_of(attempt)
    except EngineMissingError:
        return
    label = f"label={DRILL}={work.configuration_id}"
    for listing, removal in (
        (("ps", "--all", "--quiet"), ("rm", "--force", "--volumes")),
        (("network", "ls", "--quiet"), ("network", "rm")),
    ):
        found = await _told(attempt, (engine.command, *listing, "--filter", label))
        if found:
            await _told(attempt, (engine.command, *removal, *found))


async def _plan(attempt: Attempt, work: DrillRequested, restic: Restic, root: str) -> _Plan:
    kept = await remaking.kept(restic, work.backup_run_id)
    found = kept.app or work.found
    if found is None or not found.services:
        raise NotBootableError("The app has no containers that are known.")
    made = await snapshots.run(restic, SnapshotsOptions(ids=(work.restic_snapshot_id,)))
    if not made:
        raise SnapshotNotFoundError
    lost = [each.container for each in found.services if each.container not in kept.definitions]
    if lost:
        raise NotBootableError(
            f"The snapshot does not tell how these containers are made: {', '.join(lost)}.",
            guidance="Back the app up again with backup_env switched on.",
        )
    definitions = [(each, kept.definitions[each.container]) for each in found.services]
    await _must_have_images(attempt, [definition for _, definition in definitions])
    drill, restored = work.configuration_id, made[0].paths
    makes = tuple(
        isolated(definition, service.name, drill, root, restored)
        for service, definition in definitions
    )
    absent = await missing_paths(attempt, [path for each in makes for path in each.sources])
    if absent:
        told = ", ".join(path.removeprefix(root) for path in absent)
        raise NotBootableError(f"The app's containers need what is not in the snapshot: {told}.")
    dumps = await kept_dumps(restic, work.backup_run_id, found, kept.definitions)
    return _Plan(
        makes=makes,
        dumps=tuple(replace(each, container=name_of(drill, each.container)) for each in dumps),
        to_empty=tuple(
            root + folder
            for each in dumps
            for folder in each.folders
            if any(is_within(folder, path) for path in restored)
        ),
        images={service.container: definition.image for service, definition in definitions},
    )


async def _must_have_images(attempt: Attempt, definitions: Sequence[Definition]) -> None:
    lost = await remaking.missing_images(attempt, definitions)
    if lost:
        raise NotBootableError(
            f"These images are not there: {', '.join(lost)}.",
            guidance="Pull or load them where the drill is done; it pulls nothing.",
        )


async def _make(attempt: Attempt, work: DrillRequested, plan: _Plan) -> None:
    api = await api_of(attempt)
    await api.post("/networks/create", msgspec.json.encode(network_of(work.configuration_id)))
    for each in plan.makes:
        path = f"/containers/create?name={quote(each.name)}"
        await api.post(path, msgspec.json.encode(each.body))


async def _told(attempt: Attempt, argv: Sequence[str]) -> list[str]:
    end = await ended(attempt, argv, seconds=CLEAR_SECONDS)
    if not end.ok:
        raise NotClearedError(detail=f"{' '.join(argv[1:])}: {end.output}")
    return end.output.split()
