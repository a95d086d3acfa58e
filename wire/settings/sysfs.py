"""Settings of the `sysfs` driver: which of the kernel's sensors (IIO, hwmon, 1-wire) it reads."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, PointPart, Settings

SysfsModel = Literal[
    "bme280",
    "bme680",
    "bmp280",
    "dht22",
    "ds18b20",
    "hdc1080",
    "lm75",
    "mcp9808",
    "sht3x",
    "sht4x",
    "si7021",
    "tmp102",
]
CHANNELS: dict[str, str] = {
    "iio": (
        r"in_(temp|humidityrelative|pressure|illuminance|concentration_co2|voltage|current|power|accel)"
        r"[0-9]{0,3}(_[xyz])?"
    ),
    "hwmon": r"(temp|humidity|in|curr|power|fan)[0-9]{1,3}",
    "w1": r"temperature|w1_slave",
}
_EXAMPLES = {"iio": "in_temp", "hwmon": "temp1", "w1": "w1_slave"}
_NUMBERED = re.compile(r"(^|/)(hwmon\d+|iio:device\d+)(/|$)")
W1_CONVERSION_MS = 800
"""A 1-wire thermometer converts for up to 750 ms, and those of one bus one after another."""


class SysfsValue(Settings, frozen=True, kw_only=True):
    """One channel of a sensor and the point that it feeds."""

    channel: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$(?!\n)")]
    """Name of its files without the ending: `in_temp` of `in_temp_raw`, `temp1` of `temp1_input`."""
    point: PointPart
    """Last part of the point's name."""


class SysfsSensor(Settings, frozen=True, kw_only=True):
    """One sensor. It is found by what it is and where it is wired, never by the number it got at boot."""

    kind: Literal["iio", "hwmon", "w1"]
    prefix: PointPart
    chip: Annotated[str, Meta(max_length=64)] | None = None
    """What its file `name` says, for example `bme280`."""
    at: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Whole parts of its path in /sys/devices, for example `i2c-1/1-0076`; of a 1-wire device its id."""
    model: SysfsModel | None = None
    """What is plausible for it; see the table of models."""
    value: Annotated[list[SysfsValue], Meta(min_length=1, max_length=32)]

    def faults(self) -> Iterator[Fault]:
        """A sensor that cannot be found surely, channels of another kind, points listed twice."""
        if self.kind == "w1" and (self.at is None or not re.fullmatch(r"[0-9a-f]{2}-[0-9a-f]{12}", self.at)):
            yield Fault("at", self.at, 'a 1-wire id, for example "28-0000055f3a1b"')
        elif self.at is None and self.chip is None:
            yield Fault("at", self.at, "at, chip or both, by which the sensor is found")
        elif self.at is not None and _NUMBERED.search(self.at):
            yield Fault("at", self.at, "no number that is given anew at each boot (hwmon3, iio:device0)")
        for index, value in enumerate(self.value):
            if not re.fullmatch(CHANNELS[self.kind], value.channel):
                yield Fault(
                    f"value[{index}].channel",
                    value.channel,
                    f'a channel of {self.kind}, for example "{_EXAMPLES[self.kind]}"',
                )
            if value.point in [other.point for other in self.value[:index]]:
                yield Fault(f"value[{index}].point", value.point, "each point once")


class SysfsDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="sysfs"):
    """The sensors of this machine's kernel."""

    name: DeviceName
    root: Annotated[str, Meta(min_length=1, max_length=200)] = "/sys"
    interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 10_000
    timeout_ms: Annotated[int, Meta(ge=50, le=60_000)] = 3000
    """So long may one sensor take to be read."""
    candidates: bool = True
    """Whether sensors that are there and not configured are told."""
    sensor: Annotated[list[SysfsSensor], Meta(min_length=1, max_length=32)] = field()

    def faults(self) -> Iterator[Fault]:
        """More 1-wire thermometers than can convert one after another in an interval; a sensor twice."""
        wires = sum(sensor.kind == "w1" for sensor in self.sensor)
        if wires * W1_CONVERSION_MS > self.interval_ms:
            yield Fault(
                "interval_ms",
                self.interval_ms,
                f"at least {wires * W1_CONVERSION_MS} for {wires} 1-wire thermometers, "
                f"{W1_CONVERSION_MS} each",
            )
        for index, sensor in enumerate(self.sensor):
            keys = [(other.kind, other.chip, other.at) for other in self.sensor[:index]]
            if (sensor.kind, sensor.chip, sensor.at) in keys:
                yield Fault(f"sensor[{index}].at", sensor.at, "each sensor once")
