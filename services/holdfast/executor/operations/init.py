"""``init``: test a new destination, and make its repository or adopt the one that is there.

It ends with a repository that opens, or with nothing left behind.
"""

from msgspec.structs import replace

from holdfast.events.run import InitResult, RunStatus
from holdfast.events.work import DestinationAddress, InitRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.key_files import KeysOf
from holdfast.executor.reach import RepositoryMissingError, reach
from holdfast.executor.repositories import pinned
from holdfast.executor.siblings import FirstDestinationError, sibling_of
from holdfast.executor.takeover import clear_predecessors_lock, end_predecessor
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Restic
from holdfast.restic.commands import config, init
from holdfast.restic.errors import RepositoryExistsError, WrongPasswordError
from holdfast.restic.keyfile import make_quick
from holdfast.storage.base import Backend, Found, fingerprint_of
from holdfast.storage.errors import DebrisError, ForeignRepositoryError, StorageError
from holdfast.storage.objects import path_of, put
from holdfast.telemetry.logs import Log

log = Log("executor")


class Made:
    """Whether this attempt has made the repository."""

    yes = False


async def run(attempt: Attempt, work: InitRequested) -> Outcome:
    """Whatever stops it, what it made is taken away again.

    When that fails, because the storage is away, say, the catalog still knows the password:
    who adds the place again adopts what stayed behind.
    """
    made = Made()
    # Every connection of this run sees the same server, or none.
    work = replace(
        work,
        address=await attempt.hold.guard(pinned(work.address, attempt.secrets_of(work.address))),
    )
    try:
        return await attempt.hold.guard(_init(attempt, work, made))
    except StoppedError as stopped:
        # Otherwise whoever takes the run up goes on from what is there.
        if stopped.reason is Reason.CANCELLED:
            await _leave_nothing(attempt, work, made)
        raise
    except Exception:
        await _leave_nothing(attempt, work, made)
        raise


async def _init(attempt: Attempt, work: InitRequested, made: Made) -> Outcome:
    await end_predecessor(attempt)
    storage = attempt.storage(work.address, parent=work.parent_path)
    restic = attempt.restic(work.address)
    found = await storage.probe(write=True)
    await _prove_protection(attempt, work)
    if found.is_debris:
        found = await _clean(attempt, work, found)

    if found.has_config:
        repository_id = await _open(attempt, work, restic)
        # A dead attempt of ours may have made it, and would have put nothing into it.
        adopted = found.has_data or not attempt.is_takeover
    else:
        repository_id = await _make(attempt, work, restic)
        made.yes, adopted = True, False
    if work.address.cheap_key:
        await _quicken(attempt, storage, restic)
    found = await storage.probe(write=False)
    return Outcome(
        status=RunStatus.SUCCESS,
        result=InitResult(
            repository_id=repository_id,
            adopted=adopted,
            config_digest=found.config_digest,
            host_key=work.address.sftp_host_key,
            host_key_fingerprint=fingerprint_of(work.address.sftp_host_key),
            free_bytes=found.free_bytes,
        ),
    )


async def _prove_protection(attempt: Attempt, work: InitRequested) -> None:
    """Before anything is made: that the second pair of keys works, and that the lock holds."""
    if attempt.has_maintenance(work.address):
        await attempt.upkeep(work.address, parent=work.parent_path).probe(write=True)
    if work.address.object_lock is not None:
        vault = attempt.vault(work.address)
        await vault.prove(work.address.object_lock, attempt.deps.now())


async def _clean(attempt: Attempt, work: InitRequested, found: Found) -> Found:
    """Remove what a dead attempt left half made.  Raises DebrisError for anybody else's."""
    if not attempt.is_takeover or found.has_data:
        raise DebrisError
    storage = attempt.upkeep(work.address, parent=work.parent_path)
    await storage.remove_initialisation()
    return await storage.probe(write=False)


async def _open(attempt: Attempt, work: InitRequested, restic: Restic) -> str:
    """The id of the repository that is there.  Raises ForeignRepositoryError."""
    try:
        repository = await config.run(restic)
        await clear_predecessors_lock(attempt, work.address)
    except WrongPasswordError as error:
        raise ForeignRepositoryError(detail=error.detail) from error
    return repository.id


async def _make(attempt: Attempt, work: InitRequested, restic: Restic) -> str:
    storage = attempt.upkeep(work.address, parent=work.parent_path)
    try:
        await storage.prepare()
        if work.first is not None:
            return await _make_like(attempt, restic, work.address, work.first)
        return (await init.run(restic)).id
    except RepositoryExistsError:
        raise  # somebody was quicker: it is theirs
    except BaseException:
        await _undo(attempt, storage)
        raise


async def _make_like(
    attempt: Attempt, restic: Restic, address: DestinationAddress, first: DestinationAddress
) -> str:
    """A repository that cuts files as *first* does, of its family wherever objects can be carried.

    Raises FirstDestinationError when that one cannot be read: a repository of another cut
    could never be compared with it, nor healed from it.
    """
    try:
        await reach(attempt, first)
        async with attempt.objects(first) as objects:
            sibling = await sibling_of(attempt, first, objects, address)
    except (StorageError, RepositoryMissingError) as error:
        raise FirstDestinationError(
            f"The first destination, {first.name}, cannot be read: {error.message}",
            detail=error.detail,
        ) from error
    async with attempt.objects(address) as objects:
        if await objects.size("config") is not None:
            raise RepositoryExistsError
        await put(objects, path_of("keys", sibling.key.name), sibling.key.content)
        # Last: with it, it is a repository.
        await put(objects, "config", sibling.config)
    return (await config.run(restic)).id


async def _quicken(attempt: Attempt, storage: Backend, restic: Restic) -> None:
    """Let the machine-made password open the repository without the costly derivation."""
    try:
        await make_quick(restic, KeysOf(storage), now=attempt.deps.now())
    except (HoldfastError, OSError) as error:
        # It is only slower: at every step of it the password opens the repository.
        log.warning("key_not_quickened", run_id=str(attempt.work.run_id), error=str(error))


async def _leave_nothing(attempt: Attempt, work: InitRequested, made: Made) -> None:
    """Remove what this attempt made, or a dead one of the same run; nothing that holds data."""
    if not (made.yes or attempt.is_takeover):
        return
    try:
        await end_predecessor(attempt)
        storage = attempt.upkeep(work.address, parent=work.parent_path)
        found = await storage.probe(write=False)
        if found.has_data:
            return
        if found.has_config and not made.yes:
            if not work.address.cheap_key:
                return  # it may be a person's own, which only had to be adopted
            await config.run(attempt.restic(work.address))  # ours, if our password opens it
    except (HoldfastError, OSError) as error:
        log.warning("init_not_undone", run_id=str(attempt.work.run_id), error=str(error))
        return
    await _undo(attempt, storage)


async def _undo(attempt: Attempt, storage: Backend) -> None:
    if attempt.hold.fenced:
        return  # whoever has the run now may be making one right there
    try:
        await storage.remove_initialisation()
    except (HoldfastError, OSError) as error:
        log.warning("init_not_undone", run_id=str(attempt.work.run_id), error=str(error))
