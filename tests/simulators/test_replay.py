"""Recorded files through the real daemons into the gateway's own drivers, faster than they were recorded."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.driver import Driver, Given, TimeHint
from edge.drivers.gnss.driver import GnssDriver
from edge.drivers.ups.decode import read
from edge.drivers.ups.driver import UpsDriver
from simulators.devices.gnss import Receiver, gpsd_fed_by
from simulators.devices.recording import read_recording
from simulators.devices.ups import Fault, nut_server
from simulators.devices.ups_dump import RecordedUps, read_dump
from simulators.sources import POLL_S, played
from wire.messages import Event, Poll, Position
from wire.settings.gnss import GnssDevice
from wire.settings.ups import UpsDevice
from wire.status import GapCause

SPEED = 20
Fix = tuple[str, int, int]
"""Part of the second (ms as text, empty when no time is told), latitude and longitude (1e-9 degree)."""

LOGS = sorted((Path(__file__).parents[1] / "data" / "gnss").glob("*.log"))
DUMPS = sorted((Path(__file__).parents[1] / "data" / "ups").glob("*.dev"))


@dataclass(slots=True)
class Kept:
    """Keeps what a driver emits. Implements `edge.driver.Emitter`."""

    polls: list[Poll] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    async def poll(self, poll: Poll) -> None:
        self.polls.append(poll)

    async def position(self, position: Position) -> None:
        self.positions.append(position)

    async def event(self, event: Event) -> None:
        self.events.append(event)

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        raise AssertionError(f"{points} are silent: {reason}")

    def time(self, hint: TimeHint) -> None:
        pass


@dataclass(slots=True)
class Clock:
    """A receiver's clock: it goes on by as much as the receiver waits, however busy the machine is."""

    now_s: float

    def __call__(self) -> float:
        self.now_s += POLL_S
        return self.now_s


async def replay_log(
    log: Path, folder: Path, done: Callable[[Kept], bool], *, rounds: int = 5
) -> tuple[Kept, float, float]:
    """Play a log until `done`; gives what the driver told, and begin and end of the receiver's clock."""
    recording = read_recording(log)
    length_s = recording.length_us / 1_000_000
    begun_s = time.time() // length_s * length_s - 1
    kept, clock = Kept(), Clock(begun_s)
    receiver = Receiver(played(recording, utc_s=clock), period_s=POLL_S / SPEED)
    async with gpsd_fed_by(receiver, folder=folder) as port:
        driver = GnssDriver(GnssDevice(name="gnss", prefix="van", port=port), Given(time.monotonic_ns))
        await _run(driver, kept, lambda: done(kept) or clock.now_s > begun_s + rounds * length_s)
    return kept, begun_s, clock.now_s


async def replay_dump(dump: Path, folder: Path, fault: Fault = "") -> tuple[RecordedUps, Poll]:
    """Serve a dump with a fault on it; gives the UPS and what the driver told of it once it agreed."""
    kept, ups = Kept(), RecordedUps(read_dump(dump))
    ups.check(fault)
    async with nut_server(ups, folder=folder) as port:
        ups.fault = fault
        driver = UpsDriver(
            UpsDevice(name="power", prefix="power", port=port, interval_ms=100),
            Given(time.monotonic_ns),
        )
        points = driver.layouts[0].points
        told = read(ups.variables(), UpsDevice(name="power").points)
        assert [point.removeprefix("power/") for point in points] == UpsDevice(name="power").points
        until_s = time.monotonic() + 10
        await _run(
            driver,
            kept,
            lambda: (bool(kept.polls) and kept.polls[-1].counts == told.counts) or time.monotonic() > until_s,
        )
    return ups, kept.polls[-1]


async def _run(driver: Driver, kept: Kept, done: Callable[[], bool]) -> None:
    running = asyncio.ensure_future(driver.run(kept))
    try:
        while not done():
            await asyncio.wait({running}, timeout=0.05)
            if running.done():
                running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


