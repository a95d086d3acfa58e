"""Instants at which two things meet, and lists in which one thing hides another."""

import pytest
from msgspec.structs import replace

from rules.alarm import acts
from rules.alarm.calls import due, next_at, told
from rules.alarm.check import policy_faults, template_faults
from rules.alarm.desk import Act, Desk, Flood, Outcome, Reason, Refused, Shelf, Told, What
from rules.alarm.detect import SLOTS
from rules.alarm.figures import STALE_TICKS, figures
from rules.alarm.handling import observe, passed
from rules.alarm.history import history
from rules.alarm.model import ZERO, Applied, Condition, Ended, Priority, Rule, State, Template
from rules.alarm.policy import MINUTE, Chain, Step
from rules.alarm.timeline import arrive, begin, compact, retire, view
from tests.rules.alarm.world import POLICY, applied, hi, occurrence, samples, seen, whole

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11d", "G-6.11e")

P, HI = "p", Condition.HI


def done(outcome: Outcome | Refused) -> Desk:
    assert not isinstance(outcome, Refused), outcome
    return outcome[0]


def acknowledged(desk: Desk, *, now: int, by: str = "ann") -> Desk:
    return done(acts.acknowledge(desk, POLICY, point=P, condition=HI, by=by, now=now))


def shelved(desk: Desk, *, now: int, until: int | None = None) -> Desk:
    own = {"point": P, "condition": HI, "by": "ann", "text": "fan"}
    return done(acts.shelve(desk, POLICY, **own, until=until, now=now))


# --- acts ---------------------------------------------------------------------------------------------


def test_who_acknowledged_first_stays_when_another_stretch_is_acknowledged() -> None:
    desk = acknowledged(seen(Desk(), occurrence(onset=100), now=110), now=110)
    desk = seen(desk, occurrence(onset=20, cleared_at=40), occurrence(onset=100), now=120)
    outcome = acts.acknowledge(desk, POLICY, point=P, condition=HI, by="bob", now=130)
    assert not isinstance(outcome, Refused)
    assert [(act.start, act.by) for act in outcome[1]] == [(20, "bob")]
    (stands,) = outcome[0].open[P]
    assert stands.acknowledged is not None
    assert (stands.acknowledged.by, stands.acknowledged.at) == ("ann", 110)


def test_shelf_may_be_exactly_as_long_as_the_policy_allows() -> None:
    longest = 10 + POLICY.shelf_max_ticks
    assert shelved(Desk(), now=10, until=longest).shelves
    own = {"point": P, "condition": HI, "by": "ann", "text": "fan"}
    assert acts.shelve(Desk(), POLICY, **own, until=longest + 1, now=10) == Refused(Reason.TOO_LONG)


def test_one_shot_shelf_is_for_what_stands_and_not_for_what_has_cleared() -> None:
    desk = seen(Desk(), occurrence(cleared_at=5), now=10)
    own = {"point": P, "condition": HI, "by": "ann", "text": "fan"}
    assert acts.shelve(desk, POLICY, **own, until=None, now=10) == Refused(Reason.NOTHING_STANDS)
    both = seen(desk, occurrence(cleared_at=5), occurrence(onset=8), now=10)
    assert [shelf.start for shelf in shelved(both, now=10).shelves.values()] == [8]


def test_policy_is_by_default_that_of_the_page() -> None:
    assert (POLICY.fresh_ticks, POLICY.gather_ticks, POLICY.digest_ticks) == (30_000, 3000, 18_000)
    assert (POLICY.flood_over, POLICY.flood_under, POLICY.flood_window_ticks) == (10, 5, 60_000)
    assert POLICY.shelf_max_ticks == 24 * 360_000


def test_maintenance_that_ended_unseen_is_dated_by_its_own_end() -> None:
    desk = done(acts.take_out(Desk(), POLICY, point=P, by="ann", text="swap", until=500, now=10))
    _, log = passed(desk, POLICY, 800)
    assert [(act.what, act.at) for act in log] == [(What.PUT_BACK, 500)]


# --- what is due --------------------------------------------------------------------------------------


def test_shelf_and_maintenance_without_an_end_wake_nobody_up() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=1), now=1)
    desk = done(acts.take_out(desk, POLICY, point="q", by="ann", text="swap", until=None, now=1))
    desk = replace(desk, rounds=Desk().rounds)
    assert next_at(desk, POLICY) is None
    desk = done(acts.take_out(desk, POLICY, point="r", by="ann", text="swap", until=90, now=1))
    assert next_at(desk, POLICY) == 90


def test_who_was_told_of_a_flood_hears_of_its_end_where_the_next_begins_as_it_ends() -> None:
    end, points = POLICY.flood_window_ticks, [f"p{number}" for number in range(12)]
    shelves = {f"{one}:{HI}": Shelf(one, HI, 0, "ann", "fan", until=end) for one in points}
    flood = Flood(calls=(0,) * 11, since=0, told=True, recipients=("ann",))
    desk = seen(
        Desk(now=5, flood=flood, shelves=shelves), *(occurrence(one, onset=0) for one in points), now=6
    )
    desk, _ = passed(desk, POLICY, end)
    assert (desk.flood.since, desk.flood.told, desk.flood.recipients) == (end, True, ("ann",))
    for at in (2 * end, 2 * end + 1):
        desk, _ = passed(desk, POLICY, at)
    assert (desk.flood.since, desk.flood.recipients) == (None, ("ann",))
    assert desk.flood.ended_at is not None


