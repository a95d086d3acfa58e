"""The gateway of `heng bench control`: the gateway's own code, with a clock held to interlocks and doors.

Settings, devices, journal and load are those of a gateway of the demo; nobody answers at its broker's
address. Samples are shown to control where decoded polls come by, and the time is taken when the driver of
the output has written. Between trips somebody acknowledges, resets and enables. Results are lines of JSON.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.control_doors import hold_cards, rights
from edge.access.room import Access
from edge.control.interlocks import Interlocks
from edge.control.outputs import OutputDriver
from edge.control.room import Control
from edge.driver import Driver
from edge.main import Gateway
from edge.world import real_world
from provisioning.identity import GatewayIdentity
from rules.interlock.inputs import Acknowledge, Asked, Enable, Person, Reset, Right
from rules.interlock.state import Phase
from wire.control import InterlockNow
from wire.messages import Layout, Poll
from wire.settings.gateway import GatewaySettings, read_settings
from wire.settings.interlock import InterlockSettings, LimitCause

WHO = Person("bench", frozenset(Right))
WARM_UP_S, READY_S, WRITTEN_S = 10.0, 60.0, 5.0
LONGEST_S = 120.0
SAFE = 0
APART_S = 0.05
"""At most so long between a release and the next trip; by chance, so that trips meet every kind of load."""
_LOOK_S = 0.005
TICK_S = 0.02
T = TypeVar("T")
Write = Callable[[str, int], Awaitable[None]]


class Watched(Gateway):
    """A gateway whose control can be reached."""

    @property
    def control(self) -> Control | None:
        """Once it runs."""
        return self._control

    @property
    def drivers(self) -> Sequence[Driver]:
        """Of all devices."""
        return self._crew.drivers

    @property
    def layouts(self) -> Sequence[Layout]:
        """Of all polls."""
        return self._crew.layouts


@dataclass(slots=True)
class Line:
    """One interlock with its cause and its output."""

    name: str
    output: str
    layout: Layout
    place: int
    tick: Callable[[], int]
    bad: int
    """Count of a value far beyond the limit."""
    good: int
    written_ns: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)

    def poll(self, count: int) -> Poll:
        """Return a decoded poll of the device with this value in its place; the others were not read."""
        counts: list[int | None] = [None] * len(self.layout.points)
        counts[self.place] = count
        flags = [(place, 17) for place in range(len(counts)) if place != self.place]
        return Poll(self.layout.id, self.tick(), counts, flags)


def line_of(rule: InterlockSettings, gateway: Watched, tick: Callable[[], int]) -> Line:
    """Return what is needed to trip an interlock by a limit."""
    cause, (_, effect) = rule.group[0].cause[0], next(iter(rule.outputs()))
    assert isinstance(cause, LimitCause)
    assert cause.high is not None
    layout = next(one for one in gateway.layouts if cause.point in one.points)
    place = layout.points.index(cause.point)
    scale = 10 ** -layout.exponents[place]
    return Line(rule.name, effect.target, layout, place, tick, int(cause.high * 2 * scale), int(20 * scale))


def listen(drivers: Sequence[Driver], lines: Sequence[Line]) -> None:
    """Have the time taken whenever a driver has written an output of an interlock."""
    by_output = {line.output: line for line in lines}
    for driver in drivers:
        if isinstance(driver, OutputDriver) and {one.name for one in driver.outputs} & set(by_output):
            object.__setattr__(driver, "write", _timed(driver.write, by_output))


def _timed(write: Write, by_output: Mapping[str, Line]) -> Write:
    async def timed(output: str, counts: int) -> None:
        await write(output, counts)
        if output in by_output and counts == SAFE:
            by_output[output].written_ns = time.perf_counter_ns()
            by_output[output].written.set()

    return timed


async def trip_again_and_again(
    control: Control, interlocks: Interlocks, lines: Sequence[Line], *, trips: int
) -> list[float]:
    """Trip interlocks so often in all; return milliseconds from decoded sample to output write."""
    chance, left, found = random.Random(7), trips, []

    async def run(line: Line) -> None:
        nonlocal left
        await release(control, interlocks, line)
        while left > 0:
            await asyncio.sleep(chance.uniform(TICK_S, APART_S))
            if state(interlocks, line.name).phase != Phase.HEALTHY or not interlocks.releases(line.output):
                await release(control, interlocks, line)  # something else tripped it
                continue
            line.written.clear()
            poll, begun = line.poll(line.bad), time.perf_counter_ns()
            control.look(poll)
            if state(interlocks, line.name).phase == Phase.HEALTHY:
                continue  # the device itself was read within the same 10 ms: of one instant the first counts
            left -= 1
            async with asyncio.timeout(WRITTEN_S):
                await line.written.wait()
            found.append((line.written_ns - begun) / 1e6)
            await _confirmed(interlocks, line)  # nobody resets before the safe state is confirmed
            await release(control, interlocks, line)

    async with asyncio.TaskGroup() as tasks:
        for line in lines:
            tasks.create_task(run(line))
    return found


async def tell_when_safe(control: Control, interlocks: Interlocks, line: Line) -> None:
    """Release an interlock again and again, and say when its effect is confirmed in its safe state."""
    while True:
        await release(control, interlocks, line, shown=False)
        print(json.dumps({"released": line.name}), flush=True)
        await _confirmed(interlocks, line)
        print(json.dumps({"safe": line.name, "at_ns": time.monotonic_ns()}), flush=True)


async def _confirmed(interlocks: Interlocks, line: Line) -> None:
    for _ in range(round(LONGEST_S * 1000)):
        if _is_safe(state(interlocks, line.name)):
            return
        await asyncio.sleep(0.001)


def _is_safe(now: InterlockNow) -> bool:
    return now.phase != Phase.HEALTHY and all(one.safe and one.confirmed for one in now.effects)


async def release(control: Control, interlocks: Interlocks, line: Line, *, shown: bool = True) -> None:
    """Have an interlock healthy and its output released; `shown`: by a sample of ours, not of the device."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        now = state(interlocks, line.name)
        if now.phase == Phase.HEALTHY and interlocks.releases(line.output):
            return
        if shown:
            control.look(line.poll(line.good))
        for kind in (Acknowledge, Reset, Enable):
            asked: Asked = kind(by=WHO, breach=state(interlocks, line.name).breach)
            await interlocks.act(line.name, asked)
        await asyncio.sleep(_LOOK_S)
    raise SystemExit(f"{line.name}: not released within {READY_S:g} s: {state(interlocks, line.name)}")


