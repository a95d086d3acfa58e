"""The driver against a real upsd and dummy-ups, and against bad servers."""

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.driver import DeviceUnavailable, Given
from edge.drivers.ups.decode import Power
from edge.drivers.ups.driver import UpsDriver
from simulators.devices.ups import Fault, Ups, nut_server
from wire.settings.ups import UpsDevice
from wire.status import GapCause, Status


@asynccontextmanager
async def real_nut(folder: Path) -> AsyncIterator[tuple[Ups, UpsDriver]]:
    ups = Ups(now_s=time.time)
    async with nut_server(ups, folder=folder) as port:
        settings = UpsDevice(name="power", prefix="power", port=port, interval_ms=100)
        yield ups, UpsDriver(settings, Given(time.monotonic_ns))


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


@pytest.mark.slow
@pytest.mark.requirement("G-5.1d", "G-6.9c3")
def test_power_is_followed_through_battery_low_and_back(
    collector: Any, insist: Any, daemon_folder: Path
) -> None:
    async def scenario() -> None:
        async with real_nut(daemon_folder) as (ups, driver):

            def power() -> object:
                return collector.polls[-1].counts[0] if collector.polls else None

            await insist(driver, collector, lambda: power() == Power.MAINS)
            collector.events.clear()
            ups.fault = "battery"
            await insist(driver, collector, lambda: power() == Power.BATTERY)
            assert kinds(collector) == ["power_lost"]
            ups.fault = "low"
            await insist(driver, collector, lambda: "battery_low" in kinds(collector))
            ups.fault = "conflict"
            await insist(driver, collector, lambda: collector.polls[-1].counts[1] == 0b1000011)
            assert power() == Power.BATTERY
            ups.fault = ""
            await insist(driver, collector, lambda: power() == Power.MAINS)
            assert kinds(collector)[:3] == ["power_lost", "battery_low", "power_restored"]
            charge = collector.polls[-1].counts[2]
            assert 0 < charge < 20_000
            assert all(event.subject == "power/power" for event in collector.events)

    asyncio.run(scenario())


STALE: list[tuple[Fault, Status]] = [("stale", Status.STALE), ("driver_lost", Status.UNKNOWN)]


@pytest.mark.slow
@pytest.mark.requirement("G-6.9c3")
@pytest.mark.parametrize(("fault", "status"), STALE)
def test_stale_ups_reads_unknown(
    fault: Fault, status: Status, collector: Any, insist: Any, daemon_folder: Path
) -> None:
    """The last value is never repeated: not while the data are stale, not while the driver is gone."""

    async def scenario() -> None:
        async with real_nut(daemon_folder) as (ups, driver):
            await insist(driver, collector, lambda: collector.polls and collector.polls[-1].counts[0] == 1)
            collector.events.clear()
            ups.fault = fault
            everything = [(index, status) for index in range(9)]
            await insist(driver, collector, lambda: collector.polls[-1].flags == everything)
            assert collector.polls[-1].counts == [None] * 9
            assert kinds(collector) == ["power_unknown"]
            ups.fault = ""
            await insist(driver, collector, lambda: collector.polls[-1].counts[0] == 1)
            assert kinds(collector)[-1] == "power_restored"

    asyncio.run(scenario())


