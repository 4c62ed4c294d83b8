"""Which parts of a repository's data are to be read today, and what that is worth.  Pure.

restic divides packs by the first byte of their id: part n of t holds those whose first byte,
modulo t, is n - 1.  A pack never changes its part, so a part that was read covers what was in
it at that time.  What is known is kept by first byte, so another t forgets nothing.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

FIRST_BYTES = 256
MIB = 1 << 20
DAY = timedelta(days=1)

EARLY = timedelta(hours=12)
"""A check that comes a few hours early (it was late yesterday) still counts as a day's."""

MOST_DAYS = 3650


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants of a destination."""

    within_days: int
    """All data is read at least every so many days."""
    budget_mib_per_day: int | None = None
    repository_size: int = 0
    """Bytes; 0: not measured yet, and no budget can be kept."""
    since: datetime
    """When it was made: what was never read is not late before its days are over."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Part *part* of *parts* was read; what was in the repository at that time is covered."""

    parts: int
    part: int
    read_at: datetime


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """How the promise is kept."""

    parts: int
    period_days: int
    """A part is due again after so many: some days before the promise ends, for missed ones."""
    part_bytes: int
    budget_bytes: int | None
    """For ``budget_days`` together."""
    budget_days: int = 1
    days_for_all: float
    """How long one turn takes within the budget."""


class PartState(msgspec.Struct, frozen=True, kw_only=True):
    """When one part was last read as a whole."""

    part: int
    read_at: datetime | None
    counts_from: datetime
    """``read_at``, or for one that was never read such a time that they come due one by one."""


def rotation_of(promise: Promise) -> Rotation:
    """Into how many parts the data is divided: one a day, with a fifth of the days to spare.

    With a budget that a part of that size would exceed they are smaller, down to a 256th.
    """
    within = promise.within_days
    period = within - max(1, within // 5) if within > 1 else 1
    parts = min(FIRST_BYTES, period)
    size = promise.repository_size
    if promise.budget_mib_per_day is None or not size:
        return Rotation(
            parts=parts,
            period_days=period,
            part_bytes=size // parts,
            budget_bytes=None,
            days_for_all=parts,
        )
    budget = promise.budget_mib_per_day * MIB
    parts = min(FIRST_BYTES, max(parts, math.ceil(size / budget)))
    part_bytes = math.ceil(size / parts)
    days = max(1, math.ceil(part_bytes / budget))
    at_once = budget * days // part_bytes
    return Rotation(
        parts=parts,
        period_days=period,
        part_bytes=part_bytes,
        budget_bytes=budget * days,
        budget_days=days,
        days_for_all=math.ceil(parts / at_once) * days,
    )


def coverage(
    promise: Promise, rotation: Rotation, readings: Iterable[Reading]
) -> tuple[PartState, ...]:
    """When each part was last read, whatever the parts were at that time."""
    by_byte: list[datetime | None] = [None] * FIRST_BYTES
    for reading in readings:
        for byte in range(reading.part - 1, FIRST_BYTES, reading.parts):
            known = by_byte[byte]
            by_byte[byte] = reading.read_at if known is None else max(known, reading.read_at)
    return tuple(
        _part_state(promise, rotation, part, by_byte[part - 1 :: rotation.parts])
        for part in range(1, rotation.parts + 1)
    )


def _part_state(
    promise: Promise, rotation: Rotation, part: int, read: Sequence[datetime | None]
) -> PartState:
    known = [each for each in read if each is not None]
    if len(known) == len(read):
        return PartState(part=part, read_at=min(known), counts_from=min(known))
    spread = rotation.period_days * (part - 1) / rotation.parts
    first = promise.since + DAY * (spread - rotation.period_days)
    return PartState(part=part, read_at=None, counts_from=first)


def parts_today(promise: Promise, readings: Sequence[Reading], now: datetime) -> tuple[int, ...]:
    """The parts to read now, the oldest first: those that are due, and never fewer than a day's
    share, so that what was missed does not come in one heap for ever.  Within the budget."""
    rotation = rotation_of(promise)
    states = _oldest_first(promise, rotation, readings)
    due_before = now - rotation.period_days * DAY + EARLY
    due = sum(each.counts_from <= due_before for each in states)
    share = math.ceil(rotation.parts / rotation.period_days)
    most = min(max(due, share), _affordable(rotation, promise, readings, now))
    return tuple(each.part for each in states[:most])


def oldest_part(promise: Promise, readings: Sequence[Reading]) -> int:
    """The one that waits longest."""
    return _oldest_first(promise, rotation_of(promise), readings)[0].part


def _oldest_first(
    promise: Promise, rotation: Rotation, readings: Sequence[Reading]
) -> list[PartState]:
    states = coverage(promise, rotation, readings)
    return sorted(states, key=lambda each: (each.counts_from, each.part))


def _affordable(
    rotation: Rotation, promise: Promise, readings: Iterable[Reading], now: datetime
) -> int:
    """How many parts the budget still allows."""
    if rotation.budget_bytes is None:
        return rotation.parts
    since = now - rotation.budget_days * DAY + EARLY
    spent = sum(
        promise.repository_size / reading.parts for reading in readings if reading.read_at > since
    )
    return max(0, int((rotation.budget_bytes - spent) // rotation.part_bytes))


def warnings_of(promise: Promise, readings: Sequence[Reading], now: datetime) -> tuple[str, ...]:
    """What the promise fails on, with numbers; none when it is kept."""
    rotation = rotation_of(promise)
    within = promise.within_days
    told = []
    if rotation.days_for_all > within and promise.budget_mib_per_day is not None:
        least = math.ceil(promise.repository_size / max(1, rotation.period_days) / MIB)
        told.append(
            f"Reading all {_mib(promise.repository_size)} MiB takes about "
            f"{rotation.days_for_all:.0f} days at {promise.budget_mib_per_day} MiB a day, and "
            f"the promise is {within} days. It can be kept with {least} MiB a day, or within "
            f"{math.ceil(rotation.days_for_all * 1.25)} days."
        )
    late = [
        each
        for each in coverage(promise, rotation, readings)
        if now - (each.read_at or promise.since) > within * DAY
    ]
    if late:
        oldest = min(each.read_at or promise.since for each in late)
        days = (now - oldest) / DAY
        never = sum(each.read_at is None for each in late)
        told.append(
            f"{len(late)} of {rotation.parts} parts were not read within {within} days"
            f"{f', {never} of them never' if never else ''}; the oldest waits for {days:.1f} days."
        )
    return tuple(told)


def part_of(pack: str, parts: int) -> int:
    """Which part a pack is in, from 1."""
    return int(pack[:2], 16) % parts + 1


def _mib(size: int) -> int:
    return math.ceil(size / MIB)
