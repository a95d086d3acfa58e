import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.store.calibration import Curve, Scale, curve_faults, load_scales, make_curve

START = datetime(2026, 1, 1, tzinfo=UTC)
EXPONENTS = st.integers(-4, 1)


class Lab(Protocol):
    def point(self, *, exponent: int = -2, period_ms: int | None = 1000) -> int: ...
    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]: ...
    def calibrate(
        self, point: int, since: datetime, nodes: Sequence[tuple[str, str]], *, exponent: int = -4
    ) -> None: ...
    def run(self, ask: object) -> object: ...


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Monotone curves with 1 to 6 nodes on a grid of 0.01, corrections finer."""
    steps = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=6))
    indicated, corrected = [Decimal(draw(st.integers(-5000, 5000))).scaleb(-2)], []
    for step in steps[1:]:
        indicated.append(indicated[-1] + Decimal(step).scaleb(-2))
    value = indicated[0] + Decimal(draw(st.integers(-500, 500))).scaleb(-3)
    for _ in indicated:
        corrected.append(value)
        value += Decimal(draw(st.integers(1, 90000))).scaleb(-3)
    correction = [c - x for c, x in zip(corrected, indicated, strict=True)]
    return make_curve((1, indicated, correction, draw(st.integers(-6, -1)), ""))


def corrected(curve: Curve, indicated: Fraction) -> Fraction:
    """The definition, in fractions: the correction is linear between nodes, constant outside."""
    nodes = [(Fraction(x), Fraction(c)) for x, c in zip(curve.indicated, curve.correction, strict=True)]
    if indicated <= nodes[0][0]:
        return indicated + nodes[0][1]
    for (x0, c0), (x1, c1) in pairwise(nodes):
        if indicated <= x1:
            return indicated + c0 + (c1 - c0) * (indicated - x0) / (x1 - x0)
    return indicated + nodes[-1][1]


def scale_of(curve: Curve | None, exponent: int) -> Scale:
    return Scale(START, START + timedelta(days=1), exponent, 1000, curve)


@given(curves(), st.integers(-100_000, 100_000), EXPONENTS)
def test_value_is_the_definition_rounded_half_even_once(curve: Curve, count: int, exponent: int) -> None:
    exact = corrected(curve, count * Fraction(10) ** exponent) / Fraction(10) ** curve.exponent
    assert curve.correct(count, exponent=exponent) == round(exact)


@given(curves(), st.lists(st.integers(-100_000, 100_000), min_size=2, max_size=20), EXPONENTS)
def test_correction_keeps_the_order(curve: Curve, counts: list[int], exponent: int) -> None:
    values = [curve.correct(count, exponent=exponent) for count in sorted(counts)]
    assert values == sorted(values)


@given(curves(), st.lists(st.integers(-6000, 12_000), min_size=1, max_size=20))
def test_mean_is_exact_or_none(curve: Curve, counts: list[int]) -> None:
    mean = scale_of(curve, -2).mean(sum(counts), len(counts), low=min(counts), high=max(counts))
    exact = sum(corrected(curve, Fraction(count, 100)) for count in counts) / len(counts)
    if mean is not None:
        assert Fraction(mean) == round(exact * 10 ** (2 - curve.exponent)) * Fraction(10) ** (
            curve.exponent - 2
        )
    else:
        assert any(min(counts) < node * 100 < max(counts) for node in curve.indicated)


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=9), st.integers(-9, 3))
def test_mean_without_calibration_is_two_places_finer(counts: list[int], exponent: int) -> None:
    mean = scale_of(None, exponent).mean(sum(counts), len(counts), low=min(counts), high=max(counts))
    assert mean is not None
    exact = Fraction(sum(counts), len(counts)) * Fraction(10) ** exponent
    assert abs(Fraction(mean) - exact) <= Fraction(10) ** (exponent - 2) / 2


@pytest.mark.parametrize(
    ("indicated", "correction", "words"),
    [
        (["1", "1"], ["0", "0.1"], "indicated must grow"),
        (["1", "2"], ["2", "0.5"], "correction must grow"),
        (["1", "2"], ["0"], "same number"),
        ([], [], "at least one"),
    ],
)
def test_faulty_curves_are_named(indicated: list[str], correction: list[str], words: str) -> None:
    faults = curve_faults([Decimal(x) for x in indicated], [Decimal(c) for c in correction])
    assert words in " ".join(faults)


def test_database_refuses_a_curve_that_falls(lab: Lab) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        lab.calibrate(lab.point(), START, [("1", "2"), ("2", "0.5")])


def test_view_and_python_agree_to_the_last_digit(lab: Lab) -> None:
    chooser = random.Random(7)
    point = lab.point(exponent=-3)
    nodes = [("-5.25", "0.0137"), ("0", "-0.004"), ("19.999", "0.05"), ("20.5", "0.0499"), ("60", "-1.5")]
    lab.calibrate(point, START, nodes, exponent=-5)
    counts = [chooser.randrange(-20_000, 80_000) for _ in range(500)]
    lab.execute(
        "INSERT INTO readings (observed_at, raw, point_id, organisation_id, status)"
        " SELECT %s + n * interval '1 second', raw, %s, 1, 0"
        " FROM unnest(%s::bigint[]) WITH ORDINALITY AS r (raw, n)",
        START,
        point,
        counts,
    )
    rows = lab.execute("SELECT raw, value::text FROM reading_values WHERE point_id = %s", point)
    scales = lab.run(lambda db: load_scales(db, point, START, START + timedelta(hours=1)))
    scale = scales.at(START + timedelta(minutes=1))
    assert len(rows) == 500
    assert [value for _, value in rows] == [scale.value(raw) for raw, _ in rows]


def test_backdated_calibration_changes_values_not_rows(lab: Lab) -> None:
    point = lab.point(exponent=-2)
    lab.execute("INSERT INTO readings VALUES (%s, 2000, %s, 1, 0)", START, point)
    before = lab.execute("SELECT raw, value FROM reading_values WHERE point_id = %s", point)
    lab.calibrate(point, START - timedelta(days=1), [("20", "-0.123")], exponent=-3)
    after = lab.execute("SELECT raw, value FROM reading_values WHERE point_id = %s", point)
    assert before == [(2000, Decimal("20.00"))]
    assert after == [(2000, Decimal("19.877"))]
