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
from holdfast.storage.relay import Relay


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
    """restic for a repository that answers and is there.

    A run that is taken over also clears the dead one's lock, and makes sure that it is the
    same repository: that costs a call to restic, so others go by the probe alone.
    """
    probe = await attempt.storage(address).probe(write=False)
    if not probe.has_config:
        raise missing(address)
    restic = attempt.restic(address)
    if attempt.is_takeover:
        await clear_predecessors_lock(attempt, address)
        await identify(restic, address)
    return restic


@contextlib.asynccontextmanager
async def append_only(
    attempt: Attempt, address: DestinationAddress, direct: Restic
) -> AsyncIterator[tuple[Relay, Restic]]:
    """The repository of *direct* through an append-only relay, while the block lasts.

    The restic inside has the repository's password, and none of the storage's credentials.
    """
    async with attempt.relay(address, append_only=True) as relay:
        repository = msgspec.structs.replace(
            direct.repository, url=relay.repository_url(), s3=None, options=()
        )
        yield (
            relay,
            Restic(direct.binary, direct.runner, repository, run_id=direct.run_id),
        )


async def identify(restic: Restic, address: DestinationAddress) -> str:
    """Open the repository and return its id.  Raises OtherRepositoryError."""
    found = (await config.run(restic)).id
    if address.repository_id and found != address.repository_id:
        raise OtherRepositoryError(detail=f"{found} instead of {address.repository_id}")
    return found


def missing(address: DestinationAddress) -> RepositoryMissingError:
    """The error that says where nothing is."""
    where = (
        address.local_path
        if address.type is DestinationType.LOCAL
        else "/".join(part for part in (address.s3_bucket, address.s3_prefix) if part)
    )
    return RepositoryMissingError(f"There is no repository at {where}.")
