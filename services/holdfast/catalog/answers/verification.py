"""Questions about checks, sizes and prices."""

from collections.abc import Sequence
from uuid import UUID

from holdfast.catalog.answers.changed import destination_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.cost import DEFAULT_PRICES, cost_of, savings_percent
from holdfast.catalog.domain.policy import checked_schedule
from holdfast.catalog.domain.text import checked_name
from holdfast.catalog.domain.verification import (
    MOST_DAYS,
    Reading,
    coverage,
    rotation_of,
    warnings_of,
)
from holdfast.catalog.store import destinations, outbox, runs, verification
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.catalog.store.verification import Damage, PromiseRow
from holdfast.catalog.verifying import asked_parts, queue_check
from holdfast.events.changes import Change
from holdfast.events.checks import Health
from holdfast.events.queries import (
    CheckDestination,
    GetDestinationStats,
    GetVerification,
    ListPrices,
    SetPrice,
    SetVerification,
)
from holdfast.events.run import RunStatus
from holdfast.events.views import (
    PartView,
    PriceView,
    RunAccepted,
    StatsView,
    VerificationView,
)
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id

MOST_STATS_DAYS = 3660
MOST_PRICE = 1_000_000.0


async def answer_check_destination(query: CheckDestination, deps: Deps) -> RunAccepted:
    """Queue a check of a destination in use."""
    destination_id, run_id = query.destination_id, new_id()
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        promise = await _promise(connection, destination_id)
        parts = await asked_parts(connection, destination_id, promise, query.read_data, deps.now())
        await queue_check(connection, destination_id, run_id, parts, deps)
        view = await runs.find(connection, run_id)
    deps.wake.set()
    status = RunStatus.QUEUED if view is None else view.status
    return RunAccepted(run_id=run_id, status=status, destination_id=destination_id)


async def answer_get_verification(query: GetVerification, deps: Deps) -> VerificationView:
    """What is promised of a destination, and how that stands."""
    async with reading(deps.pool) as connection:
        return await _view(connection, query.destination_id, deps)


async def answer_set_verification(query: SetVerification, deps: Deps) -> VerificationView:
    """Change the promise; InvalidRequestError names the field that will not do."""
    destination_id, now = query.destination_id, deps.now()
    if not 1 <= query.verify_within_days <= MOST_DAYS:
        raise InvalidRequestError(f"verify_within_days is from 1 to {MOST_DAYS}.")
    budget = query.verify_budget_mib_per_day
    if budget is not None and budget < 1:
        raise InvalidRequestError("verify_budget_mib_per_day is 1 or more, or null for no limit.")
    async with transaction(deps.pool) as connection:
        before = await _promise(connection, destination_id)
        schedule = before.check_schedule
        if query.check_schedule is not None:
            schedule = query.check_schedule and checked_schedule(query.check_schedule)
        await verification.set_promise(
            connection, destination_id, query.verify_within_days, budget, schedule, now
        )
        await outbox.add(connection, destination_changed(destination_id, Change.UPDATED, now))
        view = await _view(connection, destination_id, deps)
    deps.wake.set()
    return view


async def answer_get_destination_stats(query: GetDestinationStats, deps: Deps) -> StatsView:
    """What was measured after checks and prunes; zeros before the first."""
    async with reading(deps.pool) as connection:
        destination = await destinations.find(connection, query.destination_id)
        if destination is None:
            raise _missing(query.destination_id)
        limit = min(max(query.days, 1), MOST_STATS_DAYS)
        days = await verification.stats(connection, query.destination_id, limit)
        prices = await verification.prices(connection)
    if not days:
        return StatsView(
            destination_id=destination.id,
            measured_at=None,
            cost=cost_of(destination, prices, 0, 0),
        )
    newest = days[0]
    return StatsView(
        destination_id=destination.id,
        measured_at=newest.measured_at,
        raw_size=newest.raw_size,
        uncompressed_size=newest.uncompressed_size,
        restore_size=newest.restore_size,
        snapshots_count=newest.snapshots_count,
        compression_ratio=newest.compression_ratio,
        compression_space_saving=newest.compression_space_saving,
        savings_percent=savings_percent(newest.raw_size, newest.restore_size),
        cost=cost_of(destination, prices, newest.raw_size, newest.restore_size),
        days=days,
    )


async def answer_list_prices(_query: ListPrices, deps: Deps) -> tuple[PriceView, ...]:
    """Those that Holdfast knows and those that were set, by provider."""
    async with reading(deps.pool) as connection:
        prices = await verification.prices(connection)
    return tuple(
        PriceView(provider=provider, per_tb_month=price, is_default=provider not in prices)
        for provider, price in sorted({**DEFAULT_PRICES, **prices}.items())
    )


async def answer_set_price(query: SetPrice, deps: Deps) -> PriceView:
    """Set one; an S3 service that Holdfast does not know goes by its host."""
    provider = checked_name(query.provider).lower()
    if not 0 <= query.per_tb_month <= MOST_PRICE:
        raise InvalidRequestError("per_tb_month is an amount in USD, 0 or more.")
    async with transaction(deps.pool) as connection:
        await verification.set_price(connection, provider, query.per_tb_month, deps.now())
    return PriceView(provider=provider, per_tb_month=query.per_tb_month, is_default=False)


async def _view(connection: Connection, destination_id: UUID, deps: Deps) -> VerificationView:
    promise = await _promise(connection, destination_id)
    readings = await verification.readings(connection, destination_id)
    damage = await verification.damage(connection, destination_id)
    return _view_of(
        destination_id, promise, readings, damage, warnings_of(promise, readings, deps.now())
    )


def _view_of(
    destination_id: UUID,
    promise: PromiseRow,
    readings: Sequence[Reading],
    damage: Sequence[Damage],
    warnings: tuple[str, ...],
) -> VerificationView:
    parts = coverage(promise, rotation_of(promise), readings)
    read = [each.read_at for each in parts if each.read_at is not None]
    unharmed = Health.UNKNOWN if promise.checked_at is None else Health.OK
    return VerificationView(
        destination_id=destination_id,
        health=Health.DAMAGED if damage else unharmed,
        damaged_since=damage[0].found_at if damage else None,
        damaged_packs=tuple(each.pack for each in damage if each.pack),
        damaged_snapshot_ids=tuple(
            dict.fromkeys(id for each in damage for id in each.snapshot_ids)
        ),
        check_schedule=promise.check_schedule,
        timezone=promise.timezone,
        verify_within_days=promise.within_days,
        verify_budget_mib_per_day=promise.budget_mib_per_day,
        checked_at=promise.checked_at,
        parts=tuple(PartView(part=each.part, last_read_at=each.read_at) for each in parts),
        parts_read=len(read),
        oldest_read_at=min(read) if len(read) == len(parts) else None,
        promise_kept=not warnings,
        warnings=warnings,
    )


async def _promise(connection: Connection, destination_id: UUID) -> PromiseRow:
    found = await verification.promise(connection, destination_id)
    if found is None:
        raise _missing(destination_id)
    return found


def _missing(destination_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no destination {destination_id}.")
