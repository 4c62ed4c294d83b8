"""S3 Object Lock: keeping it up, and bringing back what somebody deleted.

Retention belongs to one version of an object.  A plain DELETE is always allowed: it puts a
delete marker on top, and the locked version stays below it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from holdfast.events.work import ObjectLock
from holdfast.storage.errors import AccessDeniedError
from holdfast.storage.lock_errors import NotVersionedError
from holdfast.storage.lock_proof import CANARY, prove
from holdfast.storage.s3 import S3Backend
from holdfast.storage.s3_versions import Ledger, Retention, S3Versions, each_of, is_refused
from holdfast.storage.versions import (
    LOCKS,
    RETAINED,
    History,
    Version,
    markers_above,
    renewal,
    standing_at,
    to_retain,
    to_sweep,
)


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """What keeping up came to."""

    retained: int
    """Versions that cannot be deleted now."""
    renewed: int
    """Of these, so many were given a new time."""
    swept: int
    """Deleted versions that went for good."""
    swept_bytes: int
    sweep_refused: AccessDeniedError | None = None
    """Why old versions could not go, if the key may not delete them."""
    overwritten: tuple[str, ...]
    """Names, below the repository's folder, that hold other content than before."""


class Undeleted(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought back."""

    restored: tuple[str, ...]
    """Names, below the repository's folder."""
    hidden: int
    """Objects that belong to no repository and were put out of its way."""


class S3Vault:
    """One repository's objects with all their versions."""

    def __init__(self, backend: S3Backend) -> None:
        self._backend = backend
        self._folder = backend.folder

    async def prove(self, lock: ObjectLock, now: datetime) -> None:
        """See ``lock_proof.prove``."""
        async with self._open() as objects:
            await prove(objects, lock, now)

    async def keep_up(
        self, lock: ObjectLock, now: Callable[[], datetime], ledger: Ledger
    ) -> Protected:
        """Retain what is there for at least half of the days more, and sweep what may go.

        *ledger* is brought up to date, also when this is broken off; whatever was done by
        then stays done.
        """
        upkeep = _Upkeep(lock, now, ledger)
        async with self._open() as objects:
            async for some in objects.histories():
                await upkeep.of(objects, some)
        for gone in ledger.keys() - upkeep.seen:
            del ledger[gone]
        return upkeep.result(self._folder)

    async def undelete(self, since: datetime) -> Undeleted:
        """Make what stood there at *since* stand there again, and keep what came after it
        and is sound.

        May be broken off and called again.  Raises NotVersionedError.
        """
        restored: list[str] = []
        hidden = 0
        async with self._open() as objects:
            bucket = self._backend.target.bucket
            versioning = await objects.client.get_bucket_versioning(Bucket=bucket)
            if not versioning.get("Status"):
                raise NotVersionedError

            async def mend(history: History) -> None:
                nonlocal hidden
                wanted = await _wanted(objects, history, since)
                if wanted is None:
                    if not history.is_gone:
                        await objects.hide(history.key)
                        hidden += 1
                elif not wanted.is_latest and (
                    history.is_gone or not wanted.equals(history.latest)
                ):
                    await _bring_back(objects, history, wanted)
                    restored.append(history.key.removeprefix(self._folder))

            async for some in objects.histories():
                await each_of(some, mend)
        return Undeleted(restored=tuple(sorted(restored)), hidden=hidden)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[S3Versions]:
        async with self._backend.connect() as client:
            yield S3Versions(client, self._backend.target, self._folder)


class _Upkeep:
    """What keeping up has come to so far."""

    def __init__(self, lock: ObjectLock, now: Callable[[], datetime], ledger: Ledger) -> None:
        self._lock = lock
        self._now = now
        self._ledger = ledger
        self.seen: set[str] = set()
        self._retained = 0
        self._renewed = 0
        self._swept: list[int] = []
        self._refused: AccessDeniedError | None = None
        self._overwritten: list[str] = []

    async def of(self, objects: S3Versions, some: tuple[History, ...]) -> None:
        """Retain, sweep and look at *some*."""
        self.seen.update(each.id for one in some for each in one.entries)
        versions = [each for one in some for each in to_retain(one)]
        await each_of(versions, lambda version: self._retain(objects, version))
        self._retained += len(versions)
        if self._refused is None:
            try:
                await each_of(some, lambda history: self._sweep(objects, history))
            except AccessDeniedError as error:
                self._refused = error  # what is there is held all the same
        suspects = [one for one in some if one.part in RETAINED and one.was_overwritten]
        self._overwritten += [
            one.key for one in suspects if not await _is_sound(objects, one, self._ledger)
        ]

    def result(self, folder: str) -> Protected:
        """All of it."""
        return Protected(
            retained=self._retained,
            renewed=self._renewed,
            swept=len(self._swept),
            swept_bytes=sum(self._swept),
            sweep_refused=self._refused,
            overwritten=tuple(each.removeprefix(folder) for each in self._overwritten),
        )

    async def _retain(self, objects: S3Versions, version: Version) -> None:
        held = await objects.retention(version, self._ledger)
        until = renewal(held.until, self._now(), self._lock.days)
        if until is None:
            return
        # A mode cannot be changed without a right that nobody should have.
        mode = held.mode or self._lock.mode.value.upper()
        await objects.put_retention(version, until, mode)
        self._ledger[version.id] = Retention(until, mode, held.sound)
        self._renewed += 1

    async def _sweep(self, objects: S3Versions, history: History) -> None:
        now = self._now()
        for version in to_sweep(history, now, timedelta(days=self._lock.days)):
            if version.is_marker:
                await objects.remove(version)
            elif await _sweep_one(objects, version, now, self._ledger):
                self._swept.append(version.size)
            else:
                return  # and so the marker above it stays


async def _sweep_one(objects: S3Versions, version: Version, now: datetime, ledger: Ledger) -> bool:
    """Delete a version for good; False: it is still held."""
    held = await objects.retention(version, ledger)
    # The server's clock may be behind ours.
    if held.until is not None and held.until > now - CANARY:
        return False
    del ledger[version.id]  # whatever comes of it: next time the server is asked
    if not await is_refused(objects.remove(version)):
        return True
    # It was held for longer since we last asked; or we may not, which a person must know.
    held = await objects.retention(version, ledger)
    if held.until is None or held.until <= now - CANARY:
        raise AccessDeniedError(
            f"Old versions may not be deleted: {version.key}.",
            guidance="The key must be allowed to s3:DeleteObjectVersion; if there is a legal "
            "hold on them, lift it or leave them.",
        )
    return False


async def _is_sound(objects: S3Versions, history: History, ledger: Ledger) -> bool:
    """Whether what stands there is what the name says.  Read once: an equal name and another
    ETag are usual where the service encrypts."""
    held = await objects.retention(history.latest, ledger)
    if not held.sound and await objects.fits(history, history.latest):
        held = msgspec.structs.replace(held, sound=True)
        ledger[history.latest.id] = held
    return held.sound


async def _wanted(objects: S3Versions, history: History, since: datetime) -> Version | None:
    """What is to stand there; None: nothing."""
    if history.part == LOCKS:
        # A lock is nothing to bring back; but one that is none stops every restic.
        sound = history.is_gone or await objects.fits(history, history.latest)
        return history.latest if sound else None
    before = standing_at(history, since)
    stood = before is not None and not before.is_marker
    if not history.is_named_by_content:
        # Of the config, which is never rewritten, the first is the right one.
        is_config = history.part == "config" and history.contents != ()
        return before if stood else history.contents[-1] if is_config else history.latest
    if stood and not history.is_doubtful:
        return before
    for each in history.contents:
        if (stood or each.written_at >= since) and await objects.fits(history, each):
            return each
    return before if stood else None


async def _bring_back(objects: S3Versions, history: History, wanted: Version) -> None:
    markers = markers_above(history, wanted)
    if markers is None:
        await objects.copy_up(wanted)
        return
    for marker in markers:
        await objects.remove(marker)
