"""Whoever looks at a running gateway sees what it reads; whoever reads too slowly is told what he missed."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from edge.local.asks import SOCKET_NAME, Ask, Look
from edge.local.server import Caller, Line, Local
from edge.tap import Describe, Tap
from wire.layouts import make_layout
from wire.messages import Clock, Event, Gap, PointDeclaration, Poll
from wire.status import ClockState, GapCause, PointKind, Status

POINTS = [
    PointDeclaration("room/air/temperature", "temperature", exponent=-2),
    PointDeclaration("room/door", "state", kind=PointKind.STATE, states={"0": "closed", "1": "open"}),
]
LAYOUT = make_layout([point.name for point in POINTS], [-2, 0])
LOOK = msgspec.json.encode(Look()) + b"\n"
KNOWN = Clock(ClockState.SYNCHRONISED, 180_000_000_000, 5, "system")


def described(item: Poll | Event | Gap, clock: Clock = KNOWN) -> list[dict[str, object]]:
    return [dict(line) for line in Describe(lambda: POINTS, lambda: [LAYOUT], lambda: clock).lines(item)]


def test_reading_is_shown_in_its_unit_and_a_state_in_its_word() -> None:
    poll = Poll(LAYOUT.id, 150, [2153, 1])
    assert [(line["point"], line["value"], line["unit"], line["status"]) for line in described(poll)] == [
        ("room/air/temperature", "21.53", "°C", "good"),
        ("room/door", "open", "", "good"),
    ]
    assert described(poll)[0]["at"] == "2027-01-15T08:00:01.50Z"


def test_absent_reading_is_shown_with_its_reason() -> None:
    poll = Poll(LAYOUT.id, 150, [None, 0], [(0, int(Status.OVER_RANGE))])
    line = described(poll)[0]
    assert (line["value"], line["status"]) == (None, "over_range")


def test_time_is_that_of_the_boot_while_utc_is_not_known() -> None:
    event = Event("door_opened", "room/door", 150)
    assert described(event, Clock(ClockState.UNSYNCHRONISED))[0]["at"] == "boot+1.50s"


def test_gap_is_shown_with_cause_and_span() -> None:
    line = described(Gap("room/door", GapCause.BUS, 100, None, "no answer"))[0]
    assert (line["gap"], line["cause"], line["to"]) == ("room/door", "bus", None)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Tap]:
    tap = Tap(Describe(lambda: POINTS, lambda: [LAYOUT], lambda: KNOWN))

    async def answer(_: Ask, caller: Caller) -> Line:
        await tap.show_to(caller)
        return {}

    running = asyncio.create_task(Local(folder, answer).run())
    try:
        yield tap
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def connected(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(1000):
        try:
            reader, writer = await asyncio.open_unix_connection(folder / SOCKET_NAME)
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0.01)
        else:
            writer.write(LOOK)
            return reader, writer
    raise TimeoutError(folder)


def test_event_is_shown_to_who_looks(folder: Path) -> None:
    async def story() -> None:
        async with served(folder) as tap:
            reader, writer = await connected(folder)
            line = b""
            while not line:
                tap(Event("door_opened", "room/door", 150))
                try:
                    async with asyncio.timeout(0.05):
                        line = await reader.readline()
                except TimeoutError:
                    continue
            assert json.loads(line)["event"] == "door_opened"
        while await reader.read(1 << 16):
            pass
        writer.close()

    asyncio.run(story())


def test_slow_reader_is_told_how_much_it_missed(folder: Path) -> None:
    async def story() -> None:
        async with served(folder) as tap:
            (await connected(folder))[1].close()
            with socket.socket(socket.AF_UNIX) as slow:
                await asyncio.to_thread(slow.connect, str(folder / SOCKET_NAME))
                slow.send(LOOK)
                await asyncio.sleep(0.05)
                for number in range(20_000):
                    tap(Event("door_opened", "room/door", number))
                seen: list[dict[str, int]] = []
                rest = b""
                slow.setblocking(False)
                while not any("missed" in line for line in seen):
                    tap(Event("door_opened", "room/door", 0))
                    await asyncio.sleep(0.001)
                    try:
                        *lines, rest = (rest + slow.recv(1 << 20)).split(b"\n")
                    except BlockingIOError:
                        continue
                    seen += [json.loads(line) for line in lines]
            shown = sum("event" in line for line in seen)
            missed = sum(line.get("missed", 0) for line in seen)
            assert 0 < missed < 20_000
            assert shown + missed >= 20_000

    asyncio.run(story())
