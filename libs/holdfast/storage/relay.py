"""A relay: rclone between restic and a destination, on a port of this machine, for one run.

restic talks to it with credentials that live as long as the run, and never sees those of
the destination.  An append-only relay takes what is new, gives back what is there, and
deletes nothing but restic's locks: whoever gets hold of restic can add to the repository,
and that is all.

rclone finds its secrets in inherited descriptors of memory: they are in no argument, no
environment and on no disk.  It ends with us as restic does.
"""

import asyncio
import contextlib
import os
import re
import secrets
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.devices.base import DeviceLostError, Process, Program, Runner
from holdfast.kernel.secret import Secret
from holdfast.storage.base import LocalTarget, Target
from holdfast.storage.errors import StorageError, StorageFullError
from holdfast.storage.rclone import Remote, remote_of
from holdfast.storage.registry import reachable

T = TypeVar("T")

USER = "holdfast"
LISTING = {"Accept": "application/vnd.x.restic.rest.v2"}
"""The form of a folder's listing; of an object it says nothing."""
START_SECONDS = 30.0
TAIL_LINES = 10
LISTENS = re.compile(rb"Serving restic REST API on \[?(http://127\.0\.0\.1:\d+)/")


FULL = re.compile(
    rb"Post request rcat error:.*"
    rb"(no space left|remaining disk space|quota exceeded|quotaexceeded|storagefull)",
    re.I,
)
"""restic is only told 500, and would try the same again for a quarter of an hour."""
BROKEN = re.compile(rb"Post request rcat error:")
"""What was not taken may lie there in part; when it is sent again it looks like
an overwrite, and is refused."""
MOST_FAILURES = 12
"""Uploads that the storage did not take; restic sends two at a time, and each again and again."""
WORDS_SECONDS = 1.0
"""rclone's words on a failure come by another way than the answer that restic had."""


class RelayError(StorageError):
    """The relay to the destination ended before the work was done."""

    code = "relay_ended"
    guidance = "It is tried again; if it happens each time, the detail has rclone's own words."
    retryable = True


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay answered."""

    status: int
    content: bytes


class Log:
    """rclone's last words, and what in them restic is not told."""

    def __init__(self) -> None:
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.full = asyncio.Event()
        self.broken = asyncio.Event()
        self.hopeless = asyncio.Event()
        self._failures = 0

    @property
    def detail(self) -> str:
        """The last lines as one text."""
        return "\n".join(self._tail)

    def keep(self, line: bytes) -> None:
        """Take in one line."""
        self._tail.append(line.decode(errors="backslashreplace")[:500])
        if FULL.search(line):
            self.full.set()
        if BROKEN.search(line):
            self.broken.set()
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self.hopeless.set()


class Relay:
    """A relay that listens."""

    def __init__(self, address: str, password: Secret, process: Process, log: "Log") -> None:
        self.address = address
        """``http://127.0.0.1:port``"""
        self.password = password
        self._process = process
        self._log = log

    def repository_url(self, folder: str = "") -> str:
        """The repository in *folder* of the destination, as restic takes it: a secret."""
        place = self.address.replace("://", f"://{USER}:{self.password.reveal()}@")
        return f"rest:{place}/{folder.strip('/')}{'/' if folder else ''}"

    async def ask(self, method: str, path: str, content: bytes = b"") -> Answer:
        """One request as restic makes them, but for anything.  Raises RelayError."""
        import httpx  # only who tests the protection needs it

        auth = (USER, self.password.reveal())
        try:
            async with httpx.AsyncClient(auth=auth, trust_env=False, timeout=60) as client:
                response = await client.request(
                    method, f"{self.address}/{path}", content=content, headers=LISTING
                )
        except httpx.HTTPError as error:
            raise RelayError(detail=f"{error}\n{self._log.detail}") from error
        return Answer(status=response.status_code, content=response.content)

    async def while_it_lives(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work*; RelayError as soon as rclone is gone, StorageFullError when it is full.

        restic would go on for a quarter of an hour in either case.
        """
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._process.wait())
        filling = asyncio.create_task(self._log.full.wait())
        failing = asyncio.create_task(self._log.hopeless.wait())
        tasks = (working, ending, filling, failing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                error = working.exception()
                # A device that is lost breaks what it was sending off: the storage is not at fault.
                if error is not None and not isinstance(error, DeviceLostError):
                    await self._raise_its_cause()
                return working.result()
            raise (StorageFullError if filling.done() else RelayError)(detail=self._log.detail)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _raise_its_cause(self) -> None:
        """The storage's own failure, if there was one: restic only knows of refused requests."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WORDS_SECONDS):
                await self._log.broken.wait()
        if self._log.full.is_set():
            raise StorageFullError(detail=self._log.detail)
        if self._log.broken.is_set():
            raise RelayError("The storage behind the relay failed.", detail=self._log.detail)


@contextlib.asynccontextmanager
async def open_relay(
    rclone: Path, runner: Runner, target: Target, *, append_only: bool, run_id: str = ""
) -> AsyncIterator[Relay]:
    """A relay to *target* while the block lasts.  Raises RelayError when it does not start."""
    async with (
        reachable(target) as near,
        _serving(
            rclone, runner, await remote_of(near, rclone, runner), append_only, run_id
        ) as relay,
    ):
        yield relay
        if isinstance(target, LocalTarget):
            # rclone does not: a snapshot that was told of must outlive a power cut.
            await asyncio.to_thread(os.sync)


@contextlib.asynccontextmanager
async def _serving(
    rclone: Path, runner: Runner, remote: Remote, append_only: bool, run_id: str
) -> AsyncIterator[Relay]:
    password = Secret(secrets.token_urlsafe(32))
    program = Program(
        argv=(
            str(rclone), "serve", "restic", "--addr", "127.0.0.1:0",
            *(("--append-only",) if append_only else ()),
            # Each object is looked at anew: what was refused is what the storage holds.
            "--cache-objects=false",
            "--", remote.path,
        ),
        run_id=run_id,
        secrets={**remote.secrets, "RCLONE_HTPASSWD": _htpasswd(password)},
    )  # fmt: skip
    log = Log()
    async with runner.start(program) as process:
        lines = process.error_lines()
        address = await _listening(lines, log)
        draining = asyncio.create_task(_drain(lines, log))
        try:
            yield Relay(address, password, process, log)
        finally:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)


async def _listening(lines: AsyncIterator[bytes], log: Log) -> str:
    """The address, which rclone tells once it listens there."""
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in lines:
                log.keep(line)
                if found := LISTENS.search(line):
                    return found[1].decode()
    except TimeoutError as error:
        raise RelayError("The relay did not start in time.", detail=log.detail) from error
    raise RelayError("The relay did not start.", detail=log.detail)


async def _drain(lines: AsyncIterator[bytes], log: Log) -> None:
    async for line in lines:
        log.keep(line)


def _htpasswd(password: Secret) -> Secret:
    """A line of Apache's form.

    SHA-1 without salt is enough for 256 random bits, and costs nothing on each request.
    """
    digest = b64encode(sha1(password.reveal().encode(), usedforsecurity=False).digest())
    return Secret(f"{USER}:{{SHA}}{digest.decode()}\n")
