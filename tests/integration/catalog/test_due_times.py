"""The ledger on a real database: a month of faults, windows, and what people are shown."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from holdfast.catalog.answers.configurations import (
    answer_create_configuration,
    answer_update_configuration,
)
from holdfast.catalog.answers.policies import (
    answer_create_policy,
    answer_list_policies,
    answer_update_policy,
)
from holdfast.catalog.answers.schedules import (
    answer_get_configuration_schedule,
    answer_list_schedules,
    answer_preview_schedule,
)
from holdfast.catalog.answers.status import answer_get_status
from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.admission import BACKUPS_PER_DEVICE
from holdfast.catalog.handlers import on_backup_due
from holdfast.catalog.keeper import Keeper
from holdfast.catalog.store.runs import CROWD
from holdfast.events.due import BackupDue, DueTimes
from holdfast.events.queries import (
    CreateConfiguration,
    CreatePolicy,
    GetConfigurationSchedule,
    GetStatus,
    ListPolicies,
    ListSchedules,
    PreviewSchedule,
    ScheduleEntry,
    UpdateConfiguration,
    UpdatePolicy,
)
from holdfast.events.run import RunStatus
from holdfast.events.schedule import CatchUp, DueOutcome
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id
from support.catalog import Clock
from support.destinations import ready_destination
from support.runs import added_app, all_due, due, protected_app, run_of
from support.timeline import START, Plan, Timeline, oracle

pytestmark = pytest.mark.postgres

PLANS = (
    Plan(id=new_id(), schedule="30 2 * * *", timezone="Europe/Berlin", catch_up=CatchUp.SKIP),
    Plan(
        id=new_id(),
        schedule="0 * * * *",
        timezone="UTC",
        jitter_seconds=1200,
        window_start="20:00",
        window_end="04:00",
    ),
)


async def planned(deps: Deps, number: int, plan: Plan) -> Plan:
    """The plan as a policy and an app of its own."""
    destination_id = await ready_destination(deps, f"D{number}")
    policy = await answer_create_policy(
        CreatePolicy(
            name=f"P{number}",
            schedule=plan.schedule,
            timezone=plan.timezone,
            jitter_seconds=plan.jitter_seconds,
            window_start=plan.window_start,
            window_end=plan.window_end,
            catch_up=plan.catch_up,
            destination_ids=(destination_id,),
        ),
        deps,
    )
    app = await added_app(deps, f"app{number}")
    tie = await answer_create_configuration(
        CreateConfiguration(app_id=app.id, policy_id=policy.id), deps
    )
    return msgspec.structs.replace(plan, id=tie.id)


async def test_a_month_of_faults_is_what_the_oracle_says(deps: Deps, clock: Clock) -> None:
    clock.time = START
    plans = [await planned(deps, number, plan) for number, plan in enumerate(PLANS)]
    ids = {plan.id for plan in plans}

    async def entries() -> tuple[ScheduleEntry, ...]:
        page = await answer_list_schedules(ListSchedules(), deps)
        return tuple(each for each in page.entries if each.id in ids)

    async def hear(event: BackupDue, at: object) -> None:
        clock.time = at  # type: ignore[assignment]  # it is a moment
        await on_backup_due(event, deps)
        await deps.pool.execute("update run set status = 'success' where status = 'in_progress'")

    timeline = Timeline(7, entries, hear)
    await timeline.live(START + timedelta(days=30))

    for plan in plans:
        rows = await deps.pool.fetch(
            "select scheduled_for, outcome, run_id from expected_run where configuration_id = $1",
            plan.id,
        )
        found = {row["scheduled_for"]: row["outcome"] for row in rows}
        assert found == oracle(plan, timeline.said, timeline.true)
        runs = [row["run_id"] for row in rows if row["outcome"] == "fired"]
        assert None not in runs
        assert len(set(runs)) == len(runs)


async def test_the_timetable_comes_in_pages_and_with_what_is_off(deps: Deps) -> None:
    protected = await protected_app(deps)
    await protected_app(deps, name="mail")
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected.configuration_id, enabled=False), deps
    )

    found: list[ScheduleEntry] = []
    after: UUID | None = None
    while True:
        page = await answer_list_schedules(ListSchedules(after_id=after, limit=1), deps)
        assert len({each.id for each in page.entries}) <= 1  # all that is one's in one page
        found += page.entries
        after = page.next_after_id
        if after is None:
            break

    assert sorted(each.kind for each in found) == ["backup", "backup", "check", "prune"]
    assert len({each.id for each in found}) == 3


async def test_what_waits_past_the_end_of_its_window_is_not_started(
    deps: Deps, clock: Clock
) -> None:
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    # Two backups of one device run at once; the third waits.
    protected = [await protected_app(deps, name=name) for name in ("a", "b", "c")]
    await answer_update_policy(
        UpdatePolicy(policy_id=policy.id, window_start="13:00", window_end="15:00"), deps
    )
    for each in protected:
        await on_backup_due(due(each, clock()), deps)  # 14:00 in Berlin
    row = await deps.pool.fetchrow("select id, not_after from run where status = 'queued'")
    assert row["not_after"] == clock() + timedelta(hours=1)
    keeper = Keeper(deps)

    await keeper.step()
    assert (await run_of(deps, row["id"])).status is RunStatus.QUEUED
    clock.advance(hours=1)
    await keeper.step()

    run = await run_of(deps, row["id"])
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert run.failure.code == "window_over"


async def test_paused_destinations_and_windows_are_reasons(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    await deps.pool.execute("update destination set enabled = false")
    await on_backup_due(due(protected, clock(), clock() - timedelta(days=1)), deps)
    await answer_update_policy(
        UpdatePolicy(policy_id=policy.id, window_start="01:00", window_end="05:00"), deps
    )
    await on_backup_due(due(protected, clock.advance(hours=1)), deps)

    view = await answer_get_configuration_schedule(
        GetConfigurationSchedule(configuration_id=protected.configuration_id), deps
    )

    assert [each.outcome for each in view.past] == [DueOutcome.SKIPPED] * 3
    assert view.past[0].reason == "outside the window"
    assert all(each.reason.startswith("destination paused") for each in view.past[1:])


async def test_past_and_next_times_are_shown(deps: Deps, clock: Clock) -> None:
    protected = await protected_app(deps)
    (policy,) = await answer_list_policies(ListPolicies(), deps)
    await answer_update_policy(
        UpdatePolicy(
            policy_id=policy.id,
            schedule="0 */6 * * *",
            jitter_seconds=600,
            window_start="00:00",
            window_end="12:00",
        ),
        deps,
    )
    times = [clock.advance(hours=6) for _ in range(3)]
    for time in times:
        await on_backup_due(due(protected, time), deps)
    query = GetConfigurationSchedule(configuration_id=protected.configuration_id, limit=2)

    first = await answer_get_configuration_schedule(query, deps)
    second = await answer_get_configuration_schedule(
        msgspec.structs.replace(query, cursor=first.next_cursor), deps
    )

    assert [each.scheduled_for for each in first.past] == times[:0:-1]
    assert [each.scheduled_for for each in second.past] == times[:1]
    assert second.next_cursor is None
    assert len(first.upcoming) == 10
    assert first.upcoming == second.upcoming
    assert all(each.scheduled_for > clock() for each in first.upcoming)
    assert {each.starts_at is None for each in first.upcoming} == {True, False}
    (app,) = (await answer_get_status(GetStatus(), deps)).apps
    assert app.next_due_at == next(
        each.scheduled_for for each in first.upcoming if each.starts_at is not None
    )

    await answer_update_policy(UpdatePolicy(policy_id=policy.id, enabled=False), deps)
    off = await answer_get_configuration_schedule(query, deps)
    assert (off.enabled, off.upcoming) == (False, ())
    assert (await answer_get_status(GetStatus(), deps)).apps[0].next_due_at is None
    with pytest.raises(NotFoundError):
        await answer_get_configuration_schedule(
            GetConfigurationSchedule(configuration_id=new_id()), deps
        )


async def test_a_preview_is_ten_times_or_names_the_field(deps: Deps) -> None:
    preview = await answer_preview_schedule(PreviewSchedule(schedule=" @Daily"), deps)

    assert (preview.schedule, preview.timezone) == ("@daily", "Europe/Berlin")
    assert len(preview.times) == 10
    with pytest.raises(InvalidRequestError, match=r"^schedule: "):
        await answer_preview_schedule(PreviewSchedule(schedule="61 * * * *"), deps)
    with pytest.raises(InvalidRequestError, match=r"^timezone: "):
        await answer_preview_schedule(PreviewSchedule(schedule="@daily", timezone="X/Y"), deps)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"window_start": "01:00"}, "window_end"),
        ({"window_start": "1:00", "window_end": "02:00"}, "window_start"),
        ({"jitter_seconds": 86_401}, "jitter_seconds"),
    ],
)
async def test_a_window_or_jitter_that_will_not_do_is_named(
    deps: Deps, fields: dict[str, object], field: str
) -> None:
    (policy,) = await answer_list_policies(ListPolicies(), deps)

    with pytest.raises(InvalidRequestError, match=f"^{field}"):
        await answer_update_policy(
            UpdatePolicy(policy_id=policy.id, **fields),  # type: ignore[arg-type]  # of any kind
            deps,
        )


async def test_in_a_crowd_the_keeper_admits(deps: Deps, clock: Clock) -> None:
    protected = [await protected_app(deps, name=f"app{number}") for number in range(CROWD + 4)]
    for each in protected:
        await on_backup_due(due(each, clock()), deps)
    running = "select count(*) from run where status = 'in_progress'"
    assert await deps.pool.fetchval(running) == BACKUPS_PER_DEVICE

    await deps.pool.execute("update run set status = 'success' where status = 'in_progress'")
    clock.advance(seconds=1)
    await Keeper(deps).step()

    assert await deps.pool.fetchval(running) == BACKUPS_PER_DEVICE
    assert await deps.pool.fetchval("select count(*) from expected_run") == CROWD + 4


async def test_what_is_due_together_is_one_run_each(deps: Deps, clock: Clock) -> None:
    protected = [await protected_app(deps, name=f"app{number}") for number in range(5)]
    await answer_update_configuration(
        UpdateConfiguration(configuration_id=protected[0].configuration_id, enabled=False), deps
    )
    event = all_due(protected, clock())

    for _ in range(2):
        await on_backup_due(event, deps)
    await on_backup_due(all_due(protected[2:], clock()), deps)

    rows = await deps.pool.fetch("select configuration_id, outcome, run_id from expected_run")
    told = {row["configuration_id"]: row["outcome"] for row in rows}
    assert len(rows) == 5
    assert [told[each.configuration_id] for each in protected] == ["skipped"] + ["fired"] * 4
    assert await deps.pool.fetchval("select count(*) from run where operation = 'backup'") == 4


async def test_one_that_cannot_be_written_down_keeps_back_no_other(
    deps: Deps, clock: Clock
) -> None:
    good = [await protected_app(deps, name=f"app{number}") for number in range(3)]
    bad = await planned(deps, 9, PLANS[0])
    await deps.pool.execute("update policy set schedule = 'whenever' where name = 'P9'")
    event = all_due(good, clock())
    event = msgspec.structs.replace(
        event, due=(DueTimes(configuration_id=bad.id, scheduled_for=clock()), *event.due)
    )

    with pytest.raises(InvalidRequestError):
        await on_backup_due(event, deps)

    rows = await deps.pool.fetch("select configuration_id, outcome from expected_run")
    assert {row["configuration_id"] for row in rows} == {each.configuration_id for each in good}
    assert {row["outcome"] for row in rows} == {"fired"}
