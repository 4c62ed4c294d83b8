"""Whose lock it is, whether it may go, and what is said of one that may not."""

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.devices.holders import Life, Note, Sight
from holdfast.executor.locks import hindering, judged, locked_by, waited_too_long
from holdfast.restic.commands.locks import Lock

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def lock(pid: int = 7, host: str = "here", *, age: float = 60, exclusive: bool = False) -> Lock:
    return Lock(
        id="a" * 64,
        time=NOW - timedelta(seconds=age),
        hostname=host,
        pid=pid,
        exclusive=exclusive,
    )


def note(pid: int = 7, host: str = "here", *, age: float = 90, run: str = "r1") -> Note:
    return Note(hostname=host, pid=pid, run_id=run, started_at=NOW - timedelta(seconds=age))


MACHINE = Sight(hostname="here", sees_all=True)
CONTAINER = Sight(hostname="here", sees_all=False)


@pytest.mark.parametrize(
    ("sight", "found", "life"),
    [
        # The machine itself: what is not seen is not there, nor is a pid that something else has.
        (MACHINE, lock(), Life.GONE),
        (Sight(hostname="here", sees_all=True, restics={7: ""}), lock(), Life.ALIVE),
        (Sight(hostname="here", sees_all=True, restics={8: ""}), lock(), Life.GONE),
        # Another machine, however long ago: a laptop may sleep for a week.
        (MACHINE, lock(host="laptop"), Life.UNKNOWN),
        (MACHINE, lock(host="laptop", age=7 * 86400), Life.UNKNOWN),
        # A name that any machine may have proves nothing.
        (Sight(hostname="localhost", sees_all=True), lock(host="localhost"), Life.UNKNOWN),
        # A container sees only its own.
        (CONTAINER, lock(), Life.UNKNOWN),
        (Sight(hostname="here", sees_all=False, gone=(note(),)), lock(), Life.GONE),
        (Sight(hostname="here", sees_all=False, gone=(note(8),)), lock(), Life.UNKNOWN),
        (Sight(hostname="here", sees_all=False, gone=(note(host="x"),)), lock(), Life.UNKNOWN),
        # The lock was there before our dead one was started: it is another's.
        (Sight(hostname="here", sees_all=False, gone=(note(age=10),)), lock(), Life.UNKNOWN),
        # The number passed from a dead one of ours to a living restic: whose lock is not known.
        (
            Sight(hostname="here", sees_all=False, restics={7: "r2"}, gone=(note(),)),
            lock(),
            Life.ALIVE,
        ),
    ],
)
def test_only_what_is_proved_counts_as_dead(sight: Sight, found: Lock, life: Life) -> None:
    assert judged(found, sight).life is life


def test_a_lock_is_matched_to_its_run() -> None:
    living = Sight(hostname="here", sees_all=True, restics={7: "r2"})
    dead = Sight(hostname="here", sees_all=False, gone=(note(),))

    assert judged(lock(), living).run_id == "r2"
    assert judged(lock(), dead).run_id == "r1"
    assert judged(lock(), MACHINE).run_id == ""


def test_shared_locks_hinder_exclusive_work_alone() -> None:
    shared, exclusive = (judged(lock(exclusive=each), MACHINE) for each in (False, True))

    assert hindering([shared], exclusive=False) == ()
    assert hindering([shared, exclusive], exclusive=False) == (exclusive,)
    assert hindering([shared], exclusive=True) == (shared,)


def test_who_holds_it_is_told() -> None:
    held = judged(lock(123, "laptop"), MACHINE)

    assert locked_by([held]) == "Locked by pid 123 on laptop since 2026-01-02 03:03 UTC"
    assert locked_by([held, held, held]).endswith(" and 2 more")


@pytest.mark.parametrize(
    ("minutes", "limit", "too_long"),
    [(None, 60, False), (59, 60, False), (60, 60, True), (None, 0, True)],
)
def test_waiting_has_an_end(minutes: int | None, limit: int, too_long: bool) -> None:
    since = None if minutes is None else NOW - timedelta(minutes=minutes)

    assert waited_too_long(since, NOW, timedelta(minutes=limit)) is too_long
