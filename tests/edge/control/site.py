"""A gateway's control without a gateway: one device, a clock moved by hand, a disk that can refuse."""

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from edge.control.given import Given, Member, Part
from edge.control.outputs import Output, OutputError, Outputs
from edge.control.room import Control, Shared
from edge.driver import Declared, Emitter, ProbeLine
from rules.interlock.inputs import Acknowledge, Enable, Person, Reset, Right
from wire.control import InterlockNow
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Scalar
from wire.settings.gateway import GatewaySettings, judged
from wire.status import GapCause, PointKind

ANNE = Person("anne", frozenset(Right))
BORIS = Person("boris", frozenset(Right))
ROOM = make_layout(["room/temperature", "room/door"], [-2, 0])
POINTS = [
    PointDeclaration(name="room/temperature", quantity="temperature", exponent=-2, period_ms=1000),
    PointDeclaration(
        name="room/door", quantity="state", kind=PointKind.STATE, states={"0": "closed", "1": "open"}
    ),
]
HEAD = """
[gateway]
id = "gw-1"
[uplink]
host = "127.0.0.1"
[[device]]
name = "board"
driver = "gpio"
[[device.output]]
name = "relay"
kind = "relay"
pin = 4
"""
WARM = """
[[interlock]]
name = "room"
title = "Room 1"
[[interlock.group]]
name = "climate"
[[interlock.group.cause]]
name = "warm"
kind = "limit"
point = "room/temperature"
high = 24.1
guarded = false
"""
RELAY = """
[[interlock.effect]]
kind = "inhibit_output"
target = "gpio/relay"
"""
WORK = """
[[interlock.effect]]
kind = "hold_work"
target = "lab"
"""


def settings_of(text: str) -> GatewaySettings:
    settings, faults = judged(tomllib.loads(HEAD + text))
    assert settings is not None, faults
    return settings


class Board(Declared):
    """Implements `edge.driver.Driver` and `edge.control.outputs.OutputDriver`."""

    outputs = (
        Output("gpio/relay", "switch", 0, 1, safe=0),
        Output("gpio/enable", "switch", 0, 1, safe=0),
        Output("gpio/lamp", "switch", 0, 1),
    )

    def __init__(self) -> None:
        super().__init__("board", points=POINTS, layouts=[ROOM], late=GapCause.GATEWAY)
        self.values = {output.name: 0 for output in self.outputs}
        self.written: list[tuple[str, int]] = []
        self.stuck = False
        self.gone = False
        self.bugs: dict[str, BaseException] = {}
        """What `write`, that of one output or `read_back` raises although nobody expects that of a driver."""
        self.hangs: dict[str, asyncio.Event] = {}
        """Outputs that are not written until then."""

    async def run(self, emit: Emitter) -> None:
        await asyncio.Event().wait()

    async def probe(self) -> Sequence[ProbeLine]:
        return []

    async def write(self, output: str, counts: int) -> None:
        for bug in (self.bugs.get("write"), self.bugs.get(output)):
            if bug is not None:
                raise bug
        if output in self.hangs:
            await self.hangs[output].wait()
        if self.gone:
            raise OutputError(f"{output}: no answer")
        self.written.append((output, counts))
        if not self.stuck:
            self.values[output] = counts

    async def read_back(self, output: str) -> int | None:
        if "read_back" in self.bugs:
            raise self.bugs["read_back"]
        return None if self.gone else self.values[output]


