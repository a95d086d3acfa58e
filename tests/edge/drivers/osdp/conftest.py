"""A driver with its readers on a simulated line, and ways to wait for what it emits."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.credential import FORMATS, Listener, Presented, frame_of
from edge.driver import Given
from edge.drivers.osdp.driver import OsdpDriver
from simulators.devices.osdp import Reader, ReaderLine, reader_line
from wire.messages import Event
from wire.settings.osdp import OsdpDevice, OsdpReader

pytestmark = pytest.mark.slow

KEYS = [bytes.fromhex("00112a33445566778899aabbccddeeff"), bytes.fromhex("c0ffee11223344556677889900aabbcc")]
NAMES = ["entry", "exit"]
CARD = frame_of(FORMATS["h10301"], 54321, 118)


class Clock:
    """The steady clock, which a test may set forward."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


class Site:
    """A driver, its readers and what they present."""

    def __init__(
        self, folder: Path, line: ReaderLine, driver: OsdpDriver, *, presented: list[Presented]
    ) -> None:
        self.folder, self.line, self.driver, self.presented = folder, line, driver, presented
        self.entry = line.readers[1]

    @property
    def exit(self) -> Reader:
        return self.line.readers[2]


def write_key(folder: Path, reader: str, key: bytes, mode: int = 0o600) -> Path:
    file = folder / "doors" / f"{reader}.key"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(key.hex() + "\n", encoding="ascii")
    file.chmod(mode)
    return file


@asynccontextmanager
async def a_site(
    folder: Path,
    *,
    readers: int = 1,
    key: bytes | None = KEYS[0],
    clock: Callable[[], int] = time.monotonic_ns,
    interval_ms: int = 500,
    listener: Listener = lambda _: None,
) -> AsyncIterator[Site]:
    """Readers and their driver; `key` is what the first one has, the second has no more than a light."""
    ends = [Reader(1, key), Reader(2, KEYS[1], has=["led"])][:readers]
    for place in range(readers):
        write_key(folder, NAMES[place], KEYS[place])
    settings = OsdpDevice(
        name="doors",
        path=str(folder / "line"),
        baud=115200,
        interval_ms=interval_ms,
        offline_s=1,
        reader=[
            OsdpReader(name=NAMES[place], address=place + 1, pin_timeout_s=1) for place in range(readers)
        ],
    )
    async with reader_line(folder / "line", ends, seed=7) as line:
        presented: list[Presented] = []

        def hear(one: Presented) -> None:
            presented.append(one)
            listener(one)

        driver = OsdpDriver(settings, Given(clock, folder, presented=hear))
        yield Site(folder, line, driver, presented=presented)


def events(collector: Any, kind: str, subject: str = "") -> list[Event]:
    return [event for event in collector.events if event.kind == kind and event.subject.endswith(subject)]


def last(collector: Any, driver: OsdpDriver, point: str) -> int | None:
    """The last value that was read of a point; -1 before the first."""
    (layout,) = (one for one in driver.layouts if point in one.points)
    polls = collector.of(layout.id)
    return polls[-1].counts[layout.points.index(point)] if polls else -1


@asynccontextmanager
async def running(site: Site, collector: Any) -> AsyncIterator[None]:
    """Run the driver; its end is waited for, and nothing of it is left."""
    task = asyncio.ensure_future(site.driver.run(collector))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(collector: Any, condition: Callable[[], object], timeout_s: float = 45) -> None:
    await asyncio.wait_for(collector.until(condition), timeout_s)


def online(collector: Any, readers: int = 1) -> Callable[[], bool]:
    return lambda: len({event.subject for event in events(collector, "reader_online")}) == readers


@pytest.fixture
def osdp() -> Any:
    """Everything above, for tests."""
    return SimpleNamespace(
        **{made.__name__: made for made in (a_site, running, until, online, events, last, write_key, Clock)},
        KEYS=KEYS,
        CARD=CARD,
    )
