from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.store.slots import Cover, Hole, clip, explain, hole_after, hole_between

TIME = st.integers(0, 100_000)
PERIOD = st.sampled_from([10, 100, 1000, 1500, 60_000])


def places(hole: Hole) -> list[Fraction]:
    step = Fraction(hole.end_ms - hole.start_ms, hole.parts)
    return [hole.start_ms + k * step for k in range(1, hole.missing + 1)]


@st.composite
def holes(draw: st.DrawFn) -> Hole:
    start, period = draw(TIME), draw(PERIOD)
    between = draw(st.booleans())
    end = start + draw(st.integers(2 * period, 60 * period))
    hole = hole_between(start, end, period) if between else hole_after(start, end, period)
    assert hole is not None
    return hole


@st.composite
def covers(draw: st.DrawFn) -> Cover:
    low = draw(st.none() | st.integers(0, 4_000_000))
    high = (low or 0) + draw(st.integers(0, 1_000_000))
    return Cover(draw(st.sampled_from(["bus", "power", "sensor"])), low, high)


@pytest.mark.parametrize(
    ("apart", "missing"),
    [(1000, 0), (1499, 0), (1500, 0), (1526, 1), (2000, 1), (2500, 1), (2501, 2), (10_000, 9)],
)
def test_jitter_below_half_a_period_is_no_loss(apart: int, missing: int) -> None:
    hole = hole_between(0, apart, 1000)
    assert (hole.missing if hole else 0) == missing


@pytest.mark.parametrize(("period", "apart"), [(200, 310), (1000, 1520), (60_000, 90_900), (20, 30)])
def test_correction_of_the_clock_makes_no_reading_missing(period: int, apart: int) -> None:
    assert hole_between(0, apart, period) is None


@given(TIME, PERIOD)
def test_left_out_reading_is_missing_in_spite_of_a_correction(start: int, period: int) -> None:
    assert hole_between(start, start + 2 * period, period) is not None


@given(TIME, st.integers(1, 10**5), PERIOD)
def test_places_after_the_last_reading_are_a_period_apart(start: int, length: int, period: int) -> None:
    hole = hole_after(start, start + length, period)
    expected = list(range(start + period, start + length, period))
    assert ([] if hole is None else places(hole)) == expected


@given(holes(), st.integers(0, 4_000_000), st.integers(0, 1_000_000))
def test_clipping_keeps_the_places_inside(hole: Hole, low: int, length: int) -> None:
    clipped = clip(hole, low, low + length)
    inside = [place for place in places(hole) if low <= place < low + length]
    assert (clipped.missing if clipped else 0) == len(inside)


@given(holes(), st.lists(covers(), max_size=6))
def test_each_missing_reading_is_explained_at_most_once(hole: Hole, gaps: list[Cover]) -> None:
    half = Fraction(hole.period_ms, 2)
    expected: Counter[str] = Counter()
    ordered = sorted(gaps, key=lambda g: (g.from_ms is not None, g.from_ms or 0, g.to_ms, g.cause))
    for place in places(hole):
        for gap in ordered:
            if (gap.from_ms is None or place >= gap.from_ms - half) and place <= gap.to_ms + half:
                expected[gap.cause] += 1
                break
    assert explain(hole, gaps) == expected


@given(holes(), st.lists(covers(), max_size=6))
def test_expected_is_stored_plus_explained_plus_unexplained(hole: Hole, gaps: list[Cover]) -> None:
    assert 0 <= explain(hole, gaps).total() <= hole.missing
