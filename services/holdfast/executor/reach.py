"""Getting to a repository: seconds when it is away, where restic alone tries for a quarter of
an hour."""

import contextlib
from collections.abc import AsyncIterator

import msgspec

from holdfast.events.work import DestinationAddress, DestinationType
from holdfast.executor.attempt import Attempt
from holdfast.executor.takeover import clear_predecessors_lock
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import config
from holdfast.restic.environment import can_be_both
from holdfast.restic.errors import ResticError, WrongPasswordError
from holdfast.storage.base import Found
from holdfast.storage.relay import Relay

GONE = "no such file or directory"
"""The system's words; of what restic has just made, they mean that the disk is another."""


class RepositoryMissingError(HoldfastError):
    """There is no repository at the destination."""

    code = "repository_missing"
    guidance = "Nothing was written. Is the disk or share mounted?"
    # A disk comes back; nothing else that could be wrong gets worse by another try.
    retryable = True


class OtherRepositoryError(HoldfastError):
    """The repository at the destination is not the one that belongs there."""

    code = "other_repository"
    guidance = "Nothing was written. Is another disk mounted there?"


async def reach(attempt: Attempt, address: DestinationAddress) -> Restic:
    """restic for the repository that belongs there; nothing was written yet.

    An empty mount point or another disk is found out by the probe, without a call to restic.
    What a dead one's lock would be in the way of clears it: see ``clear_predecessors_lock``.
    """
    found = await attempt.storage(address).probe(write=False)
    if not found.has_config:
        raise missing(attempt, address)
    restic = attempt.restic(address)
    await clear_predecessors_lock(attempt, address)
    await recognise(restic, address, found)
    return restic


@contextlib.asynccontextmanager
async def while_mounted(attempt: Attempt, address: DestinationAddress) -> AsyncIterator[None]:
    """See at the end that a disk or share was there all the time.  Raises RepositoryMissingError.

    restic makes the folders that it misses: of a disk that is taken out under it, it would write
    the rest, and even the snapshot, into the empty mount point.
    """
    try:
        yield
    except ResticError as error:
        # It may be back already.
        was_gone = (
            address.type is DestinationType.LOCAL
            and GONE in error.detail
            and address.local_path in error.detail
        )
        if was_gone or await _is_gone(attempt, address):
            raise missing(attempt, address) from error
        raise
    if await _is_gone(attempt, address):
        raise missing(attempt, address)


async def _is_gone(attempt: Attempt, address: DestinationAddress) -> bool:
    """Servers say themselves that they are away; a path does not."""
    if address.type is not DestinationType.LOCAL:
        return False
    return not (await attempt.storage(address).probe(write=False)).has_config


async def recognise(restic: Restic, address: DestinationAddress, found: Found) -> None:
    """See that it is the repository that belongs there.  Raises OtherRepositoryError.

    Its config is asked first; only one that looks different is opened.
    """
    if found.config_digest == address.config_digest or not address.repository_id:
        return
    try:
        await identify(restic, address)
    except WrongPasswordError as error:
        # It is not the same password that went wrong: the config is not the same either.
        if address.config_digest:
            raise OtherRepositoryError(detail=error.detail) from error
        raise


@contextlib.asynccontextmanager
async def append_only(
    attempt: Attempt, address: DestinationAddress, direct: Restic
) -> AsyncIterator[tuple[Relay, Restic]]:
    """The repository of *direct* through an append-only relay, while the block lasts.

    The restic inside has the repository's password, and none of the storage's credentials.
    """
    async with attempt.relay(address, append_only=True) as relay:
        repository = msgspec.structs.replace(
            direct.repository,
            url=relay.repository_url(),
            s3=None,
            sftp=None,
            ca_certificates="",
            options=(),
        )
        yield (
            relay,
            Restic(direct.binary, direct.runner, repository, run_id=direct.run_id),
        )


@contextlib.asynccontextmanager
async def as_source(
    attempt: Attempt, address: DestinationAddress, direct: Restic, into: Restic
) -> AsyncIterator[Restic]:
    """*direct*, so that one restic can read from it and write to *into*.

    Where both need credentials of their own it is reached through a relay.
    """
    if can_be_both(direct.repository, into.repository):
        yield direct
        return
    async with append_only(attempt, address, direct) as (_, relayed):
        yield relayed


async def identify(restic: Restic, address: DestinationAddress) -> str:
    """Open the repository and return its id.  Raises OtherRepositoryError."""
    found = (await config.run(restic)).id
    if address.repository_id and found != address.repository_id:
        raise OtherRepositoryError(detail=f"{found} instead of {address.repository_id}")
    return found


def missing(attempt: Attempt, address: DestinationAddress) -> RepositoryMissingError:
    """The error that says where nothing is."""
    return RepositoryMissingError(f"There is no repository at {attempt.storage(address).place}.")
