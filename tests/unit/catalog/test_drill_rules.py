"""What may be said about drills, and when those are that nobody said anything about."""

from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest

from holdfast.catalog.domain.drill import checked_drill, monthly
from holdfast.events.drills import DrillMode, DrillProbe, DrillSettings, ProbeKind
from holdfast.kernel.errors import InvalidRequestError
from holdfast.schedule import due_times, parse


def probe(**fields: Any) -> DrillProbe:
    return DrillProbe(**{"kind": ProbeKind.HTTP, "container": "web", **fields})


def boot(*probes: DrillProbe) -> DrillSettings:
    return DrillSettings(mode=DrillMode.BOOT, probes=probes)


def test_what_can_be_done_stays_as_it_is() -> None:
    wanted = DrillSettings(
        schedule="0 3 * * 0",
        timezone="Europe/Berlin",
        mode=DrillMode.BOOT,
        device_id=uuid4(),
        scratch_path="/mnt/big disk",
        most_bytes=0,
        probes=(
            probe(port=8080, path="/health?deep=1", status=204),
            probe(kind=ProbeKind.SQL, query="select count(*) from photo", minimum=1000),
            probe(kind=ProbeKind.COMMAND, command="test -s /data/index"),
        ),
    )
    assert checked_drill(wanted) == wanted
    assert checked_drill(DrillSettings()) == DrillSettings()


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (DrillSettings(schedule="every night"), "drill.schedule"),
        (DrillSettings(timezone="Mars/Olympus"), "drill.timezone"),
        (DrillSettings(scratch_path="here"), "drill.scratch_path"),
        (DrillSettings(scratch_path="/mnt/../etc"), "drill.scratch_path"),
        (DrillSettings(scratch_path="/"), "drill.scratch_path"),
        (DrillSettings(most_bytes=-1), "drill.most_bytes"),
        (DrillSettings(most_bytes=1000), "drill.most_bytes"),
        (DrillSettings(probes=(probe(),)), "drill.probes: in mode 'compare'"),
        (boot(*[probe()] * 21), "20 are the most"),
        (boot(probe(container="--privileged")), "drill.probes[0].container"),
        (boot(probe(), probe(port=0)), "drill.probes[1].port"),
        (boot(probe(path="health")), "drill.probes[0].path"),
        (boot(probe(path="/x HTTP/1.1\r\nHost: evil")), "drill.probes[0].path"),
        (boot(probe(status=42)), "drill.probes[0].status"),
        (boot(probe(timeout_seconds=0)), "drill.probes[0].timeout_seconds"),
        (boot(probe(kind=ProbeKind.SQL)), "drill.probes[0].query is empty"),
        (boot(probe(kind=ProbeKind.COMMAND, command=" ")), "drill.probes[0].command is empty"),
    ],
)
def test_what_cannot_be_done_is_named(wanted: DrillSettings, told: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        checked_drill(wanted)
    assert told in str(caught.value)


def test_each_configuration_has_a_time_of_its_own_once_a_month_at_night() -> None:
    days: Counter[int] = Counter()
    for _ in range(500):
        id = uuid4()
        assert monthly(id) == monthly(id)
        start = datetime(2026, 1, 31, 12, tzinfo=UTC)
        first, second = islice(due_times(parse(monthly(id), "UTC"), start), 2)
        assert (first.month, second.month) == (2, 3)
        assert 1 <= first.hour < 6
        days[first.day] += 1
    assert len(days) == 28
    assert max(days.values()) < 500 / 28 * 3
