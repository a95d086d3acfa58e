"""A simulated instrument on a simulated power meter: its use becomes events, also over a restart."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.modbus.catalogue import device_faults
from edge.drivers.modbus.driver import ModbusDriver
from simulators.climate import Instrument
from simulators.devices.modbus import Unit, modbus_server
from wire.settings.check import check
from wire.settings.modbus import ModbusDevice, ModbusUnit
from wire.settings.modbus_outputs import UnitUsage

NOON = 1_789_000_000.0
FASTER = 400.0
"""The simulated instrument lives so much faster than the test."""


def usage(**more: Any) -> UnitUsage:
    return UnitUsage(on_w=Decimal(50), off_w=Decimal(20), least_s=0.1, rest_s=0.1, gap_s=5, **more)


def now() -> tuple[int, int]:
    return time.monotonic_ns(), int(NOON * 1000)


@pytest.mark.slow
@pytest.mark.requirement("G-6.5b")
def test_use_of_an_instrument_is_told_with_its_energy(collector: Any, run_until: Any) -> None:
    instrument = Instrument("1/meter", period_s=900, used_s=400)
    began = time.monotonic()

    def truth(name: str) -> float:
        return instrument.value(name, NOON + FASTER * (time.monotonic() - began))

    async def scenario() -> None:
        async with modbus_server([Unit(3, "pzem-004t", truth)], now=now) as (_, port):
            unit = ModbusUnit(
                address=3, profile="pzem-004t", prefix="balance/supply", usage=usage(subject="balance-7")
            )
            settings = ModbusDevice(name="bus", host="127.0.0.1", port=port, interval_ms=20, unit=[unit])
            driver = ModbusDriver(settings, Given(time.monotonic_ns))

            def whole() -> list[Any]:
                kinds = [event.kind for event in collector.events]
                first = kinds.index("usage_started") if "usage_started" in kinds else len(kinds)
                return collector.events[first : first + 4][3:]

            await run_until(driver, collector, whole)

    asyncio.run(scenario())
    events = [event for event in collector.events if event.data["start_known"]]
    started = next(event for event in events if event.kind == "usage_started")
    ended = next(event for event in events if event.kind == "usage_ended")
    assert started.subject == ended.subject == "balance-7"
    assert started.data["session"] == ended.data["session"]
    assert abs(ended.data["duration_s"] - 1.0) < 0.2
    energy = Decimal(ended.data["energy"]).scaleb(ended.data["energy_exponent"])
    assert abs(energy - Decimal("0.0244")) < Decimal("0.004")
    assert ended.data["end_known"]
    assert not ended.data["restarted"]


@pytest.mark.slow
def test_session_goes_on_in_the_next_run(collector: Any, run_until: Any) -> None:
    power = [100.0]

    async def scenario() -> None:
        truths = {"power": lambda: power[0]}
        unit = Unit(3, "pzem-004t", lambda name: truths.get(name, lambda: 1.0)())
        async with modbus_server([unit], now=now) as (_, port):
            own = ModbusUnit(address=3, profile="pzem-004t", prefix="m", usage=usage())
            settings = ModbusDevice(name="bus", host="127.0.0.1", port=port, interval_ms=20, unit=[own])
            first = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(first, collector, lambda: collector.events)
            power[0] = 2.0
            second = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(second, collector, lambda: len(collector.events) == 2)

    asyncio.run(scenario())
    started, ended = collector.events
    assert (started.kind, ended.kind) == ("usage_started", "usage_ended")
    assert not started.data["start_known"]
    assert ended.data["session"] == started.data["session"] == 1
    assert ended.data["restarted"]
    assert ended.data["duration_s"] is None
    assert ended.data["energy"] == 0
    assert ended.subject == "m"


def test_what_was_kept_and_makes_no_sense_is_forgotten(collector: Any, run_until: Any) -> None:
    async def scenario() -> None:
        async with modbus_server([Unit(3, "pzem-004t", lambda _: 1.0)], now=now) as (_, port):
            own = ModbusUnit(
                address=3,
                profile="pzem-004t",
                prefix="m",
                points=["power"],
                usage=usage(),
            )
            settings = ModbusDevice(name="bus", host="127.0.0.1", port=port, interval_ms=20, unit=[own])
            collector.remember("modbus/bus/m/usage", b"\xff")
            driver = ModbusDriver(settings, Given(time.monotonic_ns))
            await run_until(driver, collector, lambda: len(collector.polls) >= 2)
            assert not collector.events

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ({"power": "current"}, "unit[0].usage.power"),
        ({"energy": "power"}, "unit[0].usage.energy"),
        ({"energy": "nothing"}, "unit[0].usage.energy"),
    ],
)
def test_usage_of_what_is_not_read_is_a_fault(own: dict[str, str], path: str) -> None:
    unit = ModbusUnit(address=3, profile="pzem-004t", prefix="m", usage=usage(**own))
    settings = ModbusDevice(name="bus", host="localhost", unit=[unit])
    assert [fault.path for fault in device_faults(settings)] == [path]


def test_thresholds_without_hysteresis_are_a_fault() -> None:
    assert [fault.path for fault in check({"on_w": 20, "off_w": 20}, UnitUsage)[1]] == ["off_w"]
