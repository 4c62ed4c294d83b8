"""``drill``: a snapshot is restored to a scratch place, looked at, and taken away again.

What it finds is the run's result whatever the run comes to; only a proof is a success.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from holdfast.events.drilling import DrillRequested
from holdfast.events.drills import DrillMode, DrillResult
from holdfast.events.run import Failure, RunStatus
from holdfast.executor.apps.databases import dumps_among
from holdfast.executor.apps.definitions import kept_in
from holdfast.executor.apps.steps import Steps
from holdfast.executor.attempt import Attempt
from holdfast.executor.beside import beside
from holdfast.executor.consistency.engine import EngineMissingError
from holdfast.executor.domain import Outcome, failure_of, seconds_between
from holdfast.executor.drills.boot import Booting, NotBootableError, boot, clear
from holdfast.executor.drills.comparing import MOST_TOLD, Comparison
from holdfast.executor.drills.reading import read_dumps
from holdfast.executor.drills.sampling import Sample
from holdfast.executor.drills.scratch import Made, Scratch
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.locks import LockWaitError, unless_locked
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.executor.there import at_device, with_restic
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import ls, restore
from holdfast.restic.commands.ls import LsOptions, Node
from holdfast.restic.commands.restore import RestoreOptions
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.messages import Status
from holdfast.telemetry.logs import Log

log = Log("executor")


class NotProvedError(HoldfastError):
    """What was restored is not what the snapshot lists."""

    code = "not_proved"
    guidance = (
        "The result lists the differences. Check the destination with all of its data, and drill "
        "again; other destinations of the configuration are drilled in turn."
    )
    status = 409


class ProbeFailedError(HoldfastError):
    """The app came up, and does not answer as it must."""

    code = "probe_failed"
    guidance = "The result has every answer. Is the probe right? Then drill another snapshot."
    status = 409


class NothingToDrillError(HoldfastError):
    """The snapshot has no file that fits into the sample."""

    code = "nothing_to_drill"
    guidance = "Raise most_bytes above the size of its smallest file."
    status = 409


@dataclass(kw_only=True)
class Drill:
    """One drill at work."""

    attempt: Attempt
    work: DrillRequested
    steps: Steps
    scratch: Scratch
    result: DrillResult = field(init=False)

    def __post_init__(self) -> None:
        self.result = DrillResult(
            mode=self.work.mode,
            destination_id=self.work.address.destination_id,
            restic_snapshot_id=self.work.restic_snapshot_id,
        )


async def run(attempt: Attempt, work: DrillRequested) -> Outcome:
    """See the module."""
    async with at_device(attempt, work.device) as there:
        steps = Steps(attempt.deps.now)
        drill = Drill(attempt=there, work=work, steps=steps, scratch=Scratch(there, work))
        failure: Failure | None = None
        try:
            await unless_locked(
                there, work.address, lambda: there.hold.guard(_drill(drill)), exclusive=False
            )
        except StoppedError as stopped:
            # Who is fenced out must not take away what another works with by now.
            if stopped.reason is not Reason.FENCED:
                await _cleared(drill)
            raise
        except LockWaitError:
            await _cleared(drill)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the scratch place goes
            failure = failure_of(error, attempt.all_secrets())
            failure = replace(failure, message=f"{steps.current}: {failure.message}")
        left = await _cleared(drill)
        result = replace(drill.result, steps=tuple(steps.done))
    if failure is not None:
        return Outcome(status=RunStatus.FAILED, failure=failure, result=result)
    if left is not None:
        return Outcome(status=RunStatus.PARTIAL, failure=left, result=result)
    return Outcome(status=RunStatus.SUCCESS, result=result)


async def _drill(drill: Drill) -> None:
    attempt, work, steps = drill.attempt, drill.work, drill.steps
    await end_predecessor(attempt)
    with steps.step("take away what a drill before left"):
        await _clear(attempt, work)
    with steps.step("make the scratch directory"):
        made = await drill.scratch.make()
    with steps.step("list the snapshot"):
        restic = await reach(attempt, work.address)
        options, comparison = await _plan(drill, restic, made)
    made.must_hold(comparison.bytes, drill.scratch.path)
    with steps.step("restore it, and read all of it again"):
        await _restore(drill, restic, options, comparison)
    with steps.step("compare it with the snapshot"):
        await _compare(drill, restic, comparison)
    with steps.step("read the dumps"):
        kept_beside = await beside(restic, work.backup_run_id)
        drill.result = replace(drill.result, dumps=await read_dumps(restic, kept_beside))
    if work.mode is DrillMode.BOOT:
        await _boot(drill, restic, kept_beside)


async def _plan(drill: Drill, restic: Restic, made: Made) -> tuple[RestoreOptions, Comparison]:
    """What is restored: all of it, or a sample.  Raises NothingToDrillError."""
    work = drill.work
    # An app does not come up from some of its files.
    may_sample = work.most_bytes > 0 and work.mode is not DrillMode.BOOT
    whole = Comparison(owners=made.is_root)
    sample = Sample(work.most_bytes, str(work.run_id))
    async with ls.open_stream(restic, LsOptions(snapshot=work.restic_snapshot_id)) as nodes:
        async for node in nodes:
            whole.expect(node)
            if may_sample:
                sample.offer(node)
    options = RestoreOptions(
        snapshot=work.restic_snapshot_id, target=drill.scratch.path, verify=True, sparse=True
    )
    chosen = whole
    if may_sample and whole.bytes > work.most_bytes:
        chosen = Comparison(owners=made.is_root, only_files=True)
        for node in sample.nodes:
            chosen.expect(node)
        options = replace(options, include=tuple(node.path for node in sample.nodes))
    if chosen is not whole and not chosen.files:
        raise NothingToDrillError
    drill.result = replace(drill.result, is_whole=chosen is whole)
    return options, chosen


async def _restore(
    drill: Drill, restic: Restic, options: RestoreOptions, comparison: Comparison
) -> None:
    attempt, address = drill.attempt, drill.work.address

    def tell(status: Status) -> None:
        attempt.progress.tell_restored(status, address.destination_id)

    began = attempt.deps.now()
    await with_restic(
        attempt, address, restic, lambda there: restore.run(there, options, on_progress=tell)
    )
    drill.result = replace(
        drill.result,
        files=comparison.files,
        bytes=comparison.bytes,
        restore_seconds=round(seconds_between(began, attempt.deps.now()), 3),
    )


async def _compare(drill: Drill, restic: Restic, comparison: Comparison) -> None:
    """Raises NotProvedError."""
    async with drill.scratch.listing() as every:
        async for seen in every:
            comparison.see(seen)
    if comparison.is_same:
        return
    missing = await _missing(drill, restic, comparison)
    drill.result = replace(
        drill.result,
        differences=comparison.differences(missing),
        differences_count=comparison.count,
    )
    raise NotProvedError(f"{comparison.count} things are not as in the snapshot.")


async def _missing(drill: Drill, restic: Restic, comparison: Comparison) -> list[Node]:
    """Nodes that were expected and not seen: only now is it worth asking for them again."""
    found = []
    options = LsOptions(snapshot=drill.work.restic_snapshot_id)
    async with ls.open_stream(restic, options) as nodes:
        async for node in nodes:
            if comparison.is_missing(node):
                found.append(node)
                if len(found) == MOST_TOLD:
                    break
    return found


async def _boot(drill: Drill, restic: Restic, kept_beside: Sequence[Snapshot]) -> None:
    """Raises ProbeFailedError, and as ``boot``."""
    work, steps = drill.work, drill.steps
    with steps.step("look how the app is brought up"):
        kept = await kept_in(restic, kept_beside)
    # Of what was lost since, the last look at the device does not tell any more.
    found = kept.app or work.found
    if found is None or not found.services:
        raise NotBootableError("The app has no containers that are known.")
    booting = Booting(
        drill_id=work.configuration_id,
        found=found,
        kept=kept,
        dumps=dumps_among(kept_beside, found, kept.definitions),
        root=drill.scratch.path,
        probes=work.probes,
        address=work.address,
        restic=restic,
    )
    booted = await boot(drill.attempt, booting, steps)
    drill.result = replace(drill.result, answers=booted.answers, left_out=booted.left_out)
    wrong = [each for each in booted.answers if not each.ok]
    if wrong:
        raise ProbeFailedError(f"{wrong[0].probe}: {wrong[0].answer}")


async def _cleared(drill: Drill) -> Failure | None:
    """Nothing is left of it; or why not."""
    try:
        with drill.steps.step("take everything away"):
            try:
                await _clear(drill.attempt, drill.work)
            except HoldfastError:
                # Over a link of its own: the other may be broken.
                async with at_device(drill.attempt, drill.work.device, whatever=True) as there:
                    await _clear(there, drill.work)
    except HoldfastError as error:
        log.warning("drill_not_cleared", path=drill.scratch.path, error=str(error))
        failure = failure_of(error, drill.attempt.all_secrets())
        return replace(
            failure,
            message=f"Not all of it could be taken away: {failure.message}",
            guidance=f"The next drill does it first. It is {drill.scratch.path}, and in mode boot "
            "containers called holdfast-drill-….",
        )
    return None


async def _clear(attempt: Attempt, work: DrillRequested) -> None:
    """Containers first: they have the files open."""
    if work.mode is DrillMode.BOOT:
        with contextlib.suppress(EngineMissingError):
            await clear(attempt, work.configuration_id)
    await Scratch(attempt, work).clear()
