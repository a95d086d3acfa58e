"""An emitter that keeps what it gets, a steady clock, and a way to run a driver until something is true."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.driver import DeviceUnavailable, Driver, TimeHint
from simulators.rpi_gpio import MODULES, environment
from wire.messages import Event, Poll, Position
from wire.status import GapCause


class Collector:
    """Implements `edge.driver.Emitter`."""

    def __init__(self) -> None:
        self.polls: list[Poll] = []
        self.positions: list[Position] = []
        self.events: list[Event] = []
        self.silences: list[tuple[tuple[str, ...], GapCause, str]] = []
        self.times: list[TimeHint] = []
        self.kept: dict[str, bytes] = {}
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when the condition holds; it is asked after everything that comes in."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def poll(self, poll: Poll) -> None:
        self.polls.append(poll)
        self._changed.set()

    async def position(self, position: Position) -> None:
        self.positions.append(position)
        self._changed.set()

    async def event(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        assert tick >= 0
        self.silences.append((tuple(points), cause, reason))
        self._changed.set()

    def time(self, hint: TimeHint) -> None:
        self.times.append(hint)
        self._changed.set()

    def remember(self, key: str, value: bytes) -> None:
        self.kept[key] = value

    def recall(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def of(self, layout: str) -> list[Poll]:
        """The polls of one layout."""
        return [poll for poll in self.polls if poll.layout == layout]


@pytest.fixture
def collector() -> Collector:
    return Collector()


RunUntil = Callable[..., Coroutine[object, object, DeviceUnavailable | None]]


@pytest.fixture
def run_until() -> RunUntil:
    """`await run_until(driver, emit, condition)`: run the driver until the condition holds or it gives up.

    Returns the `DeviceUnavailable` that ended it, or None. Fails after `timeout_s`.
    """

    async def run(
        driver: Driver, emit: Collector, condition: Callable[[], object], *, timeout_s: float = 45
    ) -> DeviceUnavailable | None:
        running = asyncio.ensure_future(driver.run(emit))
        waiting = asyncio.ensure_future(emit.until(condition))
        done, _ = await asyncio.wait(
            {running, waiting}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (running, waiting):
            task.cancel()
        results = await asyncio.gather(running, waiting, return_exceptions=True)
        assert done, f"neither gave up nor came true within {timeout_s} s"
        error = results[0]
        if error is None or isinstance(error, asyncio.CancelledError):
            return None
        assert isinstance(error, DeviceUnavailable), error
        return error

    return run


@pytest.fixture
def insist(run_until: RunUntil) -> RunUntil:
    """Like `run_until`, but start the driver again when it gives up, as the supervisor does."""

    async def run(
        driver: Driver, emit: Collector, condition: Callable[[], object], *, timeout_s: float = 45
    ) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                if await run_until(driver, emit, condition) is None:
                    return
                await asyncio.sleep(0.05)

    return run


@pytest.fixture
def monotonic_ns() -> Callable[[], int]:
    return time.monotonic_ns


@pytest.fixture
def daemon_folder() -> Iterator[Path]:
    """A folder with a short path (sockets lie in it) that is closed to others."""
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@pytest.fixture
def pins_folder(daemon_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a simulated board keeps its pins; `RPi.GPIO` is that board's in this test."""
    for name, value in environment(daemon_folder).items():
        if name == "PYTHONPATH":
            monkeypatch.syspath_prepend(str(MODULES))
        else:
            monkeypatch.setenv(name, value)
    return daemon_folder
