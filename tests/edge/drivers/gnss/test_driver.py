"""The driver against a real gpsd that is fed by a simulated receiver, and against bad servers."""

import asyncio
import json
import re
import sys
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.driver import Given
from edge.drivers.gnss.driver import GnssDriver
from edge.drivers.gnss.gpsd import GpsdLines
from edge.drivers.gnss.report import Reporter
from simulators.devices.gnss import Fault, Receiver, gpsd_fed_by
from simulators.devices.nmea import epoch, sky
from simulators.devices.recording import read_recording
from simulators.drives import Fix, make_drive
from wire.settings.gnss import GnssDevice
from wire.status import GapCause


class Clock:
    """Monotonic time that stands until it is moved."""

    ns = 10**10

    def __call__(self) -> int:
        return self.ns


DRIVE = make_drive("5/van", latitude=28.19, longitude=112.97, altitude_m=60, legs=6, parked_s=60)
HERE = Fix(28.193889052, 112.966809713, 52.3, 12.5, 77.25, parked=False)
LOGS = Path(__file__).parents[3] / "data" / "gnss"


def moving(fault: Fault) -> bytes:
    now = time.time()
    return epoch(
        None if fault == "no_fix" else DRIVE.at(now), datetime.fromtimestamp(now, UTC), sky("5", now)
    )


def steady(_: Fault) -> bytes:
    now = time.time()
    return epoch(HERE, datetime.fromtimestamp(now, UTC), sky("5", now))


@asynccontextmanager
async def real_gpsd(receiver: Receiver, folder: Path, **more: object) -> AsyncIterator[GnssDriver]:
    async with gpsd_fed_by(receiver, folder=folder) as port:
        fields: dict[str, Any] = {"name": "gnss", "prefix": "van", "port": port, "silence_s": 2, **more}
        yield GnssDriver(GnssDevice(**fields), Given(time.monotonic_ns))


@pytest.mark.slow
@pytest.mark.requirement("G-3.11", "G-5.1a", "G-6.11c")
def test_fixes_of_a_real_gpsd_are_where_the_receiver_is(
    collector: Any, run_until: Any, daemon_folder: Path
) -> None:
    async def scenario() -> None:
        async with real_gpsd(Receiver(steady, period_s=0.5), daemon_folder) as driver:
            error = await run_until(driver, collector, lambda: len(collector.times) >= 3, timeout_s=90)
            assert error is None
            fix = collector.positions[-1]
            assert fix.point == "van/position"
            assert fix.mode == 3
            assert abs(fix.latitude_e9 - 28_193_889_052) <= 2
            assert abs(fix.longitude_e9 - 112_966_809_713) <= 2
            assert fix.altitude_mm == 52_300
            assert abs(fix.speed_mm_s - 12_500) <= 1
            assert fix.course_mdeg == 77_250
            poll = dict(zip(driver.layouts[0].points, collector.polls[-1].counts, strict=True))
            assert poll["van/satellites_gps"] == 9
            assert poll["van/satellites_beidou"] > 0
            assert poll["van/mode"] == 3
            hint = collector.times[-1]
            offset_s = hint.utc_ns / 1e9 - time.time() + (time.monotonic_ns() - hint.monotonic_ns) / 1e9
            assert abs(offset_s) < 0.6
            assert (hint.source, hint.bound_ms) == ("gnss", 500)

    asyncio.run(scenario())


