"""What each model of sensor can say at all: a declared table, because drivers have shipped wrong scales.

Ranges are the sensors' measuring ranges of their data sheets, in the unit of the quantity. The low end of
humidity is raised to 1 %: a driver that gives percent for milli-percent lands below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from wire.settings.sysfs import SysfsModel

SCALE_OFF_MAX = Decimal("0.02")
"""A scale further than this part of itself from the declared one is a wrong one."""


@dataclass(frozen=True, slots=True)
class Range:
    """What one quantity of a model can be; `scales` are what its kernel drivers declare (raw channels)."""

    low: Decimal
    high: Decimal
    scales: tuple[Decimal, ...] = ()

    def holds(self, value: Decimal) -> bool:
        """Whether a sensor of this model can have measured the value."""
        return self.low <= value <= self.high

    def scale_known(self, scale: Decimal) -> bool:
        """Whether the scale is one of the declared ones, or none is declared."""
        return not self.scales or any(abs(scale - known) <= SCALE_OFF_MAX * known for known in self.scales)


def _range(low: str, high: str, *scales: str) -> Range:
    return Range(Decimal(low), Decimal(high), tuple(map(Decimal, scales)))


MODELS: Mapping[SysfsModel, Mapping[str, Range]] = {
    # model: quantity -> range of its data sheet [, scales of drivers/iio in milli-degrees and milli-percent]
    "bme280": {
        "temperature": _range("-40", "85"),
        "relative_humidity": _range("1", "100"),
        "pressure": _range("300", "1100"),
    },
    "bme680": {
        "temperature": _range("-40", "85"),
        "relative_humidity": _range("1", "100"),
        "pressure": _range("300", "1100"),
    },
    "bmp280": {"temperature": _range("-40", "85"), "pressure": _range("300", "1100")},
    "dht22": {"temperature": _range("-40", "80"), "relative_humidity": _range("1", "100")},
    "ds18b20": {"temperature": _range("-55", "125")},
    "hdc1080": {
        "temperature": _range("-40", "125", "2.517700195"),
        "relative_humidity": _range("1", "100", "1.525878906"),
    },
    "lm75": {"temperature": _range("-55", "125")},
    "mcp9808": {"temperature": _range("-40", "125", "62.5")},
    "sht3x": {"temperature": _range("-40", "125"), "relative_humidity": _range("1", "100")},
    "sht4x": {"temperature": _range("-40", "125"), "relative_humidity": _range("1", "100")},
    "si7021": {
        "temperature": _range("-40", "125", "10.725097656"),
        "relative_humidity": _range("1", "100", "7.629394531"),
    },
    "tmp102": {"temperature": _range("-40", "125")},
}
