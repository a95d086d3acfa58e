"""Settings of what a Modbus unit can be told to do, and of what its power draw says about its use.

An output is declared in the profile of a device, with everything that keeps it from harm; a unit owns an
output only when its settings name it. This module reads no file.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from wire.quantities import QUANTITIES
from wire.settings.base import Fault, Settings
from wire.settings.base import PointPart as PointPart

RegisterAddress = Annotated[int, Meta(ge=0, le=65535)]
"""Zero-based address as sent on the wire."""
RawNumber = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
WritableType = Literal["int16", "uint16", "int32", "uint32", "float32"]
_TWO_REGISTERS = ("int32", "uint32", "float32")


class ProfileOutput(Settings, frozen=True, kw_only=True):
    """One output of a device: a switch (a coil, or a register with two numbers) or a setpoint."""

    output: PointPart
    """Last part of the output's name, put behind the prefix of the unit."""
    kind: Literal["switch", "setpoint"] = "setpoint"
    quantity: str = "state"
    function: Literal[5, 6, 16] = 6
    """5 writes one coil, 6 one holding register, 16 several; read back from the same place."""
    register: RegisterAddress
    type: WritableType = "int16"
    word_order: Literal["high_first", "low_first"] = "high_first"
    scale: Decimal = Decimal(1)
    step: Decimal | None = None
    """Smallest difference that the device can express; |scale| when absent; floats need it."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Range of a setpoint, in the unit of its quantity."""
    on: RawNumber = 1
    off: RawNumber = 0
    """What a switch in a register is written as."""
    step_max: Decimal | None = None
    """By how much one write may move a setpoint."""
    apart_s: Seconds = 0.0
    """How long the output rests between two writes."""
    read_back_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0
    """How long the device may take to show what it was told."""

    def faults(self) -> Iterator[Fault]:
        """What does not fit the kind or the function."""
        wide = self.type in _TWO_REGISTERS
        if self.function == 6 and wide:
            yield Fault("type", self.type, "a type of one register for function 6, or function 16")
        if self.kind == "switch":
            yield from self._switch_faults(wide=wide)
            return
        if self.function == 5:
            yield Fault("function", self.function, "6 or 16 for a setpoint")
        if self.quantity not in QUANTITIES:
            yield Fault("quantity", self.quantity, f"one of {', '.join(sorted(QUANTITIES))}")
        for name, number in (("scale", self.scale), ("step", self.step)):
            if number is not None and not (reasonable(number) and number > 0):
                yield Fault(name, str(number), "a number above 0 of at most 11 places")
        if self.step is None and self.type == "float32":
            yield Fault("step", self.step, "the device's step, since a float does not tell it")
        if self.low is None or self.high is None or not self.low < self.high:
            yield Fault("low", self.low, "low and high of the setpoint, low the smaller one")
        if self.step_max is not None and self.step_max <= 0:
            yield Fault("step_max", self.step_max, "a number above 0")

    def _switch_faults(self, *, wide: bool) -> Iterator[Fault]:
        if self.function != 5 and (wide or self.on == self.off):
            yield Fault("on", self.on, "another number than off, in a type of one register")
        for name in ("low", "high", "step_max", "step"):
            if getattr(self, name) is not None:
                yield Fault(name, getattr(self, name), "no such key for a switch, which has 0 and 1")


class UnitOutput(Settings, frozen=True, kw_only=True):
    """An output that the gateway owns, with limits that are at least as narrow as the profile's."""

    output: PointPart
    low: Decimal | None = None
    high: Decimal | None = None
    step_max: Decimal | None = None
    apart_s: Seconds | None = None

    def use_faults(self, profile: ProfileOutput) -> Iterator[Fault]:
        """Yield limits that are wider than the profile's."""
        if profile.kind == "switch":
            for name in ("low", "high", "step_max"):
                if getattr(self, name) is not None:
                    yield Fault(name, getattr(self, name), "no such key for a switch, which has 0 and 1")
            return
        assert profile.low is not None
        assert profile.high is not None
        low = profile.low if self.low is None else self.low
        high = profile.high if self.high is None else self.high
        if not profile.low <= low < high <= profile.high:
            yield Fault("low", f"{low} to {high}", f"a range within {profile.low} to {profile.high}")
        most = profile.step_max
        if self.step_max is not None and not 0 < self.step_max <= (most or self.step_max):
            yield Fault("step_max", self.step_max, f"above 0 and at most {most or 'any number'}")
        if self.apart_s is not None and self.apart_s < profile.apart_s:
            yield Fault("apart_s", self.apart_s, f"at least {profile.apart_s:g}")


class UnitUsage(Settings, frozen=True, kw_only=True):
    """How the use of an instrument is told from its power draw."""

    subject: PointPart | None = None
    """What is in use; the unit's prefix when absent."""
    power: PointPart = "power"
    energy: PointPart = "energy"
    """Values of the profile: the power, and the meter's counter, which may be missing."""
    on_w: Annotated[Decimal, Meta(description="a number of watts above off_w")]
    """From this power on it is in use."""
    off_w: Annotated[Decimal, Meta(description="a number of watts, 0 or more")]
    """Below this power it is not; between the two nothing changes."""
    least_s: Seconds = 30.0
    """Shorter use is no session."""
    rest_s: Seconds = 120.0
    """Shorter pauses do not end one."""
    gap_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 30.0
    """When no reading came for longer, the session says so."""

    def faults(self) -> Iterator[Fault]:
        """Thresholds without hysteresis."""
        if not 0 <= self.off_w < self.on_w:
            yield Fault("off_w", self.off_w, f"0 or more and below on_w ({self.on_w})")


def reasonable(number: Decimal) -> bool:
    """Whether a number of a profile is small and short enough for exact arithmetic."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -11 and abs(number) < 10**12
