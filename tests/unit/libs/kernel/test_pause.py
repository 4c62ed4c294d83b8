"""A pause ends with the event or with the time."""

import asyncio

from holdfast.kernel.pause import pause


async def test_it_ends_with_the_time() -> None:
    await pause(asyncio.Event(), seconds=0.01)


async def test_it_ends_with_any_of_the_events() -> None:
    never, soon = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(soon.set)

    async with asyncio.timeout(5):
        await pause(never, soon, seconds=3600)


async def test_an_event_that_is_set_already_ends_it_at_once() -> None:
    event = asyncio.Event()
    event.set()

    async with asyncio.timeout(5):
        await pause(event, seconds=3600)