def test_flood_is_looked_at_again_when_it_ends_and_its_end_is_told_at_once() -> None:
    desk = Desk(now=5, flood=Flood(calls=(0,) * 11, since=0, told=True, recipients=("ann",)))
    assert next_at(desk, POLICY) == POLICY.flood_window_ticks
    desk, _ = passed(desk, POLICY, POLICY.flood_window_ticks)
    assert next_at(desk, POLICY) == desk.now
    over = due(desk, POLICY, desk.now)
    assert over is not None
    assert over.recipients == ("ann",)


def test_order_of_the_steps_of_a_chain_does_not_decide_who_is_told_first() -> None:
    steps = Step(15 * MINUTE, ("head",)), Step(0, ("facilities",))
    policy = replace(POLICY, chains={"night": Chain(steps)})
    gone = whole(P, -1, 0, (occurrence(cleared_at=0),))
    desk, _ = observe(Desk(), policy, [gone], now=0)
    first = due(desk, policy, 0)
    assert first is not None
    assert first.recipients == ("facilities",)


def test_acknowledged_alarm_hides_no_other_of_its_point() -> None:
    desk = acknowledged(seen(Desk(), occurrence(), now=0), now=0)
    desk = seen(desk, occurrence(), occurrence(onset=1, condition=Condition.HIHI), now=1)
    first = due(desk, POLICY, 1)
    assert first is not None
    desk = told(desk, POLICY, first)
    again = due(desk, POLICY, 1 + 10 * MINUTE)
    assert again is not None
    assert [call.occurrence.condition for call in again.calls] == [Condition.HIHI]


def test_what_a_timeline_no_more_remembers_hides_nothing_that_it_withdraws() -> None:
    old = occurrence(onset=5, cleared_at=20), occurrence(onset=6, cleared_at=20, condition=Condition.LO)
    desk = seen(Desk(), *old, occurrence(onset=60), now=70)
    desk, log = observe(desk, POLICY, [whole(P, 50, 80, ())], now=80)
    assert [(act.what, act.start) for act in log] == [(What.WITHDRAWN, 60)]
    assert [item.occurrence for item in desk.open[P]] == list(old)


def test_burst_is_over_exactly_when_messages_are_gathered_no_more() -> None:
    desk = _told_at(0, Desk(), Priority.URGENT)
    desk = _told_at(POLICY.gather_ticks, desk, Priority.LOW)
    now = POLICY.gather_ticks + 1
    desk = seen(desk, occurrence("high", onset=now, priority=Priority.HIGH), now=now)
    assert due(desk, POLICY, now) is not None


def _told_at(now: int, desk: Desk, priority: Priority) -> Desk:
    desk = seen(desk, occurrence(priority.name, onset=now, priority=priority), now=now)
    round_ = due(desk, POLICY, now)
    assert round_ is not None
    return told(desk, POLICY, round_)


def test_two_steps_of_a_chain_that_are_told_at_once_are_both_noted() -> None:
    desk = seen(Desk(), occurrence(), now=0)
    late = due(desk, POLICY, 15 * MINUTE)
    assert late is not None
    assert late.recipients == ("facilities", "head")
    (item,) = told(desk, POLICY, late).open[P]
    assert item.told == (Told(1, 15 * MINUTE), Told(1, 15 * MINUTE))


def test_what_waits_after_a_round_waits_in_its_own_priority() -> None:
    desk = _told_at(0, Desk(), Priority.HIGH)
    assert desk.rounds.wakes == (None, 10 * MINUTE, None, None)


# --- what is found ------------------------------------------------------------------------------------


def test_sample_that_comes_in_the_instant_of_its_hold_leaves_no_silence() -> None:
    silence = Applied(P, 1, (Rule(Condition.COMMS, Priority.LOW),), hold_ticks=30)
    timeline = arrive(begin(silence, 0), samples((30, 1)), reached=60)
    assert view(timeline).occurrences == ()
    assert view(arrive(timeline, samples((60, 1)))).occurrences == ()
    assert [one.onset for one in view(arrive(timeline, (), reached=61)).occurrences] == [60]


def test_rate_is_seen_long_after_the_first_window() -> None:
    rule = Rule(Condition.RATE, Priority.HIGH, limit=hi("2").limit, window_ticks=600)
    given = samples(*((at, 20) for at in range(0, 5000, 100)), (5500, 23))
    (one,) = view(arrive(begin(applied(rule), -1), given)).occurrences
    assert (one.onset, one.stands) == (5500, True)
    late = samples(*((at, 20) for at in range(0, 5000, 100)), (5520, 23))
    assert view(arrive(begin(applied(rule), -1), late)).occurrences == ()
    for first, second, third in (("18", "20", "20.5"), ("20.5", "20", "18")):  # two values within one slot
        near = samples((5000, first), (5005, second), (5100, third))
        assert [one.onset for one in view(arrive(begin(applied(rule), -1), near)).occurrences] == [5100]


