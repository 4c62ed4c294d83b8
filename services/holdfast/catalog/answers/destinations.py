"""Questions about destinations."""

from uuid import UUID

from msgspec.structs import replace

from holdfast.catalog.answers.changed import destination_changed, policy_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.destination import NewDestination, checked_secrets, new_destination
from holdfast.catalog.domain.destination_change import (
    changed_address,
    changed_secrets,
    changed_view,
    is_to_be_tried,
)
from holdfast.catalog.domain.device import is_known
from holdfast.catalog.store import destinations, devices, outbox, policies, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.base import Work
from holdfast.events.changes import Change
from holdfast.events.queries import (
    AddDestination,
    Done,
    GetDestination,
    HealDestination,
    ImportSnapshots,
    ListDestinations,
    RemoveDestination,
    TestDestination,
    TestProtection,
    UndeleteDestination,
    UpdateDestination,
)
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import DestinationChange, DestinationView, RunAccepted
from holdfast.events.work import (
    DestinationAddress,
    DestinationSecrets,
    DestinationType,
    HealRequested,
    ImportRequested,
    InitRequested,
    ProbeRequested,
    ProtectionTestRequested,
    RebuildRequested,
    UndeleteRequested,
)
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.tokens import new_repository_password

LOOKS: dict[type[Work], Operation] = {
    ProbeRequested: Operation.PROBE,
    ImportRequested: Operation.IMPORT,
    RebuildRequested: Operation.REBUILD,
    ProtectionTestRequested: Operation.PROTECTION_TEST,
}
"""Runs that need to know no more than where a destination is."""

Look = (
    type[ProbeRequested]
    | type[ImportRequested]
    | type[RebuildRequested]
    | type[ProtectionTestRequested]
)


async def answer_list_destinations(
    _query: ListDestinations, deps: Deps
) -> tuple[DestinationView, ...]:
    """All destinations in use, by name."""
    async with reading(deps.pool) as connection:
        return await destinations.listed(connection)


async def answer_get_destination(query: GetDestination, deps: Deps) -> DestinationView:
    """One destination in use; NotFoundError if there is none."""
    async with reading(deps.pool) as connection:
        view = await destinations.find(connection, query.destination_id)
    if view is None:
        raise _missing(query.destination_id)
    return view


async def answer_add_destination(query: AddDestination, deps: Deps) -> RunAccepted:
    """Queue the run that tests a destination and makes, or adopts, its repository.

    InvalidRequestError for what will not do, ConflictError when name or place is taken.
    """
    new = new_destination(query, deps.settings.timezone)
    given = checked_secrets(new.type, deps.secrets.open_envelope(query.sealed_secrets))
    destination_id, now = new_id(), deps.now()

    async with transaction(deps.pool) as connection:
        site = await _site(connection, new, deps.settings.site)
        opening, ours = await _with_password(connection, new, given, deps)
        await destinations.add(
            connection,
            new,
            deps.secrets.seal_destination(destination_id, opening),
            now,
            password_is_ours=ours,
            has_maintenance=opening.has_maintenance,
            prune_timezone=deps.settings.timezone,
        )
        addresses = await destinations.addresses(connection, [destination_id])
        work = InitRequested(
            event_id=new_id(),
            occurred_at=now,
            run_id=new_id(),
            site=site,
            address=addresses[destination_id],
            parent_path=new.parent_path,
            first=await destinations.first(connection),
        )
        accepted = await _queued(connection, Operation.INIT, work, destination_id)
    deps.wake.set()
    return accepted


async def answer_update_destination(query: UpdateDestination, deps: Deps) -> DestinationChange:
    """Change what needs no test at once, and queue the run that tries what does.

    InvalidRequestError, NotFoundError, ConflictError when the name is taken or another change
    is being tried.
    """
    given = deps.secrets.open_envelope(query.sealed_secrets)
    now, run_id = deps.now(), None
    async with transaction(deps.pool) as connection:
        view = await _locked(connection, query.destination_id)
        changed = changed_view(view, query, deps.settings.timezone)
        if changed != view:
            await destinations.change(connection, changed, now)
            await outbox.add(connection, destination_changed(view.id, Change.UPDATED, now))
            await runs.lock_admission(connection)
            await runs.admit_queued(connection, now)  # more may start at once now
        if is_to_be_tried(query, given):
            run_id = await _try(connection, view, query, given, deps)
        view = await _locked(connection, query.destination_id)
    deps.wake.set()
    return DestinationChange(destination=view, run_id=run_id)


