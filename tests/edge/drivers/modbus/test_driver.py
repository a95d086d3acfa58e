"""The driver against simulated units on a real TCP port: good, silent, garbled, slow, refusing, gone."""

import asyncio
import itertools
import json
import re
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.driver import Given
from edge.drivers.modbus.driver import ModbusDriver
from edge.drivers.modbus.rounds import MS, TICK_NS, first_round, next_round
from simulators.devices.modbus import Fault, ModbusLine, Unit, modbus_server
from simulators.scenario import profile_of
from simulators.world import World
from wire.settings.modbus import ModbusDevice, ModbusUnit, Profile, ProfileValue
from wire.status import GapCause, PointKind, Status

WORLD = World(7)
NOON = 1_789_000_000.0


def truth(name: str) -> float:
    return WORLD.air("room", NOON).value(name)


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


def unit(address: int, model: str) -> Unit:
    return Unit(address, model, truth, slow_s=0.6)


@asynccontextmanager
async def two_units(log: Path | None = None) -> AsyncIterator[tuple[ModbusLine, ModbusDriver]]:
    """An XY-MD02 at address 1 and a Vaisala probe at address 240 on one line, and a driver for both."""
    units = [unit(1, "xy-md02"), unit(240, "vaisala-hmp")]
    async with modbus_server(units, now=now, log=log) as (line, port):
        settings = ModbusDevice(
            name="bus",
            host="127.0.0.1",
            port=port,
            interval_ms=20,
            timeout_ms=100,
            unit=[
                ModbusUnit(address=1, profile="xy-md02", prefix="a"),
                ModbusUnit(address=240, profile="vaisala-hmp", prefix="b"),
            ],
        )
        yield line, ModbusDriver(settings, Given(time.monotonic_ns))


