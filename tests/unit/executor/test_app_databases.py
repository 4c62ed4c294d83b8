"""Which dumps of an app are loaded, and whose files are taken away before. Pure."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.events.discovery import FoundApp, FoundService
from holdfast.executor.apps.databases import dumps_among, folders_of, to_empty
from holdfast.executor.apps.definitions import Definition
from holdfast.executor.apps.plan import Place
from holdfast.executor.consistency.rules import MONGO, MYSQL, POSTGRES, REDIS
from holdfast.restic.commands.snapshots import Snapshot

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def definition(*mounts: tuple[str, str], env: tuple[str, ...] = ()) -> Definition:
    told: dict[str, Any] = {
        "Name": "/db",
        "Config": {"Env": list(env)},
        "HostConfig": {},
        "Mounts": [
            {"Type": "bind", "Source": source, "Destination": inside} for source, inside in mounts
        ],
    }
    return msgspec.convert(told, Definition)


def service(name: str, image: str) -> FoundService:
    return FoundService(name=name, container=f"shop-{name}-1", image=image, status="running")


def snapshot(id: str, path: str) -> Snapshot:
    return Snapshot(id=id, short_id=id, time=NOON, tree="", paths=(path,))


def test_the_newest_dump_of_each_database_is_loaded_in_the_order_of_start() -> None:
    found = FoundApp(
        key="k",
        engine="docker",
        name="shop",
        services=(service("db", "postgres:16"), service("web", "shop"), service("m", "mariadb")),
    )
    beside = (
        snapshot("1", "/shop-db-1.sql"),
        snapshot("2", "/shop-m-1.sql"),
        snapshot("3", "/shop-db-1.sql"),
        snapshot("4", "/shop-web-1.sql"),
        snapshot("5", "/holdfast-environment.json"),
    )
    dumps = dumps_among(beside, found, {})
    assert [(each.container, each.restic_snapshot_id) for each in dumps] == [
        ("shop-db-1", "3"),
        ("shop-m-1", "2"),
    ]


def test_what_keeps_its_files_whole_by_itself_is_not_loaded() -> None:
    found = FoundApp(key="k", engine="docker", name="x", services=(service("r", "redis:7"),))
    assert dumps_among((snapshot("1", "/shop-r-1.rdb"),), found, {}) == ()
    assert REDIS.load == ""
    assert all(each.load and each.is_ready for each in (POSTGRES, MYSQL, MONGO))


def test_only_the_databases_own_directory_is_meant() -> None:
    whole = definition(("/vol/db/_data", "/var/lib/postgresql/data"), ("/srv/x", "/docker-init"))
    assert folders_of(POSTGRES, whole) == ("/vol/db/_data",)
    below = definition(("/srv/app", "/config"), env=("PGDATA=/config/pg", "A=b=c"))
    assert folders_of(POSTGRES, below) == ("/srv/app/pg",)
    above = definition(("/vol/all", "/var/lib/postgresql"))
    assert folders_of(POSTGRES, above) == ("/vol/all/data",)
    assert folders_of(POSTGRES, definition(("/srv/x", "/elsewhere"))) == ()
    assert folders_of(POSTGRES, None) == ()


def test_nothing_is_emptied_outside_of_what_was_set_aside() -> None:
    found = FoundApp(key="k", engine="docker", name="x", services=(service("db", "postgres"),))
    made = definition(("/vol/db/_data", "/var/lib/postgresql/data"))
    (dump,) = dumps_among((snapshot("1", "/shop-db-1.sql"),), found, {"shop-db-1": made})
    here = Place(source="/vol/db/_data", path="/other/engine/_data", volume="db")
    assert to_empty([dump], [here]) == ("/other/engine/_data",)
    assert to_empty([dump], [Place(source="/srv/files", path="/srv/files")]) == ()
    assert to_empty([dump], [Place(source="/vol/db/_data", path="")]) == ()
