"""What a machine's answers are read as."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.devices.facts import StrangeDeviceError, read_facts

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOLD = f"""user=pi
uid=1000
hostname=nas
system=Linux
machine=aarch64
clock={int(NOW.timestamp()) + 90}
program=/usr/bin/restic
podman=/run/user/1000/podman/podman.sock
cache=/home/pi/.cache/holdfast
free_kib=2048
"""


def test_facts_are_read() -> None:
    facts = read_facts(TOLD, NOW)

    assert (facts.user, facts.uid, facts.machine) == ("pi", 1000, "aarch64")
    assert facts.free_bytes == 2 * 1024 * 1024
    assert facts.clock_ahead == timedelta(seconds=90)
    assert not facts.sudo
    assert facts.docker == ""
    assert facts.podman.endswith("podman.sock")


@pytest.mark.parametrize("told", ["", "This account is not available.", TOLD.replace("2048", "?")])
def test_what_is_no_shell_is_said_to_be_none(told: str) -> None:
    with pytest.raises(StrangeDeviceError):
        read_facts(told, NOW)
