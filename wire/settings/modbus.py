"""Settings of the `modbus` driver and the format of its device profiles.

A profile says what one kind of device offers and how its registers become values. The profiles that come
with the gateway lie beside the driver; a settings file may declare more under `[[device.profile]]`.
This module reads no file.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.messages import Word
from wire.quantities import QUANTITIES
from wire.settings.base import DeviceName, Fault, Host, Port, Settings
from wire.status import PointKind

REGISTERS_PER_READ_MAX = 125
"""Source: Modbus Application Protocol V1.1b3, 6.3 and 6.4."""

PointPart = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_./-]{0,62}$(?!\n)",
        description="1 to 63 characters of a-z, 0-9, '_', '.', '/', '-'",
    ),
]
RawPattern = Annotated[str, Meta(pattern=r"^0x([0-9A-Fa-f]{4}){1,4}$(?!\n)")]
"""The registers of one value as sent, first register first: `0x8000` or `0x7FC00000`."""
ValueType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]

REGISTERS: dict[str, int] = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}


class ProfileValue(Settings, frozen=True, kw_only=True):
    """One measured value of a device: value = raw * scale + offset, in the unit of its quantity."""

    point: PointPart
    """Last part of the point's name, put behind the prefix of the unit."""
    quantity: Word
    kind: PointKind = PointKind.ANALOG
    function: Literal[3, 4] = 3
    """3 reads holding registers, 4 reads input registers."""
    register: Annotated[int, Meta(ge=0, le=65535)]
    """Zero-based address as sent on the wire."""
    type: ValueType = "int16"
    word_order: Literal["high_first", "low_first"] = "high_first"
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    step: Decimal | None = None
    """Smallest difference that the device can express, in the unit; |scale| when absent; floats need it."""
    invalid: list[RawPattern] = field(default_factory=list)
    """Registers that mean "no value"; not-a-number is one always."""
    over_range: list[RawPattern] = field(default_factory=list)
    under_range: list[RawPattern] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    """For kind state: raw number as text -> word."""

    def faults(self) -> Iterator[Fault]:
        """Numbers and patterns that do not fit the type."""
        size = REGISTERS[self.type]
        whole = not self.type.startswith("float")
        if self.quantity not in QUANTITIES:
            yield Fault("quantity", self.quantity, f"one of {', '.join(sorted(QUANTITIES))}")
        if self.register + size > 65536:
            yield Fault("register", self.register, f"room for a {self.type} below 65536")
        for name, number in (("scale", self.scale), ("step", self.step)):
            if number is not None and not (_reasonable(number) and number != 0):
                yield Fault(name, str(number), "a number of at most 11 places that is not 0")
        if not _reasonable(self.offset):
            yield Fault("offset", str(self.offset), "a number of at most 11 places")
        if self.step is None and not whole:
            yield Fault("step", self.step, "the device's step, since a float does not tell it")
        for name, patterns in self._patterns():
            for index, pattern in enumerate(patterns):
                if len(pattern) != 2 + 4 * size:
                    yield Fault(f"{name}[{index}]", pattern, f"0x and {4 * size} digits for {self.type}")
        exact = whole and self.scale == 1 and self.offset == 0
        if self.kind is not PointKind.ANALOG and not exact:
            yield Fault("kind", self.kind.value, "an integer type without scale and offset, or kind analog")

    def _patterns(self) -> tuple[tuple[str, list[str]], ...]:
        return (
            ("invalid", self.invalid),
            ("over_range", self.over_range),
            ("under_range", self.under_range),
        )


def _reasonable(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -11 and abs(number) < 10**12


class Profile(Settings, frozen=True, kw_only=True):
    """What one kind of device offers."""

    name: DeviceName
    title: Annotated[str, Meta(max_length=200)] = ""
    source: Annotated[str, Meta(max_length=500)] = ""
    """Where the register facts come from."""
    gap_registers: Annotated[int, Meta(ge=0, le=124)] = 0
    """How many registers that nobody asked for may be read along to merge two reads into one."""
    value: Annotated[list[ProfileValue], Meta(min_length=1, max_length=2048)]

    names_once: ClassVar = {"value": ("point", "a name that is used once in the profile")}


class ModbusUnit(Settings, frozen=True, kw_only=True):
    """One unit behind the connection."""

    address: Annotated[int, Meta(ge=0, le=255)]
    profile: DeviceName
    prefix: PointPart
    """First part of the names of its points."""
    points: list[PointPart] = field(default_factory=list)
    """Which values of the profile are read; all of them when empty."""

    def faults(self) -> Iterator[Fault]:
        """A point listed twice."""
        for index in _repeated(self.points):
            yield Fault(f"points[{index}]", self.points[index], "each point once")


class ModbusDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="modbus"):
    """One Modbus TCP connection with the units behind it."""

    name: DeviceName
    host: Host
    port: Port = 502
    interval_ms: Annotated[int, Meta(ge=5, le=86_400_000)] = 1000
    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1000
    """How long one answer may take."""
    unit: Annotated[list[ModbusUnit], Meta(min_length=1, max_length=255)]
    profile: list[Profile] = field(default_factory=list)

    names_once: ClassVar = {"profile": ("name", "a name that is used once")}

    def use_faults(self, shipped: Mapping[str, Profile]) -> Iterator[Fault]:
        """Yield units that ask for what is not there, given the profiles that come with the gateway."""
        for index, profile in enumerate(self.profile):
            if profile.name in shipped:
                yield Fault(f"profile[{index}].name", profile.name, "a name that no profile of Heng has")
        profiles = {**shipped, **{profile.name: profile for profile in self.profile}}
        taken: set[str] = set()
        for index, unit in enumerate(self.unit):
            found = profiles.get(unit.profile)
            if found is None:
                yield Fault(f"unit[{index}].profile", unit.profile, f"one of {', '.join(sorted(profiles))}")
                continue
            yield from _point_faults(unit, found, f"unit[{index}]")
            names = {f"{unit.prefix}/{value.point}" for value in chosen_values(unit, found)}
            if names & taken:
                yield Fault(f"unit[{index}].prefix", unit.prefix, "a prefix under which its names are free")
            taken |= names


def chosen_values(unit: ModbusUnit, profile: Profile) -> list[ProfileValue]:
    """Return the values of the profile that the unit reads, in the profile's order."""
    return [value for value in profile.value if not unit.points or value.point in unit.points]


def _point_faults(unit: ModbusUnit, profile: Profile, path: str) -> Iterator[Fault]:
    offered = [value.point for value in profile.value]
    for index, point in enumerate(unit.points):
        if point not in offered:
            yield Fault(f"{path}.points[{index}]", point, f"one of {', '.join(offered)}")


def _repeated(names: Sequence[str]) -> Iterator[int]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield index
