"""Adapters of drivers that ask a device on a line: Modbus, instruments, OSDP readers."""

import asyncio
import time
from collections.abc import Callable, Iterable
from decimal import Decimal

from edge.credential import FORMATS, frame_of
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from simulators.devices.modbus import Unit, modbus_server
from simulators.devices.modbus_rtu import rtu_line
from simulators.devices.osdp import Reader, reader_line, write_key
from tests.edge.drivers.conftest import Collector
from tests.sweep.fitting import FAULTS, Fault, Fitted, Seen, Site, goes_on, only, silent
from wire.messages import Event, Poll
from wire.settings.instrument import Identity, InstrumentDevice, Query
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, ModbusUnit
from wire.settings.osdp import OsdpDevice, OsdpReader
from wire.status import GapCause

CARD = frame_of(FORMATS["h10301"], 51603, 118)
VISIT_S = 0.25
VOLTS = 10 * 10**8
NOISE = 10**4
"""The simulated multimeter's noise in counts, with room to spare."""


def now() -> tuple[int, int]:
    return time.monotonic_ns(), time.time_ns() // 10**6


def units(prefix: str) -> list[ModbusUnit]:
    return [ModbusUnit(address=1, profile="xy-md02", prefix=prefix)]


def switched(switch: Callable[[str], object], seen: Seen, words: Iterable[str] = FAULTS) -> dict[str, Fault]:
    """Return faults that the simulator has by these very names."""
    return {word: Fault(seen, lambda word=word: switch(word), lambda: switch("")) for word in words}


async def modbus(site: Site) -> Fitted:
    made = modbus_server([Unit(1, "xy-md02", lambda _: 20.0)], now=now)
    line, port = await site.stack.enter_async_context(made)
    device = ModbusDevice(
        name="modbus", host="127.0.0.1", port=port, unit=units("air"), interval_ms=100, timeout_ms=200
    )
    seen = silent(GapCause.BUS, GapCause.SENSOR)
    return Fitted(device, switched(line.switch, seen), only(2000, 2000))


async def modbus_rtu(site: Site) -> Fitted:
    path = site.place("rtu") / "tty"
    made = rtu_line([Unit(1, "xy-md02", lambda _: 20.0)], now=now, path=path)
    line = await site.stack.enter_async_context(made)
    device = ModbusRtuDevice(
        name="rtu", path=str(path), unit=units("attic"), interval_ms=100, timeout_ms=200, late_ms=300
    )
    seen = silent(GapCause.BUS, GapCause.SENSOR)
    return Fitted(device, switched(line.switch, seen), only(2000, 2000))


async def instrument(site: Site) -> Fitted:
    meter = Instrument(Multimeter(now_s=time.time))
    port = await site.stack.enter_async_context(scpi_server(meter))
    device = InstrumentDevice(
        name="meter",
        prefix="meter",
        resource=f"TCPIP::127.0.0.1::{port}::SOCKET",
        identity=Identity(model="SIM-6500"),
        interval_ms=100,
        timeout_ms=300,
        query=[Query(point="volt", command="READ?", quantity="voltage", step=Decimal("1e-7"))],
    )

    def switch(fault: str) -> None:
        meter.fault = fault

    def true(poll: Poll) -> bool:
        return all(count is None or abs(count - VOLTS) < NOISE for count in poll.counts)

    faults = switched(switch, silent(GapCause.BUS))
    return Fitted(device, faults, true, block=faults["silence"])


def cards(collector: Collector) -> list[Event]:
    return [event for event in collector.events if event.kind == "card_read"]


def masked(collector: Collector) -> bool:
    """Whether every card that was read is the one that was shown."""
    return all(card.data["masked"] == "…03" for card in cards(collector))


async def osdp(site: Site) -> Fitted:
    folder = site.folder / "doors"
    folder.mkdir(mode=0o700)
    reader = Reader(1, write_key(folder / "entry.key", "sweep"))
    path = site.place("osdp") / "line"
    line = await site.stack.enter_async_context(reader_line(path, [reader], seed=7))

    async def visits() -> None:
        while True:
            await asyncio.sleep(VISIT_S)
            reader.present(CARD, 26)

    await site.live(visits())
    device = OsdpDevice(
        name="doors",
        prefix="door",
        path=str(path),
        baud=115200,
        interval_ms=500,
        offline_s=1,
        reader=[OsdpReader(name="entry", address=1)],
    )

    def switch(fault: str) -> None:
        line.switch(fault, 1)

    faults = switched(switch, silent(GapCause.BUS), ("garbage", "silence"))
    faults |= switched(switch, goes_on, ("slow",))
    unplugged = Fault(silent(GapCause.BUS), lambda: line.switch("gone", None), lambda: line.switch("", None))
    return Fitted(
        device,
        faults | {"reset": unplugged},
        lambda poll: poll.counts[0] in (None, 0, 1),
        alive=lambda collector: len(cards(collector)),
        also=masked,
        every_s=VISIT_S,
    )
