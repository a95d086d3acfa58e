"""Whoever leaves the connection to BlueZ, at whatever moment, is let go, and nothing of it stays."""

import asyncio
from contextlib import suppress

import pytest

from edge.drivers.ble.bluez import bluez
from tests.edge.drivers.ble.conftest import MakeLab
from tests.sweep.left import held, settled

pytestmark = pytest.mark.requirement("G-3.6")
STEPS_MAX = 200


async def ask() -> None:
    """Connect, ask and leave."""
    async with bluez(lambda: None, timeout_s=2) as service:
        await service.adapters()


async def ended_at(step: int) -> bool:
    """Cancel it once what it waits for has come for the `step`th time, before it runs; False: it was through.

    This process's loop runs a callback that was scheduled earlier first, so the cancellation comes between.
    """
    task = asyncio.create_task(ask())
    seen, before = 0, None
    while not task.done() and seen < step:
        waits_for = getattr(task, "_fut_waiter", None)
        if waits_for is not None and waits_for is not before and waits_for.done():
            seen, before = seen + 1, waits_for
        else:
            await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done, f"still there 5 s after it was cancelled at step {step}"
    with suppress(asyncio.CancelledError):
        await task
    return seen == step


def test_connection_that_is_cancelled_at_any_step_ends_and_leaves_nothing(lab: MakeLab) -> None:
    async def scenario() -> None:
        async with lab():
            await ask()
            before = held()
            step = 1
            while step < STEPS_MAX and await ended_at(step):
                step += 1
            assert 5 < step < STEPS_MAX
            assert await settled(before, 5) == {}

    asyncio.run(scenario())
