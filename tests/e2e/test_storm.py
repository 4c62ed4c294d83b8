"""A storm; ``just chaos`` makes longer ones."""

from collections import Counter
from pathlib import Path

import pytest

from chaos.cluster import VICTIMS
from chaos.storm import storm

pytestmark = [pytest.mark.e2e, pytest.mark.nats, pytest.mark.postgres, pytest.mark.restic]


def test_nothing_is_lost_or_doubled_when_everything_is_killed_at_random(tmp_path: Path) -> None:
    """A hundred backups over three repositories, two of the apps on schedule, thirty kills."""
    report = storm(tmp_path, runs=100, faults=30, seed=7)

    assert report.runs == 100
    assert len(report.kills) == 30
    assert set(Counter(report.kills)) == set(VICTIMS)
