"""Exact decimals from integer counts: text and the one rounding rule.

Knows nothing of points, calibrations or the database.
"""


def decimal_text(count: int, exponent: int) -> str:
    """Return `count * 10**exponent` written out, with exactly `-exponent` places behind the point."""
    if exponent >= 0:
        return str(count * 10**exponent)
    digits = str(abs(count)).zfill(1 - exponent)
    sign = "-" if count < 0 else ""
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def round_half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest to `numerator / denominator`, halves to the even one; denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2 == 1):
        return quotient + 1
    return quotient


def rescale(numerator: int, denominator: int, *, exponent: int, to_exponent: int) -> int:
    """Return the count of `10**to_exponent` nearest to `numerator / denominator * 10**exponent`."""
    shift = exponent - to_exponent
    if shift >= 0:
        return round_half_even(numerator * 10**shift, denominator)
    return round_half_even(numerator, denominator * 10**-shift)
