"""``app_restore``: a whole app is brought back, or everything is as it was.

First all is looked at.  Then the app is stopped, what is there is set aside, the snapshot is
brought to its places, and the app is started and watched until it is well.  Whatever fails in
between, the journal tells how everything is put back; an executor that dies leaves that to
the next one, which puts back and begins anew.
"""

from dataclasses import dataclass, field
from uuid import UUID

from msgspec.structs import replace

from holdfast.events.restoring import AppRestorePlace, AppRestoreResult, FailedSource
from holdfast.events.run import Failure, RunStatus
from holdfast.events.work import AppRestoreRequested, RestoreSource
from holdfast.executor.apps import containers, databases, remaking, replacing
from holdfast.executor.apps.checks import Survey, survey
from holdfast.executor.apps.definitions import Definition, kept_in
from holdfast.executor.apps.files import bring_files
from holdfast.executor.apps.hand import Hand
from holdfast.executor.apps.journal import (
    BEGUN,
    DONE,
    Journal,
    Move,
    Replaced,
    Stopped,
    aside_of,
    replaced_by,
)
from holdfast.executor.apps.making import with_images
from holdfast.executor.apps.plan import Place
from holdfast.executor.apps.steps import Steps
from holdfast.executor.apps.undoing import put_back
from holdfast.executor.attempt import Attempt
from holdfast.executor.beside import beside
from holdfast.executor.consistency.engine import Engine
from holdfast.executor.domain import Outcome, failure_of
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.locks import LockWaitError, unless_locked
from holdfast.executor.reach import reach
from holdfast.executor.sources import Tried, is_sources_fault
from holdfast.executor.takeover import end_predecessor
from holdfast.executor.there import at_device
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.telemetry.logs import Log

log = Log("executor")


class AppNotRestorableError(HoldfastError):
    """Something stands in the way of the app's restore."""

    code = "app_not_restorable"
    guidance = "Nothing was changed. A dry run tells the same without risk."
    status = 409


@dataclass(frozen=True, kw_only=True)
class Restore:
    """One restore at work."""

    attempt: Attempt
    work: AppRestoreRequested
    hand: Hand
    steps: Steps
    restic: Restic
    survey: Survey
    previous: dict[str, str] = field(default_factory=dict)
    """Where what was at a path lies now."""
    warnings: list[str] = field(default_factory=list)
    """What came up on the way."""

    @property
    def run_id(self) -> UUID:
        return self.work.run_id


async def run(attempt: Attempt, work: AppRestoreRequested) -> Outcome:
    """See the module.  When a destination fails, all is put back, and the next one is tried."""
    steps = Steps(attempt.deps.now)
    first = RestoreSource(address=work.address, restic_snapshot_id=work.restic_snapshot_id)
    tried = Tried(attempt)
    async with at_device(attempt, work.device) as there:
        for source in (first, *work.others):
            work = replace(
                work, address=source.address, restic_snapshot_id=source.restic_snapshot_id
            )
            try:
                outcome = await _from(there, work, steps)
            except LockWaitError:
                await _undone(attempt, work)
                raise
            except StoppedError as stopped:
                if stopped.reason is Reason.CANCELLED:
                    await _undone(attempt, work)
                # Otherwise whoever takes the run up puts back first.
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, the app must come back
                outcome, may_go_on = await _failed(attempt, work, steps, error)
                if may_go_on and is_sources_fault(error):
                    tried.add(source, error)
                    continue
            return _with_sources(outcome, source, tried.failed)
    return _with_sources(outcome, source, tried.failed)


async def _from(attempt: Attempt, work: AppRestoreRequested, steps: Steps) -> Outcome:
    """From the destination that *work* names."""
    return await unless_locked(
        attempt,
        work.address,
        lambda: attempt.hold.guard(_run(attempt, work, steps)),
        exclusive=False,
    )


def _with_sources(
    outcome: Outcome, source: RestoreSource, failed: tuple[FailedSource, ...]
) -> Outcome:
    if not isinstance(outcome.result, AppRestoreResult):
        return outcome
    result = replace(
        outcome.result, destination_id=source.address.destination_id, failed_sources=failed
    )
    return replace(outcome, result=result)


