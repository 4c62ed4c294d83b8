"""``restic dump``: one file of a snapshot, or a directory as an archive, as a stream."""

import contextlib
from collections.abc import AsyncIterator

import msgspec

from holdfast.restic.errors import error_of
from holdfast.restic.process import Restic


class DumpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to dump."""

    snapshot: str
    path: str
    archive: str = "tar"
    """``tar`` or ``zip``, for a directory; a file comes as it is."""


def argv(options: DumpOptions) -> tuple[str, ...]:
    """restic's arguments."""
    return ("dump", "--archive", options.archive, "--", options.snapshot, options.path)


@contextlib.asynccontextmanager
async def open_stream(restic: Restic, options: DumpOptions) -> AsyncIterator[AsyncIterator[bytes]]:
    """The content in pieces; leaving the block early ends restic.

    The iterator raises at its end when restic failed: what came before is not whole then.
    """
    async with restic.start(argv(options)) as running:

        async def content() -> AsyncIterator[bytes]:
            async for chunk in running.chunks():
                yield chunk
            finished = await running.finish()
            if finished.exit_code != 0:
                raise error_of(finished.exit_code, finished.tail)

        yield content()