@pytest.mark.requirement("G-6.11b")
def test_readings_agree_with_the_truth_to_the_devices_step(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (_, driver):
            await run_until(driver, collector, lambda: len(collector.polls) >= 4)
            declared = {point.name: point for point in driver.points}
            for layout in driver.layouts:
                poll = collector.of(layout.id)[0]
                assert poll.flags == []
                for name, exponent, count in zip(layout.points, layout.exponents, poll.counts, strict=True):
                    value = Decimal(count).scaleb(exponent)
                    assert declared[name].exponent == exponent
                    step = Decimal("0.1") if name.startswith("a/") else Decimal("0.001")
                    assert abs(value - Decimal(truth(name.split("/")[1]))) <= step / 2 + Decimal("1e-6")

    asyncio.run(scenario())


FAULTS: list[tuple[Fault, str]] = [
    ("silence", "no answer within 0.1 s"),
    ("garbage", "undecodable answer"),
    ("wrong_count", "registers: expected"),
    ("reset", "connection"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_bad_unit_is_silent_while_the_others_go_on(
    fault: Fault, reason: str, collector: Any, insist: Any
) -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            good, bad = driver.layouts
            line.units[240].fault = fault
            await insist(driver, collector, lambda: len(collector.of(good.id)) >= 30 and collector.silences)
            assert not collector.of(bad.id)
            points, cause, said = collector.silences[0]
            assert points == tuple(bad.points)
            assert cause is (GapCause.BUS if fault in ("garbage", "reset") else GapCause.SENSOR)
            assert reason in said
            line.units[240].fault = ""
            await insist(driver, collector, lambda: len(collector.of(bad.id)) >= 3)
            assert all(count is not None for count in collector.of(bad.id)[0].counts)

    asyncio.run(scenario())


@pytest.mark.slow
def test_retries_of_a_silent_unit_cost_its_neighbour_no_round(
    collector: Any, run_until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with modbus_server([unit(1, "xy-md02"), unit(240, "vaisala-hmp")], now=now) as (line, port):
            settings = ModbusDevice(
                name="bus",
                host="127.0.0.1",
                port=port,
                interval_ms=400,
                timeout_ms=400,
                unit=[
                    ModbusUnit(address=240, profile="vaisala-hmp", prefix="b"),
                    ModbusUnit(address=1, profile="xy-md02", prefix="a"),
                ],
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            bad, good = driver.layouts
            line.units[240].fault = "silence"
            seen: list[int] = []

            def watched() -> bool:
                seen[:] = [poll.tick for poll in collector.of(good.id)]
                if len(seen) >= 13:
                    line.units[240].fault = ""
                return bool(collector.of(bad.id))

            await run_until(driver, collector, watched)
            steps = [after - before for before, after in itertools.pairwise(seen[1:])]
            assert len(steps) >= 11
            assert all(2 * step <= 3 * 40 for step in steps), steps

    asyncio.run(scenario())
    said = [record.getMessage() for record in caplog.records if "unit 240" in record.getMessage()]
    assert said == ["bus: unit 240: no answer within 0.4 s", "bus: unit 240: back"]


@pytest.mark.requirement("G-5.1c", "G-6.11a", "G-6.11b", "G-6.11c")
def test_every_kind_of_environment_data_is_read(collector: Any, run_until: Any) -> None:
    """Temperature, humidity, noise, vibration, field strength, air speed, light, power supply, flow, gas."""
    wanted = {
        "temperature", "relative_humidity", "sound_level", "vibration", "electric_field", "air_speed",
        "illuminance", "voltage", "frequency", "flow_rate", "co2", "pressure",
    }  # fmt: skip

    async def scenario() -> None:
        units = [unit(1, "xy-md02"), unit(2, "sim-environment")]
        async with modbus_server(units, now=now) as (_, port):
            settings = ModbusDevice(
                name="bus",
                host="127.0.0.1",
                port=port,
                profile=[msgspec.convert(profile_of("sim-environment"), Profile)],
                unit=[
                    ModbusUnit(address=1, profile="xy-md02", prefix="room/air"),
                    ModbusUnit(address=2, profile="sim-environment", prefix="room"),
                ],
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(driver, collector, lambda: len(collector.polls) >= 2)
            read = {
                name: Decimal(count).scaleb(exponent)
                for layout in driver.layouts
                for name, exponent, count in zip(
                    layout.points, layout.exponents, collector.of(layout.id)[0].counts, strict=True
                )
            }
        quantities = {point.quantity: point.name for point in driver.points}
        assert wanted <= set(quantities)
        truths = {"voltage": "supply_voltage", "frequency": "supply_frequency"}
        for quantity in wanted:
            real = Decimal(truth(truths.get(quantity, quantity)))
            assert abs(read[quantities[quantity]] - real) <= max(Decimal("0.5"), abs(real) / 100), quantity
        assert all(poll.flags == [] for poll in collector.polls)

    asyncio.run(scenario())


def test_refusing_unit_is_a_device_error_not_a_gap(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            line.units[240].fault = "exception"
            bad = driver.layouts[1]
            await run_until(driver, collector, lambda: len(collector.of(bad.id)) >= 2)
            poll = collector.of(bad.id)[0]
            assert poll.counts == [None] * 4
            assert poll.flags == [(index, Status.DEVICE_ERROR) for index in range(4)]
            assert not collector.silences

    asyncio.run(scenario())


@pytest.mark.slow
def test_late_answers_never_count_for_another_question(collector: Any, insist: Any, tmp_path: Path) -> None:
    """The answer to a question that timed out arrives while the next one waits; values must not swap."""

    async def scenario() -> None:
        async with two_units(tmp_path / "given.jsonl") as (line, driver):
            line.units[240].fault = "slow"
            good, bad = driver.layouts
            await insist(driver, collector, lambda: len(collector.of(good.id)) >= 40)
            assert len({tuple(poll.counts) for poll in collector.of(good.id)}) == 1
            assert not collector.of(bad.id)
            line.units[240].fault = ""
            await insist(driver, collector, lambda: len(collector.of(bad.id)) >= 3)
            assert len({tuple(poll.counts) for poll in collector.of(good.id)}) == 1

    asyncio.run(scenario())
    given = [json.loads(line) for line in (tmp_path / "given.jsonl").read_text().splitlines()]
    assert {line["unit"] for line in given} == {1, 240}


def test_nobody_listening_is_unavailable(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (_, driver):
            pass
        error = await run_until(driver, collector, lambda: False)
        assert error.cause is GapCause.BUS
        assert "cannot connect to 127.0.0.1" in error.reason

    asyncio.run(scenario())


def test_line_without_any_answer_is_unavailable(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            for one in line.units.values():
                one.fault = "silence"
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert not collector.polls

    asyncio.run(scenario())


def test_connection_that_breaks_is_opened_again(collector: Any, insist: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            await insist(driver, collector, lambda: len(collector.polls) >= 4)
            seen = 0

            def broken_three_times() -> bool:
                nonlocal seen
                if len(collector.polls) >= 10 * (seen + 1) and seen < 3:
                    seen += 1
                    line.reset()
                return seen == 3 and len(collector.polls) >= 60

            await insist(driver, collector, broken_three_times)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x01\x00\x00\x00\x03\x01\x04",
        b"\x00\x01\x00\x00\x00\x07\x02\x04\x04\x01\x31\x02\x22",
        b"\x00\x63\x00\x00\x00\x07\x01\x04\x04\x01\x31\x02\x22",
        b"\x00\x00\x00\x00\x00\x07\x01\x04\x04\x01\x31\x02\x22",
        b"\x00\x01\x00\x00\x00\x07\x01\x03\x04\x01\x31\x02\x22",
        b"\x00\x01\x00\x00\x00\x05\x01\x04\x02\x01\x31",
        b"\x00\x01\x00\x00\x00\x03\x01\x84\x0b",
        b"\xff" * 400,
    ],
    ids=[
        "closed",
        "one byte",
        "http",
        "cut",
        "other unit",
        "other transaction",
        "transaction zero",
        "other function",
        "other count",
        "gateway target silent",
        "noise",
    ],
)
def test_answer_that_does_not_fit_gives_no_reading(reply: bytes, collector: Any, run_until: Any) -> None:
    """Every wrong answer ends in `DeviceUnavailable`, since the line has one unit."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(12)
        writer.write(reply)
        await writer.drain()
        if reply:
            await reader.read()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            settings = ModbusDevice(
                name="bus",
                host="127.0.0.1",
                port=server.sockets[0].getsockname()[1],
                timeout_ms=100,
                unit=[ModbusUnit(address=1, profile="xy-md02", prefix="a")],
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            error = await run_until(driver, collector, lambda: False)
            assert error.cause is GapCause.BUS
            assert not collector.polls
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_counter_of_reads_names_every_reading(collector: Any, run_until: Any, tmp_path: Path) -> None:
    """What the fault campaign rests on: each answer given out is logged and identifiable."""

    async def scenario() -> None:
        log = tmp_path / "given.jsonl"
        async with modbus_server([unit(2, "sim-environment")], now=now, log=log) as (_, port):
            settings = ModbusDevice(
                name="bus",
                host="127.0.0.1",
                port=port,
                interval_ms=10,
                profile=[msgspec.convert(profile_of("sim-environment"), Profile)],
                unit=[ModbusUnit(address=2, profile="sim-environment", prefix="room")],
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            assert driver.points[0].kind is PointKind.COUNTER
            assert driver.points[0].exponent == 0
            await run_until(driver, collector, lambda: len(collector.polls) >= 20)
        reads = [poll.counts[0] for poll in collector.polls]
        assert reads[:20] == list(range(1, 21))
        given = [json.loads(line) for line in log.read_text().splitlines()]
        assert [line["reads"] for line in given][:20] == list(range(1, 21))

    asyncio.run(scenario())


@pytest.mark.slow
def test_hundred_points_every_5_ms_are_20_000_readings_a_second(collector: Any, run_until: Any) -> None:
    """Coalesced into one read; at least half of the nominal rate even on a busy machine."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            assert request[8:] == b"\x00\x00\x00\x64"
            writer.write(request[:4] + b"\x00\xcb" + request[6:8] + b"\xc8" + bytes(200))
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            values = [
                ProfileValue(point=f"v{index}", quantity="temperature", register=index, scale=Decimal("0.1"))
                for index in range(100)
            ]
            settings = ModbusDevice(
                name="bus",
                host="127.0.0.1",
                port=server.sockets[0].getsockname()[1],
                interval_ms=5,
                profile=[Profile(name="wide", value=values)],
                unit=[ModbusUnit(address=1, profile="wide", prefix="a")],
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            started = time.monotonic()
            used = time.process_time()
            await run_until(driver, collector, lambda: len(collector.polls) >= 400)
            used = time.process_time() - used
            assert time.monotonic() - started < 4
            assert used < 2, "CPU seconds for 40,000 readings, both ends: 2 s a second is the limit"
            await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_probe_says_what_every_unit_answers() -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            line.units[1].fault = "silence"
            connected, silent, good = await driver.probe()
            assert connected.ok
            assert not silent.ok
            assert silent.answer == "no answer within 0.1 s"
            assert good.ok
            assert re.search(r"b/temperature = -?\d+\.\d+ °C", good.answer), good.answer
        (refused,) = await driver.probe()
        assert not refused.ok

    asyncio.run(scenario())


def test_sample_runs_as_it_stands() -> None:
    file = Path(__file__).parents[4] / "edge" / "drivers" / "modbus" / "sample.toml"
    (table,) = tomllib.loads(file.read_text(encoding="utf-8"))["device"]
    driver = ModbusDriver(msgspec.convert(table, ModbusDevice), Given(time.monotonic_ns))
    assert [point.name for point in driver.points] == [
        "room-1/air/temperature",
        "room-1/air/relative_humidity",
        "room-1/bench/illuminance",
    ]


def test_names_of_points_follow_prefix_and_profile(monotonic_ns: Callable[[], int]) -> None:
    settings = ModbusDevice(
        name="bus",
        host="127.0.0.1",
        unit=[ModbusUnit(address=1, profile="comet-t3311", prefix="cabin/air", points=["temperature"])],
    )
    driver = ModbusDriver(settings, Given(monotonic_ns))
    assert [point.name for point in driver.points] == ["cabin/air/temperature"]
    assert driver.points[0].period_ms == 1000
    assert driver.points[0].device == "bus"


@pytest.mark.parametrize(
    ("now_ms", "due_ms", "wait_ms"),
    [
        (120, 200, 80),
        (195, 200, 20),
        (200, 200, 20),
        (230, 200, 20),
        (399, 200, 20),
        (400, 400, 20),
        (970, 800, 20),
    ],
)
def test_rounds_stay_on_their_grid_and_never_share_a_tick(now_ms: int, due_ms: int, wait_ms: int) -> None:
    assert next_round(0, now_ms * MS, 200 * MS) == (due_ms * MS, wait_ms * MS)


def test_rounds_as_fast_as_ticks_are_not_held_up() -> None:
    assert next_round(0, 6 * MS, 5 * MS) == (5 * MS, 0)


@pytest.mark.parametrize("now_ns", [0, 1, TICK_NS - 1, TICK_NS, 12_345_678_901])
def test_rounds_begin_a_third_into_a_tick(now_ns: int) -> None:
    due_ns, wait_ns = first_round(now_ns)
    assert due_ns % TICK_NS == TICK_NS // 3
    assert 0 < wait_ns <= 2 * TICK_NS
    assert due_ns == now_ns + wait_ns


@pytest.mark.slow
def test_unit_that_is_not_configured_is_told_as_a_candidate(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with modbus_server([unit(5, "xy-md02"), unit(2, "xy-md02")], now=now) as (_, port):
            own = ModbusUnit(address=5, profile="xy-md02", prefix="a")
            settings = ModbusDevice(
                name="bus", host="127.0.0.1", port=port, interval_ms=1000, candidates_s=1, unit=[own]
            )
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(driver, collector, lambda: collector.events)
            assert not collector.silences

    asyncio.run(scenario())
    (event,) = collector.events
    assert (event.kind, event.subject) == ("candidate_seen", "bus/2")
    assert event.data == {"device": "bus", "kind": "modbus_unit", "address": 2}


def test_address_that_is_not_configured_is_not_asked_unasked(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with two_units() as (line, driver):
            line.units[2] = unit(2, "xy-md02")
            await run_until(driver, collector, lambda: len(collector.polls) >= 20)
            assert not collector.events

    asyncio.run(scenario())
