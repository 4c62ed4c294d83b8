"""An app's containers brought up on what a drill restored, asked, and taken away again.

All that is made at the engine has the drill's label from its first moment on, so that ``clear``
finds it whatever died where.  The app itself may be running all the while.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import quote
from uuid import UUID

import msgspec

from holdfast.devices.engine import Engine as Api
from holdfast.events.discovery import FoundApp
from holdfast.events.drills import DrillProbe, ProbeAnswer
from holdfast.events.work import DestinationAddress
from holdfast.executor.apps import containers, databases
from holdfast.executor.apps.databases import KeptDump
from holdfast.executor.apps.definitions import Definition, Kept
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.images import choose
from holdfast.executor.apps.remaking import api_of
from holdfast.executor.apps.steps import Steps
from holdfast.executor.attempt import Attempt
from holdfast.executor.consistency.commands import ended, told_by
from holdfast.executor.consistency.engine import Engine, engine_of
from holdfast.executor.discovery import DRILL
from holdfast.executor.drills import isolation
from holdfast.executor.drills.isolation import Plan, below, name_of, prefix_of, source_of
from holdfast.executor.drills.probes import ask
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic

REMOVE_SECONDS = 120.0

INSIDE = (
    'root=$(readlink -f -- "$1") || exit 1; shift; '
    'for path; do [ -e "$path" ] && case $(readlink -f -- "$path") in '
    '"$root"/*) echo yes; continue;; esac; echo no; done'
)
"""Of each path whether it is there and below the root: a link that was restored may lead to the
app's own data."""


class NotBootableError(HoldfastError):
    """What is needed to bring the app up is not there."""

    code = "drill_cannot_boot"
    guidance = "Pull or load the images that are missing, or run the drill in mode 'compare'."


class NotClearedError(HoldfastError):
    """Something that a drill made at the container engine is still there."""

    code = "drill_not_cleared"
    guidance = "Remove what has the label holdfast.drill; the detail has the engine's words."
    retryable = True


class Booting(msgspec.Struct, frozen=True, kw_only=True):
    """What to bring up, and on what."""

    drill_id: UUID
    found: FoundApp
    kept: Kept
    dumps: tuple[KeptDump, ...]
    root: str
    """The scratch directory: it has the snapshot's path /a/b at root + "/a/b"."""
    probes: tuple[DrillProbe, ...]
    address: DestinationAddress
    restic: Restic


class Booted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    answers: tuple[ProbeAnswer, ...]
    left_out: tuple[str, ...]


async def boot(attempt: Attempt, booting: Booting, steps: Steps) -> Booted:
    """Bring the app up, and ask it.  What was made stays: ``clear`` it, whatever happens.

    Raises HoldfastError when it does not come up.
    """
    engine = await engine_of(attempt)
    api = await api_of(attempt)
    asked_for = _definitions(booting)
    definitions = await _with_images(api, booting, asked_for)
    there = await _inside(attempt, booting, definitions)
    services = {each.container: each.name for each in booting.found.services}
    plans = {
        name: isolation.plan(
            booting.drill_id, booting.found, each, booting.root, there, service=services[name]
        )
        for name, each in definitions.items()
    }
    with steps.step("network"):
        await api.post(
            "/networks/create",
            msgspec.json.encode(isolation.network_of(booting.drill_id, booting.found.engine)),
        )
    hand = Hand(attempt, booting.drill_id)
    for each in booting.dumps:
        with steps.step(f"load {each.filename}"):
            for folder in each.folders:
                if below(booting.root, folder) in there:
                    await hand.empty(below(booting.root, folder))
            await _start(attempt, engine, api, booting.drill_id, plans[each.container])
            scratch = msgspec.structs.replace(
                each, container=name_of(booting.drill_id, each.container)
            )
            await databases.load(attempt, booting.address, booting.restic, engine, scratch)
    loaded = {each.container for each in booting.dumps}
    for name, one in plans.items():
        with steps.step(f"start {name}"):
            if name not in loaded:
                await _start(attempt, engine, api, booting.drill_id, one)
            await containers.wait_until_well(attempt, engine, one.name)
    answers = []
    for probe in booting.probes:
        with steps.step(f"ask {probe.container}"):
            image = asked_for[probe.container].image if probe.container in asked_for else ""
            name = name_of(booting.drill_id, probe.container)
            answers.append(await ask(attempt, engine, probe, name, image))
    left_out = (words for one in plans.values() for words in one.left_out)
    return Booted(answers=tuple(answers), left_out=tuple(dict.fromkeys(left_out)))


