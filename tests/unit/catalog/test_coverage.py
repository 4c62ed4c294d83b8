"""Why a path is, or is not, protected."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.catalog.domain.coverage import Known, coverage
from holdfast.catalog.domain.discovered import excludes_of, free_name
from holdfast.events.discovery import DataKind, FoundApp, FoundData, LeftOut
from holdfast.events.views import CoverageEntry
from support.gateway import ID, WHEN, app, configuration, device, policy

NOW = WHEN + timedelta(days=1)


def entry(
    data: FoundData | None = None,
    *,
    backups: dict[str, datetime] | None = None,
    tie: dict[str, Any] | None = None,
    policy_changes: dict[str, Any] | None = None,
    ssh: bool = False,
) -> CoverageEntry:
    """Of an app with /srv alone."""
    found = (
        FoundApp(key="k", engine="docker", name="shop", services=(), data=(data,)) if data else None
    )
    ties = [] if tie is None else [replace(configuration(), **{"exclude_paths": (), **tie})]
    known = Known(
        devices={ID: device(type="ssh" if ssh else "local")},
        policies={ties[0].policy_id if ties else ID: policy(**(policy_changes or {}))},
        configurations=ties,
        backups={configuration().id: backups or {}},
    )
    (only,) = coverage([app(found=found)], known, NOW)
    return only


SRV = FoundData(kind=DataKind.BIND, path="/srv", services=())


@pytest.mark.parametrize("data", [None, SRV])
def test_what_was_backed_up_is_protected_since_then(data: FoundData | None) -> None:
    told = entry(data, tie={}, backups={"/srv": WHEN, "/elsewhere": NOW})
    assert (told.protected, told.at_risk, told.reason) == (True, False, "")
    assert told.last_backup_at == WHEN
    assert told.age_seconds == 86400


def test_a_backup_of_what_it_is_in_counts_and_one_of_a_like_name_does_not() -> None:
    below = replace(SRV, path="/srv/media")
    include = {"include_paths": ("/srv",)}
    assert entry(below, tie=include, backups={"/srv": WHEN}).protected
    like = replace(SRV, path="/srv2")
    assert entry(like, tie=include, backups={"/srv": WHEN}).reason == "not_included"


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        ("no_configuration", {}),
        ("never_backed_up", {"tie": {}}),
        ("disabled", {"tie": {"enabled": False}, "backups": {"/srv": WHEN}}),
        ("disabled", {"tie": {}, "policy_changes": {"enabled": False}}),
        ("not_included", {"tie": {"include_paths": ("/etc",)}}),
        ("not_included", {"tie": {"backup_volumes": False}, "data": SRV}),
        ("excluded", {"tie": {"exclude_paths": ("/srv",)}, "backups": {"/srv": WHEN}}),
        ("excluded", {"tie": {"exclude_paths": ("s*v",)}}),
        ("no_destination", {"tie": {}, "policy_changes": {"destinations": ()}}),
    ],
)
def test_every_reason_why_not(reason: str, arguments: dict[str, Any]) -> None:
    told = entry(**arguments)
    assert (told.reason, told.protected, told.at_risk) == (reason, False, True)
    assert told.explanation


@pytest.mark.parametrize("left_out", list(LeftOut))
def test_what_is_no_data_is_not_at_risk(left_out: LeftOut) -> None:
    told = entry(replace(SRV, left_out=left_out), tie={}, backups={})
    assert (told.reason, told.protected) == (left_out, False)
    assert told.at_risk == (left_out is LeftOut.NOT_MOUNTED)
    assert told.explanation


def test_a_path_that_a_person_names_counts_although_discovery_leaves_it_out() -> None:
    everything = replace(SRV, left_out=LeftOut.SWITCHED_OFF)
    assert entry(everything, tie={"include_paths": ("/srv",)}, backups={"/srv": WHEN}).protected


def test_a_name_is_the_devices_where_it_is_taken() -> None:
    assert free_name("shop", "nas", ()) == "shop"
    assert free_name("shop", "nas", {"shop"}) == "shop (nas)"
    assert free_name("shop", "nas", {"shop", "shop (nas)"}) == "shop (nas) 2"


DB = FoundData(kind=DataKind.VOLUME, name="db", path="/v/db/_data", services=())


@pytest.mark.parametrize(
    ("pattern", "excludes"),
    [
        ("*.log", ("*.log",)),
        ("tmp/*", ("/srv/[[]site]/tmp/*", "/v/db/_data/tmp/*")),
        ("/tmp", ("/srv/[[]site]/tmp", "/v/db/_data/tmp")),
        ("db:pg_wal", ("/v/db/_data/pg_wal",)),
        ("db:", ("/v/db/_data",)),
        ("/v/db/_data/x", ("/v/db/_data/x",)),
    ],
)
def test_excludes_are_relative_to_the_volumes(pattern: str, excludes: tuple[str, ...]) -> None:
    site = FoundData(kind=DataKind.BIND, path="/srv/[site]", services=())
    found = FoundApp(key="k", engine="docker", name="shop", services=(), data=(site, DB))
    tie = replace(configuration(), exclude_paths=(pattern,), include_paths=())

    told = excludes_of(app(found=found), tie)

    escaped = tuple(each.replace("[[]", "\\[") for each in excludes)
    assert told == (*escaped, "/srv/\\[site]/**/.cache", "/v/db/_data/**/.cache")
    assert excludes_of(app(), tie) == (pattern,)


def test_a_volume_that_is_excluded_by_its_name_is_told() -> None:
    assert entry(DB, tie={"exclude_paths": ("db:",)}).reason == "excluded"
