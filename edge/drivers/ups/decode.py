"""Lines and variables of NUT in, power state and counts out.

It opens no connection. Source: NUT network protocol 1.3 (RFC 9271), the NUT variable names, and the
status words of `ups.status`. What a UPS does not say stays absent; a sentinel is no value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum

from edge.drivers.exact import count_of
from wire.settings.ups import UpsPoint
from wire.status import Status


class NutError(Exception):
    """An answer that is none; the text says what was wrong.

    Tree::

        NutError
        ├── NutProtocolError  a line that the protocol does not know here
        └── NutRefusedError   `ERR <code>`; `code` is the word of the server
    """


class NutProtocolError(NutError):
    """A line that the protocol does not know at this place."""


class NutRefusedError(NutError):
    """The server answered `ERR`."""

    def __init__(self, code: str) -> None:
        super().__init__(f"NUT answers {code}")
        self.code = code


class Power(IntEnum):
    """Where the load's power comes from; the numbers are counts of the point `power`."""

    MAINS = 1
    BATTERY = 2


FLAGS = (
    # Bit i of the point `flags` is word i; a new word goes to the end.
    "OL",
    "OB",
    "LB",
    "HB",
    "RB",
    "CHRG",
    "DISCHRG",
    "BYPASS",
    "CAL",
    "OFF",
    "OVER",
    "TRIM",
    "BOOST",
    "FSD",
    "ALARM",
    "ECO",
    "TEST",
    "WAIT",
    "COMM",
    "NOCOMM",
)
_FED_BY_MAINS = frozenset({"BYPASS", "TRIM", "BOOST"})
_NO_CONTACT = frozenset({"WAIT", "NOCOMM"})
_VAR = re.compile(r'VAR (\S+) ([A-Za-z0-9._-]+) "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def parse_variable(line: str, ups: str) -> tuple[str, str]:
    """Return name and value of a `VAR` line of this UPS; `NutProtocolError`."""
    found = _VAR.fullmatch(line)
    if found is None or found[1] != ups:
        raise NutProtocolError(f'{line[:80]!r}: expected VAR {ups} <name> "<value>"')
    return found[2], _ESCAPED.sub(r"\1", found[3])


def check_answer(line: str, expected: str) -> None:
    """Accept the expected line; `NutRefusedError` for ERR, `NutProtocolError` for any other."""
    if line.startswith("ERR "):
        raise NutRefusedError(line[4:].split(" ")[0][:40])
    if line != expected:
        raise NutProtocolError(f"{line[:80]!r}: expected {expected!r}")


def flags_of(status: str) -> frozenset[str]:
    """Return the words of `ups.status`."""
    return frozenset(status.upper().split())


def power_of(flags: frozenset[str]) -> Power | None:
    """Return where the power comes from; None when the words do not say or contradict each other.

    The table, first match wins (docs/reference/drivers/ups.md):

    ========================  =======
    WAIT or NOCOMM            unknown
    OL and OB and DISCHRG     battery
    OL and OB                 unknown
    OB                        battery
    OL                        mains
    BYPASS, TRIM or BOOST     mains
    DISCHRG                   battery
    anything else             unknown
    ========================  =======
    """
    if flags & _NO_CONTACT:
        return None
    if "OB" in flags:
        return None if "OL" in flags and "DISCHRG" not in flags else Power.BATTERY
    if "OL" in flags or flags & _FED_BY_MAINS:
        return Power.MAINS
    return Power.BATTERY if "DISCHRG" in flags else None


def flag_bits(flags: frozenset[str]) -> int:
    """Return the words as bits in the order of `FLAGS`; words that are not in it have none."""
    return sum(1 << bit for bit, word in enumerate(FLAGS) if word in flags)


@dataclass(frozen=True, slots=True)
class Measured:
    """How a variable of NUT becomes a point: value = count * 10**exponent, in the quantity's unit."""

    variable: str
    quantity: str
    exponent: int
    high: Decimal
    """Above it a value is a sentinel or nonsense of the device."""
    sentinels: frozenset[Decimal] = frozenset()


MEASURED: dict[UpsPoint, Measured] = {
    "battery_charge": Measured("battery.charge", "battery_charge", -3, Decimal(100)),
    "battery_runtime": Measured(
        # 16 bits full of ones, or a day and more of sentinels in minutes, mean "not known".
        "battery.runtime",
        "battery_runtime",
        -2,
        Decimal(10_000_000),
        frozenset({Decimal(65535), Decimal(65535 * 60), Decimal(2**32 - 1)}),
    ),
    "load": Measured("ups.load", "load", -3, Decimal(1000)),
    "input_voltage": Measured("input.voltage", "voltage", -4, Decimal(100_000)),
    "output_voltage": Measured("output.voltage", "voltage", -4, Decimal(100_000)),
    "battery_voltage": Measured("battery.voltage", "voltage", -4, Decimal(100_000)),
    "temperature": Measured("ups.temperature", "temperature", -3, Decimal(200)),
}
_BELOW_ZERO = frozenset({"temperature"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a UPS."""

    power: Power | None
    flags: frozenset[str]
    counts: list[int | None]
    statuses: list[tuple[int, int]]


def is_lost(variables: Mapping[str, str]) -> bool:
    """Whether NUT's driver has lost the UPS and looks for it; what it says is from before (NUT 2.8.1 on).

    A UPS on USB that enumerates anew as the power goes is lost exactly then.
    """
    return variables.get("driver.state", "").lower().startswith("reconnect")


def read(variables: Mapping[str, str], points: Sequence[UpsPoint]) -> Reading:
    """Return power, words and the chosen points' counts from the variables of one UPS."""
    if is_lost(variables):
        return nothing(points, Status.STALE)
    flags = flags_of(variables.get("ups.status", ""))
    power = power_of(flags)
    counts: list[int | None] = []
    statuses: list[tuple[int, int]] = []
    for index, point in enumerate(points):
        count: int | None
        if point == "power":
            count = None if power is None else int(power)
            status = Status.UNKNOWN if power is None else Status.GOOD
        elif point == "flags":
            count, status = (flag_bits(flags), Status.GOOD) if flags else (None, Status.UNKNOWN)
        else:
            count, status = _measure(MEASURED[point], point, variables)
        counts.append(count)
        if status is not Status.GOOD:
            statuses.append((index, int(status)))
    return Reading(power, flags, counts, statuses)


def nothing(points: Sequence[UpsPoint], status: Status) -> Reading:
    """Return a look at a UPS that says nothing now: every point absent with this status."""
    return Reading(None, frozenset(), [None] * len(points), [(i, int(status)) for i in range(len(points))])


def _measure(what: Measured, point: str, variables: Mapping[str, str]) -> tuple[int | None, Status]:
    text = variables.get(what.variable)
    if text is None or not text.strip():
        return None, Status.NOT_MEASURED
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None, Status.INVALID
    if not value.is_finite() or value in what.sentinels:
        return None, Status.INVALID
    if value > what.high:
        return None, Status.OVER_RANGE
    if value < 0 and point not in _BELOW_ZERO:
        return None, Status.INVALID
    count = count_of(value, what.exponent)
    return (None, Status.INVALID) if count is None else (count, Status.GOOD)
