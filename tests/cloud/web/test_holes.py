"""What is missing on a chart is either a recorded gap or said to be unexplained."""

from hypothesis import given
from hypothesis import strategies as st

from cloud.web.holes import Due, Hole, unexplained

SPAN = (0, 100_000)
SECOND = [Due(*SPAN, 1000)]
FIRST_FIVE = [Due(0, 40_000, 1000), Due(40_000, 100_000, 5000)]


def test_regular_readings_leave_no_hole() -> None:
    covered = [(t, t) for t in range(0, 100_001, 1000)]
    assert unexplained(covered, [], span=SPAN, declared=SECOND) == []


def test_silence_without_a_record_is_unexplained() -> None:
    covered = [(t, t) for t in (*range(0, 40_001, 1000), *range(60_000, 100_001, 1000))]
    assert unexplained(covered, [], span=SPAN, declared=SECOND) == [Hole(40_000, 60_000, None)]


def test_recorded_gap_explains_its_own_stretch_alone() -> None:
    covered = [(t, t) for t in (*range(0, 40_001, 1000), *range(60_000, 100_001, 1000))]
    assert unexplained(covered, [(40_000, 50_000)], span=SPAN, declared=SECOND) == [
        Hole(50_000, 60_000, None)
    ]
    assert unexplained(covered, [(39_000, 60_000)], span=SPAN, declared=SECOND) == []


def test_three_periods_are_not_yet_a_hole() -> None:
    assert unexplained([(0, 0), (3000, 3000)], [], span=(0, 3000), declared=SECOND) == []
    assert unexplained([(0, 0), (3001, 3001)], [], span=(0, 3001), declared=SECOND) == [Hole(0, 3001, None)]


def test_both_ends_of_the_span_count() -> None:
    assert unexplained([(50_000, 50_000)], [], span=SPAN, declared=SECOND) == [
        Hole(0, 50_000, None),
        Hole(50_000, 100_000, None),
    ]


def test_point_without_a_period_owes_nothing() -> None:
    assert unexplained([], [], span=SPAN, declared=[Due(*SPAN, None)]) == []


def test_hole_is_judged_by_the_period_of_its_own_time() -> None:
    """13 s without a reading while 1 s was due, then readings every 5 s as declared."""
    covered = [(t, t) for t in (*range(0, 10_001, 1000), *range(23_000, 40_001, 1000))]
    covered += [(t, t) for t in range(45_000, 100_001, 5000)]
    assert unexplained(covered, [], span=SPAN, declared=FIRST_FIVE) == [Hole(10_000, 23_000, None)]


def test_stretch_over_a_change_of_period_is_counted_in_readings_due() -> None:
    covered = [(0, 38_000), (48_000, 100_000)]  # two of 1 s and one and a half of 5 s
    assert unexplained(covered, [], span=SPAN, declared=FIRST_FIVE) == [Hole(38_000, 48_000, None)]
    covered = [(0, 39_000), (49_000, 100_000)]  # one and not quite two
    assert unexplained(covered, [], span=SPAN, declared=FIRST_FIVE) == []


def test_nothing_is_owed_where_nothing_was_declared() -> None:
    declared = [Due(60_000, 100_000, 1000)]
    assert unexplained([], [], span=SPAN, declared=declared) == [Hole(60_000, 100_000, None)]


@given(
    times=st.lists(st.integers(0, 100_000), max_size=30).map(sorted),
    gaps=st.lists(
        st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)).map(lambda ends: tuple(sorted(ends))),
        max_size=5,
    ),
)
def test_hole_holds_no_reading_and_touches_no_gap(times: list[int], gaps: list[tuple[int, int]]) -> None:
    for hole in unexplained([(t, t) for t in times], gaps, span=SPAN, declared=SECOND):
        assert hole.to_ms is not None
        assert not any(hole.from_ms < t < hole.to_ms for t in times)
        assert not any(low < hole.to_ms and high > hole.from_ms for low, high in gaps if high > low)
        assert hole.to_ms - hole.from_ms > 3000
