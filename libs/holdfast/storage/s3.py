"""An S3-compatible bucket, by aiobotocore.

Importing aiobotocore takes 0.4 s and 50 MB, so only a process that meets an S3
destination does it, and only then.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any
from uuid import uuid4

from holdfast.storage.base import (
    DATA_FOLDERS,
    LOCK_NAME,
    REPOSITORY_PARTS,
    Found,
    S3Target,
    checked_lock,
    digest_of,
)
from holdfast.storage.errors import NotJustInitialisedError, NotStorageError
from holdfast.storage.s3_address import bucket_folder, endpoint_url, is_virtual_host, repository_url
from holdfast.storage.s3_errors import error_of

CONNECT_SECONDS = 5
READ_SECONDS = 10
PROBE = b"holdfast was here\n"

OURS = "locks/holdfast-"
"""What a probe's name begins with: below ``locks/``, the one place where a restricted key may
delete.  restic passes over names there that are no locks."""


class S3Backend:
    """Each call is a connection of its own: destinations are asked seldom."""

    def __init__(self, target: S3Target) -> None:
        self.target = self._target = target
        self.folder = self._folder = bucket_folder(target)

    @property
    def repository_url(self) -> str:
        return repository_url(self._target)

    @property
    def place(self) -> str:
        return f"{self._target.bucket}/{self._folder}".rstrip("/")

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """One client for many calls; what goes wrong inside is raised as a StorageError."""
        return self._client()

    async def probe(self, *, write: bool) -> Found:
        async with self._client() as client:
            if write:
                await self._try_writing(client)
            found = {part for part in sorted(REPOSITORY_PARTS) if await self._has(client, part)}
            return Found(
                has_config="config" in found,
                has_parts=bool(found),
                has_data=bool(found.intersection(DATA_FOLDERS)),
                config_digest=await self._config_digest(client) if "config" in found else "",
            )

    async def _config_digest(self, client: Any) -> str:
        key = f"{self._folder}config"
        answer = await client.get_object(Bucket=self._target.bucket, Key=key)
        return digest_of(await answer["Body"].read())

    async def _has(self, client: Any, part: str) -> bool:
        """Whether the object, or anything below the folder, is there.

        Each is asked for by name: a listing of the whole place ends after a thousand
        names, and what it did not reach would count as missing.
        """
        key = self._folder + part
        prefix = key if part == "config" else key + "/"
        listed = await client.list_objects_v2(Bucket=self._target.bucket, Prefix=prefix, MaxKeys=1)
        # A probe that somebody died of is nobody's; being no hex number, it comes last.
        names = [
            each["Key"]
            for each in listed.get("Contents", ())
            if not each["Key"].startswith(self._folder + OURS)
        ]
        return key in names if part == "config" else bool(names)

    async def prepare(self) -> None:
        """A bucket needs no directories."""

    async def remove_initialisation(self) -> None:
        found = await self.probe(write=False)
        if found.has_data:
            raise NotJustInitialisedError(f"{self.repository_url} holds data; nothing was removed.")
        async with self._client() as client:
            # The config first: what is left then is no repository, and is cleaned next time.
            await client.delete_object(Bucket=self._target.bucket, Key=self._folder + "config")
        for name in await self.list_keys():
            await self.delete_key(name)

    async def list_keys(self) -> tuple[str, ...]:
        return await self._names("keys")

    async def read_key(self, name: str) -> bytes:
        async with self._client() as client:
            answer = await client.get_object(Bucket=self._target.bucket, Key=self._key(name))
            content: bytes = await answer["Body"].read()
            return content

    async def write_key(self, name: str, content: bytes) -> None:
        async with self._client() as client:
            await client.put_object(Bucket=self._target.bucket, Key=self._key(name), Body=content)

    async def delete_key(self, name: str) -> None:
        async with self._client() as client:
            await client.delete_object(Bucket=self._target.bucket, Key=self._key(name))

    async def list_locks(self) -> tuple[str, ...]:
        return tuple(name for name in await self._names("locks") if LOCK_NAME.fullmatch(name))

    async def delete_lock(self, name: str) -> None:
        key = f"{self._folder}locks/{checked_lock(name)}"
        async with self._client() as client:
            await client.delete_object(Bucket=self._target.bucket, Key=key)

    async def _names(self, folder: str) -> tuple[str, ...]:
        prefix = f"{self._folder}{folder}/"
        async with self._client() as client:
            listed = await client.list_objects_v2(Bucket=self._target.bucket, Prefix=prefix)
            return tuple(sorted(each["Key"][len(prefix) :] for each in listed.get("Contents", ())))

    def _key(self, name: str) -> str:
        return f"{self._folder}keys/{name}"

    async def _try_writing(self, client: Any) -> None:
        name = f"{self._folder}{OURS}probe-{uuid4().hex}"
        await client.put_object(Bucket=self._target.bucket, Key=name, Body=PROBE)
        try:
            # Any web server answers 200 to something; only storage gives back what it took.
            answer = await client.get_object(Bucket=self._target.bucket, Key=name)
            if await answer["Body"].read() != PROBE:
                raise NotStorageError
        finally:
            await client.delete_object(Bucket=self._target.bucket, Key=name)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        """A client; what goes wrong inside is raised as the StorageError it means."""
        from aiobotocore.config import AioConfig  # see the module's docstring
        from aiobotocore.session import AioSession
        from botocore.exceptions import BotoCoreError, ClientError

        config = AioConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
            s3={"addressing_style": "virtual" if is_virtual_host(self._target) else "path"},
            # The newer checksums are more than many S3-compatible servers understand.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            async with (
                _trusted(self._target) as trusted,
                _session(AioSession).create_client(
                    "s3",
                    endpoint_url=endpoint_url(self._target.endpoint),
                    region_name=self._target.region or "us-east-1",
                    aws_access_key_id=self._target.access_key.reveal(),
                    aws_secret_access_key=self._target.secret_key.reveal(),
                    verify=trusted,
                    config=config,
                ) as client,
            ):
                yield client
        except (BotoCoreError, ClientError, OSError) as error:
            raise error_of(error, self._target) from error


@asynccontextmanager
async def _trusted(target: S3Target) -> AsyncIterator[str | None]:
    """A path at which the destination's own certificates can be read, from memory; or None."""
    if not target.ca_certificate:
        yield None
        return
    descriptor = os.memfd_create("holdfast-ca", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, target.ca_certificate.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@cache
def _session(kind: Any) -> Any:
    """One that ignores the machine's own AWS settings: only the target's count.

    A profile that is set but missing would make every destination fail.  Kept, because it
    keeps the description of S3, which takes a third of a second to read.
    """
    return kind(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, "/dev/null", None),
            "credentials_file": (None, None, "/dev/null", None),
        }
    )
