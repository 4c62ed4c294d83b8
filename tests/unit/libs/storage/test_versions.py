"""What is retained, swept and brought back, decided from lists of versions alone."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.storage.versions import (
    History,
    Version,
    histories,
    markers_above,
    renewal,
    standing_at,
    to_retain,
    to_sweep,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEEP = timedelta(days=30)
NAME = hashlib.sha256(b"good").hexdigest()
KEY = f"lab/data/{NAME[:2]}/{NAME}"


def history(*entries: str, key: str = KEY, folder: str = "lab/") -> History:
    """One name's versions, newest first: ``CONTENT@HOURS`` ago, ``-@HOURS`` for a marker."""
    versions = []
    for number, entry in enumerate(entries):
        content, _, hours = entry.partition("@")
        versions.append(
            Version(
                key=key,
                version_id=f"v{number}",
                written_at=NOON - timedelta(hours=float(hours)),
                is_latest=number == 0,
                is_marker=content == "-",
                size=len(content),
                etag=content,
            )
        )
    (found,) = histories(reversed(versions), folder)
    assert [each.version_id for each in found.entries] == [f"v{n}" for n in range(len(entries))]
    return found


def ids(versions: tuple[Version, ...]) -> list[str]:
    return [each.version_id for each in versions]


# ---- which names are ours


@pytest.mark.parametrize(
    "key",
    ["lab/photos/x", "lab/config/x", "lab/data", "other/data/x", "lab/configuration", "data/x"],
)
def test_a_name_of_somebody_else_is_passed_over(key: str) -> None:
    version = Version(key=key, version_id="v", written_at=NOON, is_latest=True)

    assert histories([version], "lab/") == ()


@pytest.mark.parametrize("folder", ["", "lab/", "lab/deep/"])
def test_a_repository_may_be_anywhere_in_its_bucket(folder: str) -> None:
    for part, name in (("config", "config"), ("keys", "keys/ab"), ("data", f"data/ab/{NAME}")):
        assert history("x@1", key=folder + name, folder=folder).part == part


def test_of_the_same_second_the_server_says_what_is_latest_and_content_is_above_markers() -> None:
    def version(name: str, *, marker: bool, latest: bool = False) -> Version:
        return Version(
            key=KEY, version_id=name, written_at=NOON, is_latest=latest, is_marker=marker
        )

    put, deleted = version("put", marker=False), version("deleted", marker=True)
    last = version("last", marker=True, latest=True)

    (found,) = histories([deleted, last, put], "lab/")
    assert ids(found.entries) == ["last", "put", "deleted"]


# ---- what is retained


@pytest.mark.parametrize(
    ("entries", "retained"),
    [
        (["good@1"], ["v0"]),
        (["good@1", "good@9"], ["v0"]),
        (["-@1", "good@9"], []),
        (["good@1", "-@2", "good@9"], ["v0"]),
        # Overwritten: one of them is the right one.
        (["bad@1", "good@9"], ["v0", "v1"]),
        (["bad@1", "-@2", "good@9"], ["v0", "v2"]),
        # Brought back on top of it: whole again.
        (["good@0", "bad@1", "good@9"], ["v0"]),
    ],
)
def test_what_is_there_is_retained_and_of_what_was_overwritten_everything(
    entries: list[str], retained: list[str]
) -> None:
    assert ids(to_retain(history(*entries))) == retained


def test_a_lock_is_never_retained() -> None:
    assert to_retain(history("x@1", key=f"lab/locks/{NAME}")) == ()


@pytest.mark.parametrize(
    ("left", "renewed"), [(None, True), (-1, True), (14.9, True), (15, False), (99, False)]
)
def test_a_retention_is_renewed_below_half_of_its_days(left: float | None, renewed: bool) -> None:
    until = None if left is None else NOON + timedelta(days=left)

    assert renewal(until, NOON, 30) == (NOON + timedelta(days=30) if renewed else None)


# ---- what is swept

MONTH = 31 * 24


@pytest.mark.parametrize(
    ("entries", "swept"),
    [
        (["good@9999"], []),
        ([f"-@{MONTH}", "good@9999"], ["v1", "v0"]),
        (["-@700", "good@9999"], []),
        # It was deleted lately, however old it is.
        (["-@1", f"-@{MONTH}", "good@9999"], ["v2"]),
        ([f"good@{MONTH}", "good@9999"], ["v1"]),
        ([f"bad@{MONTH}", "good@9999"], []),
        ([f"good@{MONTH}", f"bad@{MONTH + 1}", "good@9999"], ["v1", "v2"]),
        ([f"-@{MONTH}"], ["v0"]),
    ],
)
def test_what_was_deleted_long_ago_is_swept(entries: list[str], swept: list[str]) -> None:
    assert ids(to_sweep(history(*entries), NOON, KEEP)) == swept


def test_a_lock_that_is_gone_is_swept_at_once() -> None:
    gone = history("-@0", "x@1", key=f"lab/locks/{NAME}")

    assert ids(to_sweep(gone, NOON, KEEP)) == ["v1", "v0"]


# ---- what is brought back


def test_what_stood_at_a_moment() -> None:
    found = history("bad@1", "-@3", "good@9")

    def at(hours: float) -> str | None:
        standing = standing_at(found, NOON - timedelta(hours=hours))
        return None if standing is None else standing.version_id

    assert [at(0), at(1), at(2.9), at(3), at(8.9), at(9)] == ["v0", "v1", "v1", "v2", "v2", None]


def test_markers_are_taken_away_only_when_there_are_no_contents_above() -> None:
    deleted, replaced = history("-@1", "-@2", "good@9"), history("-@1", "bad@2", "good@9")

    assert ids(markers_above(deleted, deleted.entries[-1]) or ()) == ["v0", "v1"]
    assert markers_above(replaced, replaced.entries[-1]) is None
