"""Changing a repository's password: kept before it is used, and switched once it is proved.

At every moment the stored password opens the repository: the new one is stored as the next
before any key is made with it, becomes the stored one when restic has opened the repository
with it, and only then do the keys of the old one go.
"""

from msgspec.structs import replace

from holdfast.catalog.answers.changed import destination_changed
from holdfast.catalog.deps import Deps
from holdfast.catalog.store import destinations, outbox, passwords, runs
from holdfast.catalog.store.pool import transaction
from holdfast.events.changes import Change
from holdfast.events.queries import RotatePassword, Switched, SwitchPassword
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import RunAccepted
from holdfast.events.work import RotatePasswordRequested
from holdfast.kernel.errors import ConflictError, NotFoundError
from holdfast.kernel.ids import new_id
from holdfast.secretbox.tokens import new_repository_password


async def answer_rotate_password(query: RotatePassword, deps: Deps) -> RunAccepted:
    """Store a new password as the next one, and queue the run that brings it into use.

    A change that broke off is gone on with, not begun anew.  NotFoundError without such a
    destination, ConflictError while a change of it has not ended.
    """
    destination_id, now = query.destination_id, deps.now()
    async with transaction(deps.pool) as connection:
        # Before the row: whoever ends a run takes them in this order.
        await runs.lock_admission(connection)
        if await destinations.lock(connection, destination_id) is None:
            raise NotFoundError(f"There is no destination {destination_id}.")
        if await passwords.is_being_changed(connection, destination_id):
            raise ConflictError(
                "The password of this destination is being changed already.",
                guidance="Wait for that run, or cancel it.",
            )
        change = await passwords.change_of(connection, destination_id)
        if change.is_none:
            sealed = deps.secrets.seal_next_password(destination_id, new_repository_password())
            await passwords.keep_next(connection, destination_id, sealed)
        address = (await destinations.addresses(connection, [destination_id]))[destination_id]
        work = RotatePasswordRequested(
            event_id=new_id(),
            occurred_at=now,
            run_id=new_id(),
            site=await destinations.site_of(connection, destination_id, deps.settings.site),
            address=address,
        )
        await runs.enqueue(connection, runs.NewRun(operation=Operation.ROTATE_PASSWORD, work=work))
        view = await runs.find(connection, work.run_id)
    deps.wake.set()
    return RunAccepted(
        run_id=work.run_id,
        status=RunStatus.QUEUED if view is None else view.status,
        destination_id=destination_id,
    )


async def answer_switch_password(query: SwitchPassword, deps: Deps) -> Switched:
    """The next password becomes the stored one, if the executor still holds the run."""
    now = deps.now()
    async with transaction(deps.pool) as connection:
        run = await runs.lock(connection, query.run_id)
        if (
            run is None
            or run.operation is not Operation.ROTATE_PASSWORD
            or run.claim != query.claim
            or run.status.is_outcome
        ):
            return Switched(held=False)
        (destination_id,) = run.destination_ids
        change = await passwords.change_of(connection, destination_id)
        if change.next_password is not None:
            (stored,) = await destinations.sealed_secrets(connection, [destination_id])
            before = deps.secrets.open_destination(stored)
            after = replace(before, repo_password=deps.secrets.next_password(change))
            await passwords.switch(
                connection,
                deps.secrets.seal_destination(destination_id, after),
                deps.secrets.seal_old_password(destination_id, before.repo_password),
                now,
            )
            await outbox.add(connection, destination_changed(destination_id, Change.UPDATED, now))
    deps.wake.set()
    return Switched(held=True)
