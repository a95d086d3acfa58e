"""Exact conversion of what devices say into counts of a point's resolution.

Every value is rounded once, half to even, with integers alone: no binary fraction comes between a
device's digits and the stored ones. It knows no device and no unit.
"""

from decimal import Decimal
from fractions import Fraction

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
DIGITS_MAX = 40


def half_even(numerator: int, denominator: int) -> int:
    """Return the whole number nearest to numerator/denominator (> 0), ties to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def count_of(value: Decimal, exponent: int) -> int | None:
    """Return `value / 10**exponent` as a count; None when it is not finite or does not fit 64 bits."""
    if not value.is_finite() or value.adjusted() > DIGITS_MAX:
        return None
    if value.adjusted() < -DIGITS_MAX:
        return 0
    numerator, denominator = value.as_integer_ratio()
    if exponent < 0:
        numerator *= 10**-exponent
    else:
        denominator *= 10**exponent
    count = half_even(numerator, denominator)
    return count if INT64_MIN <= count <= INT64_MAX else None


def exponent_for(step: Decimal) -> int:
    """Return the exponent of a resolution that is at least ten times finer than a device's step."""
    return step.copy_abs().adjusted() - 1


def count_range(low: Decimal, high: Decimal, exponent: int) -> tuple[int, int]:
    """Return the smallest and the largest count whose value lies from low to high."""
    unit = Fraction(10) ** exponent
    return -int(-Fraction(low) // unit), int(Fraction(high) // unit)
