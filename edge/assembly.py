"""Makes drivers out of settings; a driver's module and its libraries are imported only when it is used."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from edge.control.outputs import OutputDriver
from edge.driver import Driver, Given
from wire.messages import Layout, PointDeclaration
from wire.settings.base import Fault, SettingsError
from wire.settings.ble import BleDevice
from wire.settings.camera import CameraDevice
from wire.settings.check import check
from wire.settings.gateway import Device, GatewaySettings
from wire.settings.gnss import GnssDevice
from wire.settings.gpio import GpioDevice, WiegandDevice
from wire.settings.instrument import InstrumentDevice
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, ModbusUnit, Profile
from wire.settings.network import NetworkDevice
from wire.settings.osdp import OsdpDevice
from wire.settings.senml import SenmlDevice
from wire.settings.sysfs import SysfsDevice
from wire.settings.terminal import TerminalDevice
from wire.settings.ups import UpsDevice

_CLASSES: Mapping[type[Device], tuple[str, str]] = {
    ModbusDevice: ("edge.drivers.modbus.driver", "ModbusDriver"),
    ModbusRtuDevice: ("edge.drivers.modbus.driver", "ModbusDriver"),
    GnssDevice: ("edge.drivers.gnss.driver", "GnssDriver"),
    UpsDevice: ("edge.drivers.ups.driver", "UpsDriver"),
    InstrumentDevice: ("edge.drivers.instrument.driver", "InstrumentDriver"),
    CameraDevice: ("edge.drivers.camera.driver", "CameraDriver"),
    NetworkDevice: ("edge.drivers.network.driver", "NetworkDriver"),
    SysfsDevice: ("edge.drivers.sysfs.driver", "SysfsDriver"),
    OsdpDevice: ("edge.drivers.osdp.driver", "OsdpDriver"),
    BleDevice: ("edge.drivers.ble.driver", "BleDriver"),
    GpioDevice: ("edge.drivers.gpio.driver", "GpioDriver"),
    WiegandDevice: ("edge.drivers.wiegand.driver", "WiegandDriver"),
    TerminalDevice: ("edge.drivers.terminal.driver", "TerminalDriver"),
    SenmlDevice: ("edge.drivers.senml.driver", "SenmlDriver"),
}
"""Settings -> module and class that drive such a device; called with the settings and `Given`."""
_KINDS = {str(kind.__struct_config__.tag): kind for kind in _CLASSES}


class AssemblyError(Exception):
    """The settings are each right, but no gateway can be made of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """`faults` are all that was found."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def build_drivers(settings: GatewaySettings, given: Given) -> list[Driver]:
    """Return the drivers of all devices, or raise `AssemblyError` with every fault."""
    drivers: list[Driver] = []
    faults: list[Fault] = []
    for index, device in enumerate(settings.device):
        try:
            drivers.append(build_driver(device, given))
        except SettingsError as error:
            faults += [replace(fault, path=f"device[{index}].{fault.path}") for fault in error.faults]
        except ValueError as error:
            faults.append(Fault(f"device[{index}]", device.name, str(error)))
    faults += [*_points_twice(drivers), *_outputs_twice(drivers)]
    if faults:
        raise AssemblyError(faults)
    return drivers


def build_driver(device: Device, given: Given) -> Driver:
    """Return the driver of one device; `ValueError` when it cannot be made."""
    module, name = _CLASSES[type(device)]
    made: Driver = getattr(import_module(module), name)(device, given)
    return made


def document_faults(data: object) -> list[Fault]:
    """Return what `build_drivers` would find wrong with a TOML document, as far as its devices are right.

    A Modbus device with faults of its own is asked with those of its units and profiles that have none.
    """
    drivers: list[Driver] = []
    faults: list[Fault] = []
    tables = data.get("device") if isinstance(data, Mapping) else None
    for index, table in enumerate(tables if isinstance(tables, list) else ()):
        device, units = _readable(table, index)
        if device is None:
            continue
        try:
            drivers.append(build_driver(device, Given(time.monotonic_ns)))
        except SettingsError as error:
            faults += [replace(fault, path=_path(index, units, fault.path)) for fault in error.faults]
        except ValueError as error:
            faults.append(Fault(f"device[{index}]", device.name, str(error)))
    return [*faults, *_points_twice(drivers), *_outputs_twice(drivers)]


def _readable(table: object, index: int) -> tuple[Device | None, Sequence[int]]:
    """Return the device that a table describes, and where its units stand in it; None if none is left."""
    kind = _KINDS.get(str(table.get("driver"))) if isinstance(table, Mapping) else None
    if not isinstance(table, Mapping) or kind is None:
        return None, ()
    if kind not in (ModbusDevice, ModbusRtuDevice):
        return check(table, kind)[0], ()
    line: type[ModbusDevice | ModbusRtuDevice] = kind
    whole, _ = check(table, line)
    if whole is not None:
        return whole, range(len(whole.unit))
    units, profiles = table.get("unit"), table.get("profile", [])
    if not isinstance(units, list) or not isinstance(profiles, list):
        return None, ()
    if any(check(profile, Profile)[1] for profile in profiles):
        return None, ()
    places = [place for place, unit in enumerate(units) if not check(unit, ModbusUnit)[1]]
    part = {
        "name": f"device-{index}",
        "host": "localhost",
        "unit": [units[place] for place in places],
        "profile": profiles,
    }
    return check(part, ModbusDevice)[0], places


def _path(index: int, units: Sequence[int], path: str) -> str:
    def place(found: re.Match[str]) -> str:
        return f"unit[{units[int(found[1])]}]"

    return f"device[{index}]." + re.sub(r"^unit\[(\d+)\]", place, path)


def _points_twice(drivers: Iterable[Driver]) -> list[Fault]:
    owners: dict[str, str] = {}
    faults: list[Fault] = []
    for driver in drivers:
        for point in driver.points:
            if point.name in owners:
                other = owners[point.name]
                faults.append(
                    Fault(f"device {driver.name}", point.name, f"a point that {other} does not feed")
                )
            owners[point.name] = driver.name
    return faults


def _outputs_twice(drivers: Iterable[Driver]) -> list[Fault]:
    owners: dict[str, str] = {}
    faults: list[Fault] = []
    for driver in drivers:
        for output in driver.outputs if isinstance(driver, OutputDriver) else ():
            if output.name in owners:
                other = owners[output.name]
                faults.append(
                    Fault(f"device {driver.name}", output.name, f"an output that {other} does not have")
                )
            owners[output.name] = driver.name
    return faults


def all_points(drivers: Iterable[Driver]) -> list[PointDeclaration]:
    """Return everything that the drivers can feed."""
    return [point for driver in drivers for point in driver.points]


def all_layouts(drivers: Iterable[Driver]) -> list[Layout]:
    """Return the lists of points that the drivers use, each once."""
    return list({layout.id: layout for driver in drivers for layout in driver.layouts}.values())
