"""A short storm; ``just chaos`` makes longer ones."""

from pathlib import Path

import pytest

from chaos.storm import storm

pytestmark = [pytest.mark.e2e, pytest.mark.nats, pytest.mark.postgres, pytest.mark.restic]


def test_nothing_is_lost_or_doubled_when_everything_is_killed_at_random(tmp_path: Path) -> None:
    report = storm(tmp_path, runs=25, faults=10, seed=7)

    assert report.runs == 25
    assert len(report.kills) == 10
