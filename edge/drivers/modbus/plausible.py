"""How well what a profile reads fits a laboratory, for whoever has to choose among profiles. Pure.

Any registers make some numbers. Ranges here are what a room, a mains socket or a vehicle usually shows; what
lies outside is not refused, only put last and marked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

USUAL: Mapping[str, tuple[Decimal | int, Decimal | int]] = {
    "temperature": (-30, 60),
    "relative_humidity": (1, 100),
    "dew_point": (-40, 40),
    "absolute_humidity": (Decimal("0.1"), 60),
    "pressure": (600, 1100),
    "differential_pressure": (-500, 500),
    "illuminance": (0, 120_000),
    "sound_level": (15, 130),
    "co2": (200, 10_000),
    "pm2_5": (0, 1000),
    "pm10": (0, 2000),
    "voltage": (3, 500),
    "current": (0, 100),
    "power": (-25_000, 25_000),
    "frequency": (45, 65),
    "energy": (0, 1_000_000),
    "data_volume": (0, 10**15),
}
"""Quantity -> lowest and highest usual value in its unit; a quantity that is not here may be anything."""


@dataclass(frozen=True, slots=True)
class Read:
    """One value that a profile makes of the registers."""

    quantity: str
    value: Decimal


def odd(values: Mapping[str, Read]) -> list[str]:
    """Return the names of the values that are hardly what the device measures."""
    found = [name for name, read in values.items() if not _is_usual(read)]
    air = _first(values, "temperature")
    found += [
        name
        for name, read in values.items()
        if read.quantity == "dew_point" and air is not None and read.value > air and name not in found
    ]
    return found


def rank(name: str, values: Mapping[str, Read]) -> tuple[int, int, int, bool, str]:
    """Return what to sort profiles by, the likeliest first.

    Odd values count most; then values of exactly 0, which registers that mean nothing hold; then how many
    values there are; a layout of no certain maker gives way to a device's own.
    """
    zeros = sum(read.value == 0 for read in values.values())
    return len(odd(values)), zeros, -len(values), name.startswith("generic-"), name


def _is_usual(read: Read) -> bool:
    low, high = USUAL.get(read.quantity, (read.value, read.value))
    return low <= read.value <= high


def _first(values: Mapping[str, Read], quantity: str) -> Decimal | None:
    return next((read.value for read in values.values() if read.quantity == quantity), None)