async def _run(attempt: Attempt, work: AppRestoreRequested, steps: Steps) -> Outcome:
    await end_predecessor(attempt)
    hand = Hand(attempt, work.app_id)
    before = await hand.read(work.run_id)
    if before is not None and DONE in before[1]:
        return await _ended(attempt, work, before[0])
    problems: list[str] = []
    for run_id in await hand.unfinished():
        if work.dry_run:
            problems.append(f"Restore {run_id} was cut off; what was before it is put back first.")
        else:
            with steps.step(f"put back what restore {run_id} left"):
                await put_back(attempt, hand, run_id)
    with steps.step("look at everything"):
        restic = await reach(attempt, work.address)
        kept = await kept_in(restic, await beside(restic, work.backup_run_id))
        if kept.app is not None:
            # Of what was lost since, the last look at the device does not tell any more.
            work = replace(work, found=kept.app)
        found = await survey(attempt, work, restic, hand, kept)
    problems += found.problems
    restore = Restore(
        attempt=attempt, work=work, hand=hand, steps=steps, restic=restic, survey=found
    )
    if work.dry_run:
        result = _result(restore, found.places)
        return Outcome(status=RunStatus.SUCCESS, result=replace(result, problems=tuple(problems)))
    if found.problems:
        raise AppNotRestorableError(" ".join(problems))
    return await _bring_back(restore)


async def _bring_back(restore: Restore) -> Outcome:
    found, steps, attempt = restore.survey, restore.steps, restore.attempt
    to_make, warnings = await with_images(attempt, found.engine, found.making, steps)
    restore.warnings.extend(warnings)
    aside = tuple(
        replaced_by(each, restore.run_id, restore.work.found.engine)
        for each in found.making.replaced.values()
    )
    journal = Journal(
        run_id=restore.run_id,
        engine=found.engine.command if found.engine else "",
        moves=(),
        containers=tuple(
            Stopped(name=each.name, id=each.id, running=each.running)
            for each in found.there.values()
        ),
        volumes=found.new_volumes,
        makes=tuple(
            each.plain_name for each in to_make if each.plain_name not in found.making.replaced
        ),
        replaced=aside,
    )
    await restore.hand.begin(journal)
    await restore.hand.mark(restore.run_id, BEGUN)
    if found.engine and found.there:
        with steps.step("stop the app"):
            await containers.stop(attempt, found.engine, tuple(found.there.values()))
    places = await _with_volumes(restore)
    with steps.step("set aside what is there"):
        moves = await _set_aside(restore, journal, places)
    with steps.step("bring the files back"):
        done = await bring_files(attempt, restore.work, restore.restic, restore.hand, places)
    if found.engine:
        await _make(restore, found.engine, to_make, aside)
        names = _names(restore)
        await _load_databases(restore, found.engine, places)
        for name in names:
            with steps.step(f"start {name}"):
                await containers.start(attempt, found.engine, name)
        for name in names:
            with steps.step(f"wait until {name} is well"):
                await containers.wait_until_well(attempt, found.engine, name)
    result = replace(
        _result(restore, places),
        files_restored=done.files,
        bytes_restored=done.bytes,
        previous_images=tuple(each.image for each in aside),
    )
    journal = replace(journal, moves=moves, result=result)
    await restore.hand.begin(journal)
    await restore.hand.mark(restore.run_id, DONE)
    return await _ended(attempt, restore.work, journal)


async def _make(
    restore: Restore,
    engine: Engine,
    to_make: tuple[Definition, ...],
    aside: tuple[Replaced, ...],
) -> None:
    """Those that are not there, or not as they were."""
    if not to_make:
        return
    attempt, steps = restore.attempt, restore.steps
    for each in aside:
        with steps.step(f"set {each.name} aside"):
            await replacing.set_aside(attempt, engine, each)
    api = await remaking.api_of(attempt)
    for definition in to_make:
        with steps.step(f"make {definition.plain_name}"):
            await remaking.make(api, definition, _project(restore.work), restore.survey.networks)


async def _load_databases(restore: Restore, engine: Engine, places: tuple[Place, ...]) -> None:
    """Each alone, before anybody else can write into it."""
    attempt, steps = restore.attempt, restore.steps
    for path in databases.to_empty(restore.survey.dumps, places):
        await restore.hand.empty(path)
    for each in restore.survey.dumps:
        with steps.step(f"start {each.container} alone"):
            await containers.start(attempt, engine, each.container)
        with steps.step(f"load the database of {each.container}"):
            await databases.load(attempt, restore.work.address, restore.restic, engine, each)


async def _ended(attempt: Attempt, work: AppRestoreRequested, journal: Journal) -> Outcome:
    """The good end: of a container that is not there and cannot be made it is told."""
    result, left = journal.result, await replacing.keep_all(attempt, journal)
    if result is not None:
        result = replace(result, warnings=(*result.warnings, *left))
    running = () if result is None else result.containers
    missing = [each.container for each in work.found.services if each.container not in running]
    if not missing:
        return Outcome(status=RunStatus.SUCCESS, result=result)
    failure = Failure(
        code="containers_missing",
        message=f"The files are back, but these containers are not there: {', '.join(missing)}.",
        guidance="Make them from the compose file, which is back too: 'docker compose up -d'.",
    )
    return Outcome(status=RunStatus.PARTIAL, failure=failure, result=result)


