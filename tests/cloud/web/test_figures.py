"""Values are written exactly, and never with digits that were not measured."""

from decimal import Decimal

from cloud.web.figures import coordinate, exact, grouped, unit


def test_exact_value_keeps_every_digit_without_exponent_notation() -> None:
    assert exact(Decimal("-0.000000010")) == "−0.000000010"
    assert exact(Decimal("1E+3")) == "1000"


def test_coordinate_has_a_hemisphere_and_seven_places() -> None:
    assert coordinate(39_912_345_678, positive="N", negative="S") == "39.9123457°\u202fN"
    assert coordinate(-1_000_000_000, positive="E", negative="W") == "1.0000000°\u202fW"


def test_count_is_grouped_by_thin_spaces() -> None:
    assert grouped(1234567) == "1\u202f234\u202f567"
    assert grouped(999) == "999"


def test_state_has_no_unit() -> None:
    assert unit("state") == ""
    assert unit("temperature") == "°C"
