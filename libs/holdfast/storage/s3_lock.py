"""S3 Object Lock: proving it, keeping it up, and bringing back what somebody deleted.

Retention belongs to one version of an object.  A plain DELETE is always allowed: it puts a
delete marker on top, and the locked version stays below it.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from holdfast.events.work import ObjectLock
from holdfast.storage.errors import AccessDeniedError, StorageError
from holdfast.storage.lock_errors import (
    NotVersionedError,
    ObjectLockIneffectiveError,
    ObjectLockMissingError,
)
from holdfast.storage.s3 import S3Backend
from holdfast.storage.s3_errors import error_of
from holdfast.storage.versions import (
    LOCKS,
    RETAINED,
    History,
    Version,
    histories,
    markers_above,
    renewal,
    standing_at,
    to_retain,
    to_sweep,
)

T = TypeVar("T")

CANARY = timedelta(minutes=20)
"""More than two clocks may differ in S3, so that it is in the future of the server's too."""

AT_ONCE = 8
"""Requests at a time; the client has ten connections."""


class Retention(msgspec.Struct, frozen=True, array_like=True):
    """How long a version is kept, as the server says; ``mode`` empty and no time: not at all."""

    until: datetime | None = None
    mode: str = ""


Ledger = dict[str, Retention]
"""What is known of versions, by ``Version.id``.  Lost, it is asked again: one request each."""


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """What keeping up came to."""

    retained: int
    """Versions that cannot be deleted now."""
    renewed: int
    """Of these, so many were given a new time."""
    swept: int
    """Deleted versions that went for good."""
    swept_bytes: int
    overwritten: tuple[str, ...]
    """Names that hold other content than before."""


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
        self._bucket = backend.target.bucket
        self._folder = backend.folder

    async def prove(self, lock: ObjectLock, now: datetime) -> None:
        """Lock a small object and try to delete it.

        Raises ObjectLockMissingError, and ObjectLockIneffectiveError when the attempt goes
        through or the lock is not what was asked for.
        """
        async with self._backend.connect() as client:
            await self._insist_on_lock(client)
            key = f"{self._folder}{LOCKS}/holdfast-canary-{uuid4().hex}"
            put = await client.put_object(Bucket=self._bucket, Key=key, Body=b"canary\n")
            version = str(put.get("VersionId") or "")
            try:
                if not version:
                    raise ObjectLockIneffectiveError("The server gave an object no version.")
                await self._prove(client, key, version, lock, now)
            finally:
                await client.delete_object(Bucket=self._bucket, Key=key)

    async def keep_up(
        self, lock: ObjectLock, now: Callable[[], datetime], ledger: Ledger
    ) -> Protected:
        """Retain what is there for at least half of the days more, and sweep what may go.

        *ledger* is brought up to date, also when this is broken off; whatever was done by
        then stays done.
        """
        async with self._backend.connect() as client:
            everything = await self._histories(client)
            self._forget_unknown(ledger, everything)
            retained = [each for one in everything for each in to_retain(one)]
            renewed = 0

            async def retain(version: Version) -> None:
                nonlocal renewed
                held = await self._retention(client, version, ledger)
                until = renewal(held.until, now(), lock.days)
                if until is None:
                    return
                # A mode cannot be changed without a right that nobody should have.
                mode = held.mode or lock.mode.value.upper()
                await self._put_retention(client, version, until, mode)
                ledger[version.id] = Retention(until, mode)
                renewed += 1

            await each_of(retained, retain)
            swept = await self._sweep(client, lock, now, everything, ledger)
            suspects = [one for one in everything if one.was_overwritten]
            overwritten = [
                one.key.removeprefix(self._folder)
                for one in suspects
                if one.part in RETAINED and not await self._fits(client, one, one.latest)
            ]
        return Protected(
            retained=len(retained),
            renewed=renewed,
            swept=len(swept),
            swept_bytes=sum(each.size for each in swept),
            overwritten=tuple(overwritten),
        )

    async def undelete(self, since: datetime) -> Undeleted:
        """Make what stood there at *since* stand there again, and keep what came after it
        and is sound.

        May be broken off and called again.  Raises NotVersionedError.
        """
        async with self._backend.connect() as client:
            versioning = await client.get_bucket_versioning(Bucket=self._bucket)
            if not versioning.get("Status"):
                raise NotVersionedError
            restored: list[str] = []
            hidden = 0

            async def mend(history: History) -> None:
                nonlocal hidden
                wanted = await self._wanted(client, history, since)
                if wanted is not None and not (
                    wanted.is_latest or (not history.is_gone and wanted.equals(history.latest))
                ):
                    await self._bring_back(client, history, wanted)
                    restored.append(history.key.removeprefix(self._folder))
                elif wanted is None and not history.is_gone:
                    await client.delete_object(Bucket=self._bucket, Key=history.key)
                    hidden += 1

            await each_of(await self._histories(client), mend)
        return Undeleted(restored=tuple(sorted(restored)), hidden=hidden)

    # ---- proving

    async def _insist_on_lock(self, client: Any) -> None:
        from botocore.exceptions import ClientError  # late, as in s3.py

        try:
            answer = await client.get_object_lock_configuration(Bucket=self._bucket)
        except ClientError as error:
            told = error_of(error, self._backend.target)
            if isinstance(told, AccessDeniedError):
                raise AccessDeniedError(
                    guidance="The key that keeps the lock up must be allowed to read it: "
                    "s3:GetBucketObjectLockConfiguration.",
                    detail=told.detail,
                ) from error
            if type(told) is StorageError or _status(error) == HTTPStatus.NOT_IMPLEMENTED:
                raise ObjectLockMissingError(detail=told.detail) from error
            raise
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise ObjectLockMissingError

    async def _prove(
        self, client: Any, key: str, version: str, lock: ObjectLock, now: datetime
    ) -> None:
        until, mode = now + CANARY, lock.mode.value.upper()
        canary = Version(key=key, version_id=version, written_at=now, is_latest=True)
        held = await self._retention(client, canary, {})
        # A default of the bucket may hold it already, for longer or in another mode.
        if renewal(held.until, now, days=1) is not None:
            await self._put_retention(client, canary, until, held.mode or mode)
            held = await self._retention(client, canary, {})
        if held.until is None or held.until < until - timedelta(minutes=1):
            raise ObjectLockIneffectiveError("The server took a retention and did not keep it.")
        if lock.mode.value == "compliance" and held.mode != mode:
            raise ObjectLockIneffectiveError(
                f"The bucket's default retention is {held.mode}, which a key can be allowed to "
                "bypass.",
                guidance="Take that default off the bucket or make it COMPLIANCE, or choose "
                "the mode governance.",
            )
        if not await _is_refused(self._remove(client, canary)):
            raise ObjectLockIneffectiveError(
                "The server says that it has Object Lock, but it deleted a locked version."
            )
        sooner = self._put_retention(client, canary, now + CANARY / 2, held.mode)
        if not await _is_refused(sooner):
            raise ObjectLockIneffectiveError(
                "The server says that it has Object Lock, but it shortened a retention."
            )

    # ---- single requests

    async def _retention(self, client: Any, version: Version, ledger: Ledger) -> Retention:
        known = ledger.get(version.id)
        if known is not None:
            return known
        answer = await client.head_object(
            Bucket=self._bucket, Key=version.key, VersionId=version.version_id
        )
        found = Retention(
            answer.get("ObjectLockRetainUntilDate"), answer.get("ObjectLockMode") or ""
        )
        ledger[version.id] = found
        return found

    async def _put_retention(
        self, client: Any, version: Version, until: datetime, mode: str
    ) -> None:
        await client.put_object_retention(
            Bucket=self._bucket,
            Key=version.key,
            VersionId=version.version_id,
            # Whole seconds: not every server understands parts of them.
            Retention={"Mode": mode, "RetainUntilDate": until.replace(microsecond=0)},
        )

    async def _remove(self, client: Any, version: Version) -> None:
        await client.delete_object(
            Bucket=self._bucket, Key=version.key, VersionId=version.version_id
        )

    async def _fits(self, client: Any, history: History, version: Version) -> bool:
        """Whether the content is what the name says; of ``config`` nobody can tell."""
        if not history.is_named_by_content:
            return False
        answer = await client.get_object(
            Bucket=self._bucket, Key=version.key, VersionId=version.version_id
        )
        digest = hashlib.sha256()
        async for chunk in answer["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
        return digest.hexdigest() == history.name

    # ---- all of them

    async def _histories(self, client: Any) -> tuple[History, ...]:
        found: list[Version] = []
        for prefix in (*sorted(RETAINED - {"config"}), LOCKS, "config"):
            below = self._folder + prefix + ("" if prefix == "config" else "/")
            pages = client.get_paginator("list_object_versions")
            async for page in pages.paginate(Bucket=self._bucket, Prefix=below):
                found += [_version(each) for each in page.get("Versions", ())]
                found += [_marker(each) for each in page.get("DeleteMarkers", ())]
        return histories(found, self._folder)

    async def _sweep(
        self,
        client: Any,
        lock: ObjectLock,
        now: Callable[[], datetime],
        everything: Iterable[History],
        ledger: Ledger,
    ) -> list[Version]:
        swept: list[Version] = []

        async def sweep(history: History) -> None:
            for version in to_sweep(history, now(), timedelta(days=lock.days)):
                if version.is_marker:
                    await self._remove(client, version)
                elif await self._sweep_one(client, version, now(), ledger):
                    swept.append(version)
                else:
                    return  # and so the marker above it stays

        await each_of(everything, sweep)
        return swept

    async def _sweep_one(
        self, client: Any, version: Version, now: datetime, ledger: Ledger
    ) -> bool:
        """Delete a version for good; False: it is still held."""
        held = await self._retention(client, version, ledger)
        # The server's clock may be behind ours.
        if held.until is not None and held.until > now - CANARY:
            return False
        del ledger[version.id]  # whatever comes of it: next time the server is asked
        if not await _is_refused(self._remove(client, version)):
            return True
        # It was held for longer since we last asked; or we may not, which a person must know.
        held = await self._retention(client, version, ledger)
        if held.until is None or held.until <= now - CANARY:
            raise AccessDeniedError(
                f"Old versions may not be deleted: {version.key}.",
                guidance="The maintenance key must be allowed to s3:DeleteObjectVersion; "
                "if there is a legal hold on them, lift it or leave them.",
            )
        return False

    async def _wanted(self, client: Any, history: History, since: datetime) -> Version | None:
        """What is to stand there; None: nothing."""
        before = standing_at(history, since)
        if history.part == LOCKS:
            # A lock is nothing to bring back; but one that is none stops every restic.
            sound = history.is_gone or await self._fits(client, history, history.latest)
            return history.latest if sound else None
        if before is not None and not before.is_marker:
            return before
        for each in history.contents:
            if each.written_at >= since and await self._fits(client, history, each):
                return each
        return None

    async def _bring_back(self, client: Any, history: History, wanted: Version) -> None:
        markers = markers_above(history, wanted)
        if markers is None:
            # Copied on top: what is above may be locked as well.
            source = {"Bucket": self._bucket, "Key": wanted.key, "VersionId": wanted.version_id}
            await client.copy_object(Bucket=self._bucket, Key=wanted.key, CopySource=source)
            return
        for marker in markers:
            await self._remove(client, marker)

    @staticmethod
    def _forget_unknown(ledger: Ledger, everything: Iterable[History]) -> None:
        there = {each.id for one in everything for each in one.entries}
        for gone in ledger.keys() - there:
            del ledger[gone]


async def each_of(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do *work* for each, a few at a time; the first error ends it."""
    waiting: Iterator[T] = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    tasks = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _version(listed: Any) -> Version:
    return Version(
        key=listed["Key"],
        version_id=listed["VersionId"],
        written_at=listed["LastModified"],
        is_latest=listed["IsLatest"],
        size=listed["Size"],
        etag=listed.get("ETag", "").strip('"'),
    )


def _marker(listed: Any) -> Version:
    return Version(
        key=listed["Key"],
        version_id=listed["VersionId"],
        written_at=listed["LastModified"],
        is_latest=listed["IsLatest"],
        is_marker=True,
    )


def _status(error: Any) -> int:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status


async def _is_refused(attempt: Awaitable[Any]) -> bool:
    """Whether the server understood and said no; anything else proves nothing, and is raised."""
    from botocore.exceptions import ClientError

    try:
        await attempt
    except ClientError as error:
        if _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return True
    return False