@pytest.mark.slow
def test_lost_fix_says_so_and_keeps_no_place(collector: Any, run_until: Any, daemon_folder: Path) -> None:
    async def scenario() -> None:
        receiver = Receiver(moving, period_s=0.3)
        async with real_gpsd(receiver, daemon_folder) as driver:
            await run_until(driver, collector, lambda: len(collector.times) >= 1, timeout_s=90)
            receiver.fault = "no_fix"
            await run_until(
                driver, collector, lambda: [p for p in collector.positions if p.mode == 1], timeout_s=90
            )
            lost = collector.positions[-1]
            assert (lost.latitude_e9, lost.longitude_e9, lost.speed_mm_s) == (None, None, None)
            told = len(collector.times)
            await run_until(
                driver, collector, lambda: len([p for p in collector.positions if p.mode == 1]) > 3
            )
            assert len(collector.times) == told

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["silence", "garbage"])
def test_silent_or_garbled_receiver_is_unavailable_and_comes_back(
    fault: Fault, collector: Any, run_until: Any, insist: Any, daemon_folder: Path
) -> None:
    async def scenario() -> None:
        receiver = Receiver(moving, period_s=0.3)
        async with real_gpsd(receiver, daemon_folder) as driver:
            await run_until(driver, collector, lambda: collector.positions, timeout_s=90)
            receiver.fault = fault
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.SENSOR
            assert error.reason == "the receiver reported nothing for 2 s"
            receiver.fault = ""
            seen = len(collector.positions)
            await insist(driver, collector, lambda: len(collector.positions) > seen)

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("log", sorted(path.name for path in LOGS.glob("*.log")))
def test_recorded_receivers_give_what_gpsd_py3_gives(
    log: str, collector: Any, run_until: Any, daemon_folder: Path
) -> None:
    """The same real gpsd is read by our reader and by gpsd-py3; where both measured, they agree."""
    texts = {b"".join(one.lines): one for one in read_recording(LOGS / log).epochs}
    fullest = texts[max((text for text in texts if re.search(rb"RMC,[^,]*,A,", text)), key=len)]

    async def scenario() -> None:
        receiver = Receiver(lambda _: fullest.moved(datetime.now(UTC)), period_s=0.2)
        async with real_gpsd(receiver, daemon_folder) as driver:
            await run_until(
                driver,
                collector,
                lambda: collector.positions and collector.positions[-1].latitude_e9 is not None,
                timeout_s=90,
            )
            theirs = await _gpsd_py3(driver)
            await run_until(driver, collector, lambda: len(collector.positions) > 8, timeout_s=90)
            ours = {p.latitude_e9 for p in collector.positions}, {p.longitude_e9 for p in collector.positions}
            assert round(theirs["lat"] * 1e9) in ours[0]
            assert round(theirs["lon"] * 1e9) in ours[1]
            assert theirs["mode"] in {position.mode for position in collector.positions}

    asyncio.run(scenario())


async def _gpsd_py3(driver: GnssDriver) -> dict[str, Any]:
    own, second = await driver.probe()
    assert own.ok, own.answer
    assert second.ok, second.answer
    return dict(json.loads(second.answer))


