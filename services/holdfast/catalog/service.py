"""The catalog: what is true.  The only service that speaks to Postgres."""

import asyncio

from holdfast.catalog import handlers
from holdfast.catalog.answers import (
    app_restores,
    apps,
    configurations,
    destinations,
    devices,
    discards,
    discovery,
    drills,
    dump,
    executors,
    files,
    identity,
    passwords,
    policies,
    portable,
    recovery,
    runs,
    schedules,
    snapshots,
    status,
    verification,
)
from holdfast.catalog.deps import Deps
from holdfast.catalog.keeper import Keeper
from holdfast.catalog.migrate import migrate
from holdfast.catalog.relay import Relay
from holdfast.catalog.secrets import open_secrets
from holdfast.catalog.seed import seed
from holdfast.catalog.store import outbox
from holdfast.catalog.store.pool import open_pool
from holdfast.catalog.store.runs import ENDED_CHANNEL
from holdfast.catalog.sweeping import Sweeper
from holdfast.catalog.waiting import Waiter, listen
from holdfast.events import discovery as found
from holdfast.events import due, queries, retention, run, snapshot
from holdfast.runtime import Answer, Hear, Runtime, Service, answer, hear


async def build(runtime: Runtime) -> Service:
    """Bring the schema up to date, make what a first start needs, then serve."""
    settings = runtime.settings
    await migrate(settings.postgres_dsn)
    pool = await open_pool(settings.postgres_dsn)
    instance_id = await seed(pool, settings, runtime.now())
    deps = Deps(
        pool=pool,
        now=runtime.now,
        settings=settings,
        secrets=await open_secrets(pool, settings, runtime.now()),
        instance_id=instance_id,
        wake=asyncio.Event(),
        waiter=Waiter(),
    )

    async def hear_postgres(stop: asyncio.Event) -> None:
        def woken(_: str) -> None:
            deps.wake.set()

        channels = {ENDED_CHANNEL: deps.waiter.ended, outbox.CHANNEL: woken}
        await listen(settings.postgres_dsn, channels, deps.waiter.look_again, stop)

    return Service(
        name="catalog",
        hears=_hears(deps),
        answers=_answers(deps),
        runs=[
            Relay(pool, runtime.bus, deps.wake, runtime.now).run,
            Keeper(deps).run,
            Sweeper(deps).run,
            hear_postgres,
        ],
        closes=[pool.close],
    )


def _hears(deps: Deps) -> list[Hear]:
    return [
        hear(due.BackupDue, handlers.on_backup_due, deps),
        hear(due.PruneDue, handlers.on_prune_due, deps),
        hear(due.CheckDue, handlers.on_check_due, deps),
        hear(due.DrillDue, handlers.on_drill_due, deps),
        hear(snapshot.SnapshotCompleted, handlers.on_snapshot_completed, deps),
        hear(snapshot.SnapshotFailed, handlers.on_snapshot_failed, deps),
        hear(snapshot.SnapshotsFound, handlers.on_snapshots_found, deps),
        hear(found.EngineChanged, handlers.on_engine_changed, deps, only_new=True),
        hear(found.DeviceDiscovered, handlers.on_device_discovered, deps),
        hear(run.RunCompleted, handlers.on_run_completed, deps),
        hear(retention.ForgetRequested, handlers.on_forget_requested, deps),
        hear(retention.PruneRequested, handlers.on_prune_requested, deps),
    ]


