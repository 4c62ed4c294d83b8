"""The objects of a repository in a bucket."""

import base64
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, cast

from holdfast.storage.base import S3Target
from holdfast.storage.local import in_thread
from holdfast.storage.objects import (
    CHUNK,
    NAME,
    SET_ASIDE,
    ObjectInfo,
    ObjectMissingError,
    checked_path,
    name_in,
)
from holdfast.storage.s3_address import bucket_folder

IN_MEMORY = 8 * 1024 * 1024
"""Bytes of one object; a larger one waits in a file.  It is encrypted, so nobody can read it."""


class S3Objects:
    """All through one client, which lives as long as the block that opened it."""

    def __init__(self, target: S3Target, client: Any) -> None:
        self._bucket = target.bucket
        self._folder = bucket_folder(target)
        self._client = client

    async def names(self, folder: str) -> Mapping[str, ObjectInfo]:
        return {
            name_in(each["Key"]): ObjectInfo(size=each["Size"], modified_at=each["LastModified"])
            async for each in self._listed(f"{folder}/")
            if NAME.fullmatch(name_in(each["Key"]))
        }

    async def size(self, path: str) -> int | None:
        from botocore.exceptions import ClientError  # see s3.py

        try:
            answer = await self._client.head_object(Bucket=self._bucket, Key=self._key(path))
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        size: int = answer["ContentLength"]
        return size

    async def read(self, path: str) -> AsyncIterator[bytes]:
        from botocore.exceptions import ClientError  # see s3.py

        try:
            answer = await self._client.get_object(Bucket=self._bucket, Key=self._key(path))
        except ClientError as error:
            if _is_missing(error):
                raise ObjectMissingError(f"{path} is not there.") from error
            raise
        async with answer["Body"] as body:
            while chunk := await body.read(CHUNK):
                yield chunk

    @asynccontextmanager
    async def receive(self, path: str) -> AsyncIterator["S3Incoming"]:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            yield S3Incoming(self._client, self._bucket, self._key(path), cast(BinaryIO, spool))

    async def delete(self, path: str) -> None:
        await self._client.delete_object(Bucket=self._bucket, Key=self._key(path))

    async def set_aside(self, path: str) -> None:
        await self._move(self._key(path), self._aside(path))

    async def aside(self) -> tuple[str, ...]:
        prefix = f"{self._folder}{SET_ASIDE}/"
        return tuple([each["Key"][len(prefix) :] async for each in self._listed(f"{SET_ASIDE}/")])

    async def put_back(self, path: str) -> None:
        await self._move(self._aside(path), self._key(path))

    async def _move(self, source: str, target: str) -> None:
        """First the copy, then the end of the original: it is never in neither place."""
        from botocore.exceptions import ClientError  # see s3.py

        origin = {"Bucket": self._bucket, "Key": source}
        try:
            await self._client.copy_object(Bucket=self._bucket, Key=target, CopySource=origin)
        except ClientError as error:
            if _is_missing(error):
                return
            raise
        await self._client.delete_object(Bucket=self._bucket, Key=source)

    async def _listed(self, below: str) -> AsyncIterator[Any]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._folder + below
        )
        async for page in pages:
            for each in page.get("Contents", ()):
                yield each

    def _key(self, path: str) -> str:
        return self._folder + checked_path(path)

    def _aside(self, path: str) -> str:
        return f"{self._folder}{SET_ASIDE}/{checked_path(path)}"


class S3Incoming:
    """An object that is sent when it is known to be whole: S3 takes it all or not at all."""

    def __init__(self, client: Any, bucket: str, key: str, spool: BinaryIO) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._spool = spool
        # The server compares it with what arrived; it guards the way, not the content.
        self._digest = hashlib.md5(usedforsecurity=False)

    async def write(self, chunk: bytes) -> None:
        await in_thread(self._write, chunk)

    async def commit(self) -> None:
        self._spool.seek(0)
        await self._client.put_object(
            Bucket=self._bucket,
            Key=self._key,
            Body=self._spool,
            ContentMD5=base64.b64encode(self._digest.digest()).decode(),
        )

    def _write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._spool.write(chunk)


def _is_missing(error: Any) -> bool:
    return str(error.response.get("Error", {}).get("Code", "")) in ("404", "NoSuchKey", "NotFound")
