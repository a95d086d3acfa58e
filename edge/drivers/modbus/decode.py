"""Registers in, counts out: plans the reads of a unit and decodes what came back, exactly.

It opens no connection and knows no Modbus library. Source of the register conventions: Modbus
Application Protocol V1.1b3; of each device: the `source` of its profile.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from edge.drivers.exact import INT64_MAX, INT64_MIN, count_range, exponent_for, half_even
from wire.quantities import QUANTITIES
from wire.settings.modbus import REGISTERS, REGISTERS_PER_READ_MAX, ProfileValue
from wire.status import PointKind, Status


class RegisterCountError(Exception):
    """An answer carries another number of registers than was asked for."""


class UnwritableError(Exception):
    """A value that the registers of an output cannot express exactly; the text says what they can."""


@dataclass(frozen=True, slots=True)
class Value:
    """How the registers of one value become a count: (raw * factor + addend) / divisor, half to even."""

    registers: int
    signed: bool
    float_format: str
    """struct format of a float, empty for integers."""
    low_first: bool
    factor: int
    addend: int
    divisor: int
    exponent: int
    low: int
    high: int
    """Plausible counts, both ends included."""
    special: dict[int, Status]
    """Registers as sent, taken as one number -> what they say."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read request and the places of its values: (index in the layout, first register, value)."""

    function: int
    start: int
    count: int
    places: tuple[tuple[int, int, Value], ...]


def exponent_of(value: ProfileValue) -> int:
    """Return the exponent of the counts: 0 for states and counters, finer than the step else."""
    if value.kind is not PointKind.ANALOG:
        return 0
    return exponent_for(value.scale if value.step is None else value.step)


def compile_value(value: ProfileValue) -> Value:
    """Return the integer arithmetic of a value; its settings were checked before."""
    exponent = exponent_of(value)
    unit = Fraction(10) ** exponent
    factor, addend = Fraction(value.scale) / unit, Fraction(value.offset) / unit
    divisor = math.lcm(factor.denominator, addend.denominator)
    quantity = QUANTITIES[value.quantity]
    low, high = count_range(quantity.low, quantity.high, exponent)
    special = {int(pattern, 16): Status.INVALID for pattern in value.invalid}
    special |= {int(pattern, 16): Status.OVER_RANGE for pattern in value.over_range}
    special |= {int(pattern, 16): Status.UNDER_RANGE for pattern in value.under_range}
    return Value(
        registers=REGISTERS[value.type],
        signed=value.type.startswith("int"),
        float_format={"float32": ">f", "float64": ">d"}.get(value.type, ""),
        low_first=value.word_order == "low_first",
        factor=int(factor * divisor),
        addend=int(addend * divisor),
        divisor=divisor,
        exponent=exponent,
        low=low,
        high=high,
        special=special,
    )


def plan(values: Sequence[ProfileValue], gap_registers: int) -> tuple[Block, ...]:
    """Merge values that lie side by side into reads of at most 125 registers.

    `gap_registers` unasked registers between two values may be read along. The index of a place is the
    index in `values`.
    """
    blocks: list[Block] = []
    order = sorted(range(len(values)), key=lambda index: (values[index].function, values[index].register))
    for index in order:
        value = values[index]
        last = blocks[-1] if blocks else None
        if last is None or not _fits(last, value, gap_registers):
            blocks.append(Block(value.function, value.register, 0, ()))
            last = blocks[-1]
        offset = value.register - last.start
        compiled = compile_value(value)
        blocks[-1] = Block(
            last.function,
            last.start,
            max(last.count, offset + compiled.registers),
            (*last.places, (index, offset, compiled)),
        )
    return tuple(blocks)


def _fits(block: Block, value: ProfileValue, gap_registers: int) -> bool:
    end = value.register + REGISTERS[value.type]
    return (
        block.function == value.function
        and value.register <= block.start + block.count + gap_registers
        and end - block.start <= REGISTERS_PER_READ_MAX
    )


def decode_value(value: Value, words: Sequence[int]) -> tuple[int | None, Status]:
    """Return the count and status of one value from its registers (0 to 65535 each)."""
    sent = _joined(words)
    said = value.special.get(sent)
    if said is not None:
        return None, said
    raw = _joined(words[::-1]) if value.low_first else sent
    if value.float_format:
        number: float = struct.unpack(value.float_format, raw.to_bytes(2 * value.registers, "big"))[0]
        if not math.isfinite(number):
            return None, Status.INVALID
        numerator, denominator = number.as_integer_ratio()
        count = half_even(numerator * value.factor + value.addend * denominator, denominator * value.divisor)
    else:
        if value.signed and raw >> (16 * value.registers - 1):
            raw -= 1 << (16 * value.registers)
        count = raw * value.factor + value.addend
        if value.divisor != 1:
            count = half_even(count, value.divisor)
    return _judged(value, count)


def with_unit(count: int, exponent: int, quantity: str) -> str:
    """Return a count as a person reads it: exact, with the unit of its quantity."""
    return f"{Decimal(count).scaleb(exponent):f} {QUANTITIES[quantity].unit}".rstrip()


def _joined(words: Sequence[int]) -> int:
    joined = 0
    for word in words:
        joined = joined << 16 | word
    return joined


def _judged(value: Value, count: int) -> tuple[int | None, Status]:
    if value.low <= count <= value.high:
        return count, Status.GOOD
    if count > INT64_MAX:
        return None, Status.OVER_RANGE
    if count < INT64_MIN:
        return None, Status.UNDER_RANGE
    return count, Status.IMPLAUSIBLE


def decode_block(
    block: Block, registers: Sequence[int], *, counts: list[int | None], flags: list[tuple[int, int]]
) -> None:
    """Put the block's values into `counts` and what is not good into `flags`; `RegisterCountError`."""
    if len(registers) != block.count:
        raise RegisterCountError(f"{len(registers)} registers: expected {block.count}")
    for index, offset, value in block.places:
        count, status = decode_value(value, registers[offset : offset + value.registers])
        counts[index] = count
        if status is not Status.GOOD:
            flags.append((index, int(status)))


def encode_value(value: Value, count: int) -> tuple[int, ...]:
    """Return the registers that say a count, first one first; they decode to it, or `UnwritableError`."""
    scaled = count * value.divisor - value.addend
    try:
        if value.float_format:
            data = struct.pack(value.float_format, scaled / value.factor)
        else:
            data = (scaled // value.factor).to_bytes(2 * value.registers, "big", signed=value.signed)
    except OverflowError:
        raise UnwritableError(f"{count}: more than {value.registers} register(s) hold") from None
    words = struct.unpack(f">{value.registers}H", data)
    words = words[::-1] if value.low_first else words
    if decode_value(value, words)[0] != count:
        step = Fraction(value.factor, value.divisor)
        raise UnwritableError(f"{count}: the device cannot say it exactly, it has steps of {step}")
    return words


def refuse_block(block: Block, flags: list[tuple[int, int]]) -> None:
    """Mark the block's values as refused by the device."""
    flags.extend((index, int(Status.DEVICE_ERROR)) for index, _, _ in block.places)
