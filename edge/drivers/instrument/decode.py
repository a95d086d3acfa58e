"""Answers of SCPI instruments in, values out; declared commands with arguments in, the text to send out.

It opens no connection. Sources: IEEE 488.2-1992 (7.7 commands, 8.7 answers, 10.14 `*IDN?`), SCPI-99 (volume
1, 7.2.1: 9.9E37 is infinity, 9.91E37 is not a number; volume 2, 21.8: the error queue).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge.control.offers import RefusedError
from edge.drivers.exact import count_of
from wire.settings.instrument import PLACE, Argument, Identity, Procedure, Query
from wire.status import Status

INFINITY = Decimal("9.9E37")
NOT_A_NUMBER = Decimal("9.91E37")
FIELDS_MAX = 64
_NUMBER = re.compile(r"[+-]?(\d{1,80}(\.\d{0,80})?|\.\d{1,80})([Ee][+-]?\d{1,4})?")
_ERROR = re.compile(r'([+-]?\d{1,6})\s*,\s*"((?:[^"]|"")*)"')
_WORDS = {
    # What instruments write instead of a number.
    "NAN": Status.NOT_MEASURED,
    "INF": Status.OVER_RANGE,
    "+INF": Status.OVER_RANGE,
    "-INF": Status.UNDER_RANGE,
    "OVLD": Status.OVER_RANGE,
    "OL": Status.OVER_RANGE,
}


class AnswerError(Exception):
    """An answer that is none; the text names what was expected."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The four fields of `*IDN?`; one that the instrument does not tell is "" or "0"."""

    maker: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class QueuedError:
    """One entry of the error queue; code 0 means that it is empty."""

    code: int
    text: str


def text_of(answer: bytes) -> str:
    """Return an answer without its end as text; `AnswerError` for what is no ASCII line."""
    line = answer.removesuffix(b"\n").removesuffix(b"\r")
    if any((byte < 0x20 and byte != 0x09) or byte > 0x7E for byte in line):
        raise AnswerError(f"{line[:40]!r}: expected printable ASCII")
    return line.decode("ascii")


def identification(text: str) -> Identification:
    """Return the fields of an answer to `*IDN?`; `AnswerError`."""
    parts = [part.strip() for part in text.split(",", 3)]
    if len(parts) != 4 or not parts[0] or not parts[1]:
        raise AnswerError(f"*IDN? answered {text[:80]!r}: expected maker,model,serial,firmware")
    return Identification(*parts)


def strangeness(found: Identification, expected: Identity) -> str:
    """Return in what the instrument is not the declared one, or ""; upper and lower case are alike."""
    pairs = (
        ("maker", found.maker, expected.maker),
        ("model", found.model, expected.model),
        ("serial", found.serial, expected.serial),
    )
    return ", ".join(
        f"{name} {said[:40]!r}: expected {wanted!r}"
        for name, said, wanted in pairs
        if wanted is not None and said.casefold() != wanted.casefold()
    )


def queued_error(text: str) -> QueuedError:
    """Return an answer of the error queue; `AnswerError`."""
    found = _ERROR.fullmatch(text.strip())
    if found is None:
        raise AnswerError(f'the error queue answered {text[:80]!r}: expected <code>,"<text>"')
    return QueuedError(int(found[1]), found[2].replace('""', '"')[:160])


def measured(text: str, query: Query, exponent: int) -> tuple[int | None, Status]:
    """Return the count of one value in an answer, or None and why it is absent."""
    fields = text.split(",", FIELDS_MAX)
    if query.place >= len(fields):
        return None, Status.NOT_MEASURED
    word = fields[query.place].strip()
    if word.upper() in _WORDS:
        return None, _WORDS[word.upper()]
    if not _NUMBER.fullmatch(word):
        return None, Status.INVALID
    value = Decimal(word)
    if value == NOT_A_NUMBER:
        return None, Status.NOT_MEASURED
    if abs(value) >= INFINITY:
        return None, Status.OVER_RANGE if value > 0 else Status.UNDER_RANGE
    count = count_of(value * query.scale, exponent)
    return (None, Status.INVALID) if count is None else (count, Status.GOOD)


def block_length(head: bytes) -> int:
    """Return how many digits the length of a block has that begins with these two bytes; `AnswerError`."""
    if len(head) != 2 or head[:1] != b"#" or not b"1" <= head[1:] <= b"9":
        raise AnswerError(f"{head!r}: expected a block of data of definite length (#1 to #9)")
    return head[1] - 0x30


def block_size(digits: bytes, bytes_max: int) -> int:
    """Return how many bytes of data follow; `AnswerError` when it is no number or too many."""
    if not digits.isdigit():
        raise AnswerError(f"{digits[:10]!r}: expected the length of a block of data")
    if (size := int(digits)) > bytes_max:
        raise AnswerError(f"a block of {size} bytes: expected at most {bytes_max} (data_bytes_max)")
    return size


def commands_of(procedures: Sequence[Procedure], name: str, arguments: Mapping[str, str]) -> list[str]:
    """Return what a procedure sends, step by step; `RefusedError` for all that is not declared."""
    procedure = next((one for one in procedures if one.name == name), None)
    if procedure is None:
        known = ", ".join(sorted(one.name for one in procedures)) or "none"
        raise RefusedError(f"procedure {name[:64]!r}: expected one that is declared ({known})")
    declared = {argument.name: argument for argument in procedure.argument}
    if strange := sorted(arguments.keys() - declared.keys()):
        raise RefusedError(f"{name}: argument {strange[0][:64]!r} is not declared")
    said = {one: _said(name, argument, arguments.get(one)) for one, argument in declared.items()}
    return [PLACE.sub(lambda place: said[place[1]], step.command) for step in procedure.step]


def _said(procedure: str, argument: Argument, value: str | None) -> str:
    """Return an argument as it is sent: one of the words, or a plain decimal number."""
    what = f"{procedure}: argument {argument.name}"
    if argument.low is None or argument.high is None:
        if value not in argument.words:
            raise RefusedError(f"{what}: {value!r}: expected {' or '.join(argument.words)}")
        return value
    if value is None or not _NUMBER.fullmatch(value):
        raise RefusedError(f"{what}: {value!r}: expected a number")
    number = Decimal(value)
    if not argument.low <= number <= argument.high:
        raise RefusedError(f"{what}: {value}: expected {argument.low} to {argument.high}")
    return f"{number:f}"
