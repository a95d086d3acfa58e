"""Settings of the `modbus` and `modbus-rtu` drivers and the format of their device profiles.

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
from wire.settings.base import PointPart as PointPart
from wire.settings.modbus_outputs import ProfileOutput, UnitOutput, UnitUsage, reasonable
from wire.status import PointKind

REGISTERS_PER_READ_MAX = 125
"""Source: Modbus Application Protocol V1.1b3, 6.3 and 6.4."""

RawPattern = Annotated[str, Meta(pattern=r"^0x([0-9A-Fa-f]{4}){1,4}$(?!\n)")]
"""The registers of one value as sent, first register first: `0x8000` or `0x7FC00000`."""
ValueType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bit"]
Baud = Literal[1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200]
SerialFormat = Literal["8N1", "8N2", "8E1", "8O1"]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]

REGISTERS: dict[str, int] = {
    "bit": 1,
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
    function: Literal[1, 2, 3, 4] = 3
    """1 reads coils, 2 discrete inputs (both type `bit`), 3 holding registers, 4 input registers."""
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
        if (self.type == "bit") != (self.function in (1, 2)):
            yield Fault("type", self.type, "bit for functions 1 and 2, another type for 3 and 4")
        whole = not self.type.startswith("float")
        if self.quantity not in QUANTITIES:
            yield Fault("quantity", self.quantity, f"one of {', '.join(sorted(QUANTITIES))}")
        if self.register + size > 65536:
            yield Fault("register", self.register, f"room for a {self.type} below 65536")
        for name, number in (("scale", self.scale), ("step", self.step)):
            if number is not None and not (reasonable(number) and number != 0):
                yield Fault(name, str(number), "a number of at most 11 places that is not 0")
        if not reasonable(self.offset):
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


class Profile(Settings, frozen=True, kw_only=True):
    """What one kind of device offers."""

    name: DeviceName
    title: Annotated[str, Meta(max_length=200)] = ""
    source: Annotated[str, Meta(max_length=500)] = ""
    """Where the register facts come from."""
    gap_registers: Annotated[int, Meta(ge=0, le=124)] = 0
    """How many registers that nobody asked for may be read along to merge two reads into one."""
    gap_ms: Milliseconds = 0
    """How long the device wants to be left alone between its answer and the next question."""
    value: Annotated[list[ProfileValue], Meta(min_length=1, max_length=2048)]
    output: Annotated[list[ProfileOutput], Meta(max_length=256)] = field(default_factory=list)

    names_once: ClassVar = {
        "value": ("point", "a name that is used once in the profile"),
        "output": ("output", "a name that is used once in the profile"),
    }


class ModbusUnit(Settings, frozen=True, kw_only=True):
    """One unit behind the connection."""

    address: Annotated[int, Meta(ge=0, le=255)]
    profile: DeviceName
    prefix: PointPart
    """First part of the names of its points."""
    points: list[PointPart] = field(default_factory=list)
    """Which values of the profile are read; all of them when empty."""
    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] | None = None
    """How long an answer of this unit may take; the line's when absent."""
    gap_ms: Milliseconds | None = None
    """The profile's when absent."""
    output: list[UnitOutput] = field(default_factory=list)
    """Outputs of the profile that the gateway owns; none unless named."""
    usage: UnitUsage | None = None
    """Tells the use of an instrument from the power that this meter sees."""

    names_once: ClassVar = {"output": ("output", "each output once")}

    def faults(self) -> Iterator[Fault]:
        """A point listed twice."""
        for index in _repeated(self.points):
            yield Fault(f"points[{index}]", self.points[index], "each point once")


