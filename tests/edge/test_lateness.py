"""Readings that were left out: every missing place is in a gap, none that is there, with the right cause."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.store.slots import Cover, explain, hole_between
from edge.lateness import SLEWED_TICKS, Stalls, Stretch, blame, some_missing
from wire.messages import TICK_MS
from wire.status import GapCause

PERIOD_MS = st.sampled_from([10, 200, 1000, 7000])
STEPS = st.lists(st.integers(1, 4000), min_size=1, max_size=30)
BEATS = st.lists(st.integers(1, 2000), max_size=30)


def stalls_of(steps: list[int]) -> Stalls:
    stalls, at = Stalls(), 0
    for step in steps:
        stalls.beat(at)
        at += step
    stalls.look(at)
    return stalls


@pytest.mark.requirement("G-3.6")
@given(PERIOD_MS, STEPS, BEATS, st.integers(-SLEWED_TICKS - 1, SLEWED_TICKS + 1))
@example(200, [30], [], 2)
def test_every_missing_reading_is_covered_whichever_way_the_clock_was_slewed(
    period_ms: int, steps: list[int], beats: list[int], slewed: int
) -> None:
    stalls = stalls_of(beats)
    slewed = 0 if slewed * TICK_MS > period_ms // 4 else slewed
    ticks = [sum(steps[:index]) for index in range(len(steps) + 1)]
    for before, after in pairwise(ticks):

        def utc_ms(tick: int, last: int = after) -> int:
            return (tick + (slewed if tick == last else 0)) * TICK_MS

        hole = hole_between(utc_ms(before), utc_ms(after), period_ms)
        assert hole is None or some_missing(before, after, period_ms)
        if hole is None:
            continue
        late = Stretch(before, after, GapCause.BUS, "late")
        parts = list(blame(late, stalls.within(before, after), period_ms))
        assert (parts[0].start, parts[-1].end) == (before, after)
        assert all(one.end == other.start for one, other in pairwise(parts))
        covers = [Cover(part.cause, utc_ms(part.start), utc_ms(part.end)) for part in parts]
        assert explain(hole, covers).total() == hole.missing


@given(st.lists(st.integers(1, 125), max_size=50))
def test_ordinary_jitter_of_the_beat_is_no_stall(steps: list[int]) -> None:
    assert stalls_of(steps).within(-1, 10**6) == []


def test_frozen_process_is_found_by_whatever_runs_first() -> None:
    stalls = Stalls()
    stalls.beat(100)
    stalls.look(12_100)
    stalls.beat(12_101)
    (stall,) = stalls.within(0, 20_000)
    assert (stall.start, stall.end, stall.cause) == (100, 12_100, GapCause.GATEWAY)
