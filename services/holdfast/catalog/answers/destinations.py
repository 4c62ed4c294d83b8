"""Questions about destinations."""

from uuid import UUID

from msgspec import UNSET
from msgspec.structs import replace

from holdfast.catalog.answers.changed import destination_changed, policy_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.destination import (
    NewDestination,
    checked_max_runs,
    checked_secrets,
    new_destination,
)
from holdfast.catalog.domain.limits import checked_limits
from holdfast.catalog.store import destinations, devices, outbox, policies, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.base import Work
from holdfast.events.changes import Change
from holdfast.events.queries import (
    AddDestination,
    Done,
    GetDestination,
    ListDestinations,
    RemoveDestination,
    TestDestination,
    TestProtection,
    UpdateDestination,
)
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import DestinationView, RunAccepted
from holdfast.events.work import (
    DestinationSecrets,
    InitRequested,
    ProbeRequested,
    ProtectionTestRequested,
)
from holdfast.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.tokens import new_repository_password


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
            prune_timezone=deps.settings.timezone,
        )
        work = InitRequested(
            event_id=new_id(),
            occurred_at=now,
            run_id=new_id(),
            site=site,
            address=new.address(destination_id, cheap_key=ours),
            parent_path=new.parent_path,
        )
        accepted = await _queued(connection, Operation.INIT, work, destination_id)
    deps.wake.set()
    return accepted


async def answer_test_destination(query: TestDestination, deps: Deps) -> RunAccepted:
    """Queue a probe of a destination in use."""
    return await _queue_test(query.destination_id, Operation.PROBE, ProbeRequested, deps)


async def answer_test_protection(query: TestProtection, deps: Deps) -> RunAccepted:
    """Queue an attack on a canary at a destination in use."""
    return await _queue_test(
        query.destination_id, Operation.PROTECTION_TEST, ProtectionTestRequested, deps
    )


async def answer_update_destination(query: UpdateDestination, deps: Deps) -> DestinationView:
    """Change how a destination is used, from the next run that is queued.

    InvalidRequestError names the field that will not do.
    """
    destination_id, now = query.destination_id, deps.now()
    max_runs = None if query.max_runs is UNSET else checked_max_runs(query.max_runs)
    limits = None
    if query.limits is not UNSET:
        limits = checked_limits(query.limits, deps.settings.timezone)
    async with transaction(deps.pool) as connection:
        await destinations.update(
            connection,
            destination_id,
            now,
            max_runs=max_runs,
            limits=limits,
            append_only=None if query.append_only is UNSET else query.append_only,
        )
        view = await destinations.find(connection, destination_id)
        if view is None:
            raise _missing(destination_id)
        await outbox.add(connection, destination_changed(destination_id, Change.UPDATED, now))
        await runs.lock_admission(connection)
        await runs.admit_queued(connection, now)  # more may start at once now
    deps.wake.set()
    return view


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


async def _queue_test(
    destination_id: UUID,
    operation: Operation,
    kind: type[ProbeRequested] | type[ProtectionTestRequested],
    deps: Deps,
) -> RunAccepted:
    async with transaction(deps.pool) as connection:
        if await destinations.find(connection, destination_id) is None:
            raise _missing(destination_id)
        address = (await destinations.addresses(connection, [destination_id]))[destination_id]
        work = kind(
            event_id=new_id(),
            occurred_at=deps.now(),
            run_id=new_id(),
            site=await destinations.site_of(connection, destination_id, deps.settings.site),
            address=address,
        )
        accepted = await _queued(connection, operation, work, destination_id)
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
    return device.site


async def _with_password(
    connection: Connection, new: NewDestination, given: DestinationSecrets, deps: Deps
) -> tuple[DestinationSecrets, bool]:
    """What opens the repository, and whether its password is one that Holdfast made.

    A place that was removed before still holds the repository whose password only Holdfast
    knows.  Whoever adds it again without a password gets that one, not a new one that
    would not open it.
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
