"""SenML packs become resolved records, records become counts of points; exact, whatever the sender writes.

Source: RFC 8428 (section numbers below are its own), units also from RFC 8798.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from enum import Enum
from fractions import Fraction
from typing import NoReturn

from edge.drivers.exact import INT64_MAX, INT64_MIN, exponent_for, half_even
from wire.messages import TICKS_PER_S
from wire.settings.senml import UNITS, SenmlValue
from wire.status import Status

VERSION_MAX = 10
RELATIVE_BELOW = Decimal(2**28)
"""Times below count from now, those from here on from 1970 (4.5.3)."""
RECORDS_MAX = 2000
NAME_MAX = 256
DIGITS_MAX = 40
"""Numbers with more digits, or further than 10**40 from 1, are no measurements."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*\Z")
_EXACT = Context(prec=4 * DIGITS_MAX)
_NUMBERS = ("bt", "bv", "bs", "v", "s", "t", "ut")
_TEXTS = ("bn", "bu", "n", "u", "vs", "vd")
_VALUES = ("v", "vs", "vb", "vd")


class SenmlError(Exception):
    """A pack that has to be refused as a whole; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One record with everything resolved (4.6). `time` is None when the pack gave none: it is now."""

    name: str
    unit: str
    value: Decimal | bool | str | None
    """None when it has none, or one that is data."""
    sum: Decimal | None
    time: Decimal | None


def resolve(body: bytes) -> Sequence[Resolved]:
    """Return the records of a pack in its order, or raise `SenmlError`."""
    try:
        pack = json.loads(
            body.decode(),
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_number,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError, InvalidOperation):
        raise SenmlError("not a pack of JSON in UTF-8") from None
    if not isinstance(pack, list) or not 1 <= len(pack) <= RECORDS_MAX:
        raise SenmlError(f"not a list of 1 to {RECORDS_MAX} records")
    base = _Base()
    records: list[Resolved] = []
    for index, fields in enumerate(pack):
        if not isinstance(fields, dict):
            raise SenmlError(f"record {index}: not a table")
        _check(fields, index)
        base.take(fields, index)
        if any(key in fields for key in (*_VALUES, "s")):
            records.append(base.record(fields, index))
    return records


class _Base:
    """The base fields as they stand at a record (4.1)."""

    def __init__(self) -> None:
        self._name = self._unit = ""
        self._time: Decimal | None = None
        self._value = self._sum = Decimal(0)
        self._version: Decimal | None = None

    def take(self, fields: Mapping[str, object], index: int) -> None:
        """Take over what a record changes."""
        self._name = _text(fields, "bn", self._name)
        self._unit = _text(fields, "bu", self._unit)
        self._time = _decimal(fields, "bt") if "bt" in fields else self._time
        self._value = _decimal(fields, "bv") if "bv" in fields else self._value
        self._sum = _decimal(fields, "bs") if "bs" in fields else self._sum
        version = fields.get("bver", self._version)
        if version is not None:
            if not isinstance(version, Decimal) or not 1 <= version <= VERSION_MAX:
                raise SenmlError(f"record {index}: bver: expected at most {VERSION_MAX}")
            if self._version not in (None, version):
                raise SenmlError(f"record {index}: bver: expected the same in the whole pack")
            self._version = version

    def record(self, fields: Mapping[str, object], index: int) -> Resolved:
        """Return a record that has a value or a sum."""
        name = self._name + _text(fields, "n", "")
        if len(name) > NAME_MAX or not _NAME.match(name):
            raise SenmlError(f"record {index}: expected a name of letters, digits and - : . / _")
        value: Decimal | bool | str | None = None
        if "v" in fields:
            value = _EXACT.add(_decimal(fields, "v"), self._value)
        elif "vb" in fields:
            value = bool(fields["vb"])
        elif "vs" in fields:
            value = _text(fields, "vs", "")
        total = _EXACT.add(_decimal(fields, "s"), self._sum) if "s" in fields else None
        time = self._time
        if "t" in fields:
            time = _EXACT.add(_decimal(fields, "t"), self._time or Decimal(0))
        return Resolved(name, _text(fields, "u", self._unit), value, total, time)


