"""Which queued runs may start now.  Pure: rows in, ids out.

A repository takes any number of shared users (backup, restore, probe, check, protect) or one
exclusive user (init, forget, prune, undelete, heal, a change of the password), as restic's own
locks have it.  A protection test is alone too: it clears away the canaries of others.  A
destination serves so many runs at once, and a device does so many backups.  Two backups of one
configuration never overlap, and while an app is restored, or what was before that is removed,
nothing else is done to it.

**Order and bounds.**  Manual runs come before others, then the older before the newer.  A
run that has to wait for its repositories reserves them: behind an exclusive run nothing may
take them, behind a shared one nothing exclusive may.  A run that waits only because its
device or a destination is full holds nobody up at the others.

A run that has waited ``PATIENCE`` is ordered by age alone, is the next of its configuration,
and keeps the next place that comes free at its device and at each of its destinations; at each
of them one such run does, the oldest.  So the oldest of all that wait starts within three
times the longest run: a backup of its own configuration may have to end, then what holds its
places, then an exclusive run that began meanwhile.  One with n older ones before it starts
within 3 (n + 1) times the longest: neither shared nor exclusive work, nor any number of runs
by hand, can starve another, however many repositories a backup needs.  What a slow device or
destination costs others is at most the one place that such a run keeps for itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from holdfast.events.run import Operation, Trigger

PATIENCE = timedelta(minutes=10)
BACKUPS_PER_DEVICE = 2
RUNS_PER_DESTINATION = 4
"""Unless a destination says otherwise."""

EXCLUSIVE = frozenset(
    (
        Operation.INIT,
        Operation.FORGET,
        Operation.PRUNE,
        Operation.UNDELETE,
        Operation.ROTATE_PASSWORD,
        Operation.HEAL,
        Operation.PROTECTION_TEST,
    )
)


ALONE_WITH_APP = frozenset((Operation.APP_RESTORE, Operation.DISCARD_PREVIOUS))


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is queued or active, as far as admission cares."""

    id: UUID
    operation: Operation
    trigger: Trigger
    destination_ids: tuple[UUID, ...]
    device_id: UUID | None = None
    configuration_id: UUID | None = None
    app_id: UUID | None = None
    queued_at: datetime
    not_before: datetime | None = None

    @property
    def exclusive(self) -> bool:
        """Whether it needs its repositories for itself."""
        return self.operation in EXCLUSIVE

    @property
    def waits_since(self) -> datetime:
        """A retry does not grow older while its time has not come."""
        return max(self.queued_at, self.not_before or self.queued_at)


class Use:
    """What is taken right now."""

    def __init__(self, active: Iterable[Candidate], limits: Mapping[UUID, int]) -> None:
        self._limits = limits
        self._kept_destinations: set[UUID] = set()
        self._kept_devices: set[UUID] = set()
        self._shared: Counter[UUID] = Counter()
        self._exclusive: set[UUID] = set()
        self._closed: set[UUID] = set()
        self._closed_to_exclusive: set[UUID] = set()
        self._backups: Counter[UUID] = Counter()
        self._configurations: set[UUID] = set()
        self._backed_up: set[UUID] = set()
        self._alone: set[UUID] = set()
        for run in active:
            self.take(run)

    def take(self, run: Candidate) -> None:
        """Count *run* as active."""
        if run.exclusive:
            self._exclusive.update(run.destination_ids)
        else:
            self._shared.update(run.destination_ids)
        if run.operation in ALONE_WITH_APP and run.app_id is not None:
            self._alone.add(run.app_id)
        if run.operation is Operation.BACKUP:
            if run.app_id is not None:
                self._backed_up.add(run.app_id)
            if run.device_id is not None:
                self._backups[run.device_id] += 1
            if run.configuration_id is not None:
                self._configurations.add(run.configuration_id)

    def reserve(self, run: Candidate, *, patient: bool) -> None:
        """Keep what *run* waits for from those behind it.

        Shared work that waits for a free place, or for a backup of the same configuration,
        holds nobody up: it could not use a repository that is free.  Only a *patient* one
        keeps a place at each, if nobody older does, and is the next of its configuration.
        """
        if run.exclusive:
            self._closed.update(run.destination_ids)
            return
        overlaps = self._overlaps(run)
        if patient and run.operation is Operation.BACKUP and run.configuration_id is not None:
            self._configurations.add(run.configuration_id)
        if patient and run.operation in ALONE_WITH_APP and run.app_id is not None:
            self._alone.add(run.app_id)
        if overlaps:
            return
        if self._places_allow(run):
            self._closed_to_exclusive.update(run.destination_ids)
        if patient:
            self._kept_destinations.update(run.destination_ids)
            if run.operation is Operation.BACKUP and run.device_id is not None:
                self._kept_devices.add(run.device_id)

    def allows(self, run: Candidate) -> bool:
        """Whether *run* may start beside what is taken."""
        return self._repositories_allow(run) and not self._overlaps(run) and self._places_allow(run)

    def _repositories_allow(self, run: Candidate) -> bool:
        wanted = set(run.destination_ids)
        if wanted & (self._exclusive | self._closed):
            return False
        if not run.exclusive:
            return True
        return not (wanted & self._closed_to_exclusive or any(self._shared[one] for one in wanted))

    def _overlaps(self, run: Candidate) -> bool:
        if run.operation in ALONE_WITH_APP:
            return run.app_id in self._alone or run.app_id in self._backed_up
        return run.operation is Operation.BACKUP and (
            run.configuration_id in self._configurations or run.app_id in self._alone
        )

    def _places_allow(self, run: Candidate) -> bool:
        if run.exclusive:
            return True  # it is alone there
        for one in run.destination_ids:
            taken = self._shared[one] + (one in self._kept_destinations)
            if taken >= self._limits.get(one, RUNS_PER_DESTINATION):
                return False
        if run.operation is not Operation.BACKUP or run.device_id is None:
            return True
        taken = self._backups[run.device_id] + (run.device_id in self._kept_devices)
        return taken < BACKUPS_PER_DEVICE


def admit(
    queued: Iterable[Candidate],
    active: Iterable[Candidate],
    now: datetime,
    limits: Mapping[UUID, int] | None = None,
) -> tuple[UUID, ...]:
    """The queued runs that may start now, in the order in which they should.

    *limits*: how many runs a destination serves at once, where it is not the usual number.
    """
    use = Use(active, limits or {})
    admitted = []
    for run in sorted(queued, key=lambda each: _order(each, now)):
        if run.not_before is not None and run.not_before > now:
            continue
        if use.allows(run):
            use.take(run)
            admitted.append(run.id)
        else:
            use.reserve(run, patient=_is_patient(run, now))
    return tuple(admitted)


def _order(run: Candidate, now: datetime) -> tuple[bool, datetime, UUID]:
    by_age = _is_patient(run, now)
    return (run.trigger is not Trigger.MANUAL and not by_age, run.waits_since, run.id)


def _is_patient(run: Candidate, now: datetime) -> bool:
    return now - run.waits_since >= PATIENCE
