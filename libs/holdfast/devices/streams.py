"""What a program writes, wherever it runs; and ending things to their end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

CHUNK = 64 * 1024


async def chunks_of(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The content as it comes."""
    while chunk := await stream.read(CHUNK):
        yield chunk


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of any length, made of *chunks*, without their newline."""
    pieces: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        pieces.append(first)
        if not others:
            continue
        yield b"".join(pieces)
        for line in others[:-1]:
            yield line
        pieces = [others[-1]]
    last = b"".join(pieces)
    if last:
        yield last


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Read it all and keep nothing."""
    # Somebody who still waits for this stream drains it for us.
    with contextlib.suppress(RuntimeError):
        async for _ in chunks:
            pass


async def to_the_end(work: Coroutine[object, object, None]) -> None:
    """Finish *work* even when this task is cancelled meanwhile, then let the cancellation on."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                break
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