async def clear(attempt: Attempt, drill_id: UUID) -> None:
    """All of that drill at the engine is gone; nothing there is fine.  Raises NotClearedError."""
    engine = await engine_of(attempt)
    await _remove(attempt, engine, drill_id, ("ps", "-a"), "{{.Names}}", ("rm", "-f", "-v"))
    await _remove(attempt, engine, drill_id, ("volume", "ls"), "{{.Name}}", ("volume", "rm"))
    await _remove(attempt, engine, drill_id, ("network", "ls"), "{{.Name}}", ("network", "rm"))


async def _remove(
    attempt: Attempt,
    engine: Engine,
    drill_id: UUID,
    listing: Sequence[str],
    form: str,
    removing: Sequence[str],
) -> None:
    """What has both its label and its name."""
    wanted = f"label={DRILL}={drill_id}"
    argv = (engine.command, *listing, "--filter", wanted, "--format", form)
    told = await told_by(attempt, argv)
    if told.code != 0:
        raise NotClearedError(detail=told.said)
    names = [each.strip() for each in told.lines if each.startswith(prefix_of(drill_id))]
    if names:
        end = await ended(
            attempt, (engine.command, *removing, "--", *names), seconds=REMOVE_SECONDS
        )
        if not end.ok:
            raise NotClearedError(detail=end.output)


def _definitions(booting: Booting) -> dict[str, Definition]:
    """In the order in which they are started.  Raises NotBootableError."""
    names = [each.container for each in booting.found.services]
    missing = [name for name in names if name not in booting.kept.definitions]
    if missing or not names:
        raise NotBootableError(
            f"What {', '.join(missing) or 'the app'} was is not kept beside the snapshot.",
            guidance="Drill a newer snapshot, or run the drill in mode 'compare'.",
        )
    return {name: booting.kept.definitions[name] for name in names}


async def _with_images(
    api: Api, booting: Booting, definitions: dict[str, Definition]
) -> dict[str, Definition]:
    """Each with the id of its image: nothing is pulled for a drill.  Raises NotBootableError."""
    found, missing = {}, []
    for name, each in definitions.items():
        choice = await choose(api, each, booting.kept.registry_names.get(name))
        if choice is None or not choice.id:
            missing.append(each.image)
        else:
            config = {**each.config, "Image": choice.id}
            found[name] = msgspec.structs.replace(each, config=config)
    if missing:
        raise NotBootableError(f"Images are not there: {', '.join(dict.fromkeys(missing))}.")
    return found


async def _inside(
    attempt: Attempt, booting: Booting, definitions: dict[str, Definition]
) -> frozenset[str]:
    """Of the paths below the scratch directory that are needed those that can be used."""
    sources = [
        source_of(booting.found, mount)
        for each in definitions.values()
        for mount in each.mounts or ()
    ]
    wanted: Iterable[str] = (*sources, *(path for each in booting.dumps for path in each.folders))
    paths = [below(booting.root, each) for each in dict.fromkeys(wanted) if each]
    argv = ("sh", "-c", INSIDE, "inside", booting.root, *paths)
    told = await told_by(attempt, argv)
    if told.code != 0:
        raise NotBootableError("The drill's scratch directory is not there.")
    return frozenset(path for path, word in zip(paths, told.lines, strict=True) if word == "yes")


async def _start(attempt: Attempt, engine: Engine, api: Api, drill_id: UUID, one: Plan) -> None:
    labels = isolation.labels_of(drill_id)
    for volume in one.volumes:
        await api.post(
            "/volumes/create", msgspec.json.encode({"Name": volume.name, "Labels": labels})
        )
    await api.post(f"/containers/create?name={quote(one.name)}", msgspec.json.encode(one.body))
    await containers.start(attempt, engine, one.name)
