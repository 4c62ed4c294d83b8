"""The destinations that a restore tried in vain, and what that comes to when none is left."""

import re
from typing import TypeGuard

from msgspec.structs import replace

from holdfast.events.restoring import FailedSource
from holdfast.events.run import RunStatus
from holdfast.events.work import RestoreSource
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome, failure_of
from holdfast.executor.locks import LockWaitError
from holdfast.executor.reach import OtherRepositoryError, RepositoryMissingError
from holdfast.kernel.errors import HoldfastError
from holdfast.restic.commands.dump_into import TakerFailedError
from holdfast.restic.errors import ResticError, RestoreIncompleteError, RestoreUnverifiedError
from holdfast.storage.errors import StorageError
from holdfast.telemetry.logs import Log

log = Log("executor")

SOURCE_FAULTS = (ResticError, StorageError, RepositoryMissingError, OtherRepositoryError)
"""Errors that another destination may not have."""

TARGETS_FAULT = re.compile(
    r"no space left on device|disk quota exceeded|read-only file system", re.IGNORECASE
)
"""The system's words for what no other destination helps against."""


class Tried:
    """What failed so far."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._errors: list[HoldfastError] = []
        self._wait: LockWaitError | None = None
        self.failed: tuple[FailedSource, ...] = ()

    def add(self, source: RestoreSource, error: HoldfastError | LockWaitError) -> None:
        """One that failed, or is locked for now."""
        if isinstance(error, LockWaitError):
            self._wait = error
            code, message = "repository_locked", error.reason
        else:
            self._errors.append(error)
            told = failure_of(error, self._attempt.all_secrets())
            code, message = told.code, told.message
        log.warning("restore_source_failed", destination=source.address.name, error=message)
        self.failed += (
            FailedSource(
                destination_id=source.address.destination_id,
                destination_name=source.address.name,
                code=code,
                message=message,
            ),
        )

    def outcome(self, *, dry_run: bool) -> Outcome:
        """When none is left.  What is in place by then counts for more than who was away.

        Raises LockWaitError when one may still be free in time, or what the last one raised.
        """
        if self._wait is not None:
            raise self._wait
        incomplete = [each for each in self._errors if isinstance(each, RestoreIncompleteError)]
        error = (incomplete or self._errors)[-1]
        if not incomplete:
            if len(self.failed) > 1:
                error.message = self._told()
            raise error
        unsure = dry_run or isinstance(error, RestoreUnverifiedError)
        failure = failure_of(error, self._attempt.all_secrets())
        if len(self.failed) > 1:
            failure = replace(failure, message=self._told())
        return Outcome(status=RunStatus.FAILED if unsure else RunStatus.PARTIAL, failure=failure)

    def _told(self) -> str:
        return " ".join(f"{each.destination_name}: {each.message}" for each in self.failed)


def is_targets_fault(error: BaseException) -> bool:
    """Whether it is where the files go that cannot take them."""
    return isinstance(error, RestoreIncompleteError) and bool(TARGETS_FAULT.search(error.detail))


def is_sources_fault(error: BaseException) -> TypeGuard[HoldfastError]:
    """Whether another destination may not have it."""
    is_taken_badly = isinstance(error, TakerFailedError)
    return isinstance(error, SOURCE_FAULTS) and not (is_taken_badly or is_targets_fault(error))
