"""What runs of a scenario, and what may be done to it: faults are switched, and people act.

It starts nothing (`simulators.running` does).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from simulators.devices import (
    bluez,
    camera,
    gnss,
    gpio,
    instrument,
    modbus,
    modem,
    network,
    osdp,
    senml,
    terminal,
    ups,
)
from simulators.devices.gpio import Board
from simulators.devices.sysfs import Tree
from simulators.devices.ups_dump import RecordedUps
from simulators.scenario import Table

Device = (
    modbus.ModbusLine
    | gnss.Receiver
    | ups.Ups
    | RecordedUps
    | Tree
    | osdp.ReaderLine
    | bluez.Air
    | Board
    | terminal.Terminal
    | senml.Sensor
    | instrument.Instrument
    | camera.Camera
    | network.Uplink
    | modem.Radio
)
Act = Callable[..., Table | None]
"""What somebody does with a device, with words where it takes some; tells what there is to tell of it."""
_WITH_WORDS = ("card", "pin")


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where simulated devices take their time from."""

    monotonic_ns: Callable[[], int]
    utc_s: Callable[[], float]

    def now(self) -> tuple[int, int]:
        """Return (monotonic ns, UTC ms)."""
        return self.monotonic_ns(), int(self.utc_s() * 1000)


@dataclass(slots=True)
class Running:
    """A running scenario: its devices by `<gateway>/<name>`, and the settings tables of each gateway."""

    title: str
    devices: dict[str, Device]
    gateways: dict[str, Table]
    acts: dict[str, dict[str, Act]] = field(default_factory=dict)
    """What people can do, by `<gateway>/<name>/<part>` and a word."""

    def act(self, device: str, do: str) -> Table:
        """Do it and return what there is to tell of it; `ValueError` names what can be done.

        `do` is a word, with what it needs behind it: `card 17 20001` holds that card to a reader.
        """
        do, *words = do.split() or [""]
        found = self.acts.get(device)
        if found is None:
            raise ValueError(f"device {device!r}: expected one of {', '.join(sorted(self.acts))}")
        if do not in found:
            raise ValueError(f"do {do!r} with {device}: expected one of {', '.join(found)}")
        if words and do not in _WITH_WORDS:
            raise ValueError(f"do {do!r} with {device}: expected nothing behind it")
        return found[do](*words) or {}

    def ports(self) -> Table:
        """Return what a ports file holds."""
        return {"title": self.title, "gateways": self.gateways}

    def switch(self, device: str, fault: str, *, unit: int | None = None) -> None:
        """Switch a fault on, or off with the empty word; `ValueError` names what cannot be."""
        found = self.devices.get(device)
        if found is None:
            raise ValueError(f"device {device!r}: expected one of {', '.join(sorted(self.devices))}")
        places = self._units(found)
        if unit is not None and places and unit not in places:
            raise ValueError(f"unit {unit} of {device}: expected one of {', '.join(map(str, places))}")
        if isinstance(found, modbus.ModbusLine):
            found.switch(fault, unit)
        elif isinstance(found, gnss.Receiver):
            found.fault = msgspec.convert(fault, gnss.Fault)
        elif isinstance(found, Tree | osdp.ReaderLine):
            found.switch(fault, unit)
        elif isinstance(found, bluez.Air | modem.Radio):
            found.switch(fault)
        elif isinstance(found, Board):
            found.fault = msgspec.convert(fault, gpio.Fault)
        elif isinstance(found, terminal.Terminal):
            found.fault = msgspec.convert(fault, terminal.Fault)
        elif isinstance(found, senml.Sensor):
            found.fault = msgspec.convert(fault, senml.Fault)
        elif isinstance(found, instrument.Instrument):
            found.fault = msgspec.convert(fault, instrument.Fault)
        elif isinstance(found, camera.Camera):
            found.fault = msgspec.convert(fault, camera.Fault)
        elif isinstance(found, network.Uplink):
            found.fault = msgspec.convert(fault, network.Fault)
        else:
            wanted: ups.Fault = msgspec.convert(fault, ups.Fault)
            if isinstance(found, RecordedUps):
                found.check(wanted)
            found.fault = wanted

    @staticmethod
    def _units(found: Device) -> list[int]:
        """Return the addresses that can be meant, where units have some."""
        if isinstance(found, modbus.ModbusLine):
            return sorted(found.units)
        return sorted(found.readers) if isinstance(found, osdp.ReaderLine) else []
