"""One gateway with every driver: whatever one device does, the others are read at their periods."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.sweep.adapters import ADAPTERS
from tests.sweep.fitting import Fault, do, site
from tests.sweep.gateway import Part, Running, gateway
from tests.sweep.machine import Machine, watched

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-3.6")]

WINDOW_S = 1.5
PATIENCE_S = 45.0
TRIES = 3
PERIODS, STALL_S = 1.5, 1.0
"""So many periods and so long may pass between readings of a device that is well, on a machine in use."""
PACE = 0.6
"""At least so much of what is due comes over the whole run: cards and advertisements get lost."""
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


async def one_fault(running: Running, machine: Machine, name: str, fault: str) -> list[str]:
    """Have one device do it for a while; return which others were read too rarely meanwhile."""
    done = faults_of(running.parts[name])[fault]
    began = time.monotonic()
    await do(done.begin)
    await asyncio.sleep(max(0.0, began + WINDOW_S - time.monotonic()))
    ended = time.monotonic()
    touched = SAME_BOARD if name in SAME_BOARD else {name}
    held_up_s = machine.stood_still_s(began - STALL_S, ended)
    found = []
    for other, part in running.parts.items():
        pause_s = 0.0 if other in touched else longest_pause_s(part, began, ended)
        if pause_s > PERIODS * part.fitted.every_s + STALL_S + held_up_s:
            found.append(f"{other} was not read for {pause_s:.1f} s while {name} had {fault}")
    await do(done.end)
    for one in touched:
        await living(running.parts[one], time.monotonic(), f"{one} after {fault}")
        running.parts[one].away.append((began, time.monotonic()))
    return found


def pace(part: Part, since: float, to: float) -> float:
    """Return how much came of what was due while the device was well."""
    came = [at for at in part.came if not any(began <= at <= ended for began, ended in part.away)]
    well_s = to - since - sum(ended - began for began, ended in part.away)
    return sum(since < at <= to for at in came) * part.fitted.every_s / well_s


async def surely(running: Running, machine: Machine, name: str, fault: str) -> list[str]:
    """Return what is found each time: a machine that is busy with others may hold somebody up once."""
    found: list[str] = []
    for _ in range(TRIES):
        found = await one_fault(running, machine, name, fault)
        if not found:
            break
        for other, part in running.parts.items():
            await living(part, time.monotonic(), f"{other} beside {name} with {fault}")
    return found


async def every_fault(running: Running, machine: Machine) -> list[str]:
    """Have every device do everything once; return what was found each time."""
    found: list[str] = []
    for name, part in running.parts.items():
        await living(part, 0.0, f"{name} at the start")
    for name, part in running.parts.items():
        for fault in faults_of(part):
            found += await surely(running, machine, name, fault)
    return found


@pytest.mark.timeout(600)
def test_no_driver_stops_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(machine: Machine) -> None:
        async with site(monkeypatch) as here:
            fitted = {name: await adapter(here) for name, (_, adapter) in ADAPTERS.items()}
            async with gateway(here, fitted) as running:
                assert await every_fault(running, machine) == []
                now = time.monotonic()
                paces = {name: pace(part, part.came[0], now) for name, part in running.parts.items()}
            assert {name: kept for name, kept in paces.items() if kept < PACE} == {}
            for name, part in running.parts.items():
                assert part.supervisor is not None
                assert part.supervisor.crashes == 0, name
                assert [poll for poll in part.collector.polls if not part.fitted.true(poll)] == [], name

    with watched() as machine:
        asyncio.run(scenario(machine))
