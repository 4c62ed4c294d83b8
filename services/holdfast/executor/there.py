"""Where a run's files are: on this machine, or on a device that the run is logged in to.

On a device our own restic works, and what it must not have it is not given.  To a bucket it
goes by itself; anything else it reaches through a relay on this machine, an append-only one,
by a port that SSH carries here.
"""

import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from holdfast.events.work import DestinationAddress, DestinationType, DeviceAddress
from holdfast.executor.attempt import Attempt, in_thread
from holdfast.executor.reach import append_only
from holdfast.executor.repositories import DeviceNotTestedError, environment_on, login_of
from holdfast.kernel.errors import HoldfastError
from holdfast.restic import Repository, Restic
from holdfast.restic.commands import version
from holdfast.restic.errors import ResticError, RestoreIncompleteError
from holdfast.restic.version import require
from holdfast.storage.errors import StorageFullError
from holdfast.storage.relay import RelayError

if TYPE_CHECKING:  # they load asyncssh, which takes 0.2 s: only who meets a device does that
    from holdfast.devices.host import Host

T = TypeVar("T")

ON_ITS_DISK = re.compile(r"(/[^\n]*?)(?:/[^/\n]*)?: no space left on device")
"""The folder in which restic, on a device, could not write."""

SOME_PACKS_BYTES = 64 * 1024 * 1024
"""With less left, an upload that failed for no given reason failed for lack of space."""


@contextlib.asynccontextmanager
async def at_device(
    attempt: Attempt, device: DeviceAddress | None, *, whatever: bool = False
) -> AsyncIterator[Attempt]:
    """*attempt* with its device logged in to, while the block lasts; as it is without one.

    Raises what a connection raises, naming the device; StoppedError too, unless it is needed
    *whatever* stops the run.
    """
    if device is None:
        yield attempt
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            opening = _host(attempt, device, stack)
            host = await (opening if whatever else attempt.hold.guard(opening))
        except HoldfastError as error:
            error.message = f"Device {device.name}: {error.message}"
            raise
        yield replace(attempt, host=host)


async def missing_paths(attempt: Attempt, paths: Sequence[str]) -> list[str]:
    """Those of *paths* that do not exist where the files are."""
    if attempt.host is not None:
        return await attempt.host.missing(paths)
    return await in_thread(lambda: [path for path in paths if not os.path.lexists(path)])


async def with_restic(
    attempt: Attempt,
    address: DestinationAddress,
    direct: Restic,
    use: Callable[[Restic], Coroutine[Any, Any, T]],
) -> T:
    """What *use* makes of a restic that is where the files are.

    *direct* is the one of this machine, for the same repository.
    """
    host = attempt.host
    if host is None and not address.append_only:
        return await use(direct)
    if host is None:
        async with (
            append_only(attempt, address, direct) as (relay, relayed),
            _unless_full(attempt, address),
        ):
            return await relay.while_it_lives(use(relayed))
    repository = msgspec.structs.replace(
        direct.repository, cache_dir=f"{host.cache}/repositories/{address.destination_id}"
    )
    if address.type is DestinationType.S3 and not address.append_only:
        async with _unless_device_full():
            return await use(_restic_at(host, repository, direct))
    async with attempt.relay(address, append_only=True) as relay, _unless_full(attempt, address):
        port = urlsplit(relay.address).port or 0
        async with host.port_to(port) as there:
            repository = msgspec.structs.replace(
                repository,
                url=relay.repository_url().replace(f":{port}/", f":{there}/"),
                s3=None,
                sftp=None,
                ca_certificates="",
            )
            async with _unless_device_full():
                return await relay.while_it_lives(use(_restic_at(host, repository, direct)))


@contextlib.asynccontextmanager
async def _unless_full(attempt: Attempt, address: DestinationAddress) -> AsyncIterator[None]:
    """Old SFTP has no word for a full disk, so rclone has none either: it is looked at.

    Raises StorageFullError then, and RelayError as it came otherwise.
    """
    try:
        yield
    except RelayError as error:
        free = (await attempt.storage(address).probe(write=False)).free_bytes
        if free is not None and free < SOME_PACKS_BYTES:
            raise StorageFullError(detail=error.detail) from error
        raise


@contextlib.asynccontextmanager
async def _unless_device_full() -> AsyncIterator[None]:
    """restic on a device writes to no destination by a path: its own disk is what is full.

    Raises DeviceFullError then.
    """
    try:
        yield
    except RestoreIncompleteError:
        raise  # which says what is there and what is not
    except ResticError as error:
        full = ON_ITS_DISK.search(error.detail)
        if full is None:
            raise
        from holdfast.devices.programs import DeviceFullError

        raise DeviceFullError(
            f"There is no space left on the device, at {full[1]}.",
            guidance="Free some space there; the next run goes on where this one ended.",
            detail=error.detail,
        ) from error


def _restic_at(host: "Host", repository: Repository, direct: Restic) -> Restic:
    return Restic(
        host.restic, host.runner, repository, run_id=direct.run_id, retry_lock=direct.retry_lock
    )


async def _host(
    attempt: Attempt, device: DeviceAddress, stack: contextlib.AsyncExitStack
) -> "Host":
    from holdfast.devices.facts import SudoRefusedError, facts_of
    from holdfast.devices.host import Host
    from holdfast.devices.programs import OtherProcessorError, placed
    from holdfast.devices.ssh import SshRunner
    from holdfast.storage.sftp_connection import connected

    if not device.host_key:
        raise DeviceNotTestedError
    target = await login_of(device, attempt.secrets_for(device.device_id))
    connection = await stack.enter_async_context(connected(target))
    ours = SshRunner(connection)
    facts = await facts_of(ours, attempt.deps.now, program="restic")
    if device.sudo and not facts.sudo:
        raise SudoRefusedError
    try:
        restic = await placed(connection, ours, facts, attempt.deps.restic)
    except OtherProcessorError:
        if not facts.program:
            raise
        restic = facts.program
        # It must be one that tells how it ended.
        require(await version.run(restic, ours))
    return Host(
        connection,
        restic=restic,
        cache=facts.cache,
        sudo=device.sudo,
        warnings=facts.warnings,
        environment=environment_on(device),
    )