def _answers(deps: Deps) -> list[Answer]:
    return [
        answer(queries.GetIdentity, identity.answer_get_identity, deps),
        answer(queries.VerifyToken, identity.answer_verify_token, deps),
        answer(queries.GetStatus, status.answer_get_status, deps),
        answer(queries.ExportSettings, portable.answer_export_settings, deps),
        answer(queries.ImportSettings, portable.answer_import_settings, deps),
        answer(queries.GetManifest, portable.answer_get_manifest, deps),
        answer(queries.ManifestKept, portable.answer_manifest_kept, deps),
        answer(queries.ManifestFound, portable.answer_manifest_found, deps),
        answer(queries.RebuildFrom, portable.answer_rebuild_from, deps),
        answer(queries.CreateDevice, devices.answer_create_device, deps),
        answer(queries.ListDevices, devices.answer_list_devices, deps),
        answer(queries.GetDevice, devices.answer_get_device, deps),
        answer(queries.UpdateDevice, devices.answer_update_device, deps),
        answer(queries.TestDevice, devices.answer_test_device, deps),
        answer(queries.RemoveDevice, devices.answer_remove_device, deps),
        answer(queries.DiscoverDevice, discovery.answer_discover_device, deps),
        answer(queries.GetCoverage, discovery.answer_get_coverage, deps),
        answer(queries.CreateApp, apps.answer_create_app, deps),
        answer(queries.StartDrill, drills.answer_start_drill, deps),
        answer(queries.RestoreApp, app_restores.answer_restore_app, deps),
        answer(queries.DiscardPrevious, discards.answer_discard_previous, deps),
        answer(queries.ListApps, apps.answer_list_apps, deps),
        answer(queries.AddDestination, destinations.answer_add_destination, deps),
        answer(queries.ListDestinations, destinations.answer_list_destinations, deps),
        answer(queries.GetDestination, destinations.answer_get_destination, deps),
        answer(queries.TestProtection, destinations.answer_test_protection, deps),
        answer(queries.UpdateDestination, destinations.answer_update_destination, deps),
        answer(queries.ImportSnapshots, destinations.answer_import_snapshots, deps),
        answer(queries.RemoveDestination, destinations.answer_remove_destination, deps),
        answer(queries.TestDestination, destinations.answer_test_destination, deps),
        answer(queries.UndeleteDestination, destinations.answer_undelete_destination, deps),
        answer(queries.CheckDestination, verification.answer_check_destination, deps),
        answer(queries.GetVerification, verification.answer_get_verification, deps),
        answer(queries.SetVerification, verification.answer_set_verification, deps),
        answer(queries.GetDestinationStats, verification.answer_get_destination_stats, deps),
        answer(queries.ListPrices, verification.answer_list_prices, deps),
        answer(queries.SetPrice, verification.answer_set_price, deps),
        answer(queries.MakeRecoveryKit, recovery.answer_make_recovery_kit, deps),
        answer(queries.RotatePassword, passwords.answer_rotate_password, deps),
        answer(queries.SwitchPassword, passwords.answer_switch_password, deps),
        answer(queries.HealDestination, destinations.answer_heal_destination, deps),
        answer(queries.CreatePolicy, policies.answer_create_policy, deps),
        answer(queries.ListPolicies, policies.answer_list_policies, deps),
        answer(queries.GetPolicy, policies.answer_get_policy, deps),
        answer(queries.UpdatePolicy, policies.answer_update_policy, deps),
        answer(queries.DeletePolicy, policies.answer_delete_policy, deps),
        answer(queries.CreateConfiguration, configurations.answer_create_configuration, deps),
        answer(queries.ListConfigurations, configurations.answer_list_configurations, deps),
        answer(queries.GetConfiguration, configurations.answer_get_configuration, deps),
        answer(queries.UpdateConfiguration, configurations.answer_update_configuration, deps),
        answer(queries.DeleteConfiguration, configurations.answer_delete_configuration, deps),
        answer(queries.StartBackup, runs.answer_start_backup, deps),
        answer(queries.ListSnapshots, snapshots.answer_list_snapshots, deps),
        answer(queries.GetSnapshot, snapshots.answer_get_snapshot, deps),
        answer(queries.ReadDatabase, dump.answer_read_database, deps),
        answer(queries.ListFiles, files.answer_list_files, deps),
        answer(queries.AskListing, files.answer_ask_listing, deps),
        answer(queries.AskFolders, files.answer_ask_folders, deps),
        answer(queries.KeepFolders, files.answer_keep_folders, deps),
        answer(queries.KeepListing, files.answer_keep_listing, deps),
        answer(queries.RestoreSnapshot, snapshots.answer_restore_snapshot, deps),
        answer(queries.ListRuns, runs.answer_list_runs, deps),
        answer(queries.GetRun, runs.answer_get_run, deps),
        answer(queries.WaitForRun, runs.answer_wait_for_run, deps),
        answer(queries.CancelRun, runs.answer_cancel_run, deps),
        answer(queries.ClaimRun, executors.answer_claim_run, deps),
        answer(queries.Heartbeat, executors.answer_heartbeat, deps),
        answer(queries.ReleaseClaim, executors.answer_release_claim, deps),
        answer(queries.ListSchedules, schedules.answer_list_schedules, deps),
        answer(queries.GetConfigurationSchedule, schedules.answer_get_configuration_schedule, deps),
        answer(queries.PreviewSchedule, schedules.answer_preview_schedule, deps),
        answer(queries.GetRetentionView, schedules.answer_get_retention_view, deps),
        answer(queries.GetPruneView, schedules.answer_get_prune_view, deps),
    ]