class ModbusLine(Settings, frozen=True, kw_only=True):
    """What every Modbus line has: its pace and the units on it."""

    name: DeviceName
    interval_ms: Annotated[int, Meta(ge=5, le=86_400_000)] = 1000
    timeout_ms: Annotated[int, Meta(ge=10, le=60_000)] = 1000
    """How long one answer may take."""
    candidates_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """Every so many seconds one address that is not configured is asked; 0 asks none."""
    unit: Annotated[list[ModbusUnit], Meta(min_length=1, max_length=255)]
    profile: list[Profile] = field(default_factory=list)

    names_once: ClassVar = {"profile": ("name", "a name that is used once")}

    def use_faults(self, shipped: Mapping[str, Profile]) -> Iterator[Fault]:
        """Yield units that ask for what is not there, given the profiles that come with the gateway."""
        for index, profile in enumerate(self.profile):
            if profile.name in shipped:
                yield Fault(f"profile[{index}].name", profile.name, "a name that no profile of Heng has")
        profiles = {**shipped, **{profile.name: profile for profile in self.profile}}
        taken: dict[str, int] = {}
        owned: dict[str, int] = {}
        for index, unit in enumerate(self.unit):
            found = profiles.get(unit.profile)
            if found is None:
                yield Fault(f"unit[{index}].profile", unit.profile, f"one of {', '.join(sorted(profiles))}")
                continue
            yield from _point_faults(unit, found, f"unit[{index}]")
            yield from _output_faults(unit, found, f"unit[{index}]")
            yield from _usage_faults(unit, found, f"unit[{index}]")
            names = {f"{unit.prefix}/{value.point}" for value in chosen_values(unit, found)}
            outputs = {f"{unit.prefix}/{own.output}" for own in unit.output}
            held = [(name, taken[name]) for name in sorted(names & taken.keys())]
            held += [(name, owned[name]) for name in sorted(outputs & owned.keys())]
            if held:
                expected = "a prefix under which its names are free; unit[{1}] has {0}".format(*held[0])
                yield Fault(f"unit[{index}].prefix", unit.prefix, expected)
            taken = dict.fromkeys(names, index) | taken
            owned = dict.fromkeys(outputs, index) | owned


class ModbusDevice(ModbusLine, frozen=True, kw_only=True, tag_field="driver", tag="modbus"):
    """One Modbus TCP connection with the units behind it."""

    host: Host
    port: Port = 502


class ModbusRtuDevice(ModbusLine, frozen=True, kw_only=True, tag_field="driver", tag="modbus-rtu"):
    """One RS-485 line at a serial port of this machine, with the units on it."""

    path: Annotated[str, Meta(pattern=r"^/[^\x00\n]{1,254}$(?!\n)", description="the path of a serial port")]
    """`/dev/serial/by-id/...` names an adapter wherever it is plugged in."""
    baud: Baud = 9600
    format: SerialFormat = "8N1"
    turnaround_ms: Milliseconds = 5
    """How long the line is quiet before each question; never less than 3.5 characters."""
    late_ms: Annotated[int, Meta(ge=10, le=600_000)] = 2000
    """So long after a question a unit may still answer it; one that did not answer in time rests for it."""

    def faults(self) -> Iterator[Fault]:
        """Addresses that a serial line does not have, and times that contradict each other."""
        for index, unit in enumerate(self.unit):
            if not 1 <= unit.address <= 247:
                yield Fault(f"unit[{index}].address", unit.address, "1 to 247 on a serial line")
            longest = max(self.timeout_ms, unit.timeout_ms or 0)
            if self.late_ms < longest:
                yield Fault("late_ms", self.late_ms, f"at least the longest timeout_ms ({longest})")
                return


def chosen_values(unit: ModbusUnit, profile: Profile) -> list[ProfileValue]:
    """Return the values of the profile that the unit reads, in the profile's order."""
    return [value for value in profile.value if not unit.points or value.point in unit.points]


def chosen_outputs(unit: ModbusUnit, profile: Profile) -> list[tuple[ProfileOutput, UnitOutput]]:
    """Return the outputs that the gateway owns, as the profile declares them and as the unit limits them."""
    offered = {one.output: one for one in profile.output}
    return [(offered[own.output], own) for own in unit.output]


def _point_faults(unit: ModbusUnit, profile: Profile, path: str) -> Iterator[Fault]:
    offered = [value.point for value in profile.value]
    for index, point in enumerate(unit.points):
        if point not in offered:
            yield Fault(f"{path}.points[{index}]", point, f"one of {', '.join(offered)}")


def _output_faults(unit: ModbusUnit, profile: Profile, path: str) -> Iterator[Fault]:
    offered = {one.output: one for one in profile.output}
    for index, own in enumerate(unit.output):
        where = f"{path}.output[{index}]"
        found = offered.get(own.output)
        if found is None:
            known = ", ".join(offered) or f"none: the profile {profile.name} has no output"
            yield Fault(f"{where}.output", own.output, f"one of {known}")
            continue
        for fault in own.use_faults(found):
            yield Fault(f"{where}.{fault.path}", fault.value, fault.expectation)


def _usage_faults(unit: ModbusUnit, profile: Profile, path: str) -> Iterator[Fault]:
    if unit.usage is None:
        return
    read = {value.point: value.quantity for value in chosen_values(unit, profile)}
    if read.get(unit.usage.power) != "power":
        yield Fault(f"{path}.usage.power", unit.usage.power, "a point of quantity power that the unit reads")
    counter = unit.usage.energy
    if read.get(counter, "energy" if counter == "energy" else "") != "energy":
        yield Fault(f"{path}.usage.energy", counter, "a point of quantity energy that the unit reads")


def _repeated(names: Sequence[str]) -> Iterator[int]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield index
