"""The settings of one gateway: what stands in its one TOML file.

Relative folders are relative to the file. What the values do is described in
`docs/reference/gateway-settings.md`.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from posixpath import normpath
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.messages import GatewayId
from wire.settings.base import Fault, Host, Port, Settings
from wire.settings.ble import BleDevice, adapters_shared
from wire.settings.camera import CameraDevice
from wire.settings.check import check
from wire.settings.gnss import GnssDevice
from wire.settings.gpio import GpioDevice, WiegandDevice, pins_shared
from wire.settings.instrument import InstrumentDevice
from wire.settings.interlock import ControlSection, Interlocks, interlock_faults
from wire.settings.media import MediaSection
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice
from wire.settings.network import NetworkDevice
from wire.settings.osdp import OsdpDevice
from wire.settings.panel import PanelSection, panel_faults
from wire.settings.portal import Equipments, Portals, door_faults, door_outputs, owner_faults
from wire.settings.regulation import Regulations, regulation_faults
from wire.settings.senml import SenmlDevice
from wire.settings.shutdown import ShutdownSection
from wire.settings.sysfs import SysfsDevice
from wire.settings.terminal import TerminalDevice
from wire.settings.ups import UpsDevice

Device = (
    ModbusDevice
    | ModbusRtuDevice
    | GnssDevice
    | UpsDevice
    | SysfsDevice
    | NetworkDevice
    | OsdpDevice
    | BleDevice
    | InstrumentDevice
    | CameraDevice
    | GpioDevice
    | WiegandDevice
    | TerminalDevice
    | SenmlDevice
)
ClockSource = Literal["system", "gnss", "hub"]


class GatewaySection(Settings, frozen=True):
    """Who this gateway is and where its files are."""

    id: GatewayId
    data: Annotated[str, Meta(min_length=1)] = "data"
    identity: Annotated[str, Meta(min_length=1)] = "identity"
    settings: Literal["hub", "file"] = "hub"
    """`file`: what the hub wants is refused, and what it wanted before does not count."""
    settings_watch_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    """So long new settings of the hub are watched before they stay."""


class UplinkSection(Settings, frozen=True, kw_only=True):
    """Where the broker is, and how the line is used."""

    host: Host
    port: Port = 8883
    protocol: Literal["mqtt5", "mqtt311"] = "mqtt5"
    keepalive_s: Annotated[int, Meta(ge=5, le=300)] = 15
    timeout_s: Annotated[float, Meta(ge=1, le=120)] = 10.0
    window: Annotated[int, Meta(ge=1, le=500)] = 32
    resend_s: Annotated[float, Meta(ge=1, le=600)] = 10.0
    resend_max_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0
    reconnect_s: Annotated[float, Meta(ge=0.1, le=600)] = 1.0
    reconnect_max_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0

    def faults(self) -> Iterable[Fault]:
        """A longest wait that is below the first one."""
        if self.resend_max_s < self.resend_s:
            yield Fault("resend_max_s", self.resend_max_s, f"at least resend_s ({self.resend_s:g})")
        if self.reconnect_max_s < self.reconnect_s:
            yield Fault(
                "reconnect_max_s", self.reconnect_max_s, f"at least reconnect_s ({self.reconnect_s:g})"
            )


class JournalSection(Settings, frozen=True):
    """How much the gateway keeps while nobody acknowledges."""

    bytes_max: Annotated[int, Meta(ge=1024 * 1024, le=2**40)] = 1_000_000_000
    age_max_d: Annotated[float, Meta(ge=0.01, le=3650)] = 60.0
    memory_bytes_max: Annotated[int, Meta(ge=64 * 1024, le=2**30)] = 4_000_000


class ClockSection(Settings, frozen=True):
    """Which sources of time are believed, and how fast the gateway's own clock may drift."""

    sources: Annotated[list[ClockSource], Meta(min_length=1)] = field(
        default_factory=lambda: ["system", "gnss", "hub"]
    )
    drift_ppm: Annotated[float, Meta(ge=0.1, le=500)] = 20.0
    holdover_after_s: Annotated[float, Meta(ge=10, le=86400)] = 300.0

    def faults(self) -> Iterable[Fault]:
        """A source named twice."""
        for index, source in enumerate(self.sources):
            if source in self.sources[:index]:
                yield Fault(f"sources[{index}]", source, "each source once")


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """The whole file."""

    gateway: GatewaySection
    uplink: UplinkSection
    journal: JournalSection = JournalSection()
    clock: ClockSection = ClockSection()
    shutdown: ShutdownSection | None = None
    media: MediaSection | None = None
    control: ControlSection = ControlSection()
    interlock: Interlocks = field(default_factory=list)
    portal: Portals = field(default_factory=list)
    equipment: Equipments = field(default_factory=list)
    regulation: Regulations = field(default_factory=list)
    panel: PanelSection | None = None
    device: Annotated[list[Device], Meta(min_length=1, max_length=64)]

    names_once: ClassVar = {
        "device": ("name", "a name that no other device has"),
        "interlock": ("name", "a name that no other interlock has"),
        "portal": ("name", "a name that no other portal has"),
        "equipment": ("id", "an id that no other equipment has"),
        "regulation": ("name", "a name that no other regulation has"),
    }

    def faults(self) -> Iterable[Fault]:
        """What two devices, interlocks or doors want and only one can have."""
        yield from shared_faults(self.device)
        yield from interlock_faults(self.interlock, self.control)
        yield from door_faults(self.portal, self.equipment, self.device)
        yield from owner_faults(self.portal, self.equipment, interlocks=self.interlock, control=self.control)
        yield from regulation_faults(self.regulation, door_outputs(self.portal, self.equipment))
        yield from panel_faults(
            self.panel,
            interlocks=(one.name for one in self.interlock),
            portals=(one.name for one in self.portal),
            devices=self.device,
        )


