"""``protection_test``: attack a canary with what a backup has, and tell what was refused.

The canary is a repository of its own, with a password of its own, in a folder that no
restic looks into.  Nothing outside of that folder is named in any attack.
"""

import os
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from holdfast.events.run import Attack, AttackOutcome, ProtectionTestResult, RunStatus
from holdfast.events.work import DestinationAddress, ProtectionTestRequested
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.domain import Outcome
from holdfast.executor.reach import reach
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Repository, Restic
from holdfast.restic.commands import backup, forget, init, prune
from holdfast.restic.errors import ResticError
from holdfast.secretbox.tokens import new_repository_password
from holdfast.storage.errors import StorageError
from holdfast.storage.relay import Relay
from holdfast.telemetry.logs import Log

log = Log("executor")

CANARIES = "holdfast-canaries"
"""Below the destination's own place.  All that is in it may be deleted at any time."""

OTHER = b"not what was there"


class CanaryError(StorageError):
    """The canary could not be made or looked at, so nothing is known of the protection."""

    code = "canary_failed"
    guidance = "See whether backups to this destination succeed, and test again."
    retryable = True


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """What is attacked."""

    folder: str
    snapshot: str
    pack: str
    stray: str
    """A pack that no snapshot needs: prune would free it."""


async def run(attempt: Attempt, work: ProtectionTestRequested) -> Outcome:
    """What dies here leaves a canary, which whoever comes next removes."""
    return await attempt.hold.guard(_test(attempt, work.address))


async def _test(attempt: Attempt, address: DestinationAddress) -> Outcome:
    await end_predecessor(attempt)
    await reach(attempt, address)  # a disk that is not mounted is not written to
    await _clear(attempt, address)
    try:
        async with attempt.relay(address, append_only=address.append_only) as relay:
            attacks = await relay.while_it_lives(_attack(attempt, relay))
    finally:
        removed = await _clear(attempt, address)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=ProtectionTestResult(
            append_only=address.append_only, attacks=attacks, canary_removed=removed
        ),
    )


async def _clear(attempt: Attempt, address: DestinationAddress) -> bool:
    """Remove every canary; whether that worked.  Past the relay, as forget and prune go."""
    try:
        await attempt.purge(address, CANARIES)
    except HoldfastError as error:
        run_id = str(attempt.work.run_id)
        log.warning("canary_left", run_id=run_id, error=str(error), detail=error.detail)
        return False
    return True


async def _attack(attempt: Attempt, relay: Relay) -> tuple[AttackOutcome, ...]:
    # A name of its own: where nothing can be deleted, that of an earlier test is still there.
    folder = f"{CANARIES}/{attempt.work.run_id}-{attempt.claim.claim}"
    attempt.deps.cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="canary-", dir=attempt.deps.cache) as own:
        repository = Repository(
            url=relay.repository_url(folder), password=new_repository_password(), cache_dir=own
        )
        restic = Restic(
            attempt.deps.restic,
            attempt.deps.runner,
            repository,
            run_id=str(attempt.work.run_id),
        )
        canary = await _make(relay, restic, folder, Path(own) / "canary")
        return await _attacks(relay, restic, canary)


async def _make(relay: Relay, restic: Restic, folder: str, source: Path) -> Canary:
    await in_thread(lambda: source.write_bytes(os.urandom(64 * 1024)))
    await init.run(restic)
    made = await backup.run(restic, backup.BackupOptions(paths=(str(source),)))
    packs = await _names(relay, f"{folder}/data/")
    content = os.urandom(1024)
    stray = sha256(content).hexdigest()
    answer = await relay.ask("POST", f"{folder}/data/{stray}", content)
    if answer.status != 200 or not packs:
        raise CanaryError(detail=f"{len(packs)} packs; HTTP {answer.status}")
    return Canary(folder=folder, snapshot=made.snapshot_id, pack=packs[0], stray=stray)


async def _attacks(relay: Relay, restic: Restic, canary: Canary) -> tuple[AttackOutcome, ...]:
    """One after the other: prune first, for it needs a repository that is whole."""
    folder = canary.folder
    stray, pack = f"{folder}/data/{canary.stray}", f"{folder}/data/{canary.pack}"
    snapshot = f"{folder}/snapshots/{canary.snapshot}"
    all_unused = prune.PruneOptions(max_unused="0")
    the_snapshot = forget.ForgetOptions(snapshot_ids=(canary.snapshot,))
    plan: tuple[tuple[Attack, str, Callable[[], Awaitable[str]]], ...] = (
        (Attack.PRUNE, stray, lambda: _by_restic(prune.run(restic, all_unused))),
        (Attack.DELETE_SNAPSHOT, snapshot, lambda: _by_restic(forget.run(restic, the_snapshot))),
        (Attack.OVERWRITE_PACK, pack, lambda: _by_request(relay, "POST", pack, OTHER)),
        (Attack.DELETE_PACK, pack, lambda: _by_request(relay, "DELETE", pack)),
    )
    outcomes = []
    for attack, path, act in plan:
        before = await _content(relay, path)
        answer = await act()
        refused = await _content(relay, path) == before
        outcomes.append(AttackOutcome(attack=attack, refused=refused, answer=answer))
    return tuple(outcomes)


async def _by_restic(work: Awaitable[object]) -> str:
    try:
        await work
    except ResticError as error:
        return error.detail or error.message
    return "restic reported no error"


async def _by_request(relay: Relay, method: str, path: str, content: bytes = b"") -> str:
    return f"HTTP {(await relay.ask(method, path, content)).status}"


async def _content(relay: Relay, path: str) -> bytes | None:
    """None: it is not there.  Raises CanaryError when that cannot be told."""
    answer = await relay.ask("GET", path)
    if answer.status not in (200, 404):
        raise CanaryError(detail=f"GET {path}: HTTP {answer.status}")
    return answer.content if answer.status == 200 else None


async def _names(relay: Relay, path: str) -> tuple[str, ...]:
    answer = await relay.ask("GET", path)
    if answer.status != 200:
        raise CanaryError(detail=f"GET {path}: HTTP {answer.status}")
    listed = msgspec.json.decode(answer.content, type=list[dict[str, str | int]])
    return tuple(str(each["name"]) for each in listed)