def _names(restore: Restore) -> tuple[str, ...]:
    """The containers that are there or can be made, in the order in which they are started."""
    made = {each.plain_name for each in restore.survey.making.definitions}
    return tuple(
        each.container
        for each in restore.work.found.services
        if each.container in made or each.container in restore.survey.there
    )


def _project(work: AppRestoreRequested) -> str:
    """The compose project that the app is; empty: none."""
    return work.found.name if "/project/" in work.found.key else ""


async def _with_volumes(restore: Restore) -> tuple[Place, ...]:
    """The places, those in volumes that had to be made among them."""
    found, work, engine = restore.survey, restore.work, restore.survey.engine
    if not found.new_volumes or engine is None:
        return found.places
    with restore.steps.step("make volumes"):
        for name in found.new_volumes:
            await containers.make_volume(restore.attempt, engine, name, _project(work))
        made = await containers.volumes(restore.attempt, engine, found.new_volumes)
    return tuple(
        replace(each, path=each.path or made.get(each.volume, "")) for each in found.places
    )


async def _set_aside(
    restore: Restore, journal: Journal, places: tuple[Place, ...]
) -> tuple[Move, ...]:
    looks = restore.survey.looks
    moves = tuple(
        Move(
            path=place.path,
            aside=aside_of(
                place.path,
                restore.run_id,
                is_mount=place.path in looks and looks[place.path].own == "mount",
            ),
        )
        for place in places
    )
    await restore.hand.begin(replace(journal, moves=moves))
    for number, move in enumerate(moves):
        if await restore.hand.aside(restore.run_id, number, move):
            look = looks.get(move.path)
            if look is not None and look.kind in ("folder", "file", "link"):
                restore.previous[move.path] = move.aside
    return moves


def _result(restore: Restore, places: tuple[Place, ...]) -> AppRestoreResult:
    return AppRestoreResult(
        dry_run=restore.work.dry_run,
        places=tuple(
            AppRestorePlace(
                source=each.source,
                path=each.path,
                volume=each.volume,
                previous=restore.previous.get(each.path, ""),
            )
            for each in places
        ),
        containers=_names(restore),
        databases=tuple(each.container for each in restore.survey.dumps),
        warnings=(*restore.survey.warnings, *restore.warnings),
        steps=tuple(restore.steps.done),
    )


async def _undone(attempt: Attempt, work: AppRestoreRequested) -> bool:
    """Put back what this run changed, over a link of its own: the other may be broken.

    Whether anything had been changed.
    """
    # Without the hold: that it is to stop is known, and putting back must not be.
    async with at_device(attempt, work.device, whatever=True) as there:
        hand = Hand(there, work.app_id)
        if work.run_id not in await hand.unfinished():
            return False
        return await put_back(there, hand, work.run_id)


async def _failed(
    attempt: Attempt, work: AppRestoreRequested, steps: Steps, error: Exception
) -> tuple[Outcome, bool]:
    """What it came to, and whether all is as it was before."""
    failure = failure_of(error, attempt.all_secrets())
    step, is_as_before = steps.current, True
    try:
        with steps.step("put everything back"):
            changed = await _undone(attempt, work)
    except HoldfastError as second:
        is_as_before = False
        log.error("app_not_put_back", run_id=str(work.run_id), error=str(second))
        worse = failure_of(second, attempt.all_secrets())
        message = (
            f"{step}: {failure.message} And what was there before could not be put back: "
            f"{worse.message}"
        )
        guidance = (
            "It lies in folders '.holdfast-before-…' beside its places, and the journal on the "
            f"device below '.cache/holdfast/app-restores/{work.app_id}/{work.run_id}'. The next "
            "restore of this app puts it back first."
        )
        detail = "\n".join(filter(None, (failure.detail, worse.detail)))
        failure = replace(
            failure, message=message, guidance=guidance, detail=detail, retryable=False
        )
    else:
        if changed:
            message = f"{step}: {failure.message} The previous state is back."
            failure = replace(failure, message=message, retryable=False)
    result = AppRestoreResult(dry_run=work.dry_run, places=(), steps=tuple(steps.done))
    return Outcome(status=RunStatus.FAILED, failure=failure, result=result), is_as_before
