"""Which database a container is, what its dump runs, and which dumps go with a snapshot."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.executor.consistency.dumps import dumps_to_go
from holdfast.executor.consistency.engine import AppContainer, read_container
from holdfast.executor.consistency.rules import (
    MONGO,
    MYSQL,
    POSTGRES,
    REDIS,
    DumpRule,
    dump_of,
    image_name,
    rule_of,
)
from holdfast.restic.commands.snapshots import Snapshot
from holdfast.restic.tags import DUMP, dump_tag

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        ("postgres:16-alpine", POSTGRES),
        ("docker.io/library/postgres@sha256:abc", POSTGRES),
        ("ghcr.io/immich-app/postgres:14-vectorchord0.3.0@sha256:1f", POSTGRES),
        ("registry.lan:5000/bitnami/postgresql:15", POSTGRES),
        ("postgis/postgis", POSTGRES),
        ("mariadb:11", MYSQL),
        ("lscr.io/linuxserver/mariadb:latest", MYSQL),
        ("mysql", MYSQL),
        ("mongo:7", MONGO),
        ("redis:7-alpine", REDIS),
        ("valkey/valkey:8", REDIS),
        ("nextcloud:29", None),
        ("prometheuscommunity/postgres-exporter", None),
        ("adminer", None),
    ],
)
def test_a_database_is_known_by_its_image(image: str, rule: DumpRule | None) -> None:
    assert rule_of(image) is rule


def test_a_registrys_port_is_no_tag() -> None:
    assert image_name("registry.lan:5000/a/Redis:7") == "redis"


def container(image: str, *, running: bool = True, paused: bool = False) -> AppContainer:
    return AppContainer(id="1f", name="db", image=image, running=running, paused=paused)


def test_what_does_not_run_is_not_dumped() -> None:
    assert dump_of("docker", container("postgres", running=False)) is None
    assert dump_of("docker", container("postgres", paused=True)) is None
    assert dump_of("docker", container("nginx")) is None
    dump = dump_of("podman", container("postgres"))
    assert dump is not None
    assert (dump.filename, dump.argv[:3]) == ("db.sql", ("podman", "exec", "1f"))


TOOL = """#!/bin/sh
echo "argv: $*" >&2
env | grep -E '^(PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH)=' >&2
case "$*" in */dev/stdin*) cat >&2 ;; esac
echo dumped
exit ${CODE:-0}
"""


def told(rule: DumpRule, tmp_path: Path, *tools: str, **environment: str) -> tuple[int, str]:
    """What the rule's command tells a tool, and the exit code; its output must be the dump."""
    for tool in tools:
        (tmp_path / tool).write_text(TOOL)
        (tmp_path / tool).chmod(0o755)
    # Nothing else: this machine may have databases of its own.
    for tool in ("sh", "cat", "env", "grep", "sed"):
        if not (tmp_path / tool).exists():
            (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    done = subprocess.run(
        ["/bin/sh", "-c", rule.command],
        env={"PATH": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 or done.stdout == "dumped\n"
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("rule", "tool", "environment", "shown"),
    [
        (POSTGRES, "pg_dumpall", {}, "-U postgres"),
        (POSTGRES, "pg_dumpall", {"POSTGRES_USER": "immich"}, "-U immich"),
        (POSTGRES, "pg_dumpall", {"POSTGRES_PASSWORD": "p w"}, "PGPASSWORD=p w"),
        (POSTGRES, "pg_dumpall", {"POSTGRESQL_USERNAME": "bn"}, "-U bn"),
        (MYSQL, "mysqldump", {"MYSQL_ROOT_PASSWORD": "p$w"}, "MYSQL_PWD=p$w"),
        (MYSQL, "mariadb-dump", {"MARIADB_ROOT_PASSWORD": "x"}, "-u root --single-transaction"),
        (MYSQL, "mariadb-dump", {"MARIADB_ROOT_PASSWORD": "x"}, "--all-databases"),
        (
            MYSQL,
            "mysqldump",
            {"MYSQL_USER": "nc", "MYSQL_PASSWORD": "y", "MYSQL_DATABASE": "cloud"},
            "-u nc --single-transaction --quick --routines --events --triggers cloud",
        ),
        (MONGO, "mongodump", {}, "argv: --quiet --archive\n"),
        (
            MONGO,
            "mongodump",
            {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD": "it's %s"},
            "password: 'it''s %s'\n",
        ),
        (REDIS, "redis-cli", {}, "argv: --rdb -\n"),
        (REDIS, "valkey-cli", {"REDIS_PASSWORD": "z"}, "REDISCLI_AUTH=z"),
    ],
)
def test_a_tool_is_told_how_to_log_in(
    tmp_path: Path, rule: DumpRule, tool: str, environment: dict[str, str], shown: str
) -> None:
    code, said = told(rule, tmp_path, tool, **environment)
    assert code == 0, said
    assert shown in said
    (line,) = [each for each in said.splitlines() if each.startswith("argv: ")]
    passwords = [value for name, value in environment.items() if "PASSWORD" in name]
    assert not [each for each in passwords if each in line]


def test_a_password_in_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    _, said = told(
        POSTGRES, tmp_path, "pg_dumpall", POSTGRES_PASSWORD_FILE=str(tmp_path / "secret")
    )
    assert "PGPASSWORD=from a file" in said


@pytest.mark.parametrize(
    ("rule", "tool"),
    [(POSTGRES, "pg_dumpall"), (MYSQL, "mysqldump"), (MONGO, "mongodump"), (REDIS, "redis-cli")],
)
def test_a_tool_that_fails_or_is_missing_fails_the_dump(
    tmp_path: Path, rule: DumpRule, tool: str
) -> None:
    assert told(rule, tmp_path, tool, CODE="3", MONGO_INITDB_ROOT_USERNAME="r")[0] == 3
    (tmp_path / tool).unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", rule.command], env={"PATH": str(empty)}, capture_output=True, check=False
    )
    assert done.returncode == 127


def test_of_an_inspected_container_the_variables_are_not_kept() -> None:
    found = read_container(
        {
            "Id": "1f",
            "Name": "/db",
            "State": {"Running": True, "Paused": False},
            "Config": {"Image": "postgres:16", "Env": ["POSTGRES_PASSWORD=hidden"]},
        }
    )
    assert found == container("postgres:16")


def snapshot(id: str, *tags: str, days: float = 1) -> Snapshot:
    return Snapshot(id=id, short_id=id, time=NOW - timedelta(days=days), tags=tags)


def dump(id: str, run: str, days: float = 1) -> Snapshot:
    return snapshot(id, DUMP, dump_tag(f"run:{run}"), days=days)


def test_dumps_go_with_the_last_snapshot_of_their_run() -> None:
    found = [
        snapshot("a", "run:1"),
        dump("a1", "1"),
        dump("a2", "1"),
        snapshot("b", "run:2", days=9),
        dump("b1", "2", days=9),
    ]
    assert dumps_to_go(found, ["a"], NOW) == ("a1", "a2")
    assert dumps_to_go(found, ["gone already"], NOW) == ()


def test_dumps_of_a_run_that_came_to_nothing_go_after_days() -> None:
    found = [dump("young", "1", days=1), dump("old", "2", days=3), snapshot("c", days=3)]
    assert dumps_to_go(found, ["c"], NOW) == ("old",)
