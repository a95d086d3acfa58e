"""Settings of the `senml` driver: sensors on the LAN that send RFC 8428 JSON, and which points they feed."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.messages import Word
from wire.settings.base import DeviceName, Fault, Settings
from wire.settings.intake import HttpIntake, MqttIntake, Sender
from wire.settings.modbus import PointPart

_ONE = (Fraction(1), Fraction(0))


def _per(numerator: int, denominator: int = 1) -> tuple[Fraction, Fraction]:
    return Fraction(numerator, denominator), Fraction(0)


UNITS: Mapping[str, Mapping[str, tuple[Fraction, Fraction]]] = MappingProxyType(
    {
        "temperature": {"Cel": _ONE, "K": (Fraction(1), Fraction(-27315, 100))},
        "dew_point": {"Cel": _ONE, "K": (Fraction(1), Fraction(-27315, 100))},
        "relative_humidity": {"%RH": _ONE},
        "absolute_humidity": {"kg/m3": _per(1000)},
        "pressure": {"Pa": _per(1, 100), "hPa": _ONE},
        "differential_pressure": {"Pa": _ONE, "hPa": _per(100)},
        "illuminance": {"lx": _ONE},
        "sound_level": {"dB": _ONE},
        "vibration": {"m/s": _per(1000)},
        "acceleration": {"m/s2": _ONE},
        "air_speed": {"m/s": _ONE, "km/h": _per(5, 18)},
        "co2": {"ppm": _ONE, "/": _per(1_000_000)},
        "gas_concentration": {"ppm": _ONE, "ppb": _per(1, 1000), "/": _per(1_000_000)},
        "pm2_5": {"ug/m3": _ONE, "kg/m3": _per(1_000_000_000)},
        "pm10": {"ug/m3": _ONE, "kg/m3": _per(1_000_000_000)},
        "flow_rate": {"l/s": _per(60), "m3/s": _per(60_000)},
        "electric_field": {"V/m": _ONE},
        "magnetic_flux_density": {"T": _per(1_000_000)},
        "voltage": {"V": _ONE, "mV": _per(1, 1000)},
        "current": {"A": _ONE, "mA": _per(1, 1000)},
        "frequency": {"Hz": _ONE, "MHz": _per(1_000_000), "1/min": _per(1, 60), "beat/min": _per(1, 60)},
        "power": {"W": _ONE, "kW": _per(1000)},
        "energy": {"J": _per(1, 3_600_000), "Wh": _per(1, 1000), "kWh": _ONE},
        "load": {"/": _per(100), "%": _ONE},
        "battery_charge": {"%EL": _ONE, "/": _per(100), "%": _ONE},
        "battery_runtime": {"EL": _ONE, "s": _ONE, "min": _per(60), "h": _per(3600)},
        "speed": {"m/s": _ONE, "km/h": _per(5, 18)},
        "duration": {"s": _ONE, "ms": _per(1, 1000), "min": _per(60), "h": _per(3600)},
        "count": {"count": _ONE},
        "state": {"/": _ONE},
        "dimensionless": {"/": _ONE, "%": _per(1, 100)},
    }
)
"""Quantity -> SenML unit -> (factor, offset): ours = sent * factor + offset.

Sources: RFC 8428, 12.1; RFC 8798.
"""


class SenmlValue(Settings, frozen=True, kw_only=True):
    """One resolved name and the point that it feeds."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9:._/-]{0,199}$(?!\n)")]
    """The whole name, base name included: `urn:dev:ow:10e2073a01080063:temp`."""
    point: PointPart
    """Last part of the point's name."""
    quantity: Word
    kind: Literal["analog", "state", "counter"] = "analog"
    use: Literal["value", "sum"] = "value"
    """Which field of the record counts."""
    unit: Annotated[str, Meta(max_length=32)] = ""
    """Unit of records that name none."""
    step: Decimal | None = None
    """The sensor's smallest step, in the unit of the quantity; needed for kind analog."""
    states: dict[str, str] = field(default_factory=dict)
    """For kind state: number as text -> word. Booleans are 0 and 1."""
    texts: dict[str, int] = field(default_factory=dict)
    """For kind state: text that is sent -> number."""
    silence_s: Annotated[int, Meta(ge=0, le=2_592_000)] = 600
    """No record for so long means that it is silent; 0 for what comes only when something happens."""

    def faults(self) -> Iterator[Fault]:
        """A quantity or unit that is none, a missing step, states that are no numbers."""
        if self.quantity not in UNITS:
            yield Fault("quantity", self.quantity, f"one of {', '.join(sorted(UNITS))}")
        elif self.unit and self.unit not in UNITS[self.quantity]:
            yield Fault("unit", self.unit, f"one of {', '.join(sorted(UNITS[self.quantity]))}")
        if self.kind == "analog" and self.step is None:
            yield Fault("step", None, "the sensor's step, since a record does not tell it")
        if self.step is not None and not Decimal("1e-11") <= self.step <= Decimal("1e11"):
            yield Fault("step", str(self.step), "a number from 1e-11 to 1e11")
        for number in self.states:
            if not number.lstrip("-").isdigit():
                yield Fault("states", number, "whole numbers as text")


class SenmlDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="senml"):
    """Sensors that send SenML JSON, either to the gateway over HTTP or to a broker on the LAN."""

    name: DeviceName
    prefix: PointPart
    """First part of the names of its points."""
    http: HttpIntake | None = None
    mqtt: MqttIntake | None = None
    sender: Annotated[list[Sender], Meta(max_length=64)] = field(default_factory=list)
    """Who may post over HTTP; a broker has its own users."""
    value: Annotated[list[SenmlValue], Meta(min_length=1, max_length=1024)]
    age_max_s: Annotated[int, Meta(ge=0, le=604_800)] = 3600
    """A record that says it is older stands at its arrival."""
    future_max_s: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    """So far ahead a sensor's clock may be; a record that is further ahead stands at its arrival too."""

    names_once: ClassVar = {
        "sender": ("name", "a name that no other sender has"),
        "value": ("point", "a point that no other value feeds"),
    }

    def faults(self) -> Iterator[Fault]:
        """Not exactly one way in, senders where there are none, a name and field twice."""
        if (self.http is None) == (self.mqtt is None):
            yield Fault("http", None, "either http or mqtt")
        if self.http is not None and not self.sender:
            yield Fault("sender", [], "at least one sender")
        if self.mqtt is not None and self.sender:
            yield Fault("sender", [one.name for one in self.sender], "none beside mqtt")
        seen: set[tuple[str, str]] = set()
        for index, value in enumerate(self.value):
            if (value.name, value.use) in seen:
                yield Fault(f"value[{index}].name", value.name, "each name once for each use")
            seen.add((value.name, value.use))