_CLOCK = rb"(?P<clock>\d{6}\.?\d*)"
_WHERE = (
    rb"(?P<lat>\d\d)(?P<lat_min>\d\d\.\d+),(?P<south>[NS]),"
    rb"(?P<lon>\d{3})(?P<lon_min>\d\d\.\d+),(?P<west>[EW])"
)
_FIXES = [
    re.compile(rb"\$..%s[^*$\n]*\*[0-9A-F]{2}" % form)
    for form in (
        rb"RMC,%s,A,%s," % (_CLOCK, _WHERE),
        rb"GGA,%s,%s,[1-9]," % (_CLOCK, _WHERE),
        rb"GLL,%s,%s,A," % (_WHERE, _CLOCK),
    )
]


def recorded_fixes(log: Path) -> set[Fix]:
    """Return every fix that RMC, GGA and GLL sentences of a log tell, read without the code under test."""
    return {
        (
            found["clock"].decode().partition(".")[2].ljust(3, "0"),
            _degrees(found["lat"], found["lat_min"], negative=found["south"] == b"S"),
            _degrees(found["lon"], found["lon_min"], negative=found["west"] == b"W"),
        )
        for form in _FIXES
        for found in form.finditer(log.read_bytes())
    }


def _degrees(whole: bytes, minutes: bytes, *, negative: bool) -> int:
    """Return 1e-9 degree, exactly rounded."""
    value = round((int(whole) + Decimal(minutes.decode()) / 60) * 10**9)
    return -value if negative else value


def seen_fixes(kept: Kept) -> list[Fix]:
    """Return the driver's fixes, in order."""
    return [
        (
            "" if fix.gnss_time_ms is None else f"{fix.gnss_time_ms % 1000:03d}",
            fix.latitude_e9,
            fix.longitude_e9,
        )
        for fix in kept.positions
        if fix.latitude_e9 is not None and fix.longitude_e9 is not None
    ]


def equal(seen: Fix, fix: Fix) -> bool:
    """Whether a fix was seen; the last of nine places may be rounded otherwise."""
    return seen[0] in ("", fix[0]) and abs(seen[1] - fix[1]) <= 2 and abs(seen[2] - fix[2]) <= 2


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, for sockets."""
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@pytest.mark.slow
@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_played_log_gives_every_recorded_fix_with_the_times_of_now(log: Path, folder: Path) -> None:
    recorded = recorded_fixes(log)

    def complete(kept: Kept) -> bool:
        seen = set(seen_fixes(kept))
        return all(any(equal(one, fix) for one in seen) for fix in recorded)

    kept, begun_s, ended_s = asyncio.run(replay_log(log, folder, complete))
    assert complete(kept)
    wrong = [one for one in seen_fixes(kept) if not any(equal(one, fix) for fix in recorded)]
    assert wrong == []
    times = [fix.gnss_time_ms for fix in kept.positions if fix.gnss_time_ms is not None]
    assert times == sorted(times)
    assert begun_s * 1000 <= times[0]
    assert times[-1] <= ended_s * 1000


@pytest.mark.slow
@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_served_dump_gives_what_it_says(dump: Path, folder: Path) -> None:
    ups, poll = asyncio.run(replay_dump(dump, folder))
    reading = read(ups.recorded, UpsDevice(name="power").points)
    assert poll.counts == reading.counts
    assert poll.flags == reading.statuses


MAINS = next(dump for dump in DUMPS if dump.stem == "mains-charged")


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "power"), [("battery", 2), ("low", 2), ("conflict", 2)])
def test_mains_of_a_dump_can_be_lost(fault: Fault, power: int, folder: Path) -> None:
    ups, poll = asyncio.run(replay_dump(MAINS, folder, fault))
    reading = read(ups.variables(), UpsDevice(name="power").points)
    assert poll.counts == reading.counts
    assert poll.counts[0] == power
