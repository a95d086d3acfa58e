"""One gateway with every driver: whatever one device does, the others are read at their periods."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.sweep.adapters import ADAPTERS
from tests.sweep.fitting import Fault, do, site
from tests.sweep.gateway import Part, Running, gateway

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-3.6")]

WINDOW_S = 1.5
PATIENCE_S = 45.0
STALL_S = 0.75
"""So long may the machine itself hold everything up."""
PERIODS = 3
"""So many periods may pass between two readings of a device that is well: a card may get lost."""
SAME_BOARD = frozenset({"gpio", "wiegand"})
"""Both are on the pins of the one board: what it does, it does to both."""
ASKED = ("garbage", "silence", "reset")
"""A device answers garbage, hangs, and closes; beside them a thread or a child of its driver stands still."""


def faults_of(part: Part) -> dict[str, Fault]:
    asked = {fault: part.fitted.faults[fault] for fault in ASKED}
    return asked | ({"block": part.fitted.block} if part.fitted.block else {})


async def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


async def living(part: Part, since: float, what: str) -> None:
    await until(lambda: len([at for at in part.came if at > since]) >= 2, f"{what}: does not come back")


def longest_pause_s(part: Part, since: float, to: float) -> float:
    """Return the longest time without a sign of life that reaches into a stretch of time."""
    moments = [max(at for at in part.came if at <= since), *(at for at in part.came if since < at <= to), to]
    return max(after - before for before, after in pairwise(moments))


async def one_fault(running: Running, name: str, fault: str) -> list[str]:
    """Have one device do it for a while; return which others were read too rarely meanwhile."""
    done = faults_of(running.parts[name])[fault]
    began = time.monotonic()
    await do(done.begin)
    await asyncio.sleep(max(0.0, began + WINDOW_S - time.monotonic()))
    ended = time.monotonic()
    found = []
    for other, part in running.parts.items():
        if other == name or {name, other} <= SAME_BOARD:
            continue
        pause_s = longest_pause_s(part, began, ended)
        if pause_s > PERIODS * part.fitted.every_s + STALL_S:
            found.append(f"{other} was not read for {pause_s:.1f} s while {name} had {fault}")
    await do(done.end)
    for again in {name} | (SAME_BOARD if name in SAME_BOARD else set()):
        await living(running.parts[again], time.monotonic(), f"{again} after {fault}")
    return found


@pytest.mark.timeout(400)
def test_no_driver_stops_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with site(monkeypatch) as here:
            fitted = {name: await adapter(here) for name, (_, adapter) in ADAPTERS.items()}
            found: list[str] = []
            async with gateway(here, fitted) as running:
                for name, part in running.parts.items():
                    await living(part, 0.0, f"{name} at the start")
                for name, part in running.parts.items():
                    for fault in faults_of(part):
                        found += await one_fault(running, name, fault)
            assert found == []
            for name, part in running.parts.items():
                assert part.supervisor is not None
                assert part.supervisor.crashes == 0, name
                assert [poll for poll in part.collector.polls if not part.fitted.true(poll)] == [], name

    asyncio.run(scenario())
