"""What a scenario file holds: gateways, and per gateway the devices around it.

It starts nothing (`simulators.running` does) and reads no recorded file (`simulators.sources` does).
"""

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import fields, replace

from simulators.devices import modbus

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Prefix = Annotated[str, Meta(pattern=r"^[a-z0-9/-]{0,63}$")]
"""First part of the names of a device's points; its name when empty."""
Bearer = Literal["ethernet", "wifi", "mobile"]
Table = dict[str, object]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a scenario file holds."""


class UnitPart(_Part, frozen=True, kw_only=True):
    """One Modbus unit: its model, the room it stands in and the prefix of its points."""

    address: int
    model: str
    room: str
    prefix: str
    uses: str = ""
    """Of a power meter: what stands on it, as events of its use name it."""


class ModbusPart(_Part, frozen=True, kw_only=True):
    """One Modbus line: TCP, or RTU on a serial port. `mains` names the UPS that feeds the room, if any."""

    name: Name
    units: list[UnitPart]
    mains: str = ""
    rtu: bool = False


class UpsPart(_Part, frozen=True, kw_only=True):
    """One UPS: a made-up one, or one that says what the recorded dump says."""

    name: Name
    dump: str = ""


class GnssPart(_Part, frozen=True, kw_only=True):
    """One receiver on a vehicle, with the drive or with the recorded log that it repeats."""

    name: Name
    log: str = ""
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float = 50.0
    legs: Annotated[int, Meta(ge=1, le=200)] = 8
    parked_s: float = 600.0
    waits: bool = False
    """Whether the vehicle stands until it is told to drive."""

    def __post_init__(self) -> None:
        """Accept a whole drive or a log, not both."""
        if not self.log and None in (self.latitude, self.longitude):
            raise ValueError(f"gnss {self.name}: expected log, or latitude and longitude of a drive")
        drive = [one for one in fields(GnssPart)[2:] if getattr(self, one.name) != one.default]
        if self.log and drive:
            names = ", ".join(one.name for one in drive)
            raise ValueError(f"gnss {self.name}: {names} beside log; expected log alone, or a drive")


class OsdpPart(_Part, frozen=True, kw_only=True):
    """One line of card readers, at addresses 1, 2, … in this order."""

    name: Name
    readers: Annotated[list[Name], Meta(min_length=1, max_length=8)]
    prefix: Prefix = ""
    visits: bool = True
    """Whether people show cards."""


class BlePart(_Part, frozen=True, kw_only=True):
    """One Bluetooth radio: a RuuviTag in each of the rooms; asset tags and badges of people come and go."""

    name: Name
    rooms: Annotated[list[Name], Meta(max_length=50)] = field(default_factory=list)
    tags: Annotated[list[Name], Meta(max_length=50)] = field(default_factory=list)
    badges: Annotated[list[Name], Meta(max_length=50)] = field(default_factory=list)
    zone: Name = ""
    """What its reach is called, and the first part of the names of its tags; its name when empty."""

    def __post_init__(self) -> None:
        """Accept only what has something to hear."""
        if not self.rooms and not self.tags and not self.badges:
            raise ValueError(f"ble {self.name}: expected rooms, tags or badges")


class SysfsPart(_Part, frozen=True, kw_only=True):
    """The board of a gateway in a room: a climate sensor, a thermometer on a wire, the processor's own."""

    name: Name
    room: Name
    prefix: Prefix = ""


class GpioPart(_Part, frozen=True, kw_only=True):
    """The pins of a gateway's board: doors with contact, button and lock, relays, and an ignition."""

    name: Name
    doors: Annotated[list[Name], Meta(max_length=5)] = field(default_factory=list)
    relays: Annotated[list[Name], Meta(max_length=10)] = field(default_factory=list)
    """Relays with a contact that tells whether they pulled in."""
    ignition: str = ""
    """Name of the gateway's receiver whose drive it follows."""
    prefix: Prefix = ""

    def __post_init__(self) -> None:
        """Accept only as many doors and relays as there are pins."""
        if 2 * len(self.doors) + len(self.relays) > 12:
            raise ValueError(f"gpio {self.name}: expected 12 relays at most, a door counts as two")


class TerminalPart(_Part, frozen=True, kw_only=True):
    """Access terminals that post to one address; every second one signs and posts forms."""

    name: Name
    terminals: Annotated[list[Name], Meta(min_length=1, max_length=8)]


class SenmlPart(_Part, frozen=True, kw_only=True):
    """A SenML sensor in each of the rooms, over HTTP, or over a broker of their own."""

    name: Name
    rooms: Annotated[list[Name], Meta(min_length=1, max_length=50)]
    mqtt: bool = False


class InstrumentPart(_Part, frozen=True, kw_only=True):
    """One SCPI instrument: a multimeter at a reference, or a temperature bath, standing in a room."""

    name: Name
    model: Literal["multimeter", "bath"]
    room: Name
    prefix: Prefix = ""


class CameraPart(_Part, frozen=True, kw_only=True):
    """One camera with a test pattern that shows the time."""

    name: Name
    stream: Literal["rtsp", "mjpeg"] = "rtsp"
    prefix: Prefix = ""
    snapshot_on: Annotated[list[str], Meta(max_length=20)] = field(
        default_factory=lambda: ["door_forced", "power_lost"]
    )
    """Kinds of events of which pictures are taken."""


