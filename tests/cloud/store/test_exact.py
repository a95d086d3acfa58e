from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.store.exact import decimal_text, rescale, round_half_even

COUNTS = st.integers(-(2**63), 2**63 - 1)


@given(COUNTS, st.integers(-12, 12))
def test_text_is_exactly_the_count(count: int, exponent: int) -> None:
    with localcontext() as context:
        context.prec = 60
        assert Decimal(decimal_text(count, exponent)) == Decimal(count).scaleb(exponent)


@pytest.mark.parametrize(
    ("count", "exponent", "text"),
    [
        (2153, -2, "21.53"),
        (-5, -2, "-0.05"),
        (0, -3, "0.000"),
        (12, 3, "12000"),
        (7, 0, "7"),
        (50, -1, "5.0"),
    ],
)
def test_text_keeps_the_places_of_the_exponent(count: int, exponent: int, text: str) -> None:
    assert decimal_text(count, exponent) == text


@given(COUNTS, st.integers(1, 10**12))
def test_rounding_agrees_with_decimal_half_even(numerator: int, denominator: int) -> None:
    with localcontext() as context:
        context.prec = 80
        quotient = Decimal(numerator) / Decimal(denominator)
        if quotient * denominator == numerator:
            assert round_half_even(numerator, denominator) == quotient.quantize(1, ROUND_HALF_EVEN)
    assert abs(2 * (round_half_even(numerator, denominator) * denominator - numerator)) <= denominator


@pytest.mark.parametrize(("numerator", "expected"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (-5, -2)])
def test_halves_go_to_the_even_neighbour(numerator: int, expected: int) -> None:
    assert round_half_even(numerator, 2) == expected


@given(COUNTS, st.integers(-9, 9), st.integers(-9, 9))
def test_rescaling_to_a_finer_exponent_loses_nothing(count: int, exponent: int, finer: int) -> None:
    to_exponent = min(exponent, finer)
    rescaled = rescale(count, 1, exponent=exponent, to_exponent=to_exponent)
    assert rescaled == count * 10 ** (exponent - to_exponent)