class Disk:
    """What a journal keeps; it refuses, or hangs, when asked to."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.waiting: dict[str, bytes] = {}
        self.told: list[tuple[str, Mapping[str, Scalar], str]] = []
        self.full = False
        self.hangs: asyncio.Event | None = None

    async def settle(self) -> bool:
        if self.hangs:
            await self.hangs.wait()
        if not self.full:
            self.kept |= self.waiting
        return not self.full

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.told]


class Site:
    """One gateway; `begin` starts it, again with another boot or later when asked."""

    def __init__(self, text: str = WARM + RELAY) -> None:
        self.settings = settings_of(text)
        self.board = Board()
        self.disk = Disk()
        self._real_from: float | None = None
        self.tick = 100_000
        self.utc_ms: int | None = 1_700_000_000_000
        self.boot = b"1" * 16
        self.whole = True
        self.broken = False
        self._read_tick = 0
        self.begin()

    def begin(self, *, boot: bytes | None = None) -> None:
        """Start it with what the disk has; nothing else outlives the process."""
        self.boot = boot or self.boot
        self.disk.waiting = {}
        self.outputs = Outputs(
            [self.board], tell=self.tell, now=lambda: self.tick / 100, settle=self.disk.settle
        )
        given = Given(
            settings=self.settings,
            boot=self.boot,
            folder=Path(),
            outputs=self.outputs,
            drivers=lambda: [self.board],
            points=lambda: self.board.points,
            layouts=lambda: self.board.layouts,
            tell=self.tell,
            remember=self.disk.waiting.__setitem__,
            recall=lambda key: {**self.disk.kept, **self.disk.waiting}.get(key),
            settle=self.disk.settle,
            now_tick=lambda: self.tick,
            utc_ms=self._utc,
            kept_whole=self.whole,
        )
        self.control: Control | None = None
        self.control = Control(given, self._shared)

    def _shared(self, shared: Shared) -> Sequence[Member]:
        self.interlocks, self.work, self.status = shared.interlocks, shared.work, shared.status
        return []

    def _utc(self) -> int | None:
        if self.broken:
            raise ArithmeticError("a clock that nobody expected")
        return self.utc_ms

    def tell(self, kind: str, data: Mapping[str, Scalar], subject: str) -> None:
        self.disk.told.append((kind, data, subject))
        if self.control is not None:
            self.control.look(Event(kind, subject, self.tick, dict(data)))

    def read(self, celsius: str, door: int = 0) -> None:
        """A poll comes, a tick after the last one at the earliest."""
        assert self.control is not None
        self.tick += int(self.tick == self._read_tick)
        self._read_tick = self.tick
        count = int(Decimal(celsius) * 100)
        self.control.look(Poll(layout=ROOM.id, tick=self.tick, counts=[count, door]))

    def later(self, seconds: float, celsius: str | None = None) -> None:
        """Let time pass, with a reading a second where a value is given."""
        end = self.tick + round(seconds * 100)
        while self.tick < end:
            self.tick = min(end, self.tick + 100)
            if self.utc_ms is not None:
                self.utc_ms += 1000
            if celsius is not None:
                self.read(celsius)
            self.interlocks.engine.pass_time()

    async def enabled(self, name: str = "room", celsius: str = "23") -> None:
        """Bring an interlock to where it is released."""
        self.later(2, celsius)
        breach = self.now(name).breach
        steps = [Acknowledge(by=ANNE, breach=breach), Reset(by=ANNE, breach=breach)]
        for asked in (*steps, Enable(by=ANNE, breach=breach)):
            acted = await self.interlocks.act(name, asked)
            assert acted.done, acted

    def now(self, name: str = "room") -> InterlockNow:
        """How an interlock stands."""
        return next(one for one in self.interlocks.now() if one.name == name)

    def now_is_real(self) -> None:
        """Have the clock go by itself from now on."""
        self._real_from = time.monotonic()

    @property
    def tick(self) -> int:
        """Now."""
        if self._real_from is None:
            return self._tick
        return self._tick + int((time.monotonic() - self._real_from) * 100)

    @tick.setter
    def tick(self, tick: int) -> None:
        self._tick = tick

    def phase(self, name: str = "room") -> str:
        return self.now(name).phase


async def turns(count: int = 50) -> None:
    """Let everybody else go on as far as they come."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(site: Site, *names: str) -> AsyncIterator[None]:
    """Have parts of control run, those with these words in their names; those of outputs without."""
    assert site.control is not None
    async with asyncio.TaskGroup() as tasks:
        wanted = [
            part
            for name, part in site.control.parts().items()
            if (any(word in name for word in names) if names else name.startswith("interlock output"))
        ]
        going = [tasks.create_task(_forever(part)) for part in wanted]
        await turns()
        yield
        for task in going:
            task.cancel()


@asynccontextmanager
async def released(text: str = WARM + RELAY) -> AsyncIterator[Site]:
    """A site whose outputs run and whose interlock has let go of its output."""
    site = Site(text)
    async with running(site):
        await site.enabled()
        await turns()
        yield site


async def _forever(part: Part) -> None:
    await part()
