"""Buckets fill with time and never hold more than a minute's worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intake.limits import PEERS_MAX, Bucket, Buckets


def test_so_many_at_once_and_then_as_time_allows() -> None:
    bucket = Bucket.full(6, 0.0)
    assert [bucket.take(0.0) for _ in range(7)] == [True] * 6 + [False]
    assert not bucket.take(9.9)
    assert bucket.take(10.1)
    assert not bucket.take(10.2)


@pytest.mark.requirement("G-7.2b")
@given(st.integers(1, 600), st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_a_full_bucket_and_what_flowed_in(per_minute: int, steps: list[float]) -> None:
    bucket, now, taken = Bucket.full(per_minute, 0.0), 0.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now)
        assert taken <= per_minute + now * per_minute / 60 + 1e-6


def test_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = Bucket.full(1, 100.0)
    assert bucket.take(50.0)
    assert not bucket.take(40.0)


def test_those_that_nobody_knows_take_bounded_room() -> None:
    buckets = Buckets(1)
    assert buckets.take("first", 0.0)
    assert not buckets.take("first", 0.0)
    for number in range(PEERS_MAX):
        assert buckets.take(f"peer-{number}", 0.0)
    assert buckets.take("first", 0.0)
