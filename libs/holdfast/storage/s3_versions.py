"""An S3 repository's objects with all their versions: the single requests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from holdfast.storage.base import S3Target
from holdfast.storage.versions import LOCKS, RETAINED, History, Version, histories

T = TypeVar("T")

CHUNK = 1 << 20

AT_ONCE = 8
"""Requests at a time; the client has ten connections."""


class Retention(msgspec.Struct, frozen=True, array_like=True):
    """How long a version is kept, as the server says; ``mode`` empty and no time: not at all."""

    until: datetime | None = None
    mode: str = ""
    sound: bool = False
    """The content was seen to be what the name says."""


Ledger = dict[str, Retention]
"""What is known of versions, by ``Version.id``.  Lost, it is asked again: one request each."""


class S3Versions:
    """What is asked of one open client.  botocore's own errors come out: whoever opened it
    makes StorageErrors of them."""

    def __init__(self, client: Any, target: S3Target, folder: str) -> None:
        self.client = client
        self.target = target
        self.folder = folder

    async def put(self, key: str, content: bytes) -> str:
        """Write an object; its version's id, empty if the server gave it none."""
        put = await self.client.put_object(Bucket=self.target.bucket, Key=key, Body=content)
        return str(put.get("VersionId") or "")

    async def hide(self, key: str) -> None:
        """Put a delete marker on top; always allowed where there are versions."""
        await self.client.delete_object(Bucket=self.target.bucket, Key=key)

    async def copy_up(self, version: Version) -> None:
        """Make an old version the newest, as a copy: what is above it may be locked as well."""
        bucket = self.target.bucket
        source = {"Bucket": bucket, "Key": version.key, "VersionId": version.version_id}
        await self.client.copy_object(Bucket=bucket, Key=version.key, CopySource=source)

    async def retention(self, version: Version, ledger: Ledger) -> Retention:
        """How long it is kept: from the ledger, or from the server and then into the ledger."""
        known = ledger.get(version.id)
        if known is not None:
            return known
        answer = await self.client.head_object(
            Bucket=self.target.bucket, Key=version.key, VersionId=version.version_id
        )
        found = Retention(
            answer.get("ObjectLockRetainUntilDate"), answer.get("ObjectLockMode") or ""
        )
        ledger[version.id] = found
        return found

    async def put_retention(self, version: Version, until: datetime, mode: str) -> None:
        """Keep it until then.  Refused when that is sooner than it is kept already."""
        await self.client.put_object_retention(
            Bucket=self.target.bucket,
            Key=version.key,
            VersionId=version.version_id,
            # Whole seconds: not every server understands parts of them.
            Retention={"Mode": mode, "RetainUntilDate": until.replace(microsecond=0)},
        )

    async def remove(self, version: Version) -> None:
        """For good."""
        await self.client.delete_object(
            Bucket=self.target.bucket, Key=version.key, VersionId=version.version_id
        )

    async def fits(self, history: History, version: Version) -> bool:
        """Whether the content is what the name says; of ``config`` nobody can tell."""
        if not history.is_named_by_content:
            return False
        answer = await self.client.get_object(
            Bucket=self.target.bucket, Key=version.key, VersionId=version.version_id
        )
        digest = hashlib.sha256()
        async with answer["Body"] as body:  # closed, whatever breaks it off
            while chunk := await body.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == history.name

    async def histories(self) -> AsyncIterator[tuple[History, ...]]:
        """All that belongs to the repository, a page of names at a time: there may be a
        million of them."""
        for part in (*sorted(RETAINED - {"config"}), LOCKS, "config"):
            prefix = self.folder + part + ("" if part == "config" else "/")
            pages = self.client.get_paginator("list_object_versions")
            found: list[Version] = []
            async for page in pages.paginate(Bucket=self.target.bucket, Prefix=prefix):
                found += [_version(each) for each in page.get("Versions", ())]
                found += [_marker(each) for each in page.get("DeleteMarkers", ())]
                # They come by name, and the last one's may go on with the next page.
                last = max((each.key for each in found), default="")
                yield histories((each for each in found if each.key != last), self.folder)
                found = [each for each in found if each.key == last]
            yield histories(found, self.folder)


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


def status_of(error: Any) -> int:
    """The HTTP status of a botocore ClientError."""
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status


async def is_refused(attempt: Awaitable[Any]) -> bool:
    """Whether the server understood and said no; anything else proves nothing, and is raised."""
    from botocore.exceptions import ClientError

    try:
        await attempt
    except ClientError as error:
        if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        return True
    return False
