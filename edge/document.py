"""Finds what is wrong between the devices of a settings document, any part of which may have faults itself.

A table with faults is asked without what is wrong in it, so that all faults of a file come at once.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge.assembly import KINDS, build_driver
from edge.control.outputs import OutputDriver
from edge.driver import Given
from edge.drivers.modbus.catalogue import shipped_profiles
from wire.settings.base import Fault, SettingsError
from wire.settings.check import check
from wire.settings.gateway import Device
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, ModbusUnit, Profile, chosen_values

Table = Mapping[str, object]
_STAND_INS: Mapping[str, object] = {"host": "localhost", "path": "/dev/null", "address": 1}
"""For keys that must be there and have no say in names."""
_NAMELESS = frozenset(
    {"name", "host", "port", "path", "baud", "format", "interval_ms", "timeout_ms", "period_ms", "silence_s"}
)
"""Keys whose faults leave the names of points as they are."""


def document_faults(data: object) -> list[Fault]:
    """Return what `edge.assembly.build_drivers` would find wrong with the right parts of a document."""
    tables = data.get("device") if isinstance(data, Mapping) else None
    names = _Names()
    faults: list[Fault] = []
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        if not isinstance(table, Mapping):
            continue
        kind = KINDS.get(str(table.get("driver")))
        if kind in (ModbusDevice, ModbusRtuDevice):
            faults += _line_faults(table, index, names)
        elif kind is not None:
            faults += _device_faults(table, kind, index=index, names=names)
    return [*faults, *names.faults]


@dataclass(slots=True)
class _Names:
    """Who has the name of a point or an output first."""

    faults: list[Fault] = field(default_factory=list)
    _owners: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def point(self, name: str, index: int, device: str) -> None:
        """Device `index` feeds a point."""
        self._claim(("point", name), (index, device), "a point that {} does not feed")

    def output(self, name: str, index: int, device: str) -> None:
        """Device `index` has an output."""
        self._claim(("output", name), (index, device), "an output that {} does not have")

    def _claim(self, what: tuple[str, str], who: tuple[int, str], expected: str) -> None:
        index, device = self._owners.setdefault(what, who)
        if index != who[0]:
            self.faults.append(Fault(f"device {who[1]}", what[1], expected.format(device)))


def _device_faults(table: Table, kind: type[Device], *, index: int, names: _Names) -> list[Fault]:
    """Ask a device of any other kind, if what is wrong in it leaves its names alone."""
    wrong = {re.split(r"[.\[]", fault.path)[0] for fault in check(table, kind)[1]}
    if not wrong <= _NAMELESS:
        return []
    kept = {key: value for key, value in table.items() if key not in wrong}
    stand_ins = {**_STAND_INS, "name": f"device-{index}"}
    device, _ = check({**kept, **{key: stand_ins[key] for key in wrong & stand_ins.keys()}}, kind)
    if device is None:
        return []
    try:
        driver = build_driver(device, Given(time.monotonic_ns))
    except SettingsError as error:
        return [replace(fault, path=f"device[{index}].{fault.path}") for fault in error.faults]
    except ValueError as error:
        return [Fault(f"device[{index}]", _called(table, index), str(error))]
    for point in driver.points:
        names.point(point.name, index, _called(table, index))
    for output in driver.outputs if isinstance(driver, OutputDriver) else ():
        names.output(output.name, index, _called(table, index))
    return []


def _line_faults(table: Table, index: int, names: _Names) -> list[Fault]:
    """Ask a Modbus line with those of its units and profiles that can be told."""
    profiles = list(_profiles(table))
    doubted = {name for name, profile in profiles if profile is None and isinstance(name, str)}
    units = [unit for unit in _units(table) if unit.settings.profile not in doubted]
    if not units:
        return []
    sound = [place for place, (_, profile) in enumerate(profiles) if profile is not None]
    line = ModbusDevice(
        name=f"device-{index}",
        host="localhost",
        unit=[unit.settings for unit in units],
        profile=[profile for _, profile in profiles if profile is not None],
    )
    shipped = shipped_profiles()
    known = {**shipped, **{profile.name: profile for profile in line.profile}}
    for unit in units:
        profile = known.get(unit.settings.profile)
        if profile is None or not unit.named:
            continue
        prefix, device = unit.settings.prefix, _called(table, index)
        for value in chosen_values(unit.settings, profile):
            names.point(f"{prefix}/{value.point}", index, device)
        for own in unit.settings.output:
            names.output(f"{prefix}/{own.output}", index, device)
    return [_placed(fault, index, units=units, profiles=sound) for fault in line.use_faults(shipped)]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit without what is wrong in it, and where it and the entries of its lists stand in the file."""

    place: int
    settings: ModbusUnit
    named: bool
    """Whether the file tells its prefix."""
    entries: Mapping[str, Sequence[int]]


def _profiles(table: Table) -> Iterator[tuple[object, Profile | None]]:
    profiles = table.get("profile", [])
    for profile in profiles if isinstance(profiles, list) else ():
        yield profile.get("name") if isinstance(profile, Mapping) else None, check(profile, Profile)[0]


def _units(table: Table) -> Iterator[_Unit]:
    units = table.get("unit")
    for place, unit in enumerate(units if isinstance(units, list) else ()):
        if isinstance(unit, Mapping) and (found := _unit(unit, place)) is not None:
            yield found


def _unit(table: Table, place: int) -> _Unit | None:
    """Return a unit without its faulty keys and entries; None when nobody knows its profile."""
    kept = dict(table)
    entries: dict[str, list[int]] = {
        key: list(range(len(value))) for key, value in table.items() if isinstance(value, list)
    }
    wrong = [re.match(r"(\w+)(?:\[(\d+)\])?", fault.path) for fault in check(table, ModbusUnit)[1]]
    for found in filter(None, wrong):
        key, entry = found[1], found[2]
        if entry is None:
            kept.pop(key, None)
        elif int(entry) in entries.get(key, ()):
            entries[key].remove(int(entry))
    lists = {key: table[key] for key in entries if key in kept}
    kept |= {
        key: [value[one] for one in entries[key]] for key, value in lists.items() if isinstance(value, list)
    }
    named = "prefix" in kept
    stand_ins = {**_STAND_INS, "prefix": f"device/unit.{place}"}
    kept |= {key: stand_ins[key] for key in ("address", "prefix") if key not in kept}
    settings, _ = check(kept, ModbusUnit)
    return None if settings is None else _Unit(place, settings, named, entries)


def _placed(fault: Fault, index: int, *, units: Sequence[_Unit], profiles: Sequence[int]) -> Fault:
    """Return a fault of the line that was asked as one of the file."""

    def unit(found: re.Match[str]) -> str:
        asked = units[int(found[1])]
        entry = f".{found[2]}[{asked.entries[found[2]][int(found[3])]}]" if found[2] else ""
        return f"unit[{asked.place}]{entry}"

    def profile(found: re.Match[str]) -> str:
        return f"profile[{profiles[int(found[1])]}]"

    path = re.sub(r"^unit\[(\d+)\](?:\.(\w+)\[(\d+)\])?", unit, fault.path)
    path = re.sub(r"^profile\[(\d+)\]", profile, path)
    expectation = re.sub(r"\bunit\[(\d+)\]()()", unit, fault.expectation)
    return Fault(f"device[{index}].{path}", fault.value, expectation)


def _called(table: Table, index: int) -> str:
    name = table.get("name")
    return name if isinstance(name, str) else f"[{index}]"
