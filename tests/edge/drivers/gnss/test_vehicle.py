"""Hold, odometer, sparse reports, antenna and jamming: what a vehicle's receiver feeds beside its fixes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.gnss.driver import GnssDriver
from simulators.devices.gnss import Fault, Receiver, gpsd_fed_by
from simulators.devices.nmea import epoch, sky
from simulators.drives import Fix
from wire.settings.check import check
from wire.settings.gnss import GnssDevice, SparseReport
from wire.status import GapCause, PointKind, Status

START = datetime(2026, 11, 1, tzinfo=UTC)
HOLD = ["hold", "hold_north", "hold_east", "odometer"]


class Clock:
    """Time that only moves by hand."""

    def __init__(self) -> None:
        self.now_ns = 10**9

    def monotonic_ns(self) -> int:
        return self.now_ns


def tpv(second: float, *, north_m: float = 0.0, speed: float = 0.0, mode: int = 3, **more: object) -> bytes:
    report: dict[str, object] = {
        "class": "TPV",
        "mode": mode,
        "time": (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z"),
    }
    if mode > 1:
        place = {"lat": round(28.19 + north_m / 111194.9266, 9), "lon": 112.97, "speed": speed, "track": 0.0}
        report |= place | more
    return json.dumps(report).encode() + b"\n"


@asynccontextmanager
async def receiver(
    clock: Clock, reports: Sequence[tuple[float, bytes]], **more: Any
) -> AsyncIterator[GnssDriver]:
    """A gpsd that gives each report when the driver's clock says so, then falls silent."""
    taken: asyncio.Queue[None] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        with suppress(asyncio.CancelledError, ConnectionError):
            for second, line in reports:
                clock.now_ns = int((1 + second) * 1e9)
                writer.write(line)
                await writer.drain()
                await taken.get()
            await reader.read()
        writer.transport.abort()

    class Slow(GnssDriver):
        async def _fix(self, *words: Any, **more: Any) -> None:
            await super()._fix(*words, **more)
            taken.put_nowait(None)

        async def _own(self, *words: Any) -> None:
            await super()._own(*words)
            taken.put_nowait(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = GnssDevice(name="gnss", prefix="van", port=port, silence_s=3600, **more)
        yield Slow(settings, Given(clock.monotonic_ns))
        await asyncio.sleep(0.02)


def values(driver: GnssDriver, poll: Any) -> dict[str, int | None]:
    names = [name.removeprefix("van/") for name in driver.layouts[0].points]
    return dict(zip(names, poll.counts, strict=True))


@pytest.mark.requirement("G-3.11")
def test_parked_vehicle_is_held_and_says_so_and_where_the_raw_fix_is(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        reports = [(n, tpv(n, north_m=n % 7, speed=0.1)) for n in range(30)]
        async with receiver(Clock(), reports, points=HOLD) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 30)
            assert {position.latitude_e9 for position in collector.positions} == {28_190_000_000}
            last = values(driver, collector.polls[-1])
            assert last == {"hold": 1, "hold_north": 1000, "hold_east": 0, "odometer": 0}
            assert "odometer" not in collector.kept

    asyncio.run(scenario())


def test_without_the_word_that_it_is_held_every_fix_stays_where_it_was(
    collector: Any, run_until: Any
) -> None:
    async def scenario() -> None:
        reports = [(n, tpv(n, north_m=n % 7, speed=0.1)) for n in range(10)]
        async with receiver(Clock(), reports, points=["odometer"]) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 10)
            assert len({position.latitude_e9 for position in collector.positions}) == 7

    asyncio.run(scenario())


