"""What is missing on a chart is either a recorded gap or said to be unexplained."""

from hypothesis import given
from hypothesis import strategies as st

from cloud.web.holes import Hole, unexplained

SPAN = (0, 100_000)


def test_regular_readings_leave_no_hole() -> None:
    covered = [(t, t) for t in range(0, 100_001, 1000)]
    assert unexplained(covered, [], span=SPAN, period_ms=1000) == []


def test_silence_without_a_record_is_unexplained() -> None:
    covered = [(t, t) for t in (*range(0, 40_001, 1000), *range(60_000, 100_001, 1000))]
    assert unexplained(covered, [], span=SPAN, period_ms=1000) == [Hole(40_000, 60_000, None)]


def test_recorded_gap_explains_its_own_stretch_alone() -> None:
    covered = [(t, t) for t in (*range(0, 40_001, 1000), *range(60_000, 100_001, 1000))]
    assert unexplained(covered, [(40_000, 50_000)], span=SPAN, period_ms=1000) == [Hole(50_000, 60_000, None)]
    assert unexplained(covered, [(39_000, 60_000)], span=SPAN, period_ms=1000) == []


def test_three_periods_are_not_yet_a_hole() -> None:
    assert unexplained([(0, 0), (3000, 3000)], [], span=(0, 3000), period_ms=1000) == []
    assert unexplained([(0, 0), (3001, 3001)], [], span=(0, 3001), period_ms=1000) == [Hole(0, 3001, None)]


def test_both_ends_of_the_span_count() -> None:
    assert unexplained([(50_000, 50_000)], [], span=SPAN, period_ms=1000) == [
        Hole(0, 50_000, None),
        Hole(50_000, 100_000, None),
    ]


def test_point_without_a_period_owes_nothing() -> None:
    assert unexplained([], [], span=SPAN, period_ms=None) == []


@given(
    times=st.lists(st.integers(0, 100_000), max_size=30).map(sorted),
    gaps=st.lists(
        st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)).map(lambda ends: tuple(sorted(ends))),
        max_size=5,
    ),
)
def test_hole_holds_no_reading_and_touches_no_gap(times: list[int], gaps: list[tuple[int, int]]) -> None:
    for hole in unexplained([(t, t) for t in times], gaps, span=SPAN, period_ms=1000):
        assert hole.to_ms is not None
        assert not any(hole.from_ms < t < hole.to_ms for t in times)
        assert not any(low < hole.to_ms and high > hole.from_ms for low, high in gaps if high > low)
        assert hole.to_ms - hole.from_ms > 3000
