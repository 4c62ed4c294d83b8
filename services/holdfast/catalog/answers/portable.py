"""Everything at once: out of this instance, and into it."""

from uuid import UUID

import msgspec

from holdfast.catalog.answers.destinations import look_at
from holdfast.catalog.deps import Deps
from holdfast.catalog.portability import bring_in
from holdfast.catalog.store import destinations, portable
from holdfast.catalog.store.pool import Connection, transaction
from holdfast.events.portable import SECRETS_PURPOSE, Export
from holdfast.events.queries import Exported, ExportSettings, ImportReport, ImportSettings
from holdfast.events.work import ImportRequested
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


async def _sealed(connection: Connection, export: Export, public_key: bytes, deps: Deps) -> bytes:
    ids = [each.id for each in export.destinations]
    opened = {
        str(each.id): deps.secrets.open_destination(each)
        for each in await destinations.sealed_secrets(connection, ids)
    }
    return seal_to(public_key, msgspec.json.encode(opened), SECRETS_PURPOSE)