def _check(fields: Mapping[str, object], index: int) -> None:
    """Refuse what RFC 8428 has refused: types, two values, labels that must be understood (4.2, 4.4)."""
    for key in _NUMBERS:
        if key in fields and not isinstance(fields[key], Decimal):
            raise SenmlError(f"record {index}: {key}: expected a number")
    for key in _TEXTS:
        if key in fields and not isinstance(fields[key], str):
            raise SenmlError(f"record {index}: {key}: expected a text")
    if "vb" in fields and not isinstance(fields["vb"], bool):
        raise SenmlError(f"record {index}: vb: expected true or false")
    if sum(key in fields for key in _VALUES) > 1:
        raise SenmlError(f"record {index}: expected one value")
    if any(key.endswith("_") for key in fields):
        raise SenmlError(f"record {index}: has a label that must be understood and is not known")


def _decimal(fields: Mapping[str, object], key: str) -> Decimal:
    number = fields[key]
    assert isinstance(number, Decimal)
    return number


def _text(fields: Mapping[str, object], key: str, otherwise: str) -> str:
    text = fields.get(key, otherwise)
    assert isinstance(text, str)
    return text


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if len(number.as_tuple().digits) > DIGITS_MAX or (number and abs(number.adjusted()) > DIGITS_MAX):
        raise ValueError
    return number if number else Decimal(0)


def _no_number(_: str) -> NoReturn:
    raise ValueError


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


# --- values -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """What a point is fed: a count, or None and the status that says why."""

    count: int | None
    status: Status
    reason: str = ""


def exponent_of(value: SenmlValue) -> int:
    """Return the exponent of a point; counters and states are whole."""
    return 0 if value.step is None or value.kind != "analog" else max(-12, min(12, exponent_for(value.step)))


def count_of(record: Resolved, value: SenmlValue) -> Count:
    """Return a record as a count of its point, rounded once, half to even."""
    found = record.sum if value.use == "sum" else record.value
    if found is None:
        return Count(None, Status.NOT_MEASURED, f"the record has no {value.use}")
    if isinstance(found, str):
        if found not in value.texts:
            return Count(None, Status.INVALID, "a text that texts does not have")
        return Count(value.texts[found], Status.GOOD)
    if isinstance(found, bool):
        return Count(int(found), Status.GOOD)
    unit = record.unit or value.unit
    if not unit and value.kind == "state":
        unit = "/"
    known = UNITS[value.quantity].get(unit)
    if known is None:
        return Count(None, Status.INVALID, f"unit {unit or 'missing'}: not one of {value.quantity}")
    factor, offset = known
    scaled = (Fraction(found) * factor + offset) / Fraction(10) ** exponent_of(value)
    count = half_even(scaled.numerator, scaled.denominator)
    if not INT64_MIN <= count <= INT64_MAX:
        return Count(None, Status.OVER_RANGE, "beyond 64 bits")
    return Count(count, Status.GOOD)


# --- times ------------------------------------------------------------------------------------------


class Unused(Enum):
    """Why a record's own time was not used."""

    CLOCK = "the gateway does not know the time"
    OLD = "older than age_max_s"
    FUTURE = "further ahead than future_max_s"
    SILENT = "before the silence that it ends"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a pack arrived, in ticks, and what is known of time then."""

    tick: int
    offset_ticks: int | None
    """UTC tick = tick + offset."""
    age_max_ticks: int
    future_max_ticks: int


def place(time: Decimal | None, moment: Moment) -> tuple[int, Unused | None]:
    """Return the tick of a record, and why it is not its own time when it is not."""
    if time is None or time == 0:
        return moment.tick, None
    ticks = int(_EXACT.multiply(time, Decimal(TICKS_PER_S)).to_integral_value(context=_EXACT))
    if time < RELATIVE_BELOW:
        own = moment.tick + ticks
    elif moment.offset_ticks is None:
        return moment.tick, Unused.CLOCK
    else:
        own = ticks - moment.offset_ticks
    if own > moment.tick:
        ahead = own - moment.tick > moment.future_max_ticks
        return moment.tick, Unused.FUTURE if ahead else None
    if own < moment.tick - moment.age_max_ticks:
        return moment.tick, Unused.OLD
    return own, None
