"""What a value says of its limits: the tables of the page, the hub's correction, what holds always."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cloud.store.calibration import Curve
from rules.interlock.guard import between, is_out, reader, uncertainty, verdict
from rules.interlock.model import Calibration, Limit, Sensor
from rules.interlock.state import Verdict
from tests.rules.interlock.tables import Row, table
from tests.rules.interlock.world import CERTIFICATE, DAY, PLANT, UTC

ROOM = Limit(point="t", low=Decimal(22), high=Decimal(24))
VALUES = st.decimals(-50, 50, places=3)
NODES = st.lists(
    st.tuples(st.integers(-3000, 3000), st.integers(-40, 40)),
    min_size=1,
    max_size=6,
    unique_by=lambda x: x[0],
)


@pytest.mark.requirement("S-4.4.2")
@pytest.mark.parametrize("row", table("value", "U", "verdict", "counts by default"))
def test_value_with_uncertainty_is_in_out_or_undetermined_as_signed(row: Row) -> None:
    u = None if row["U"] == "unknown" else Decimal(row["U"])
    value = Decimal(row["value"])
    assert verdict(value, u, ROOM) == row["verdict"]
    assert is_out(value, u, ROOM, was_out=False) is (row["counts by default"] == "out")


@pytest.mark.parametrize("row", table("it was", "value", "it is"))
def test_what_was_out_comes_back_by_the_deadband_as_signed(row: Row) -> None:
    limit = Limit(point="t", low=Decimal(22), high=Decimal(24), deadband=Decimal("0.5"))
    out = is_out(Decimal(row["value"]), Decimal("0.2"), limit, was_out=row["it was"] == "out")
    assert ("out" if out else "in") == row["it is"]


def test_undetermined_counts_as_configured() -> None:
    lenient = Limit(point="t", high=Decimal(24), undetermined="in")
    assert not is_out(Decimal("24.1"), Decimal("0.2"), lenient, was_out=False)
    assert not is_out(Decimal("24.1"), None, lenient, was_out=False)
    assert is_out(Decimal("24.3"), Decimal("0.2"), lenient, was_out=False)


@given(VALUES, st.decimals(0, 5, places=3), st.decimals(-1, 1, places=3), VALUES, VALUES)
def test_truth_outside_is_never_in_while_the_error_is_within_u(
    value: Decimal, u: Decimal, part: Decimal, low: Decimal, high: Decimal
) -> None:
    truth = value + u * part
    if truth < low or truth > high:
        assert between(value, u, low=low, high=high) is not Verdict.IN
    if low <= truth <= high:
        assert between(value, u, low=low, high=high) is not Verdict.OUT


@given(NODES, st.integers(-(10**6), 10**6), st.integers(-3, 1), st.integers(-4, 0))
def test_counts_are_corrected_as_the_hub_corrects_them(
    nodes: list[tuple[int, int]], count: int, exponent: int, to: int
) -> None:
    nodes = sorted(nodes)
    indicated = tuple(Decimal(x) for x, _ in nodes)
    correction = tuple(Decimal(c).scaleb(-2) for _, c in nodes)
    calibration = Calibration(
        indicated=indicated,
        correction=correction,
        exponent=to,
        expanded_uncertainty=Decimal(1),
        calibrated_utc=0,
    )
    ours = reader(Sensor(point="p", exponent=exponent, calibration=calibration))(count)
    hub = Curve(1, indicated, correction, to, "").correct(count, exponent=exponent)
    assert ours == Decimal(hub).scaleb(to)


def test_counts_without_a_certificate_are_as_the_device_gave_them() -> None:
    assert str(reader(PLANT.sensors["t"])(2205)) == "22.05"
    with pytest.raises(TypeError, match="must be a number, not NaN"):
        reader(Sensor(point="p", calibration=_with(correction=(Decimal("NaN"), Decimal(0)))))


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        (UTC, "1.2"),
        (UTC - 10 * DAY, "0.2"),
        (UTC - 10 * DAY + 1, "0.3"),
        (UTC - 20 * DAY, "0.2"),
        (None, "10.2"),
    ],
)
def test_drift_is_added_for_every_day_begun_and_is_that_of_the_due_date_without_time(
    utc: int | None, expected: str
) -> None:
    assert uncertainty(_with(drift_per_day=Decimal("0.1")), utc) == Decimal(expected)


def test_uncertainty_is_that_of_the_certificate_or_unknown() -> None:
    assert uncertainty(None, UTC) is None
    assert uncertainty(CERTIFICATE, None) == Decimal("0.2")
    assert uncertainty(_with(drift_per_day=Decimal("0.1"), due_utc=None), None) is None


def _with(**changes: Any) -> Calibration:
    fields = {name: getattr(CERTIFICATE, name) for name in CERTIFICATE.__struct_fields__}
    return Calibration(**(fields | changes))


@pytest.mark.parametrize(
    ("count", "corrected"), [(-15, "-2"), (-5, "0"), (4, "0"), (5, "0"), (6, "1"), (15, "2"), (25, "2")]
)
def test_halves_are_rounded_to_even(count: int, corrected: str) -> None:
    plain = replace(CERTIFICATE, indicated=(Decimal(0),), correction=(Decimal(0),), exponent=0)
    assert str(reader(Sensor(point="t", exponent=-1, calibration=plain))(count)) == corrected
