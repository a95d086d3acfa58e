"""What every driver implements and what it is given; nothing else of the gateway knows a device.

A driver is a folder: `decode.py` (pure: bytes in, readings out), `driver.py` (I/O only), `sample.toml`.
Drivers emit the records of `wire.messages` with *absolute monotonic ticks* in their `tick` fields; the
recorder makes them relative when it seals a batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from edge.credential import Listener
from edge.journal.sieve import Pace
from wire.messages import TICK_MS, Clock, Event, Layout, PointDeclaration, Poll, Position, as_text
from wire.status import ClockState, GapCause

MonotonicNs = Callable[[], int]
"""The clock that drivers are given: nanoseconds since some point before this boot's first reading."""


@dataclass(frozen=True, slots=True)
class Given:
    """What every driver is given by the gateway beside its settings."""

    monotonic_ns: MonotonicNs
    folder: Path = Path()
    """Where a driver may keep files, in a folder with the device's name."""
    clock: Callable[[], Clock] = field(default=lambda: Clock(ClockState.UNSYNCHRONISED))
    """What the gateway knows about time now, for what a driver writes into files of its own."""
    doubt_ms: Callable[[int], int | None] = lambda _: None
    """How long before a tick of `monotonic_ns` something may have happened, as `edge.wakes` knows it."""
    presented: Listener = lambda _: None
    """Who is given every credential at a reader; drivers call it through `edge.presenting` alone."""


def ticks(monotonic_ns: int) -> int:
    """Return the 10 ms grid tick that a monotonic time falls on (rounded down)."""
    return monotonic_ns // (TICK_MS * 1_000_000)


class DeviceUnavailable(Exception):
    """The device cannot be reached or makes no sense now; the supervisor tries again with backoff.

    All points of the driver become silent with this cause until they are polled again.
    """

    def __init__(self, reason: str, cause: GapCause = GapCause.BUS) -> None:
        """`reason` is one short sentence for a person."""
        super().__init__(reason)
        self.reason = as_text(reason)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class TimeHint:
    """What a time source says: at `monotonic_ns` it was `utc_ns`, give or take `bound_ms`."""

    source: str
    monotonic_ns: int
    utc_ns: int
    bound_ms: int


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """One line of `heng edge check`: what was tried, whether it answered, and what it said."""

    what: str
    ok: bool
    answer: str


class Emitter(Protocol):
    """Where a driver's readings go. A call waits while the gateway is behind; it never drops."""

    async def poll(self, poll: Poll) -> None:
        """Accept one poll; its points stop being silent."""

    async def position(self, position: Position) -> None:
        """Accept one fix."""

    async def event(self, event: Event) -> None:
        """Accept one event."""

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        """Say that these points give nothing since `tick`; repeated calls change nothing."""

    def time(self, hint: TimeHint) -> None:
        """Pass on what a receiver knows about time."""

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value for the next run, durable with the readings emitted before it."""

    def recall(self, key: str) -> bytes | None:
        """Return what was kept, in this run or an earlier one; None when nothing was."""


class Driver(Protocol):
    """One configured device (or one bus of devices)."""

    @property
    def name(self) -> str:
        """The device's name in the settings; unique in the gateway."""

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """Everything it can feed."""

    @property
    def layouts(self) -> Sequence[Layout]:
        """The lists of points that its polls use."""

    @property
    def late(self) -> GapCause:
        """What readings that were left out are put down to, when the driver told no silence."""

    async def run(self, emit: Emitter) -> None:
        """Read until cancelled. Raises `DeviceUnavailable`; leaves no task, file or socket behind."""

    async def probe(self) -> Sequence[ProbeLine]:
        """Try every part of the device once, without an emitter; never raises `DeviceUnavailable`."""


class Declared:
    """Base of a driver: what it declares of itself, which stays as it is as long as the driver lives."""

    def __init__(
        self,
        name: str,
        *,
        points: Iterable[PointDeclaration],
        layouts: Iterable[Layout],
        late: GapCause,
    ) -> None:
        """As in `Driver`."""
        self.name = name
        self.points: Sequence[PointDeclaration] = list(points)
        self.layouts: Sequence[Layout] = list(layouts)
        self.late = late


@runtime_checkable
class Witness(Protocol):
    """A driver that is told of every event of the gateway: a camera takes pictures of what happened."""

    def noticed(self, event: Event) -> None:
        """Take note of an event, at once; it is an event of this driver itself, too."""


@runtime_checkable
class Pacer(Protocol):
    """A driver that knows what the uplink may send now: what a link costs is known to those who watch it."""

    def pace(self) -> Pace:
        """Return what may go out now."""

    def carried(self, size: int) -> None:
        """Take note that a batch of so many bytes goes out."""
