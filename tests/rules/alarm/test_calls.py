"""Which message is due when: escalation, gathering and floods; a storm gives a handful and loses nothing."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.alarm import acts
from rules.alarm.calls import Notification, Why, due, next_at, part_of, told
from rules.alarm.desk import Desk, Flood, Refused, Rounds, State, What, state_of
from rules.alarm.handling import observe, passed
from rules.alarm.model import Condition, Kind, Occurrence, Priority
from rules.alarm.policy import MINUTE, Chain, Policy, Route, Step
from tests.rules.alarm.world import POLICY, S, occurrence, seen, table_with, whole

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11e")

HI = Condition.HI


def play(desk: Desk, until: int, policy: Policy = POLICY, step: int = S) -> tuple[Desk, list[Notification]]:
    """Ask and note every second up to a time, as a hub does."""
    sent = []
    for at in range(desk.now, until + 1, step):
        desk, _ = passed(desk, policy, at)
        notification = due(desk, policy, at)
        if notification is not None:
            desk = told(desk, policy, notification)
            sent.append(notification)
    return desk, sent


def acknowledged(desk: Desk, point: str = "p") -> Desk:
    outcome = acts.acknowledge(desk, POLICY, point=point, condition=HI, by="ann", now=desk.now)
    assert not isinstance(outcome, Refused)
    return outcome[0]


def test_chain_escalates_and_repeats_as_its_data_say() -> None:
    desk = seen(Desk(), occurrence(), now=0)
    desk, sent = play(desk, 50 * MINUTE)
    assert [(one.at // MINUTE, one.recipients) for one in sent] == [
        (0, ("facilities",)),
        (10, ("facilities",)),
        (15, ("head",)),
        (20, ("facilities",)),
        (45, ("head",)),
    ]
    assert [(call.step, call.count) for one in sent for call in one.calls] == [
        (0, 1), (0, 2), (1, 1), (0, 3), (1, 2),
    ]  # fmt: skip
    assert [one.number for one in sent] == [1, 2, 3, 4, 5]
    assert all(one.why is Why.ALARMS for one in sent)


def test_round_names_urgent_alarms_that_stand_whoever_was_told_of_them_before_and_what_escalates() -> None:
    first, second = (
        occurrence(name, onset=at, priority=Priority.URGENT) for name, at in (("b", 0), ("a", 5))
    )
    over = occurrence("c", onset=1, cleared_at=2, priority=Priority.URGENT)
    desk, sent = play(seen(Desk(), first, second, over, occurrence("d"), now=10), 10)
    assert [one.point for one in sent[0].urgent] == ["b", "a"]
    assert not any(call.escalated for call in sent[0].calls)
    outcome = acts.take_out(desk, POLICY, point="b", by="ann", text="new fan", until=None, now=desk.now)
    assert not isinstance(outcome, Refused)
    desk = outcome[0]
    desk, sent = play(desk, 15 * MINUTE + 10)
    escalated = {call.occurrence.point: call.escalated for call in sent[-1].calls if call.step == 1}
    assert escalated == {"a": True, "d": True}
    assert [one.point for one in sent[-1].urgent] == ["a"]


def test_acknowledgement_ends_the_escalation() -> None:
    desk, sent = play(seen(Desk(), occurrence(), now=0), 12 * MINUTE)
    assert len(sent) == 2
    desk, sent = play(acknowledged(desk), 5 * 60 * MINUTE, step=MINUTE)
    assert sent == []
    assert next_at(told(desk, POLICY, _empty(desk)), POLICY) is None


def _empty(desk: Desk) -> Notification:
    return Notification(desk.rounds.number + 1, desk.now, Why.ALARMS, (), ())


def test_alarm_that_cleared_is_told_once_to_the_first_step_alone() -> None:
    desk = seen(Desk(), occurrence(cleared_at=0), now=0)
    _, sent = play(desk, 60 * MINUTE, step=MINUTE // 2)
    assert [(one.at, one.recipients) for one in sent] == [(0, ("facilities",))]
    late = due(desk, POLICY, 20 * MINUTE)  # nobody asked for long: still only the first step
    assert late is not None
    assert late.recipients == ("facilities",)
    stubborn = replace(POLICY, chains={"night": Chain(POLICY.chains["night"].steps, ends_on_return=False)})
    _, sent = play(desk, 16 * MINUTE, stubborn)
    assert [one.recipients for one in sent] == [("facilities",), ("facilities",), ("head",)]


def test_muted_alarm_is_not_told_and_starts_anew_when_it_is_heard_again() -> None:
    desk, sent = play(seen(Desk(), occurrence(), now=0), 5 * MINUTE)
    assert len(sent) == 1
    desk = acts.suppress(desk, POLICY, {"p": "no job is open"}, now=desk.now)[0]
    desk, sent = play(desk, 40 * MINUTE)
    assert sent == []
    desk = acts.suppress(desk, POLICY, {}, now=desk.now)[0]
    _, sent = play(desk, 56 * MINUTE)
    assert [(one.at // MINUTE, one.recipients) for one in sent] == [
        (40, ("facilities",)), (50, ("facilities",)), (55, ("head",)),
    ]  # fmt: skip


def test_routes_choose_by_kind_and_priority_and_what_has_none_is_silent_and_on_the_list() -> None:
    policy = Policy(
        chains={"a": Chain((Step(0, ("a",)),)), "b": Chain((Step(0, ("b",)),)), "none": Chain(())},
        routes=(
            Route("a", kinds=(Kind.COMMS,)),
            Route("b", priorities=(Priority.URGENT, Priority.HIGH)),
            Route("gone", priorities=(Priority.MEDIUM,)),
        ),
    )
    assert policy.chain_of(Kind.COMMS, Priority.LOW) == policy.chains["a"]
    assert policy.chain_of(Kind.PROCESS, Priority.HIGH) == policy.chains["b"]
    assert policy.chain_of(Kind.PROCESS, Priority.MEDIUM) is None
    assert policy.chain_of(Kind.PROCESS, Priority.LOW) is None
    quiet = occurrence("q", priority=Priority.LOW)
    views = [whole("q", -1, 0, (quiet,)), whole("p", -1, 0, (occurrence(priority=Priority.HIGH),))]
    desk, log = observe(Desk(), policy, views, now=0)
    assert [act.what for act in log] == [What.CALLED] * 2
    desk, sent = play(desk, 60 * S, policy)
    assert [call.occurrence.point for one in sent for call in one.calls] == ["p"]
    assert state_of(desk, desk.open["q"][0]) is State.UNACKNOWLEDGED


def test_round_that_was_noted_twice_counts_once_and_one_that_was_not_is_due_again() -> None:
    desk = seen(Desk(), occurrence(), now=0)
    first = due(desk, POLICY, 0)
    assert first is not None
    again = msgspec.json.decode(msgspec.json.encode(desk), type=Desk)
    assert due(again, POLICY, 0) == first
    desk = told(desk, POLICY, first)
    assert told(desk, POLICY, first) == desk
    assert due(desk, POLICY, 0) is None


def test_alarms_that_come_together_are_gathered_with_their_first_out() -> None:
    desk = seen(Desk(), occurrence("a", onset=0), now=10)
    desk, _ = play(desk, 10)
    desk = seen(desk, occurrence("b", onset=5), occurrence("c", onset=5), now=20)
    desk = seen(desk, occurrence("d", onset=15), now=25)
    assert due(desk, POLICY, 10 + POLICY.gather_ticks - 1) is None
    gathered = due(desk, POLICY, 10 + POLICY.gather_ticks)
    assert gathered is not None
    assert [call.occurrence.point for call in gathered.calls] == ["b", "c", "d"]
    assert gathered.first_out == ("b:hi:1:5", "c:hi:1:5")
    assert gathered.by_priority == {"medium": 3}
    assert part_of(gathered, "facilities") == gathered.calls
    assert part_of(gathered, "nobody") == ()
    assert next_at(desk, POLICY) == 10 + POLICY.gather_ticks


def test_only_what_was_told_is_noted() -> None:
    desk = seen(Desk(), occurrence(), now=0)
    first = due(desk, POLICY, 0)
    assert first is not None
    desk = seen(desk, occurrence(), occurrence(onset=1, condition=Condition.HIHI), now=1)
    desk = told(desk, POLICY, first)
    assert [len(item.told) for item in desk.open["p"]] == [1, 0]
    later = due(desk, POLICY, 1 + POLICY.gather_ticks)
    assert later is not None
    assert [call.occurrence.condition for call in later.calls] == [Condition.HIHI]


def test_round_of_what_has_gone_meanwhile_is_noted_all_the_same() -> None:
    desk = seen(Desk(), occurrence(), now=0)
    first = due(desk, POLICY, 0)
    assert first is not None
    desk = told(acknowledged(seen(desk, occurrence(cleared_at=0), now=0)), POLICY, first)
    assert (desk.open, desk.rounds.number) == ({}, 1)


def test_acknowledged_before_it_was_told_is_not_told() -> None:
    desk = acknowledged(seen(Desk(), occurrence(), now=0))
    assert due(desk, POLICY, 0) is None


def test_next_at_names_ends_of_shelves_and_maintenance() -> None:
    assert next_at(Desk(), POLICY) is None
    outcome = acts.shelve(Desk(), POLICY, point="p", condition=HI, by="a", text="x", until=500, now=1)
    assert not isinstance(outcome, Refused)
    assert next_at(outcome[0], POLICY) == 500
    outcome = acts.take_out(outcome[0], POLICY, point="q", by="a", text="x", until=400, now=1)
    assert not isinstance(outcome, Refused)
    assert next_at(outcome[0], POLICY) == 400


# --- rounds and floods --------------------------------------------------------------------------------

ROUNDS = table_with(
    "flood", "since the last round", "something more urgent than all told in this burst", "round"
)


@pytest.mark.parametrize("row", ROUNDS, ids=str)
def test_rounds_are_those_of_the_page(row: dict[str, str]) -> None:
    spacing = POLICY.gather_ticks if row["flood"] == "no" else POLICY.digest_ticks
    elapsed = spacing if row["since the last round"].endswith("or more") else spacing - 1
    flood = {
        "no": Flood(),
        "just began": Flood(calls=(0,) * 11, since=0),
        "told": Flood(calls=(0,) * 11, since=0, told=True),
    }[row["flood"]]
    urgent = row["something more urgent than all told in this burst"] == "yes"
    desk = replace(Desk(), rounds=Rounds(4, 0, Priority.MEDIUM), flood=flood)
    one = occurrence(priority=Priority.HIGH if urgent else Priority.MEDIUM)
    desk = seen(desk, one, now=elapsed)
    assert (due(desk, POLICY, elapsed) is not None) is (row["round"] == "now")


def _storm(policy: Policy, desk: Desk, raised: list[list[Occurrence]]) -> tuple[Desk, list[Notification]]:
    """Raise so many alarms in each second and ask after each."""
    sent = []
    for second, found in enumerate(raised):
        now = second * S
        views = [whole(one.point, -1, now, (one,)) for one in found]
        desk, _ = observe(desk, policy, views, now=now)
        notification = due(desk, policy, now)
        if notification is not None:
            desk = told(desk, policy, notification)
            sent.append(notification)
    return desk, sent


@pytest.mark.parametrize("seed", range(2))
def test_thousand_alarms_a_minute_are_at_most_ten_notifications_and_all_are_told(seed: int) -> None:
    rng, raised, number = random.Random(seed), [], 0
    for second in range(600):
        found = []
        for _ in range((second + 1) * 1000 // 60 - second * 1000 // 60):
            number += 1
            # The worst order: the least urgent first.
            priority = Priority.LOW if number <= 30 else rng.choice(list(Priority))
            found.append(occurrence(f"p{number}", onset=second * S, priority=priority))
        raised.append(found)
    desk, sent = _storm(POLICY, Desk(), raised)
    assert number == 10_000
    assert len(sent) <= 10
    assert [one.why for one in sent[:2]] == [Why.FLOOD_BEGAN, Why.DIGEST]
    assert sum(len(items) for items in desk.open.values()) == 10_000
    desk, more = play(desk, 605 * S + POLICY.digest_ticks)
    named = {call.occurrence.id for one in [*sent, *more] for call in one.calls}
    assert named == {one.id for found in raised for one in found}
    assert sent[0].first_out[0].endswith(":0")


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_any_storm_gives_at_most_ten_rounds_in_ten_minutes(seed: int) -> None:
    rng = random.Random(seed)
    chains = {name: Chain((Step(rng.choice((0, 0, 20 * S)), (name,)),)) for name in "abcd"}
    routes = tuple(
        Route(name, priorities=(priority,)) for name, priority in zip("abcd", Priority, strict=True)
    )
    policy, number, raised = Policy(chains=chains, routes=routes), 0, []
    for second in range(600):
        count = 11 if second == 0 else rng.choice((0, 0, 1, 3))
        priorities = [rng.choice(list(Priority)) for _ in range(count)]
        raised.append(
            [
                occurrence(f"p{number + n}", onset=second * S, priority=priority)
                for n, priority in enumerate(priorities)
            ]
        )
        number += count
    _, sent = _storm(policy, Desk(), raised)
    assert len(sent) <= 8


def test_flood_begins_over_ten_and_ends_under_five_and_who_heard_of_it_hears_of_its_end() -> None:
    desk = Desk()
    for minute in range(10):
        desk = seen(desk, occurrence(f"p{minute}", onset=minute * MINUTE), now=minute * MINUTE)
    assert desk.flood.since is None
    views = [whole("last", -1, 9 * MINUTE, (occurrence("last", onset=9 * MINUTE),))]
    desk, log = observe(desk, POLICY, views, now=9 * MINUTE)
    assert [act.what for act in log] == [What.CALLED, What.FLOOD_BEGAN]
    began = due(desk, POLICY, 9 * MINUTE)
    assert began is not None
    assert began.why is Why.FLOOD_BEGAN
    desk = told(desk, POLICY, began)
    for point in list(desk.open):
        desk = acknowledged(desk, point)
    end = 16 * MINUTE  # the fifth call from the end was in minute 6
    assert next_at(desk, POLICY) is not None
    assert passed(desk, POLICY, end - 1)[1] == ()
    before, (ended,) = desk, passed(desk, POLICY, end)[1]
    assert (ended.what, ended.at) == (What.FLOOD_ENDED, end)
    over = due(before, POLICY, end + S)
    assert over is not None
    assert (over.why, over.recipients, over.calls) == (Why.FLOOD_ENDED, ("facilities",), ())
    desk, _ = passed(desk, POLICY, end + S)
    assert next_at(desk, POLICY) == end + S
    desk = told(desk, POLICY, over)
    assert due(desk, POLICY, end + 2 * S) is None
    assert next_at(desk, POLICY) is None


def _rounds(*raised: tuple[int, Priority, int]) -> list[int]:
    """Return when rounds go out while alarms come: (tick, priority, how many)."""
    desk, sent, number = Desk(), [], 0
    for at, priority, count in raised:
        desk, more = play(desk, at - 1)
        sent += more
        ones = [occurrence(f"p{number + n}", onset=at, priority=priority) for n in range(count)]
        number += count
        desk = seen(replace(desk, now=at), *ones, now=at)
    notification = due(desk, POLICY, desk.now)
    return [one.at for one in sent] + ([] if notification is None else [notification.at])


def test_what_was_told_long_ago_keeps_nothing_urgent_waiting_in_a_flood() -> None:
    later = 1000 * S
    raised = ((0, Priority.URGENT, 1), (later, Priority.LOW, 11), (later + 5 * S, Priority.URGENT, 1))
    assert _rounds(*raised)[-2:] == [later, later + 5 * S]


def test_what_was_told_seconds_before_a_flood_counts_as_told_in_it() -> None:
    raised = ((0, Priority.HIGH, 1), (5 * S, Priority.LOW, 11), (10 * S, Priority.HIGH, 1))
    assert _rounds(*raised) == [0, 5 * S]
    assert _rounds(*raised, (11 * S, Priority.URGENT, 1)) == [0, 5 * S, 11 * S]


def test_flood_of_which_nobody_was_told_ends_without_a_word() -> None:
    muted = Policy()
    views = [whole(f"p{n}", -1, 0, (occurrence(f"p{n}"),)) for n in range(11)]
    desk, log = observe(Desk(), muted, views, now=0)
    assert log[-1].what is What.FLOOD_BEGAN
    assert due(desk, muted, 0) is None
    desk, log = passed(desk, muted, 10 * MINUTE)
    assert [act.what for act in log] == [What.FLOOD_ENDED]
    assert desk.flood.ended_at is None


def test_flood_goes_on_while_five_were_called_within_its_window() -> None:
    desk = seen(Desk(), *(occurrence(f"p{n}") for n in range(11)), now=0)
    later = (occurrence(f"q{n}", onset=5 * MINUTE) for n in range(5))
    desk = seen(desk, *later, now=5 * MINUTE)
    assert passed(desk, POLICY, 15 * MINUTE - 1)[0].flood.since == 0
    assert passed(desk, POLICY, 15 * MINUTE)[0].flood.since is None


def test_end_of_a_flood_is_dated_by_its_calls_however_late_somebody_looks_or_is_called_then() -> None:
    flood = seen(Desk(), *(occurrence(f"p{n}") for n in range(11)), now=0)
    _, log = passed(flood, POLICY, 12 * MINUTE)
    assert [(act.what, act.at) for act in log] == [(What.FLOOD_ENDED, 10 * MINUTE)]
    outcome = acts.shelve(flood, POLICY, point="p1", condition=HI, by="a", text="x", until=9 * MINUTE, now=1)
    assert not isinstance(outcome, Refused)
    desk, log = passed(told(outcome[0], POLICY, _empty(outcome[0])), POLICY, 12 * MINUTE)
    assert [(act.what, act.at) for act in log] == [
        (What.UNSHELVED, 9 * MINUTE), (What.FLOOD_ENDED, 10 * MINUTE), (What.CALLED, 12 * MINUTE),
    ]  # fmt: skip
    assert (desk.flood.since, desk.flood.ended_at) == (None, 10 * MINUTE)
