"""Over simulated years the ledger is what a plain oracle says: nothing lost, nothing double."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from holdfast.catalog.domain.ledger import settle
from holdfast.events.due import BackupDue
from holdfast.events.queries import ScheduleEntry
from holdfast.events.schedule import CatchUp
from holdfast.kernel.ids import derived_id
from support.timeline import START, Plan, Timeline, oracle

BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"

PLANS = (
    Plan(id=derived_id(1), schedule="30 2 * * *", timezone=BERLIN),
    Plan(id=derived_id(2), schedule="30 2 * * *", timezone=BERLIN, catch_up=CatchUp.SKIP),
    Plan(id=derived_id(3), schedule="*/10 * * * *", jitter_seconds=900),
    Plan(id=derived_id(4), schedule="@hourly", timezone=LORD_HOWE, jitter_seconds=5400),
    Plan(
        id=derived_id(5),
        schedule="@hourly",
        jitter_seconds=1800,
        window_start="22:00",
        window_end="04:30",
    ),
    Plan(
        id=derived_id(6),
        schedule="15 */3 * * *",
        window_start="03:00",
        window_end="12:00",
        catch_up=CatchUp.SKIP,
    ),
    Plan(id=derived_id(7), schedule="0 0 31 * *", timezone="America/Santiago"),
)


class Ledger:
    """The catalog's ledger in memory: its rules, and one row for a configuration and a time."""

    def __init__(self) -> None:
        self.rows: dict[UUID, dict[datetime, str]] = {plan.id: {} for plan in PLANS}
        self.fired: Counter[tuple[UUID, datetime]] = Counter()
        self._plans = {plan.id: plan for plan in PLANS}

    async def entries(self) -> tuple[ScheduleEntry, ...]:
        return tuple(plan.entry(max(self.rows[plan.id], default=START)) for plan in PLANS)

    async def hear(self, event: BackupDue, at: datetime) -> None:
        for due in event.due:
            plan, rows = self._plans[due.configuration_id], self.rows[due.configuration_id]
            settled = settle(due, event.occurred_at, plan.rules, plan.catch_up, at)
            if settled.start is not None and settled.start not in rows:
                rows[settled.start] = "fired"
                self.fired[due.configuration_id, settled.start] += 1
            for verdict in settled.verdicts:
                rows.setdefault(verdict.scheduled_for, verdict.outcome.value)


@pytest.mark.parametrize("seed", range(2))
async def test_a_year_of_faults(seed: int) -> None:
    ledger = Ledger()
    timeline = Timeline(seed, ledger.entries, ledger.hear)

    await timeline.live(START + timedelta(days=365))

    for plan in PLANS:
        expected = oracle(plan, timeline.said, timeline.true)
        found = ledger.rows[plan.id]
        assert found.keys() - expected.keys() == set(), plan.schedule
        assert expected.keys() - found.keys() == set(), plan.schedule
        assert found == expected, plan.schedule
    assert set(ledger.fired.values()) == {1}
    told = Counter(outcome for rows in ledger.rows.values() for outcome in rows.values())
    assert set(told) == {"fired", "coalesced", "skipped", "missed"}
    assert any(due.more for said in timeline.said for due in said.event.due)