def test_odometer_goes_on_where_an_earlier_run_ended(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        collector.remember("odometer", b"5000000")
        reports = [(n, tpv(n, north_m=12 * n, speed=12)) for n in range(60)]
        async with receiver(Clock(), reports, points=HOLD) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 60)
            odometer = [values(driver, poll)["odometer"] or 0 for poll in collector.polls]
            assert odometer[0] == 5_000_000
            assert odometer == sorted(odometer)
            assert abs(odometer[-1] - 5_708_000) < 15_000
            assert collector.kept["odometer"] == str(odometer[-1]).encode()
            (point,) = [point for point in driver.points if point.name == "van/odometer"]
            assert point.kind is PointKind.COUNTER
        collector.polls.clear()
        async with receiver(Clock(), reports[:1], points=HOLD) as driver:
            await run_until(driver, collector, lambda: collector.polls)
            assert values(driver, collector.polls[0])["odometer"] == odometer[-1]

    asyncio.run(scenario())


@pytest.mark.parametrize("kept", [b"", b"-5", b"\xff", b"5.5"])
def test_odometer_that_was_not_kept_well_begins_at_zero(kept: bytes, collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        collector.remember("odometer", kept)
        async with receiver(Clock(), [(0, tpv(0))], points=HOLD) as driver:
            await run_until(driver, collector, lambda: collector.polls)
            assert values(driver, collector.polls[0])["odometer"] == 0

    asyncio.run(scenario())


def test_lost_fix_has_no_held_place(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        reports = [(0, tpv(0)), (1, tpv(1)), (2, tpv(2, mode=1))]
        async with receiver(Clock(), reports, points=HOLD) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 3)
            assert collector.positions[-1].latitude_e9 is None
            assert collector.polls[-1].counts == [None, None, None, 0]
            assert collector.polls[-1].flags == [(n, int(Status.NOT_MEASURED)) for n in range(3)]

    asyncio.run(scenario())


def test_sparse_reports_promise_their_longest_silence_and_keep_it(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        parked = [(n / 10, tpv(n / 10)) for n in range(1300)]
        sparse = SparseReport(distance_m=50, course_deg=15, longest_s=60)
        async with receiver(Clock(), parked, points=HOLD, sparse=sparse, period_ms=100) as driver:
            assert {point.period_ms for point in driver.points} == {60_000}
            await run_until(driver, collector, lambda: len(collector.polls) == 3)
            ticks = [poll.tick for poll in collector.polls]
            assert [later - ticks[0] for later in ticks] == [0, 6000, 12_000]
            assert [position.tick for position in collector.positions] == ticks

    asyncio.run(scenario())


def test_distance_loss_of_fix_and_start_are_reported_at_once(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        parked = [(n, tpv(n)) for n in range(10)]
        driving = [(10 + n, tpv(10 + n, north_m=11 * n, speed=11)) for n in range(20)]
        lost = [(30 + n, tpv(30 + n, mode=1)) for n in range(5)]
        async with receiver(Clock(), parked + driving + lost, points=HOLD, sparse=SparseReport()) as driver:
            await run_until(
                driver, collector, lambda: collector.positions and collector.positions[-1].mode == 1
            )
            seconds = [(poll.tick - 100) // 100 for poll in collector.polls]
            assert seconds == [0, 13, 18, 23, 28, 30]

    asyncio.run(scenario())


def test_satellites_that_come_after_the_first_fix_are_reported_at_once(
    collector: Any, run_until: Any
) -> None:
    seen = b'{"class":"SKY","satellites":[{"used":true,"gnssid":3}]}\n'

    async def scenario() -> None:
        reports = [(0, tpv(0)), (1, seen + tpv(1)), (2, tpv(2))]
        async with receiver(
            Clock(), reports, points=["hold", "satellites_beidou"], sparse=SparseReport()
        ) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 2)
            assert [poll.counts for poll in collector.polls] == [[1, None], [1, 1]]

    asyncio.run(scenario())


def test_newest_fix_left_out_is_told_when_silence_begins(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        reports = [(n, tpv(n)) for n in range(6)]
        clock = Clock()
        async with receiver(
            clock, [*reports, (7, b"no report\n")], points=HOLD, sparse=SparseReport()
        ) as driver:
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert [(poll.tick - 100) // 100 for poll in collector.polls] == [0, 5]
            assert len(collector.positions) == 2

    asyncio.run(scenario())


def test_doubtful_time_is_an_event_and_no_hint(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        reports = [(n, tpv(n, leapseconds=15)) for n in range(6)]
        good = [(6 + n, tpv(6 + n, leapseconds=18, ept=0.4)) for n in range(3)]
        async with receiver(Clock(), reports + good) as driver:
            await run_until(driver, collector, lambda: collector.times)
            (event,) = collector.events
            assert (event.kind, event.subject) == ("gnss_time_doubted", "van/position")
            assert event.data == {"reason": "leap seconds 15: expected 18 or more"}
            assert [hint.bound_ms for hint in collector.times] == [800]
            assert len(collector.positions) == 9

    asyncio.run(scenario())


def test_accuracy_and_jamming_that_gpsd_passes_on_are_points(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        points = ["error", "error_vertical", "error_time", "jamming", "antenna"]
        fix = tpv(0, eph=2.5, epv=4.125, ept=0.005, jam=17)
        async with receiver(Clock(), [(0, fix)], points=points) as driver:
            await run_until(driver, collector, lambda: collector.polls)
            assert collector.polls[0].counts == [2500, 4125, 5000, 17, None]

    asyncio.run(scenario())


def test_damaged_message_of_the_receiver_is_left_out(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        lines = [(0, b"$GNTXT,01,01,02,ANTSTATUS=OPEN*00\n"), (1, tpv(1))]
        async with receiver(Clock(), lines, points=["antenna"], own_messages=True) as driver:
            await run_until(driver, collector, lambda: collector.polls)
            assert collector.polls[0].counts == [None]
            assert not collector.events

    asyncio.run(scenario())


@pytest.mark.slow
def test_antenna_and_jamming_come_through_a_real_gpsd(
    collector: Any, run_until: Any, daemon_folder: Path
) -> None:
    here = Fix(28.193889052, 112.966809713, 52.3, 0.0, 0.0, parked=True)

    def steady(_: Fault) -> bytes:
        now = time.time()
        return epoch(here, datetime.fromtimestamp(now, UTC), sky("5", now))

    async def scenario() -> None:
        source = Receiver(steady, period_s=0.3, tells_antenna=True)
        points = ["antenna", "jamming", "jamming_state", "constellations", "mode"]
        async with gpsd_fed_by(source, folder=daemon_folder) as port:
            table: dict[str, Any] = {"points": points, "own_messages": True}
            settings = GnssDevice(name="gnss", prefix="van", port=port, **table)
            driver = GnssDriver(settings, Given(time.monotonic_ns))
            await run_until(driver, collector, lambda: collector.polls and collector.polls[-1].counts[0] == 1,
                            timeout_s=90)  # fmt: skip
            source.fault = "antenna_open"
            await run_until(driver, collector, lambda: collector.events, timeout_s=90)
            assert (collector.events[0].kind, collector.events[0].data) == (
                "antenna_changed",
                {"antenna": "open"},
            )
            source.fault = "jammed"
            await run_until(
                driver, collector, lambda: collector.polls[-1].counts[1:3] == [212, 3], timeout_s=90
            )
            assert [event.kind for event in collector.events] == ["antenna_changed", "jamming_changed"]
            told = {poll.counts[3] for poll in collector.polls if poll.counts[3] is not None}
            assert 0b101 in told  # GPS and BeiDou

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"points": ["hold_north"]}, "points: 'hold_north': expected hold beside it"),
        ({"sparse": {"distance_m": 0}}, "sparse.distance_m: 0: expected"),
        ({"sparse": {"longest_s": 0}}, "sparse.longest_s: 0: expected"),
    ],
)
def test_settings_that_make_no_sense_are_refused(table: dict[str, object], fault: str) -> None:
    _, faults = check({"driver": "gnss", "name": "gnss", **table}, GnssDevice)
    assert [one for one in map(str, faults) if fault in one], faults
