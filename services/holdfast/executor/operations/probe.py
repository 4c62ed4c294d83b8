"""``probe``: can the destination be written to, and does its repository open."""

from holdfast.events.run import ProbeResult, RunStatus
from holdfast.events.work import ProbeRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.reach import identify, missing
from holdfast.executor.repositories import pinned
from holdfast.storage.base import fingerprint_of


async def run(attempt: Attempt, work: ProbeRequested) -> Outcome:
    """Leaves nothing behind but what was there."""
    return await attempt.hold.guard(_probe(attempt, work))


async def _probe(attempt: Attempt, work: ProbeRequested) -> Outcome:
    address = await pinned(work.address, attempt.secrets_of(work.address))
    storage = attempt.storage(address)
    # Looked at before it is written to: an empty mount point is left as it is.
    found = await storage.probe(write=False)
    if not found.has_config:
        raise missing(attempt, address)
    repository_id = await identify(attempt.restic(address), address)
    await storage.probe(write=True)
    if attempt.has_maintenance(address):
        await attempt.upkeep(address).probe(write=True)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=ProbeResult(
            repository_id=repository_id,
            config_digest=found.config_digest,
            host_key=address.sftp_host_key,
            host_key_fingerprint=fingerprint_of(address.sftp_host_key),
            free_bytes=found.free_bytes,
        ),
    )
