"""What a count means: corrected by the certificate, and judged with its uncertainty (ILAC-G8).

Corrected as the hub corrects (`value` on its pages), to the last digit. All arithmetic is exact.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from rules.interlock.model import Calibration, Limit, Sensor
from rules.interlock.state import Verdict
from wire.messages import TICKS_PER_S

TICKS_PER_DAY = 24 * 3600 * TICKS_PER_S


@dataclass(frozen=True, slots=True)
class Curve:
    """A calibration's nodes as counts of `10**grid`."""

    grid: int
    exponent: int
    indicated: tuple[int, ...]
    corrected: tuple[int, ...]

    def correct(self, count: int) -> int:
        """Return the corrected count of `10**exponent` of an indicated count of `10**grid`."""
        place = bisect_right(self.indicated, count)
        if place in (0, len(self.indicated)):
            end = max(place - 1, 0)
            top, bottom = count + self.corrected[end] - self.indicated[end], 1
        else:
            bottom = self.indicated[place] - self.indicated[place - 1]
            rise = self.corrected[place] - self.corrected[place - 1]
            top = self.corrected[place - 1] * bottom + rise * (count - self.indicated[place - 1])
        return _half_even(top, bottom * 10 ** (self.exponent - self.grid))


Reader = Callable[[int], Decimal]
"""From a stored count to the corrected value."""


def reader(sensor: Sensor) -> Reader:
    """Return how counts of this sensor are read."""
    exponent = sensor.exponent
    if sensor.calibration is None:
        return lambda count: Decimal(count).scaleb(exponent)
    curve = _curve(sensor.calibration, exponent)
    factor, to = 10 ** (exponent - curve.grid), curve.exponent
    return lambda count: Decimal(curve.correct(count * factor)).scaleb(to)


def uncertainty(calibration: Calibration | None, utc: int | None) -> Decimal | None:
    """Return U with the drift since the calibration, in the point's unit; None when nobody can say.

    The drift is added and not taken in quadrature: never too small. Without trusted time (`utc` None) it is
    that of the due date.
    """
    if calibration is None:
        return None
    if not calibration.drift_per_day:
        return calibration.expanded_uncertainty
    until = calibration.due_utc if utc is None else utc
    if until is None:
        return None
    days = max(0, -((calibration.calibrated_utc - until) // TICKS_PER_DAY))
    return calibration.expanded_uncertainty + calibration.drift_per_day * days


def verdict(value: Decimal, u: Decimal | None, limit: Limit) -> Verdict:
    """Return what a value with expanded uncertainty `u` says of a limit; `u` None says nothing."""
    return between(value, u, low=limit.low, high=limit.high)


def between(value: Decimal, u: Decimal | None, *, low: Decimal | None, high: Decimal | None) -> Verdict:
    """Return whether a value is certainly in `low … high`, certainly out, or neither; a limit is in."""
    if u is None:
        return Verdict.UNDETERMINED
    if (low is not None and value + u < low) or (high is not None and value - u > high):
        return Verdict.OUT
    if (low is None or value - u >= low) and (high is None or value + u <= high):
        return Verdict.IN
    return Verdict.UNDETERMINED


def is_out(value: Decimal, u: Decimal | None, limit: Limit, *, was_out: bool) -> bool:
    """Return whether the condition of a limit is out; once out, it has to come back by the deadband."""
    back = limit.deadband if was_out else Decimal(0)
    low = None if limit.low is None else limit.low + back
    high = None if limit.high is None else limit.high - back
    found = between(value, u if limit.guarded else Decimal(0), low=low, high=high)
    if found is Verdict.UNDETERMINED:
        return limit.undetermined == "out"
    return found is Verdict.OUT


def _curve(calibration: Calibration, exponent: int) -> Curve:
    nodes = (*calibration.indicated, *calibration.correction)
    grid = min(exponent, calibration.exponent, *(_exponent(node) for node in nodes))
    indicated = tuple(_on_grid(node, grid) for node in calibration.indicated)
    correction = (_on_grid(node, grid) for node in calibration.correction)
    corrected = tuple(one + more for one, more in zip(indicated, correction, strict=True))
    return Curve(grid, calibration.exponent, indicated, corrected)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise TypeError(f"a node of a calibration must be a number, not {value}")
    return exponent


def _on_grid(value: Decimal, grid: int) -> int:
    """Return a decimal as a count of `10**grid`; exact, for grid is not above its exponent."""
    sign, digits, _ = value.as_tuple()
    places: int = 10 ** (_exponent(value) - grid)
    count = int("".join(map(str, digits))) * places
    return -count if sign else count


def _half_even(top: int, bottom: int) -> int:
    quotient, rest = divmod(top, bottom)
    twice = 2 * rest
    return quotient + 1 if twice > bottom or (twice == bottom and quotient % 2) else quotient
