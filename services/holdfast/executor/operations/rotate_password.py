"""``rotate_password``: a new password for a repository; the stored one opens it all the time.

The catalog has stored the new one before this begins.  A key is made with it, restic opens
the repository with it, the catalog makes it the stored one, and only then do the keys of the
old one go.  Whoever takes the run up after any of these goes on from there.
"""

from holdfast.events.queries import SwitchPassword
from holdfast.events.run import RotatePasswordResult, RunStatus
from holdfast.events.work import RotatePasswordRequested
from holdfast.executor.attempt import Attempt
from holdfast.executor.domain import Outcome
from holdfast.executor.hold import Reason, StoppedError
from holdfast.executor.key_files import KeysOf
from holdfast.executor.locks import unless_locked
from holdfast.executor.reach import identify, reach
from holdfast.executor.takeover import end_predecessor
from holdfast.kernel.secret import Secret
from holdfast.restic import Restic
from holdfast.restic.keyfile import add_quick, remove_keys_of, through


async def run(attempt: Attempt, work: RotatePasswordRequested) -> Outcome:
    """What was stopped half way is finished by the next run."""
    return await attempt.hold.guard(_rotate(attempt, work))


async def _rotate(attempt: Attempt, work: RotatePasswordRequested) -> Outcome:
    await end_predecessor(attempt)
    restic = await reach(attempt, work.address)
    files = KeysOf(attempt.storage(work.address))
    secrets = attempt.secrets_of(work.address)
    old = secrets.old_password
    if secrets.next_password:
        restic = await _bring_into_use(attempt, work, restic, files, Secret(secrets.next_password))
        old = secrets.repo_password
    removed: tuple[str, ...] = ()
    if old:
        removed = await unless_locked(
            attempt,
            work.address,
            lambda: remove_keys_of(restic, files, Secret(old)),
            exclusive=True,
        )
    await files.sweep()
    return Outcome(status=RunStatus.SUCCESS, result=RotatePasswordResult(removed_keys=len(removed)))


async def _bring_into_use(
    attempt: Attempt,
    work: RotatePasswordRequested,
    restic: Restic,
    files: KeysOf,
    password: Secret,
) -> Restic:
    """restic with the new password, which is the stored one when this returns."""
    key_id = await add_quick(restic, files, password, now=attempt.deps.now())
    with_new = through(restic, password, key_id)
    await identify(with_new, work.address)
    switched = await attempt.ask(SwitchPassword(run_id=work.run_id, claim=attempt.claim.claim))
    if not switched.held:
        # Somebody else goes on with it, or it has ended: no key may be removed by us.
        raise StoppedError(Reason.FENCED)
    return with_new