class NetworkPart(_Part, frozen=True, kw_only=True):
    """The interfaces of a gateway, the preferred one first."""

    name: Name
    bearers: Annotated[list[Bearer], Meta(min_length=1, max_length=3)]
    modem: bool = False
    """Whether a ModemManager tells of a modem."""
    day_bytes: Annotated[int, Meta(ge=100_000)] | None = None
    """The data budget of a day on mobile links."""


class GatewayPart(_Part, frozen=True, kw_only=True):
    """One gateway, the kind of its site and the devices around it."""

    id: Name
    kind: Literal["laboratory", "mobile_lab", "vehicle"]
    title: str
    latitude: float
    longitude: float
    modbus: list[ModbusPart] = field(default_factory=list)
    ups: list[UpsPart] = field(default_factory=list)
    gnss: list[GnssPart] = field(default_factory=list)
    sysfs: list[SysfsPart] = field(default_factory=list)
    osdp: list[OsdpPart] = field(default_factory=list)
    ble: list[BlePart] = field(default_factory=list)
    gpio: list[GpioPart] = field(default_factory=list)
    terminal: list[TerminalPart] = field(default_factory=list)
    senml: list[SenmlPart] = field(default_factory=list)
    instrument: list[InstrumentPart] = field(default_factory=list)
    camera: list[CameraPart] = field(default_factory=list)
    network: list[NetworkPart] = field(default_factory=list)


class Scenario(_Part, frozen=True, kw_only=True):
    """The whole file."""

    title: str
    gateway: list[GatewayPart]


class ScenarioError(Exception):
    """The scenario is not there or cannot be read; the text says what was expected."""


def load_scenario(name: str) -> Scenario:
    """Return a scenario by the name of a shipped file or by the path of another; `ScenarioError`.

    Paths of recorded files in it are taken from the folder of the scenario's file on.
    """
    file = Path(name)
    if re.fullmatch(r"[a-z0-9-]+", name):
        file = Path(str(resources.files("simulators.scenarios"))) / f"{name}.toml"
    try:
        scenario = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Scenario)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ScenarioError(f"scenario {name}: {error}") from None
    return replace(scenario, gateway=[_anchored(gateway, file.parent) for gateway in scenario.gateway])


def _anchored(gateway: GatewayPart, folder: Path) -> GatewayPart:
    return replace(
        gateway,
        ups=[replace(part, dump=str(folder / part.dump)) if part.dump else part for part in gateway.ups],
        gnss=[replace(part, log=str(folder / part.log)) if part.log else part for part in gateway.gnss],
    )


def modbus_table(part: ModbusPart, place: int | Path) -> Table:
    """Return the settings table of a Modbus line, with the profiles of the simulators' own models.

    `place` is the port of a TCP line or the path of a serial one. Everything that can be set is owned, and a
    power meter tells the use of the instrument on it.
    """
    own = sorted({unit.model for unit in part.units if unit.model.startswith("sim-")})
    tcp = {"driver": "modbus", "name": part.name, "host": "127.0.0.1", "port": place}
    rtu = {"driver": "modbus-rtu", "name": part.name, "path": str(place)}
    return {
        **(rtu if part.rtu else tcp),
        "unit": [_unit_table(unit) for unit in part.units],
        "profile": [profile_of(model) for model in own],
    }


def _unit_table(unit: UnitPart) -> Table:
    table: Table = {"address": unit.address, "profile": unit.model, "prefix": unit.prefix}
    values = modbus.models()[unit.model]
    if outputs := [{"output": value.truth} for value in values if value.write is not None]:
        table["output"] = outputs
    if any(value.truth == "energy" for value in values):
        usage: Table = {"on_w": "50", "off_w": "20", "least_s": 1, "rest_s": 2}
        table["usage"] = {**usage, "subject": unit.uses} if unit.uses else usage
    return table


def profile_of(model: str) -> Table:
    """Return the device profile of a model of the simulators, in the format of the gateway's settings."""
    return {
        "name": model,
        "title": "Made-up device of the simulators",
        "value": [
            {
                "point": value.truth,
                "quantity": value.quantity or value.truth,
                "kind": _kind(value),
                "function": value.function,
                "register": value.register,
                "type": value.encoding,
                "word_order": value.words,
                "scale": "1" if value.encoding == "float32" else str(value.scale),
                **({"step": str(value.scale)} if value.encoding == "float32" else {}),
                **({"states": {"0": "off", "1": "on"}} if value.quantity == "state" else {}),
            }
            for value in modbus.models()[model]
        ],
        "output": [
            _output(value, value.write) for value in modbus.models()[model] if value.write is not None
        ],
    }


def _kind(value: modbus.RegisterValue) -> str:
    if value.truth == modbus.COUNTER_TRUTH:
        return "counter"
    return "state" if value.quantity == "state" else "analog"


def _output(value: modbus.RegisterValue, limits: modbus.Writable) -> Table:
    switch = limits.low is None
    function = 5 if value.encoding == "bit" else 6 if value.size == 1 else 16
    table: Table = {
        "output": value.truth,
        "kind": "switch" if switch else "setpoint",
        "quantity": value.quantity or value.truth,
        "function": function,
        "register": value.register,
        "apart_s": limits.apart_s,
    }
    if switch:
        return table
    table |= {"type": value.encoding, "word_order": value.words}
    table |= {"low": str(limits.low), "high": str(limits.high), "step_max": str(limits.step_max)}
    scaled = "step" if value.encoding == "float32" else "scale"
    return {**table, scaled: str(value.scale)}