async def answer_test_destination(query: TestDestination, deps: Deps) -> RunAccepted:
    """Queue a probe of a destination in use."""
    return await _look(query.destination_id, ProbeRequested, deps)


async def answer_test_protection(query: TestProtection, deps: Deps) -> RunAccepted:
    """Queue an attack on a canary at a destination in use."""
    return await _look(query.destination_id, ProtectionTestRequested, deps)


async def answer_import_snapshots(query: ImportSnapshots, deps: Deps) -> RunAccepted:
    """Queue a run that looks which snapshots are in a destination in use."""
    return await _look(query.destination_id, ImportRequested, deps)


async def answer_undelete_destination(query: UndeleteDestination, deps: Deps) -> RunAccepted:
    """Queue a run that brings back what was deleted or overwritten since then.

    InvalidRequestError for a time to come, and for what is no S3 bucket.
    """
    destination_id, now = query.destination_id, deps.now()
    if query.since > now:
        raise InvalidRequestError("since: that time has not come yet.")
    async with transaction(deps.pool) as connection:
        view = await destinations.find(connection, destination_id)
        if view is None:
            raise _missing(destination_id)
        if view.type is not DestinationType.S3:
            raise InvalidRequestError(
                f"{view.name} is no S3 bucket, so it keeps no versions that could be brought back."
            )
        address = (await destinations.addresses(connection, [destination_id]))[destination_id]
        work = UndeleteRequested(
            event_id=new_id(),
            occurred_at=now,
            run_id=new_id(),
            site=await destinations.site_of(connection, destination_id, deps.settings.site),
            address=address,
            since=query.since,
        )
        accepted = await _queued(connection, Operation.UNDELETE, work, destination_id)
    deps.wake.set()
    return accepted


async def answer_heal_destination(query: HealDestination, deps: Deps) -> RunAccepted:
    """Queue a run that repairs a destination with what the others have."""
    destination_id, now = query.destination_id, deps.now()
    async with transaction(deps.pool) as connection:
        if await destinations.find(connection, destination_id) is None:
            raise _missing(destination_id)
        address = (await destinations.addresses(connection, [destination_id]))[destination_id]
        work = HealRequested(
            event_id=new_id(),
            occurred_at=now,
            run_id=new_id(),
            site=await destinations.site_of(connection, destination_id, deps.settings.site),
            address=address,
            siblings=await destinations.siblings(connection, destination_id),
        )
        accepted = await _queued(connection, Operation.HEAL, work, destination_id)
    deps.wake.set()
    return accepted


async def answer_remove_destination(query: RemoveDestination, deps: Deps) -> Done:
    """Take a destination out of use.  Its data is left where it is.

    ConflictError while a run is at it, and while a policy lists it unless ``detach`` is set.
    """
    destination_id, now = query.destination_id, deps.now()
    async with transaction(deps.pool) as connection:
        await policies.lock(connection)
        if await destinations.lock(connection, destination_id) is None:
            raise _missing(destination_id)
        users = await policies.with_destination(connection, destination_id)
        if users and not query.detach:
            raise ConflictError(
                f"The destination is in use by {', '.join(name for _, name in users)}.",
                guidance="Take it out of those policies first, or ask for that with detach.",
            )
        if await destinations.unfinished_runs(connection, destination_id):
            raise ConflictError(
                "A run on this destination has not ended.",
                guidance="Wait for it, or cancel it.",
            )

        await policies.detach(connection, destination_id)
        for policy_id, _ in users:
            await policies.touch(connection, policy_id, now)
            await outbox.add(connection, policy_changed(policy_id, Change.UPDATED, now))
        await destinations.remove(connection, destination_id, now)
        await outbox.add(connection, destination_changed(destination_id, Change.DELETED, now))
    deps.wake.set()
    return Done()


