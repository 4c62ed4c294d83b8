"""After a repository was asked for the settings that it carries: they come in, then its history."""

from msgspec.structs import replace

from holdfast.catalog.deps import Deps
from holdfast.catalog.portability import bring_in
from holdfast.catalog.store import destinations, portable, runs
from holdfast.catalog.store.pool import Connection
from holdfast.events.queries import Verdict
from holdfast.events.run import Operation, RebuildResult, Trigger
from holdfast.events.work import ImportRequested
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import derived_id
from holdfast.telemetry.logs import Log

log = Log("catalog")


async def follow_rebuild(
    connection: Connection, run: runs.RunRow, result: RebuildResult, deps: Deps
) -> None:
    """The run has ended well: what it found comes in, and a run for the snapshots is queued.

    In the transaction that ends the run, so that none of it is half done.
    """
    (destination_id,) = run.destination_ids
    await destinations.identified(connection, destination_id, result.repository_id)
    export = await portable.take_found(connection, run.id)
    if export is not None:
        try:
            # What cannot come in must not keep the run from its end, nor the history away.
            async with connection.transaction():
                plan = await bring_in(connection, export, {}, deps, found_at=destination_id)
        except HoldfastError as error:
            log.warning("settings_not_rebuilt", run_id=str(run.id), error=str(error))
            left_out: tuple[str, ...] = (str(error),)
        else:
            for step in plan.destinations:
                if step.renames == destination_id:
                    destination_id = step.item.id
            left_out = tuple(
                f"{each.kind} {each.name}: {each.reason}"
                for each in plan.entries
                if each.verdict is Verdict.CONFLICT
            )
        await runs.set_result(connection, run.id, replace(result, left_out=left_out))

    addresses = await destinations.addresses(connection, [destination_id])
    work = ImportRequested(
        event_id=derived_id(ImportRequested.TYPE, run.id),
        occurred_at=deps.now(),
        run_id=derived_id("import", run.id),
        site=run.event.site,
        address=addresses[destination_id],
    )
    new = runs.NewRun(operation=Operation.IMPORT, work=work, trigger=Trigger.REBUILD)
    await runs.add(connection, [new])
