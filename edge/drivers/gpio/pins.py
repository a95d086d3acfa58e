"""The board's pins through the `RPi.GPIO` interface, and its edges brought from the library's thread.

rpi-lgpio and RPi.GPIO both provide that module; which of them is installed does not matter here. Nothing in
here knows what a pin is for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import Any, Protocol, cast

from edge.driver import DeviceUnavailable, MonotonicNs
from wire.settings.gpio import Level, Pull
from wire.status import GapCause

LOG = logging.getLogger(__name__)
EDGES_MAX = 4096
"""So many edges wait at most; at 10 kHz they are 0.4 s, and what is more is counted as lost."""


class Library(Protocol):
    """The part of `RPi.GPIO` that is used."""

    BCM: int
    IN: int
    OUT: int
    PUD_OFF: int
    PUD_UP: int
    PUD_DOWN: int
    BOTH: int
    FALLING: int

    def setmode(self, mode: int) -> None:
        """Choose how pins are numbered."""

    def setwarnings(self, on: int) -> None:
        """Whether it warns of pins that are in use."""

    def setup(self, channel: int, direction: int, **more: int) -> None:
        """Make a pin an input or an output."""

    def input(self, channel: int) -> int:
        """Return a pin's level."""

    def output(self, channel: int, value: int) -> None:
        """Set a pin's level."""

    def add_event_detect(self, channel: int, edge: int, *, callback: Callable[[int], None]) -> None:
        """Call back, in a thread of the library, at each edge."""

    def remove_event_detect(self, channel: int) -> None:
        """Call back no more."""

    def cleanup(self, channel: int) -> None:
        """Make a pin what it was before anybody used it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge on a pin, when it was told, and the level right after it, None where that could not be read."""

    pin: int
    at_ns: int
    level: int | None


class Edges:
    """What the library's thread tells, for the loop to take in the order in which it came."""

    def __init__(self, monotonic_ns: MonotonicNs, read: Callable[[int], int | None]) -> None:
        """`read` gives a pin's level; it is called in the library's thread."""
        self._monotonic_ns = monotonic_ns
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._lock = Lock()
        self._waiting: deque[Edge] = deque()
        self._lost = 0
        self._open = True

    def heard(self, pin: int) -> None:
        """Take an edge; called by the library in its thread."""
        at_ns = self._monotonic_ns()
        level = self._read(pin)
        with self._lock:
            if not self._open:
                return
            if len(self._waiting) >= EDGES_MAX:
                self._lost += 1
                return
            self._waiting.append(Edge(pin, at_ns, level))
            if len(self._waiting) == 1:
                self._loop.call_soon_threadsafe(self._came.set)

    def take(self) -> tuple[Sequence[Edge], int]:
        """Return what came since the last call, and how many edges were lost on top of it."""
        with self._lock:
            taken, lost = list(self._waiting), self._lost
            self._waiting.clear()
            self._lost = 0
            self._came.clear()
        return taken, lost

    async def wait(self, seconds: float) -> None:
        """Wait until an edge comes, or `wake` is called, for so long at most."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._came.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        """Let `wait` return."""
        self._came.set()

    def close(self) -> None:
        """Take nothing any more: whatever a thread still tells falls on the floor."""
        with self._lock:
            self._open = False


class Pins:
    """The board, with errors that the supervisor knows."""

    def __init__(self, library: Library, errors: tuple[type[Exception], ...]) -> None:
        self._library = library
        self._errors = errors

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the library raises."""
        return self._errors

    def read(self, pin: int) -> int:
        """Return the level of a pin; `DeviceUnavailable`."""
        with self._told(pin):
            return self._library.input(pin)

    def glimpse(self, pin: int) -> int | None:
        """Return the level of a pin, None where it cannot be read; for the library's thread."""
        try:
            return self._library.input(pin)
        except self._errors:
            return None

    def write(self, pin: int, level: int) -> None:
        """Set the level of an output; `DeviceUnavailable`."""
        with self._told(pin):
            self._library.output(pin, level)

    def be_input(self, pin: int, pull: Pull) -> None:
        """Make a pin an input; `DeviceUnavailable`."""
        library = self._library
        pulls: Mapping[Pull, int] = {
            "up": library.PUD_UP,
            "down": library.PUD_DOWN,
            "none": library.PUD_OFF,
        }
        with self._told(pin):
            library.setup(pin, library.IN, pull_up_down=pulls[pull])

    def be_output(self, pin: int, level: int) -> None:
        """Make a pin an output that has this level from the first moment on; `DeviceUnavailable`."""
        with self._told(pin):
            self._library.setup(pin, self._library.OUT, initial=level)

    def release(self, pin: int) -> None:
        """Leave an input; an output is never released: that would take its level away."""
        with self._told_only(pin):
            self._library.cleanup(pin)

    @contextmanager
    def watched(self, pins: Sequence[int], edges: Edges, *, falling: bool = False) -> Iterator[None]:
        """Have the edges of these inputs told while the context is open; `DeviceUnavailable`."""
        library = self._library
        which = library.FALLING if falling else library.BOTH
        watched: list[int] = []
        try:
            for pin in pins:
                with self._told(pin):
                    library.add_event_detect(pin, which, callback=edges.heard)
                watched.append(pin)
            yield
        finally:
            edges.close()
            for pin in watched:
                with self._told_only(pin):
                    library.remove_event_detect(pin)

    @contextmanager
    def _told(self, pin: int) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise DeviceUnavailable(f"pin {pin}: {error}", GapCause.BUS) from None

    @contextmanager
    def _told_only(self, pin: int) -> Iterator[None]:
        """For what is tidied up: a fault there must not take the place of a cancellation."""
        try:
            yield
        except self._errors as error:
            LOG.warning("pin %d: %s", pin, error)


def open_pins() -> Pins:
    """Return the pins of this board by their BCM numbers; `DeviceUnavailable` where there are none."""
    try:
        library: Any = import_module("RPi.GPIO")
    except ImportError:
        reason = "no module RPi.GPIO: install the extra pi (rpi-lgpio)"
        raise DeviceUnavailable(reason, GapCause.BUS) from None
    except (RuntimeError, OSError) as error:  # what it says on a machine that is no Raspberry Pi
        raise DeviceUnavailable(f"RPi.GPIO: {error}", GapCause.BUS) from None
    errors: list[type[Exception]] = [RuntimeError, ValueError, OSError]
    # rpi-lgpio lets the error of the library below it through, which is none of Python's own.
    below = getattr(library, "lgpio", None)
    if below is not None:
        errors.append(below.error)
    pins = Pins(cast("Library", library), tuple(errors))
    try:
        library.setwarnings(0)
        library.setmode(library.BCM)
    except pins.errors as error:
        raise DeviceUnavailable(f"RPi.GPIO: {error}", GapCause.BUS) from None
    return pins


def state_of(level: int, active: Level) -> int:
    """Return 1 when a level is the active one, else 0; the other way round it gives the level of a state."""
    return level if active == "high" else 1 - level