@asynccontextmanager
async def fake_nut(*answers: bytes, hang: bool = False) -> AsyncIterator[UpsDriver]:
    """A server that answers each question with the next of `answers`, then leaves or hangs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            assert await reader.readline() == b"LIST VAR ups\n"
            writer.write(answer)
        if hang:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = UpsDevice(name="power", port=port, interval_ms=100, timeout_ms=200, points=["power", "load"])
    async with server:
        yield UpsDriver(settings, Given(time.monotonic_ns))
        await asyncio.sleep(0.02)


def listing(status: str, load: str = "20") -> bytes:
    return (
        f'BEGIN LIST VAR ups\nVAR ups ups.status "{status}"\nVAR ups ups.load "{load}"\nEND LIST VAR ups\n'
    ).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed the connection"),
        (b"ERR UNKNOWN-UPS\n", "NUT answers UNKNOWN-UPS"),
        (b"ERR ACCESS-DENIED\n", "NUT answers ACCESS-DENIED"),
        (b"HTTP/1.1 400 Bad Request\r\n", "expected 'BEGIN LIST VAR ups'"),
        (b"BEGIN LIST VAR ups\nVAR ups \xff\xfe\n", "expected VAR ups"),
        (b"BEGIN LIST VAR ups\n" + b"x" * 9000 + b"\n", "a line of more than 4096 bytes"),
        (b"BEGIN LIST VAR ups\n" + b"".join(b'VAR ups v%d "1"\n' % n for n in range(3000)), "more than 2000"),
        (b'BEGIN LIST VAR ups\nVAR ups ups.status "OL"\n', "closed the connection"),
    ],
)
def test_bad_answer_is_unavailable_and_makes_the_power_unknown(
    answer: bytes, reason: str, collector: Any, run_until: Any
) -> None:
    async def scenario() -> None:
        async with fake_nut(answer) as driver:
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert reason in error.reason
            assert kinds(collector) == ["power_unknown"]
            assert not collector.polls

    asyncio.run(scenario())


def test_slow_server_is_unavailable_in_time(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with fake_nut(listing("OL"), hang=True) as driver:
            error = await run_until(driver, collector, lambda: False, timeout_s=3)
            assert error.reason == "no answer within 0.2 s"
            assert kinds(collector) == ["power_unknown"]
            assert collector.polls[0].counts == [1, 20_000]

    asyncio.run(scenario())


def test_events_tell_changes_and_nothing_else(collector: Any, run_until: Any) -> None:
    states = ["OL", "OL", "OB", "OB DISCHRG", "OB LB", "OB LB", "OL OB", "OL CHRG LB", "OL"]

    async def scenario() -> None:
        async with fake_nut(*(listing(status) for status in states), hang=True) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == len(states))

    asyncio.run(scenario())
    assert kinds(collector) == [
        "power_lost", "battery_low", "power_unknown", "power_restored", "battery_low"
    ]  # fmt: skip
    assert collector.events[0].data == {"flags": "OB"}
    assert [poll.counts[0] for poll in collector.polls] == [1, 1, 2, 2, 2, 2, None, 1, 1]


def test_first_look_on_battery_is_an_event(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with fake_nut(listing("OB"), hang=True) as driver:
            await run_until(driver, collector, lambda: collector.polls)

    asyncio.run(scenario())
    assert kinds(collector) == ["power_lost"]


def test_nobody_listening_is_told_once(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        driver = UpsDriver(UpsDevice(name="ups", port=1), Given(time.monotonic_ns))
        for _ in range(3):
            error = await run_until(driver, collector, lambda: False)
            assert "cannot connect to NUT at 127.0.0.1 port 1" in error.reason
        assert kinds(collector) == ["power_unknown"]
        (line,) = await driver.probe()
        assert not line.ok

    asyncio.run(scenario())


def test_probe_says_model_power_and_flags() -> None:
    async def scenario() -> None:
        async with fake_nut(listing("OL CHRG")) as driver:
            (line,) = await driver.probe()
            assert (line.ok, line.answer) == (True, "model not told: power mains (CHRG OL)")
        async with fake_nut(listing("WAIT")) as driver:
            (line,) = await driver.probe()
            assert not line.ok

    asyncio.run(scenario())


def test_sample_runs_as_it_stands() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "ups" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    driver = UpsDriver(msgspec.convert(table, UpsDevice), Given(time.monotonic_ns))
    assert driver.points[0].states == {"1": "mains", "2": "battery"}


@pytest.mark.slow
@pytest.mark.requirement("G-6.9c3")
def test_ups_that_enumerates_anew_as_the_power_goes_never_reads_fine(
    collector: Any, insist: Any, daemon_folder: Path
) -> None:
    """From mains, contact is lost with the power, and comes back on battery: unknown between, never mains."""

    async def scenario() -> None:
        async with real_nut(daemon_folder) as (ups, driver):
            await insist(driver, collector, lambda: collector.polls and collector.polls[-1].counts[0] == 1)
            ups.fault = "reenumerated"
            await insist(driver, collector, lambda: collector.polls[-1].counts[0] == Power.BATTERY)
            assert kinds(collector) == ["power_unknown", "power_lost"]
            told = [poll.counts[0] for poll in collector.polls]
            assert set(told[told.index(None) :]) == {None, Power.BATTERY}
            ups.fault = ""
            await insist(driver, collector, lambda: collector.polls[-1].counts[0] == Power.MAINS)
            assert kinds(collector)[-1] == "power_restored"

    asyncio.run(scenario())


@asynccontextmanager
async def status_server(status: dict[str, str], asked: list[str], **more: Any) -> AsyncIterator[UpsDriver]:
    """A NUT that says `status["now"]`, or ERR with `status["error"]`, and counts what it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while question := (await reader.readline()).decode():
            asked.append(question.split()[0])
            if "error" in status:
                writer.write(f"ERR {status['error']}\n".encode())
            elif question.startswith("LIST"):
                writer.write(listing(status["now"]))
            else:
                writer.write(f'VAR ups {status.get("name", "ups.status")} "{status["now"]}"\n'.encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    table: dict[str, Any] = {"points": ["power"], "interval_ms": 60_000, "watch_ms": 50, **more}
    async with server:
        yield UpsDriver(UpsDevice(name="power", port=port, **table), Given(time.monotonic_ns))
        await asyncio.sleep(0.02)


@pytest.mark.requirement("G-6.9c3")
def test_power_lost_between_two_readings_is_told_at_once(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        status, asked = {"now": "OL"}, list[str]()
        async with status_server(status, asked) as driver:
            running = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: collector.polls)
            status["now"] = "OB DISCHRG"
            await asyncio.wait_for(collector.until(lambda: kinds(collector) == ["power_lost"]), 2)
            status["now"] = "OL CHRG"
            await asyncio.wait_for(collector.until(lambda: kinds(collector)[-1] == "power_restored"), 2)
            status["error"] = "DATA-STALE"
            await asyncio.wait_for(collector.until(lambda: kinds(collector)[-1] == "power_unknown"), 2)
            await collector.until(lambda: len(collector.polls) == 4)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert asked.count("LIST") == 4
        assert [poll.counts for poll in collector.polls] == [[1], [2], [1], [None]]

    asyncio.run(scenario())


def test_nothing_is_looked_at_between_readings_that_come_often(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        asked: list[str] = []
        async with status_server({"now": "OL"}, asked, interval_ms=100, watch_ms=100) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 4)
        assert set(asked) == {"LIST"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "ups.load"}, "expected variable ups.status"),
        ({"error": "UNKNOWN-UPS"}, "NUT answers UNKNOWN-UPS"),
    ],
)
def test_bad_answer_between_readings_makes_the_power_unknown(
    change: dict[str, str], reason: str, collector: Any, run_until: Any
) -> None:
    async def scenario() -> None:
        status = {"now": "OL"}
        async with status_server(status, []) as driver:
            running = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: collector.polls)
            status |= change
            (error,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(error, DeviceUnavailable)
            assert reason in error.reason
            assert kinds(collector) == ["power_unknown"]

    asyncio.run(scenario())


def test_driver_of_nut_that_looks_for_its_ups_makes_the_power_unknown(collector: Any, run_until: Any) -> None:
    seeking = listing("OL").replace(b"END", b'VAR ups driver.state "reconnect.trying"\nEND')

    async def scenario() -> None:
        async with fake_nut(listing("OL"), seeking, listing("OB"), hang=True) as driver:
            await run_until(driver, collector, lambda: len(collector.polls) == 3)
        assert [poll.counts for poll in collector.polls] == [[1, 20_000], [None, None], [2, 20_000]]
        assert kinds(collector) == ["power_unknown", "power_lost"]
        assert collector.polls[1].flags == [(0, int(Status.STALE)), (1, int(Status.STALE))]
        assert "looks for it" in collector.events[0].data["reason"]

    asyncio.run(scenario())