def state(interlocks: Interlocks, name: str) -> InterlockNow:
    """Return an interlock as it stands."""
    return next(one for one in interlocks.now() if one.name == name)


async def until(find: Callable[[], T | None]) -> T:
    """Return what is there at last."""
    for _ in range(round(READY_S / _LOOK_S)):
        if (found := find()) is not None:
            return found
        await asyncio.sleep(_LOOK_S)
    raise SystemExit(f"the gateway has no control after {READY_S:g} s")


async def measure(settings: GatewaySettings, folder: Path, *, trips: int, cards: int) -> None:
    """Run the gateway, measure and say what was found; with no trips say when breaches were made safe."""
    world = real_world()
    identity = GatewayIdentity.load(folder / settings.gateway.identity)
    gateway = Watched(settings, folder=folder, identity=identity, world=world)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.run(stop))
        control = await until(lambda: gateway.control)
        await asyncio.sleep(WARM_UP_S)
        interlocks = control._interlocks
        lines = [line_of(one, gateway, world.now_tick) for one in settings.interlock]
        listen(gateway.drivers, lines)
        print(json.dumps({"bound_s": max(one.breach_s for one in interlocks.now())}), flush=True)
        if cards:
            access = next(one for one in control._members if isinstance(one, Access))
            for _ in range(round(READY_S / _LOOK_S)):
                if access.rights.key:
                    break
                await asyncio.sleep(_LOOK_S)
            await access.rights.take(rights(settings.gateway.id, access.rights, settings.portal))
            held = await hold_cards(control, access.rights, settings.portal, number=cards)
            print(json.dumps({"access_ms": held}), flush=True)
            stop.set()
        elif trips:
            found = await trip_again_and_again(control, interlocks, lines, trips=trips)
            print(json.dumps({"interlock_ms": found}), flush=True)
            stop.set()
        else:
            for line in lines:
                tasks.create_task(tell_when_safe(control, interlocks, line))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--trips", type=int, default=0)
    parser.add_argument("--cards", type=int, default=0)
    arguments = parser.parse_args()
    settings, faults = read_settings(arguments.settings)
    if settings is None:
        raise SystemExit("; ".join(map(str, faults)))
    asyncio.run(
        measure(settings, arguments.settings.resolve().parent, trips=arguments.trips, cards=arguments.cards)
    )


if __name__ == "__main__":
    main()