@asynccontextmanager
async def fake_gpsd(*answers: bytes, close: bool = False) -> AsyncIterator[GnssDriver]:
    """A server that greets as told and says nothing after, or leaves."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        for answer in answers:
            writer.write(answer)
        if not close:
            await reader.read()
        writer.transport.abort() if not close else writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield GnssDriver(
            GnssDevice(name="gnss", port=port, silence_s=1, receiver="/dev/a"),
            Given(time.monotonic_ns),
        )
        await asyncio.sleep(0.02)
    assert asked[0] == b'?WATCH={"enable": true, "json": true, "device": "/dev/a"}\n'


def tpv(second: int, mode: int = 3, device: str = "/dev/a") -> bytes:
    return (
        json.dumps(
            {
                "class": "TPV",
                "device": device,
                "mode": mode,
                "time": f"2026-01-01T00:00:{second:02d}.000Z",
                "lat": 1.5,
                "lon": 2.5,
            }
        ).encode()
        + b"\n"
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "JSON is malformed"),
        (b'{"class":"ERROR","message":"Can\'t open device"}\n', "gpsd says: Can't open device"),
        (b"x" * 70_000 + b"\n", "a line of more than 65536 bytes"),
        (b'{"class":"TPV","mode":"three"}\n', "Expected `int`"),
        (b"", "closed the connection"),
    ],
)
def test_bad_server_is_unavailable_with_its_reason(
    answer: bytes, reason: str, collector: Any, run_until: Any
) -> None:
    async def scenario() -> None:
        async with fake_gpsd(answer, close=True) as driver:
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert reason in error.reason
            assert not collector.positions

    asyncio.run(scenario())


def test_server_that_says_nothing_is_a_silent_receiver(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with fake_gpsd(b'{"class":"DEVICES","devices":[]}\n') as driver:
            error = await run_until(driver, collector, lambda: False, timeout_s=5)
            assert error.cause is GapCause.SENSOR

    asyncio.run(scenario())


def test_nobody_listening_is_unavailable(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        driver = GnssDriver(GnssDevice(name="gnss", port=1), Given(time.monotonic_ns))
        error = await run_until(driver, collector, lambda: False)
        assert "cannot connect to gpsd at 127.0.0.1 port 1" in error.reason
        (line,) = await driver.probe()
        assert not line.ok

    asyncio.run(scenario())


def test_time_is_told_after_three_growing_fixes_of_our_receiver(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        reports = [
            tpv(1), tpv(2), tpv(2), tpv(3, mode=2), tpv(4), tpv(5), tpv(6, device="/dev/b"), tpv(7), tpv(8)
        ]  # fmt: skip
        async with fake_gpsd(*reports) as driver:
            await run_until(driver, collector, lambda: len(collector.positions) == 8)
        told = [hint.utc_ns // 10**9 % 60 for hint in collector.times]
        assert told == [7, 8]

    asyncio.run(scenario())


def test_time_that_runs_backwards_starts_the_count_anew(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with fake_gpsd(tpv(8), tpv(9), tpv(3), tpv(4), tpv(5), tpv(6)) as driver:
            await run_until(driver, collector, lambda: len(collector.positions) == 6)
        assert [hint.utc_ns // 10**9 % 60 for hint in collector.times] == [6]

    asyncio.run(scenario())


def test_reports_that_waited_while_the_gateway_stood_still_keep_their_distances(collector: Any) -> None:
    """The loop stands for longer than the receiver may be silent: all is read at once, nothing is lost."""
    clock = Clock()

    async def scenario() -> None:
        lines = asyncio.StreamReader()
        driver = GnssDriver(GnssDevice(name="gnss", silence_s=2), Given(clock))
        running = asyncio.create_task(driver._listen(GpsdLines(lines), collector, Reporter(collector, None)))
        for second in range(5):
            lines.feed_data(tpv(second))
            await collector.until(lambda: len(collector.positions) == second + 1)  # noqa: B023
            clock.ns += 10**9
        for second in range(5, 11):
            lines.feed_data(tpv(second))
        clock.ns += 5 * 10**9
        await collector.until(lambda: len(collector.positions) == 11)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scenario())
    assert [position.tick for position in collector.positions] == [1000 + 100 * n for n in range(11)]
    assert len({(hint.utc_ns - hint.monotonic_ns) for hint in collector.times}) == 1


def test_probe_of_a_silent_server_ends_by_itself() -> None:
    async def scenario() -> None:
        async with fake_gpsd() as driver:
            (line,) = await driver.probe()
            assert (line.ok, line.answer) == (False, "no report within 1 s")

    asyncio.run(scenario())


def test_sample_runs_as_it_stands() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "gnss" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    driver = GnssDriver(msgspec.convert(table, GnssDevice), Given(time.monotonic_ns))
    assert len(driver.points) == 7
    assert driver.points[0].name == "vehicle/position"


def test_reader_process_of_the_probe_is_the_real_library() -> None:
    import edge.drivers.gnss.gpsd_py3 as reader

    assert "gpsd" in sys.modules
    assert reader.gpsd.__name__ == "gpsd"
