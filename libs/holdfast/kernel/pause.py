"""Waiting a while, but not past the moment when something happens."""

import asyncio


async def pause(*events: asyncio.Event, seconds: float) -> None:
    """Return when one of *events* is set, or after *seconds*, whichever comes first."""
    tasks = [asyncio.create_task(each.wait()) for each in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
