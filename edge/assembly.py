"""Makes drivers out of settings; a driver's module and its libraries are imported only when it is used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from edge.control.outputs import OutputDriver
from edge.driver import Driver, Given
from wire.messages import Layout, PointDeclaration
from wire.settings.base import Fault, SettingsError
from wire.settings.ble import BleDevice
from wire.settings.camera import CameraDevice
from wire.settings.gateway import Device, GatewaySettings
from wire.settings.gnss import GnssDevice
from wire.settings.gpio import GpioDevice, WiegandDevice
from wire.settings.instrument import InstrumentDevice
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice
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
KINDS = {str(kind.__struct_config__.tag): kind for kind in _CLASSES}
"""The word behind `driver` -> the settings of such a device."""


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
