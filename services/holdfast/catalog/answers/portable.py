"""Everything at once: out of this instance, and into it."""

from uuid import UUID

import msgspec

from holdfast.catalog.answers.destinations import look_at
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.portable_check import checked
from holdfast.catalog.portability import bring_in
from holdfast.catalog.store import destinations, devices, portable, runs
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.portable import SECRETS_PURPOSE, Export
from holdfast.events.queries import (
    Done,
    Exported,
    ExportSettings,
    GetManifest,
    ImportReport,
    ImportSettings,
    ManifestDue,
    ManifestFound,
    ManifestKept,
    RebuildFrom,
)
from holdfast.events.views import RunAccepted
from holdfast.events.work import ImportRequested, RebuildRequested
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.secretbox.envelope import seal_to


async def answer_export_settings(query: ExportSettings, deps: Deps) -> Exported:
    """All settings; what opens the destinations only for whoever gave a key to seal it to."""
    async with transaction(deps.pool, isolation="repeatable_read") as connection:
        export = await portable.read(connection, deps.instance_id, deps.now())
        sealed = b""
        if query.public_key:
            sealed = await _sealed(connection, export, query.public_key, deps)
    return Exported(export=export, sealed_secrets=sealed)


async def answer_import_settings(query: ImportSettings, deps: Deps) -> ImportReport:
    """All of the file that fits, or nothing; a run then looks into each destination that came.

    InvalidRequestError for a file that breaks a rule; nothing is changed then.
    """
    secrets = deps.secrets.open_all(query.sealed_secrets)
    run_ids: list[UUID] = []
    async with transaction(deps.pool) as connection:
        # In the order of all who take both: admission, then policies.
        await runs.lock_admission(connection)
        plan = await bring_in(
            connection,
            query.export,
            secrets,
            deps,
            replace=query.replace,
            dry_run=query.dry_run,
        )
        for step in plan.destinations:
            if step.is_written and not query.dry_run:
                run = await look_at(connection, step.item.id, deps, ImportRequested)
                run_ids.append(run.run_id)
    deps.wake.set()
    return ImportReport(dry_run=query.dry_run, entries=plan.entries, run_ids=tuple(run_ids))


async def answer_get_manifest(query: GetManifest, deps: Deps) -> ManifestDue:
    """The settings, for those of the destinations that do not carry them yet."""
    async with transaction(deps.pool, isolation="repeatable_read") as connection:
        digest, due = await portable.manifest_due(connection, query.destination_ids)
        if not due:
            return ManifestDue()
        export = await portable.read(connection, deps.instance_id, deps.now())
    return ManifestDue(destination_ids=due, digest=digest, export=export)


async def answer_manifest_kept(query: ManifestKept, deps: Deps) -> Done:
    """It is not written again before a setting changes."""
    async with transaction(deps.pool) as connection:
        await portable.manifest_kept(connection, query.destination_id, query.digest)
    return Done()


async def answer_manifest_found(query: ManifestFound, deps: Deps) -> Done:
    """Keep it until the run has ended.  Raises InvalidRequestError for one that breaks a rule."""
    export = checked(query.export, deps.settings.timezone)
    async with transaction(deps.pool) as connection:
        run = await runs.lock(connection, query.run_id)
        if run is None or run.claim != query.claim or run.status.is_outcome:
            raise ConflictError("The run is another's by now.")
        await portable.add_found(connection, query.run_id, export)
    return Done()


async def answer_rebuild_from(query: RebuildFrom, deps: Deps) -> RunAccepted:
    """Queue the run that looks for settings in a destination in use."""
    async with transaction(deps.pool) as connection:
        if await destinations.lock(connection, query.destination_id) is None:
            raise NotFoundError(f"There is no destination {query.destination_id}.")
        accepted = await look_at(connection, query.destination_id, deps, RebuildRequested)
    deps.wake.set()
    return accepted


async def _sealed(connection: Connection, export: Export, public_key: bytes, deps: Deps) -> bytes:
    ids = [each.id for each in export.destinations]
    opened = {
        str(each.id): deps.secrets.open_destination(each)
        for each in await destinations.sealed_secrets(connection, ids)
    }
    logins = await devices.sealed_secrets(connection, [each.id for each in export.devices])
    for id, sealed in logins.items():
        opened[str(id)] = deps.secrets.open_device(id, sealed)
    return seal_to(public_key, msgspec.json.encode(opened), SECRETS_PURPOSE)
