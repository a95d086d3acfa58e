"""Parts end when they are told to, whatever a library under them does with the word."""

import asyncio
import contextlib

from cloud.supervisor import end


async def _deaf(losses: int) -> None:
    """Go on after this many cancellations, as a loop does whose library kept them to itself."""
    for _ in range(losses):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


def test_part_that_lost_a_cancellation_is_cancelled_again() -> None:
    asyncio.run(_part_that_lost_a_cancellation_is_cancelled_again())


async def _part_that_lost_a_cancellation_is_cancelled_again() -> None:
    parts = [asyncio.create_task(_deaf(losses)) for losses in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end(parts, again_s=0.01)
    assert all(part.cancelled() for part in parts)


def test_part_that_ends_slowly_is_left_to_end() -> None:
    asyncio.run(_part_that_ends_slowly_is_left_to_end())


async def _part_that_ends_slowly_is_left_to_end() -> None:
    put_away = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            put_away.append(True)

    part = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    await end([part])
    assert put_away == [True]
