"""A rule replayed over history says when it would have tripped."""

import random

import pytest

from rules.interlock.inputs import Happening, Reading
from rules.interlock.model import Happened, InState
from rules.interlock.plan import make_plan
from rules.interlock.rehearse import Observation, WouldTrip, rehearse
from tests.rules.interlock.world import PLANT, UTC, cause, rule


def history(*counts: int, first: int = 1) -> list[Observation]:
    """Return a reading of t every second."""
    ticks = [UTC + 100 * (first + place) for place in range(len(counts))]
    return [Observation(tick, Reading("t", tick, count)) for tick, count in zip(ticks, counts, strict=True)]


@pytest.mark.requirement("G-6.11d", "H-7.3.1b")
def test_rehearsal_says_when_it_would_have_tripped_and_for_how_long() -> None:
    plan = make_plan(rule(cause(on=2, off=3)), PLANT)
    counts = [2200] * 10 + [3000] * 5 + [2200] * 10 + [3000] * 2 + [2200] * 10
    told = rehearse(plan, history(*counts), from_tick=UTC, to_tick=UTC + 3800)
    assert told.judged_from == UTC + 400
    assert told.trips == (
        WouldTrip(UTC + 1300, UTC + 1900, ("warm",)),
        WouldTrip(UTC + 2800, UTC + 3100, ("warm",)),
    )
    assert told.tripped_ticks == 900


def test_silence_would_have_tripped_until_the_end_of_history() -> None:
    plan = make_plan(rule(), PLANT)
    told = rehearse(plan, history(*[2200] * 5), from_tick=UTC, to_tick=UTC + 2000)
    assert told.trips == (WouldTrip(UTC + 801, None, ("warm",)),)
    assert told.tripped_ticks == 1199


def test_rule_that_never_heard_every_cause_says_nothing() -> None:
    plan = make_plan(rule(cause(), cause(InState(point="door", normal=(0,)), "door")), PLANT)
    told = rehearse(plan, history(2200, 3000), from_tick=UTC, to_tick=UTC + 200)
    assert (told.judged_from, told.trips, told.tripped_ticks) == (None, (), 0)


def test_history_outside_of_the_stretch_is_left_out() -> None:
    plan = make_plan(rule(), PLANT)
    told = rehearse(plan, history(3000, 2200, 2200, 3000, 3000), from_tick=UTC + 200, to_tick=UTC + 350)
    assert (told.judged_from, told.trips) == (UTC + 200, ())


def test_rule_that_needs_no_sensor_judges_from_the_beginning() -> None:
    plan = make_plan(rule(cause(Happened(kind="gas_alarm", lasts_s=5), "gas")), PLANT)
    heard = [Observation(UTC + 100, Happening("gas_alarm"))]
    told = rehearse(plan, heard, from_tick=UTC, to_tick=UTC + 1000)
    assert told.judged_from == UTC
    assert told.trips == (WouldTrip(UTC + 100, UTC + 600, ("gas",)),)


def test_lost_radio_messages_trip_nothing() -> None:
    """Two of three readings in a row are lost, again and again."""
    plan = make_plan(rule(), PLANT)
    kept = [one for place, one in enumerate(history(*[2200] * 900)) if place % 3 == 0]
    told = rehearse(plan, kept, from_tick=UTC, to_tick=UTC + 89_900)
    assert told.trips == ()


def test_sensor_by_radio_with_eight_periods_trips_nothing_while_one_in_twenty_is_lost() -> None:
    plan = make_plan(rule(cause(stale=8)), PLANT)
    chance = random.Random(20)
    kept = [one for one in history(*[2200] * 4000) if chance.random() >= 0.05]
    told = rehearse(plan, kept, from_tick=UTC, to_tick=kept[-1].tick)
    assert (told.judged_from, told.trips) == (kept[0].tick, ())


def test_what_comes_in_the_instant_in_which_it_could_be_reset_is_the_same_trip() -> None:
    plan = make_plan(rule(cause(off=3)), PLANT)
    counts = [2200] * 5 + [3000] + [2200] * 3 + [3000] + [2200] * 6
    told = rehearse(plan, history(*counts), from_tick=UTC, to_tick=UTC + 1600)
    assert told.trips == (WouldTrip(UTC + 600, UTC + 1400, ("warm",)),)
