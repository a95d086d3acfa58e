from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud.store.buckets import (
    TICK,
    UNITS,
    Stretch,
    choose_grid,
    cut,
    finer_stretches,
    floor_to,
    merge,
    without,
)

BASE = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 86_400 * 400 * 100).map(lambda tick: BASE + tick * TICK)
NEAR = st.integers(0, 86_400 * 100).map(lambda tick: BASE + tick * TICK)


@st.composite
def spans(draw: st.DrawFn, times: st.SearchStrategy[datetime] = TIMES) -> Stretch:
    low, high = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    return low, high


@given(spans(), st.integers(1, 3000), st.sampled_from(["auto", "raw", "1m", "1h"]))
def test_buckets_never_exceed_the_asked_number(span: Stretch, max_points: int, resolution: str) -> None:
    grid = choose_grid(*span, max_points=max_points, resolution=resolution)
    first = floor_to(span[0], grid.step, grid.origin)
    assert -(-(span[1] - first) // grid.step) <= max_points


@given(spans(), st.integers(1, 3000))
def test_auto_takes_the_coarsest_that_fills_the_buckets(span: Stretch, max_points: int) -> None:
    grid = choose_grid(*span, max_points=max_points)
    assert grid.step % grid.unit == timedelta(0)
    coarser = {"raw": "1m", "1m": "1h", "1h": None}[grid.resolution]
    if coarser:
        assert (span[1] - span[0]) / max(max_points - 1, 1) < UNITS[coarser]


@given(
    spans(NEAR), st.sampled_from(["1m", "1h"]), st.lists(NEAR, max_size=4), st.lists(spans(NEAR), max_size=4)
)
def test_fine_and_coarse_stretches_share_the_span(
    span: Stretch, resolution: str, edges: list[datetime], pending: list[Stretch]
) -> None:
    unit = UNITS[resolution]
    fine = finer_stretches(span, unit, edges=edges, pending=pending)
    coarse = without(span, fine)
    assert sum((b - a for a, b in [*fine, *coarse]), timedelta(0)) == span[1] - span[0]
    assert merge([*fine, *coarse]) == [span]
    for start, end in coarse:
        assert floor_to(start, unit) == start
        assert floor_to(end, unit) == end
        assert not any(start < edge < end and floor_to(edge, unit) != edge for edge in edges)
        assert not any(low < end and high > start for low, high in pending)


@given(spans(NEAR), st.lists(NEAR, max_size=5))
def test_cut_pieces_join_to_the_whole(span: Stretch, edges: list[datetime]) -> None:
    pieces = cut([span], edges)
    assert merge(pieces) == [span]
    assert not any(low < edge < high for low, high in pieces for edge in edges)
