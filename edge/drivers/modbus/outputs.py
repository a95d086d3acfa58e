"""The outputs of a Modbus unit: which registers say what a count means. Opens nothing and asks nobody."""

from dataclasses import dataclass

from edge.control.outputs import Output, OutputError
from edge.drivers.exact import INT64_MAX, count_range
from edge.drivers.modbus.decode import (
    UnwritableError,
    Value,
    compile_value,
    decode_value,
    encode_value,
    exponent_of,
)
from edge.drivers.modbus.frames import WRITE_COIL, Question
from wire.settings.modbus import ProfileValue, ValueType
from wire.settings.modbus_outputs import ProfileOutput, UnitOutput
from wire.status import PointKind, Status

_READS = {WRITE_COIL: 1}
HOLDING = 3


@dataclass(frozen=True, slots=True)
class BoundOutput:
    """One output of one unit, with the questions that set it and read it back."""

    declared: Output
    unit: int
    profile: ProfileOutput
    value: Value

    def write_question(self, count: int) -> Question:
        """Return the write of a count; `OutputError` for one that the device cannot take exactly."""
        profile = self.profile
        if profile.kind == "switch":
            numbers = (0, 1) if profile.function == WRITE_COIL else (profile.off, profile.on)
            if count not in (0, 1):
                raise OutputError(f"{self.declared.name}: {count}: expected 0 or 1")
            return Question(profile.function, profile.register, values=(numbers[count],))
        try:
            words = encode_value(self.value, count)
        except UnwritableError as error:
            raise OutputError(f"{self.declared.name}: {error}") from None
        return Question(profile.function, profile.register, values=words)

    @property
    def read_question(self) -> Question:
        """Return the read of what was written."""
        function = _READS.get(self.profile.function, HOLDING)
        return Question(function, self.profile.register, self.value.registers)

    def count_of(self, answer: list[int]) -> int | None:
        """Return what a read says the output is; None for a number that is no state of the switch."""
        if self.profile.kind == "switch" and self.profile.function != WRITE_COIL:
            return {self.profile.off: 0, self.profile.on: 1}.get(answer[0])
        count, status = decode_value(self.value, answer)
        return count if status in (Status.GOOD, Status.IMPLAUSIBLE) else None


def bind(name: str, unit: int, *, profile: ProfileOutput, own: UnitOutput) -> BoundOutput:
    """Return the output as the profile declares it and the unit limits it."""
    apart_s = profile.apart_s if own.apart_s is None else own.apart_s
    if profile.kind == "switch":
        value = compile_value(_as_value(profile, "bit" if profile.function == WRITE_COIL else "uint16"))
        declared = Output(name, "switch", 0, 1, apart_s=apart_s, read_back_s=profile.read_back_s)
        return BoundOutput(declared, unit, profile, value)
    read = _as_value(profile, profile.type)
    exponent = exponent_of(read)
    low, high = (
        theirs if ours is None else ours
        for ours, theirs in ((own.low, profile.low), (own.high, profile.high))
    )
    assert low is not None
    assert high is not None
    lowest, highest = count_range(low, high, exponent)
    step_max = profile.step_max if own.step_max is None else own.step_max
    declared = Output(
        name,
        "setpoint",
        lowest,
        highest,
        exponent=exponent,
        quantity=profile.quantity,
        step_max=None if step_max is None else min(INT64_MAX, int(step_max.scaleb(-exponent))),
        apart_s=apart_s,
        read_back_s=profile.read_back_s,
    )
    return BoundOutput(declared, unit, profile, compile_value(read))


def _as_value(profile: ProfileOutput, kind: ValueType) -> ProfileValue:
    switch = profile.kind == "switch"
    return ProfileValue(
        point=profile.output,
        quantity="state" if switch else profile.quantity,
        kind=PointKind.STATE if switch else PointKind.ANALOG,
        function=1 if kind == "bit" else 3,
        register=profile.register,
        type=kind,
        word_order=profile.word_order,
        scale=profile.scale,
        step=profile.step,
    )