def shared_faults(devices: Sequence[Device]) -> Iterable[Fault]:
    """Yield what two devices want and only one can have: a serial port, a pin, an adapter, an address."""
    yield from pins_shared(devices)
    yield from adapters_shared(devices)
    yield from _lines_shared(devices)
    yield from _addresses_shared(devices)


def _lines_shared(devices: Iterable[Device]) -> Iterable[Fault]:
    """Yield serial ports that two devices want, however they spell them."""
    owners: dict[str, str] = {}
    for index, device in enumerate(devices):
        if isinstance(device, ModbusRtuDevice | OsdpDevice):
            line = normpath(device.path)
            if line in owners:
                yield Fault(f"device[{index}].path", device.path, f"a port that {owners[line]} does not own")
            owners.setdefault(line, device.name)


def _addresses_shared(devices: Iterable[Device]) -> Iterable[Fault]:
    """Yield ports that two devices want to listen on at one address."""
    owners: dict[tuple[str, int], str] = {}
    for index, device in enumerate(devices):
        http = device.http if isinstance(device, TerminalDevice | SenmlDevice) else None
        if http is None:
            continue
        place = (http.address, http.port)
        if place in owners:
            expected = f"a port that {owners[place]} does not listen on at {http.address}"
            yield Fault(f"device[{index}].http.port", http.port, expected)
        owners.setdefault(place, device.name)


def read_settings(
    file: Path, *, more: Callable[[object], Iterable[Fault]] = lambda _: ()
) -> tuple[GatewaySettings | None, list[Fault]]:
    """Return the settings of a TOML file and no faults, or None and every fault; never raises.

    `more` names what else is wrong with the document, which may have any faults.
    """
    data, faults = read_document(file)
    return judged(data, more=more) if data is not None else (None, faults)


def read_document(file: Path) -> tuple[Mapping[str, object] | None, list[Fault]]:
    """Return what stands in a TOML file, unchecked, or None and the fault; never raises."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), []
    except OSError as error:
        return None, [Fault(str(file), error.strerror or "unreadable", "a file that can be read")]
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, an endless number, endless brackets
        return None, [Fault(str(file), str(error), "TOML in UTF-8")]


def judged(
    data: object, *, more: Callable[[object], Iterable[Fault]] = lambda _: ()
) -> tuple[GatewaySettings | None, list[Fault]]:
    """Return the settings that a document is and no faults, or None and every fault; never raises."""
    settings, faults = check(data, GatewaySettings)
    faults += more(data)
    return (None, faults) if faults else (settings, [])
