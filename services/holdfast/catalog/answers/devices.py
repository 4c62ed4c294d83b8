"""Questions about devices."""

from uuid import UUID

import msgspec
from msgspec import UNSET

from holdfast.catalog.deps import Deps
from holdfast.catalog.domain.device import (
    LOCAL,
    SSH,
    address_of,
    changed_device,
    checked_jump,
    checked_login,
    new_device,
)
from holdfast.catalog.store import devices, runs
from holdfast.catalog.store.pool import Connection, reading, transaction
from holdfast.events.queries import (
    CreateDevice,
    Done,
    GetDevice,
    ListDevices,
    RemoveDevice,
    TestDevice,
    UpdateDevice,
)
from holdfast.events.run import Operation, RunStatus
from holdfast.events.views import DeviceView, RunAccepted
from holdfast.events.work import DeviceProbeRequested
from holdfast.kernel.errors import InvalidRequestError, NotFoundError
from holdfast.kernel.ids import new_id


async def answer_create_device(query: CreateDevice, deps: Deps) -> DeviceView:
    """Declare a machine; ConflictError when its name is taken."""
    blank = DeviceView(
        id=new_id(),
        name="",
        type=LOCAL,
        site=_site(query.site, deps.settings.site),
        created_at=deps.now(),
    )
    device = new_device(query, blank)
    sealed = _sealed(device.id, query.sealed_secrets, deps) if device.type == SSH else None
    async with transaction(deps.pool) as connection:
        await _checked_way(connection, device)
        await devices.add(connection, device, sealed)
        await devices.check_ways(connection)
        return await _found(connection, device.id)


async def answer_list_devices(_query: ListDevices, deps: Deps) -> tuple[DeviceView, ...]:
    """All devices, by name."""
    async with reading(deps.pool) as connection:
        return await devices.listed(connection)


async def answer_get_device(query: GetDevice, deps: Deps) -> DeviceView:
    """One device; NotFoundError if there is none."""
    async with reading(deps.pool) as connection:
        return await _found(connection, query.device_id)


async def answer_update_device(query: UpdateDevice, deps: Deps) -> DeviceView:
    """Change a device; the next test tells whether it can still be reached."""
    sealed = None
    if query.sealed_secrets:
        sealed = _sealed(query.device_id, query.sealed_secrets, deps)
    async with transaction(deps.pool) as connection:
        if query.jump_device_id is not UNSET:
            await devices.lock_ways(connection)  # before the row, as everybody does
        device = await devices.lock(connection, query.device_id)
        if device is None:
            raise _missing(query.device_id)
        changed = changed_device(device, query)
        if query.jump_device_id is not UNSET:
            await _checked_way(connection, changed)
        await devices.update(connection, changed, sealed)
        await devices.check_ways(connection)
        return await _found(connection, query.device_id)


async def answer_test_device(query: TestDevice, deps: Deps) -> RunAccepted:
    """Queue a run that reaches a device.  InvalidRequestError for one without SSH."""
    async with transaction(deps.pool) as connection:
        await runs.lock_admission(connection)
        device = await _found(connection, query.device_id)
        work = DeviceProbeRequested(
            event_id=new_id(),
            occurred_at=deps.now(),
            run_id=new_id(),
            site=device.site,
            device=address_of(device),
        )
        await runs.enqueue(
            connection,
            runs.NewRun(operation=Operation.DEVICE_PROBE, work=work, device_id=device.id),
        )
        view = await runs.find(connection, work.run_id)
    deps.wake.set()
    status = RunStatus.QUEUED if view is None else view.status
    return RunAccepted(run_id=work.run_id, status=status)


async def answer_remove_device(query: RemoveDevice, deps: Deps) -> Done:
    """Forget a device.  ConflictError while an app, a destination or a run refers to it."""
    async with transaction(deps.pool) as connection:
        if await devices.lock(connection, query.device_id) is None:
            raise _missing(query.device_id)
        await devices.remove(connection, query.device_id)
    return Done()


async def _checked_way(connection: Connection, device: DeviceView) -> None:
    if device.jump_device_id is not None:
        checked_jump(device, await devices.find(connection, device.jump_device_id))


def _sealed(device_id: UUID, envelope: bytes, deps: Deps) -> bytes:
    """What opens the device, as it is stored.  Raises InvalidRequestError."""
    secrets = checked_login(deps.secrets.open_envelope(envelope))
    return deps.secrets.seal_device(device_id, msgspec.structs.replace(secrets, repo_password=""))


async def _found(connection: Connection, device_id: UUID) -> DeviceView:
    device = await devices.find(connection, device_id)
    if device is None:
        raise _missing(device_id)
    return device


def _missing(device_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no device {device_id}.")


def _site(value: str, default: str) -> str:
    """A site is one word of a NATS subject."""
    site = value or default
    if not site.isascii() or not site.replace("-", "").replace("_", "").isalnum():
        raise InvalidRequestError(
            f"site: {site!r} may have letters, digits, '-' and '_' only.",
            guidance="Use the HOLDFAST_SITE of the executor beside the device.",
        )
    return site