def test_window_of_a_rate_reaches_back_a_sixtieth_further_at_most() -> None:
    assert SLOTS == 60  # as the page says


def test_rate_is_back_as_soon_as_the_window_is_whole() -> None:
    rule = Rule(Condition.RATE, Priority.HIGH, limit=hi("2").limit, window_ticks=50)
    (one,) = view(
        arrive(begin(applied(rule), -1), samples((0, 20), (1, 23), (30, None), (40, 23), (90, 23)))
    ).occurrences
    assert (one.onset, one.returned_at) == (1, 90)


def test_alarm_without_a_value_has_no_worst() -> None:
    broken = applied(Rule(Condition.DEVICE, Priority.LOW))
    (one,) = view(arrive(begin(broken, 0), samples((10, None), (20, None)))).occurrences
    assert (one.value, one.worst, one.worst_at) == (None, None, None)


def test_sample_in_the_instant_in_which_a_rule_ends_is_its_last() -> None:
    timeline = arrive(begin(applied(hi()), 0), samples((10, 5), (20, 11)))
    (one,) = retire(timeline, 20).occurrences
    assert (one.onset, one.cleared_at) == (20, 20)
    assert retire(timeline, 19).occurrences == ()


def test_limits_must_rise_in_the_order_of_their_levels_and_each_is_named_once() -> None:
    low, high, highest = (
        Rule(condition, Priority.LOW, limit=hi(limit).limit, deadband=hi("1").limit or ZERO)
        for condition, limit in ((Condition.LO, "22"), (Condition.HI, "22"), (Condition.HIHI, "20"))
    )
    assert [fault.path for fault in template_faults(Template("t", 1, (highest, high)))] == ["hihi.limit"]
    assert [fault.path for fault in template_faults(Template("t", 1, (low, high)))] == ["hi.limit"]


def test_step_may_be_repeated_as_often_as_messages_are_gathered() -> None:
    steps = (Step(0, ("a",), repeat_ticks=POLICY.gather_ticks),)
    assert policy_faults(replace(POLICY, chains={"night": Chain(steps)})) == ()


def test_value_that_takes_the_place_of_another_leaves_nothing_of_it() -> None:
    low = applied(Rule(Condition.LO, Priority.LOW, limit=hi("6").limit))
    timeline = arrive(arrive(begin(low, 0), samples((10, 5))), samples((10, 11)))
    assert (view(timeline).occurrences, len(timeline.samples)) == ((), 1)


def test_timeline_keeps_nothing_of_what_it_remembers_no_more() -> None:
    timeline = arrive(begin(applied(hi()), 0), samples((10, 11), (20, 5), (30, 5)))
    assert len(view(timeline).occurrences) == 1
    assert view(compact(timeline, 30)).occurrences == ()


def test_alarm_whose_rule_changes_stays_on_the_list_until_it_is_acknowledged() -> None:
    old = arrive(begin(applied(hi(), point=P), 0), samples((10, 11)), reached=20)
    desk, _ = observe(Desk(), POLICY, [view(old)], now=20)
    desk, log = observe(desk, POLICY, [retire(old, 20)], now=20)
    new = begin(replace(applied(hi("20"), point=P), revision=2), 20)
    desk, more = observe(desk, POLICY, [view(arrive(new, (), reached=30))], now=30)
    assert (log, more) == ((), ())
    (item,) = desk.open[P]
    assert (item.occurrence.ended, item.occurrence.cleared_at) == (Ended.RULE_CHANGED, 20)


# --- what is told of it -------------------------------------------------------------------------------


def test_mute_touches_an_alarm_up_to_its_end_and_not_when_it_ended_at_its_onset() -> None:
    one = occurrence(onset=100, cleared_at=200)
    for start, end, touching in ((200, 300, 1), (201, 300, 0), (50, 101, 1), (50, 100, 0)):
        log = [Act(What.TAKEN_OUT, start, P, by="ann", text="swap"), Act(What.PUT_BACK, end, P, by="ann")]
        (row,) = history([one], log, at=1000, group_of=str)
        assert [span.state for span in row.muted] == [State.OUT_OF_SERVICE] * touching


def test_most_in_ten_minutes_is_counted_from_every_alarm() -> None:
    times = (0, 1 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1)
    ones = [occurrence(f"p{at}", onset=at) for at in times]
    assert figures(ones, POLICY, start=0, end=60 * MINUTE).most_in_ten_minutes == 3


def test_alarm_that_cleared_as_a_stretch_begins_is_not_stale_in_it() -> None:
    one = occurrence(onset=-2 * STALE_TICKS, cleared_at=0)
    assert figures([one], POLICY, start=0, end=STALE_TICKS).stale == ()
    assert figures([one], POLICY, start=-1, end=STALE_TICKS).stale == (one.id,)