async def _locked(connection: Connection, destination_id: UUID) -> DestinationView:
    """A destination in use, that nobody else changes or removes meanwhile."""
    if await destinations.lock(connection, destination_id) is None:
        raise _missing(destination_id)
    view = await destinations.find(connection, destination_id)
    if view is None:
        raise _missing(destination_id)
    return view


async def _try(
    connection: Connection,
    view: DestinationView,
    query: UpdateDestination,
    given: DestinationSecrets,
    deps: Deps,
) -> UUID:
    """The run that tries new credentials; until it has succeeded the old ones are in use."""
    (sealed,) = await destinations.sealed_secrets(connection, [view.id])
    secrets = changed_secrets(view.type, deps.secrets.open_destination(sealed), given)
    ours = await destinations.password_is_ours(connection, view.id) and not given.repo_password
    address = (await destinations.addresses(connection, [view.id]))[view.id]
    tried = changed_address(address, query)
    accepted = await look_at(connection, view.id, deps, ProbeRequested, tried)
    await destinations.try_change(
        connection,
        accepted.run_id,
        deps.secrets.seal_destination(view.id, secrets),
        password_is_ours=ours,
        s3_ca_certificate=tried.s3_ca_certificate,
        has_maintenance=secrets.has_maintenance,
    )
    return accepted.run_id


async def look_at(
    connection: Connection,
    destination_id: UUID,
    deps: Deps,
    kind: Look,
    address: DestinationAddress | None = None,
) -> RunAccepted:
    """Queue a run of that *kind*, at the address on record unless another is to be tried."""
    if address is None:
        address = (await destinations.addresses(connection, [destination_id]))[destination_id]
    work = kind(
        event_id=new_id(),
        occurred_at=deps.now(),
        run_id=new_id(),
        site=await destinations.site_of(connection, destination_id, deps.settings.site),
        address=address,
    )
    return await _queued(connection, LOOKS[kind], work, destination_id)


async def _look(destination_id: UUID, kind: Look, deps: Deps) -> RunAccepted:
    async with transaction(deps.pool) as connection:
        await _locked(connection, destination_id)
        accepted = await look_at(connection, destination_id, deps, kind)
    deps.wake.set()
    return accepted


async def _queued(
    connection: Connection, operation: Operation, work: Work, destination_id: UUID
) -> RunAccepted:
    """Queue *work*; it may have been admitted with the same breath."""
    await runs.enqueue(connection, runs.NewRun(operation=operation, work=work))
    view = await runs.find(connection, work.run_id)
    status = RunStatus.QUEUED if view is None else view.status
    return RunAccepted(run_id=work.run_id, status=status, destination_id=destination_id)


async def _site(connection: Connection, new: NewDestination, default: str) -> str:
    """Where the executors are that reach it: beside its device, or anywhere for S3."""
    if new.device_id is None:
        return default
    device = await devices.find(connection, new.device_id)
    if device is None:
        raise InvalidRequestError(f"device_id: there is no device {new.device_id}.")
    if not is_known(device):
        raise InvalidRequestError(
            f"device_id: {device.name} was never reached, so its host key is not known.",
            guidance="Test the device first: that shows its key, and pins it.",
        )
    return device.site


async def _with_password(
    connection: Connection, new: NewDestination, given: DestinationSecrets, deps: Deps
) -> tuple[DestinationSecrets, bool]:
    """What opens the repository, and whether its password is one that Holdfast made.

    A place that was removed before, or where an init broke off, may still hold the repository
    whose password only Holdfast knows.  Whoever adds it again without a password gets that
    one, not a new one that would not open it.
    """
    if given.repo_password:
        return given, False
    before = await destinations.ours_before(connection, new.place)
    if before is None:
        password = new_repository_password().reveal()
    else:
        password = deps.secrets.open_destination(before).repo_password
    return replace(given, repo_password=password), True


def _missing(destination_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no destination {destination_id}.")
