"""Counts are rounded once, half to even, and exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.exact import count_of, count_range, exponent_for, half_even


@given(st.integers(), st.integers(min_value=1))
def test_half_even_agrees_with_the_definition(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12), st.integers(-12, 6))
def test_counts_agree_with_fractions(value: Decimal, exponent: int) -> None:
    expected = round(Fraction(value) / Fraction(10) ** exponent)
    assert count_of(value, exponent) == (expected if -(2**63) <= expected < 2**63 else None)


@pytest.mark.parametrize(
    ("text", "exponent", "count"),
    [
        ("0.000000001", -9, 1),
        ("112.969999999", -9, 112969999999),
        ("-180", -9, -180 * 10**9),
        ("0.0000000005", -9, 0),
        ("0.0000000015", -9, 2),
        ("1e-999999", -9, 0),
        ("1e999999", -9, None),
        ("NaN", -9, None),
        ("-Infinity", 0, None),
        ("9223372036854775807", 0, 2**63 - 1),
        ("9223372036854775808", 0, None),
        ("1250", 2, 12),
    ],
)
def test_decimal_text_becomes_its_count(text: str, exponent: int, count: int | None) -> None:
    assert count_of(Decimal(text), exponent) == count


@given(st.decimals(min_value="1e-11", max_value="1e11", allow_nan=False).filter(bool))
def test_resolution_is_ten_times_finer_than_the_step(step: Decimal) -> None:
    assert Fraction(10) ** exponent_for(step) * 10 <= Fraction(step)


def test_count_range_takes_both_ends_in() -> None:
    assert count_range(Decimal("-0.15"), Decimal("0.25"), -1) == (-1, 2)
    assert count_range(Decimal(-80), Decimal(200), -2) == (-8000, 20000)
