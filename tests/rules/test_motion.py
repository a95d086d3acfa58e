"""A parked vehicle is held where it was measured and goes no way; a driving one goes as far as it went."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.motion import (
    METRES_PER_E9,
    Bounds,
    Motion,
    Place,
    Reported,
    Sparse,
    advance,
    distance,
    metres_between,
    worth_reporting,
)

BOUNDS = Bounds()
LAT, LON = 28_190_000_000, 112_970_000_000
E9 = 1 / METRES_PER_E9


def north(metres: float, at_s: float, speed: float | None = None, error: float | None = None) -> Place:
    return Place(at_s, LAT + round(metres * E9), LON, speed, error)


def after(fixes: list[Place], motion: Motion | None = None) -> Motion:
    for fix in fixes:
        motion = advance(motion, fix, BOUNDS)
    assert motion is not None
    return motion


def wander(seconds: int, *, told: bool, seed: int = 7) -> list[Place]:
    """A receiver that stands: it drifts slowly by tens of metres, with jitter on top."""
    rng, drift, fixes = random.Random(seed), 0.0, []
    for second in range(seconds):
        drift = 0.999 * drift + rng.gauss(0, 0.6)
        jitter = rng.gauss(0, 0.3)
        fixes.append(north(drift + jitter, second, abs(rng.gauss(0, 0.1)) if told else None))
    return fixes


def drive(
    metres: float, *, speed: float, from_s: float = 0.0, start: float = 0.0, told: bool = True
) -> list[Place]:
    seconds = int(metres / speed)
    return [
        north(start + speed * second, from_s + second, speed if told else None)
        for second in range(1, seconds + 1)
    ]  # fmt: skip


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_hours_of_drift_while_parked_are_no_way(told: bool, seed: int) -> None:
    fixes = wander(6 * 3600, told=told, seed=seed)
    path = sum(distance(a, b) for a, b in pairwise(fixes))
    motion = after(fixes)
    assert path > 5_000
    assert motion.held
    assert motion.odometer_mm == 0


def test_held_place_is_one_that_was_measured_and_the_raw_one_is_known() -> None:
    fixes = wander(3600, told=True)
    motion = after(fixes)
    assert (motion.place.latitude_e9, motion.place.longitude_e9) in {
        (fix.latitude_e9, fix.longitude_e9) for fix in fixes
    }
    off, east = metres_between(motion.place, motion.last)
    assert motion.place.latitude_e9 + round(off * E9) == fixes[-1].latitude_e9
    assert east == 0


@pytest.mark.parametrize(("speed", "told"), [(1.5, True), (15.0, True), (40.0, True), (15.0, False)])
def test_drive_counts_the_way_that_was_gone(speed: float, told: bool) -> None:
    parked = [north(0, second, 0.0 if told else None) for second in range(60)]
    way = drive(3000, speed=speed, from_s=59, told=told)
    stop = (way[-1].latitude_e9 - LAT) * METRES_PER_E9
    end = [north(stop, way[-1].at_s + n, 0.0 if told else None) for n in range(1, 60)]
    motion = after([*parked, *way, *end])
    assert motion.held
    assert abs(motion.odometer_mm - 3_000_000) < 45_000
    moving = after([*parked, *way])
    assert not moving.held
    assert moving.place == way[-1]


def test_hold_ends_seconds_after_the_start() -> None:
    parked = [north(0, second, 0.1) for second in range(60)]
    motion = after(parked)
    held = [(motion := advance(motion, fix, BOUNDS)).held for fix in drive(200, speed=5, from_s=59)]
    assert held == [True] * 3 + [False] * (len(held) - 3)


def test_epoch_that_comes_in_pieces_without_speed_starts_as_soon() -> None:
    motion = after([north(0, second, 0.1) for second in range(60)])
    whole = drive(200, speed=5, from_s=59)
    pieces = [replace(fix, at_s=fix.at_s + late, speed_m_s=speed)
              for fix in whole for late, speed in ((0.0, None), (0.1, 5.0), (0.2, None))]  # fmt: skip
    held = [(motion := advance(motion, fix, BOUNDS)).held for fix in pieces]
    assert held.index(False) <= 3 * 4


def test_slow_displacement_moves_the_hold_and_counts_nothing() -> None:
    motion = after([north(0, second, 0.1) for second in range(60)])
    motion = after([north(60, 60 + second, 0.1) for second in range(40)], motion)
    assert motion.held
    assert distance(motion.anchor, north(60, 0)) < 0.01
    assert motion.odometer_mm == 0


def test_poor_fix_moves_no_hold() -> None:
    motion = after([north(0, second, 0.1) for second in range(60)])
    motion = after([north(60, 60 + second, 0.1, error=40.0) for second in range(60)], motion)
    assert distance(motion.anchor, north(0, 0)) < 0.01


def test_jump_that_nothing_can_go_is_not_counted() -> None:
    motion = after(drive(500, speed=10))
    before = motion.odometer_mm
    motion = advance(motion, north(50_000, motion.last.at_s + 1, 10.0), BOUNDS)
    assert motion.odometer_mm == before


def test_tunnel_is_counted_as_a_straight_line_and_a_long_gap_is_not() -> None:
    motion = after(drive(500, speed=10))
    tunnel = advance(motion, north(1500, motion.last.at_s + 100, 10.0), BOUNDS)
    assert 990_000 <= tunnel.odometer_mm - motion.odometer_mm <= 1_020_000
    long = advance(motion, north(9000, motion.last.at_s + 900, 10.0), BOUNDS)
    assert long.odometer_mm == motion.odometer_mm
    assert long.held


def test_first_fix_takes_the_odometer_over_and_an_old_one_changes_nothing() -> None:
    motion = advance(None, north(0, 10), BOUNDS, odometer_mm=12_345)
    assert motion.odometer_mm == 12_345
    assert advance(motion, north(5, 10), BOUNDS) is motion


def test_ten_fixes_a_second_are_held_and_counted_alike() -> None:
    quick = [replace(north(12 * n / 10, n / 10), speed_m_s=12.0) for n in range(3000)]
    motion = after(quick)
    assert abs(motion.odometer_mm - 3_598_800) < 15_000
    assert len(motion.recent) <= 23


@given(
    st.lists(
        st.tuples(
            st.floats(-10, 700),
            st.integers(-(90 * 10**9), 90 * 10**9),
            st.integers(-(180 * 10**9), 180 * 10**9),
            st.one_of(st.none(), st.floats(0, 200)),
            st.one_of(st.none(), st.floats(0, 1000)),
        ),
        max_size=40,
    )
)
def test_odometer_never_goes_back_and_held_places_were_measured(
    steps: list[tuple[float, int, int, float | None, float | None]],
) -> None:
    motion, at_s, seen = None, 0.0, set()
    for apart, latitude, longitude, speed, error in steps:
        at_s += apart
        seen.add((latitude, longitude))
        before = motion.odometer_mm if motion else 0
        motion = advance(motion, Place(at_s, latitude, longitude, speed, error), BOUNDS)
        assert motion.odometer_mm >= before
        assert (motion.place.latitude_e9, motion.place.longitude_e9) in seen


def test_places_across_the_date_line_are_near() -> None:
    one, other = Place(0, 0, 179_999_999_000), Place(0, 0, -179_999_999_000)
    assert distance(one, other) < 1


SPARSE = Sparse(50, 15, 60)


@pytest.mark.parametrize(
    ("now", "worth"),
    [
        (Reported(north(0, 59), 90.0), False),
        (Reported(north(0, 60), 90.0), True),
        (Reported(north(49, 5), 90.0), False),
        (Reported(north(51, 5), 90.0), True),
        (Reported(north(0, 5), 104.0), False),
        (Reported(north(0, 5), 106.0), True),
        (Reported(north(0, 5), None), False),
    ],
)
def test_distance_turn_and_time_are_worth_a_report(now: Reported, worth: bool) -> None:
    assert worth_reporting(Reported(north(0, 0), 90.0), now, SPARSE) is worth
    assert worth_reporting(None, now, SPARSE)


def test_turn_across_north_is_small() -> None:
    assert not worth_reporting(Reported(north(0, 0), 359.0), Reported(north(0, 1), 3.0), SPARSE)
    assert not worth_reporting(Reported(north(0, 0), None), Reported(north(0, 1), None), SPARSE)
