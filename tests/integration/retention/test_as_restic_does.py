"""Our plan against ``restic forget --dry-run``: the same snapshots stay, for the same reasons."""

import json
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.events.views import KeepRules
from holdfast.retention.domain import SnapshotRef, plan_retention

pytestmark = pytest.mark.restic

COUNT = 50
RULE_SETS = 25


class Repository:
    """One repository whose snapshots have made-up times."""

    def __init__(self, restic: Path, scratch: Path) -> None:
        self.restic = restic
        self.environment = {
            **os.environ,
            "TZ": "UTC",
            "RESTIC_PASSWORD": "x",
            "RESTIC_REPOSITORY": str(scratch / "repository"),
            "RESTIC_CACHE_DIR": str(scratch / "cache"),
        }
        self.run("init")
        source = scratch / "source"
        source.write_text("x")
        for time in made_up_times():
            self.run("backup", "--time", time.strftime("%Y-%m-%d %H:%M:%S"), str(source))
        found = json.loads(self.run("snapshots", "--json"))
        self.snapshots = [
            SnapshotRef(id=each["id"], time=datetime.fromisoformat(each["time"])) for each in found
        ]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.restic, *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def kept(self, rules: KeepRules) -> dict[str, tuple[str, ...]]:
        """What restic would keep, and why."""
        options = [
            f"--{field.replace('_', '-')}={getattr(rules, field)}"
            for field in rules.__struct_fields__
            if getattr(rules, field)
        ]
        group: Any = json.loads(
            self.run("forget", "--dry-run", "--no-lock", "--json", "--group-by", "", *options)
        )[0]
        return {each["snapshot"]["id"]: tuple(each["matches"]) for each in group["reasons"]}


def made_up_times() -> list[datetime]:
    """Dense lately, sparse before; on the edges of days, weeks and years."""
    dice = random.Random(7)
    end = datetime(2026, 1, 4, 23, 59, tzinfo=UTC)
    spread = [
        end - timedelta(minutes=dice.randrange(60 * 24 * 3 ** dice.randrange(1, 7)))
        for _ in range(COUNT - 6)
    ]
    edges = [
        datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, tzinfo=UTC),
        datetime(2024, 12, 30, 0, 0, tzinfo=UTC),
        datetime(2024, 12, 29, 23, 59, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, tzinfo=UTC),
        datetime(2025, 3, 1, 0, 0, tzinfo=UTC),
    ]
    return spread + edges


@pytest.fixture(scope="module")
def repository(restic_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(restic_path, tmp_path_factory.mktemp("retention"))


def rule_sets() -> list[KeepRules]:
    dice = random.Random(11)
    made = []
    while len(made) < RULE_SETS:
        rules = KeepRules(
            keep_last=dice.choice((0, 0, 1, 4)),
            keep_hourly=dice.choice((0, 0, 5, 40)),
            keep_daily=dice.choice((0, 3, 7, 30, 400)),
            keep_weekly=dice.choice((0, 0, 4, 60)),
            keep_monthly=dice.choice((0, 0, 6, 40)),
            keep_yearly=dice.choice((0, 0, 2, 10)),
        )
        if rules != KeepRules():
            made.append(rules)
    return made


def test_the_plan_is_restic_s_own(repository: Repository) -> None:
    for rules in rule_sets():
        plan = plan_retention(repository.snapshots, rules)

        assert {each.id: each.reasons for each in plan.keep} == repository.kept(rules), rules
