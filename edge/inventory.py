"""What the settings say a gateway speaks to, as it is declared to the hub. Pure: it asks no device.

Addresses are told only where a driver tells the same ones of what it sees and does not know, so that a
candidate that was configured is known again. Neither a camera's address nor a key is ever told.
"""

from collections.abc import Iterable, Iterator

from wire.messages import DeviceDeclaration, PartDeclaration
from wire.settings.ble import BleDevice
from wire.settings.camera import CameraDevice
from wire.settings.gateway import Device
from wire.settings.gpio import GpioDevice, WiegandDevice
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice
from wire.settings.osdp import OsdpDevice
from wire.settings.senml import SenmlDevice
from wire.settings.sysfs import SysfsDevice
from wire.settings.terminal import TerminalDevice

PARTS_MAX = 1000
"""So many parts are told of one gateway: a declaration has to fit into one frame."""
NAMES_MAX = 200
"""So many names of one SenML intake are told: it may know a thousand."""


def inventory(devices: Iterable[Device]) -> list[DeviceDeclaration]:
    """Return every device of the settings with what it consists of."""
    found: list[DeviceDeclaration] = []
    room = PARTS_MAX
    for device in devices:
        parts = list({part.name: part for part in _parts(device)}.values())[:room]
        room -= len(parts)
        driver = str(type(device).__struct_config__.tag)
        found.append(DeviceDeclaration(name=device.name, driver=driver, parts=parts))
    return found


def _parts(device: Device) -> Iterator[PartDeclaration]:
    match device:
        case ModbusDevice() | ModbusRtuDevice():
            for unit in device.unit:
                yield _part(unit.prefix, "unit", f"{device.name}/{unit.address}")
        case BleDevice():
            for sensor in device.sensor:
                yield _part(sensor.prefix, "sensor", sensor.address)
            for tag in device.tag:
                yield _part(tag.name, "badge" if tag.kind == "badge" else "tag")
        case OsdpDevice():
            for reader in device.reader:
                yield _part(f"{device.prefix}/{reader.name}", "reader")
        case WiegandDevice():
            yield _part(device.prefix, "reader")
        case TerminalDevice():
            for sender in device.sender:
                yield _part(f"{device.prefix}/{sender.name}", "terminal")
        case CameraDevice():
            yield _part(device.prefix, "camera")
        case GpioDevice():
            for one in device.input:
                yield _part(f"{device.prefix}/{one.name}", one.kind)
            for switch in device.output:
                yield _part(f"{device.prefix}/{switch.name}", switch.kind, rest=switch.safe)
        case SenmlDevice():
            for value in device.value[:NAMES_MAX]:
                yield _part(f"{device.prefix}/{value.point}", "sensor", value.name)
        case SysfsDevice():
            for own in device.sensor:
                yield _part(own.prefix, "sensor")
        case _:
            return


def _part(name: str, kind: str, address: str = "", *, rest: str = "") -> PartDeclaration:
    return PartDeclaration(name=name, kind=kind, address=address, rest=rest)
