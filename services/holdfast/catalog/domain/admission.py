"""Which queued runs may start now.  Pure: rows in, ids out.

A repository takes any number of shared users (backup, restore, probe) or one exclusive
user (init, forget, prune), as restic's own locks have it.  A device does so many backups
at once.  Two backups of one configuration never overlap.

**Order and bounds.**  Manual runs come before others, then the older before the newer.  A
run that has to wait for its repositories reserves them: behind an exclusive run nothing may
take them, behind a shared one nothing exclusive may.  A run that has waited ``PATIENCE`` is
ordered by age alone.  So once a run has waited that long, only runs that are older than it,
or active already, are still before it: neither shared nor exclusive work can starve the
other, whatever else keeps coming and however many repositories a backup needs.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from holdfast.events.run import Operation, Trigger

PATIENCE = timedelta(minutes=10)
BACKUPS_PER_DEVICE = 2

EXCLUSIVE = frozenset((Operation.INIT, Operation.FORGET, Operation.PRUNE))


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is queued or active, as far as admission cares."""

    id: UUID
    operation: Operation
    trigger: Trigger
    destination_ids: tuple[UUID, ...]
    device_id: UUID | None = None
    configuration_id: UUID | None = None
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

    def __init__(self, active: Iterable[Candidate]) -> None:
        self._shared: Counter[UUID] = Counter()
        self._exclusive: set[UUID] = set()
        self._closed: set[UUID] = set()
        self._closed_to_exclusive: set[UUID] = set()
        self._backups: Counter[UUID] = Counter()
        self._configurations: set[UUID] = set()
        for run in active:
            self.take(run)

    def take(self, run: Candidate) -> None:
        """Count *run* as active."""
        if run.exclusive:
            self._exclusive.update(run.destination_ids)
        else:
            self._shared.update(run.destination_ids)
        if run.operation is Operation.BACKUP:
            if run.device_id is not None:
                self._backups[run.device_id] += 1
            if run.configuration_id is not None:
                self._configurations.add(run.configuration_id)

    def reserve(self, run: Candidate) -> None:
        """Keep the repositories that *run* waits for from those behind it.

        Shared work that waits for its device, or for a backup of the same configuration,
        holds nobody up: it could not use a repository that is free.
        """
        if run.exclusive:
            self._closed.update(run.destination_ids)
        elif self._device_allows(run):
            self._closed_to_exclusive.update(run.destination_ids)

    def allows(self, run: Candidate) -> bool:
        """Whether *run* may start beside what is taken."""
        return self._repositories_allow(run) and self._device_allows(run)

    def _repositories_allow(self, run: Candidate) -> bool:
        wanted = set(run.destination_ids)
        if wanted & (self._exclusive | self._closed):
            return False
        if not run.exclusive:
            return True
        return not (wanted & self._closed_to_exclusive or any(self._shared[one] for one in wanted))

    def _device_allows(self, run: Candidate) -> bool:
        if run.operation is not Operation.BACKUP:
            return True
        if run.configuration_id in self._configurations:
            return False
        return run.device_id is None or self._backups[run.device_id] < BACKUPS_PER_DEVICE


def admit(
    queued: Iterable[Candidate], active: Iterable[Candidate], now: datetime
) -> tuple[UUID, ...]:
    """The queued runs that may start now, in the order in which they should."""
    use = Use(active)
    admitted = []
    for run in sorted(queued, key=lambda each: _order(each, now)):
        if run.not_before is not None and run.not_before > now:
            continue
        if use.allows(run):
            use.take(run)
            admitted.append(run.id)
        else:
            use.reserve(run)
    return tuple(admitted)


def _order(run: Candidate, now: datetime) -> tuple[bool, datetime, UUID]:
    waited = now - run.waits_since >= PATIENCE
    return (run.trigger is not Trigger.MANUAL and not waited, run.waits_since, run.id)
