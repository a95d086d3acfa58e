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
Table = dict[str, object]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a scenario file holds."""


class UnitPart(_Part, frozen=True, kw_only=True):
    """One Modbus unit: its model, the room it stands in and the prefix of its points."""

    address: int
    model: str
    room: str
    prefix: str


class ModbusPart(_Part, frozen=True, kw_only=True):
    """One Modbus connection. `mains` names the UPS whose mains feed the room, if one does."""

    name: Name
    units: list[UnitPart]
    mains: str = ""


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

    def __post_init__(self) -> None:
        """Accept a whole drive or a log, not both."""
        if not self.log and None in (self.latitude, self.longitude):
            raise ValueError(f"gnss {self.name}: expected log, or latitude and longitude of a drive")
        drive = [one for one in fields(GnssPart)[2:] if getattr(self, one.name) != one.default]
        if self.log and drive:
            names = ", ".join(one.name for one in drive)
            raise ValueError(f"gnss {self.name}: {names} beside log; expected log alone, or a drive")


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


def modbus_table(part: ModbusPart, port: int) -> Table:
    """Return the settings table of a Modbus line, with the profiles of the simulators' own models."""
    own = sorted({unit.model for unit in part.units if unit.model.startswith("sim-")})
    return {
        "driver": "modbus",
        "name": part.name,
        "host": "127.0.0.1",
        "port": port,
        "unit": [
            {"address": unit.address, "profile": unit.model, "prefix": unit.prefix} for unit in part.units
        ],
        "profile": [profile_of(model) for model in own],
    }


def profile_of(model: str) -> Table:
    """Return the device profile of a model of the simulators, in the format of the gateway's settings."""
    return {
        "name": model,
        "title": "Multi-sensor of the simulators",
        "value": [
            {
                "point": value.truth,
                "quantity": value.quantity or value.truth,
                "kind": "counter" if value.truth == modbus.COUNTER_TRUTH else "analog",
                "function": value.function,
                "register": value.register,
                "type": value.encoding,
                "word_order": value.words,
                "scale": "1" if value.encoding == "float32" else str(value.scale),
                **({"step": str(value.scale)} if value.encoding == "float32" else {}),
            }
            for value in modbus.models()[model]
        ],
    }
