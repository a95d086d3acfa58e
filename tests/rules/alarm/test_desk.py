"""The alarm list: states, mutes, acts of people and who is woken, against docs/explanation/alarms.md."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from rules.alarm import acts
from rules.alarm.calls import due, told
from rules.alarm.desk import (
    Act,
    Desk,
    Open,
    Outcome,
    Reason,
    Refused,
    What,
    mute,
    point_state,
    state_of,
    underlying,
)
from rules.alarm.handling import observe, passed
from rules.alarm.model import Applied, Condition, Kind, Occurrence, Rule, State
from rules.alarm.policy import MINUTE
from rules.alarm.timeline import arrive, begin, compact, view
from tests.rules.alarm.world import POLICY, applied, hi, occurrence, samples, seen, table, table_with, whole

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11d", "G-6.11e")

P, HI = "p", Condition.HI
FRESH = POLICY.fresh_ticks


def done(outcome: Outcome | Refused) -> Desk:
    assert not isinstance(outcome, Refused), outcome
    return outcome[0]


def logged(outcome: Outcome | Refused) -> list[Act]:
    assert not isinstance(outcome, Refused), outcome
    return list(outcome[1])


def only(desk: Desk, point: str = P) -> Open:
    (item,) = desk.open[point]
    return item


def acknowledged(desk: Desk, *, now: int, point: str = P, condition: Condition = HI) -> Desk:
    return done(acts.acknowledge(desk, POLICY, point=point, condition=condition, by="ann", now=now))


def shelved(desk: Desk, *, now: int, until: int | None = None, condition: Condition = HI) -> Desk:
    return done(
        acts.shelve(desk, POLICY, point=P, condition=condition, by="ann", text="fan", until=until, now=now)
    )


@pytest.mark.parametrize("row", table("States"), ids=str)
def test_states_are_those_of_the_page(row: dict[str, str]) -> None:
    one = occurrence(
        cleared_at=None if row["stands"] == "yes" else 5, ack_required=row["must be acknowledged"] == "yes"
    )
    assert underlying(one, acknowledged=row["acknowledged"] == "yes") is State(row["state"])


MUTES: dict[str, Callable[[Desk, Condition], Desk]] = {
    "maintenance of the point": lambda desk, _: done(
        acts.take_out(desk, POLICY, point=P, by="ann", text="swap", until=None, now=1)
    ),
    "design": lambda desk, _: acts.suppress(desk, POLICY, {P: "no job is open"}, now=1)[0],
    "shelf": lambda desk, condition: (
        desk if condition.kind is Kind.TAMPER else shelved(desk, now=1, condition=condition)
    ),
}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("row", table_with("muted by", *Kind), ids=lambda row: row["muted by"])
def test_mutes_are_those_of_the_page(row: dict[str, str], kind: Kind) -> None:
    condition = HI if kind is Kind.PROCESS else Condition(kind)
    desk = seen(Desk(), occurrence(condition=condition), now=1)
    muted = MUTES[row["muted by"]](desk, condition)
    expected = None if row[kind] == "-" else State(row[kind])
    assert mute(muted, P, condition) is expected
    assert state_of(muted, only(muted)) is (expected or State.UNACKNOWLEDGED)


def test_strongest_mute_is_shown() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=1), now=1)
    assert state_of(desk, only(desk)) is State.SHELVED
    desk = acts.suppress(desk, POLICY, {P: "no job is open"}, now=2)[0]
    assert state_of(desk, only(desk)) is State.SUPPRESSED
    desk = done(acts.take_out(desk, POLICY, point=P, by="ann", text="swap", until=None, now=3))
    assert state_of(desk, only(desk)) is State.OUT_OF_SERVICE


@pytest.mark.parametrize("row", table("Who is woken"), ids=str)
def test_who_is_woken_is_that_of_the_page(row: dict[str, str]) -> None:
    now = 10 * FRESH
    raised_at = now - (FRESH if row["raised within `fresh_ticks`"] == "yes" else FRESH + 1)
    reached = now - (FRESH if row["evidence is fresh"] == "yes" else FRESH + 1)
    cleared_at = None if row["stands"] == "yes" else raised_at
    one = occurrence(onset=raised_at, cleared_at=cleared_at)
    desk, log = observe(Desk(), POLICY, [whole(P, -1, reached, (one,))], now=now)
    called = row["people are called"] == "yes"
    assert only(desk).live is called
    assert (only(desk).called_at == now) is called
    assert [act.what for act in log] == ([What.CALLED] if called else [])


def test_alarm_of_the_past_calls_people_once_its_data_have_caught_up_and_it_still_stands() -> None:
    now, one = 100 * FRESH, occurrence(onset=5)
    desk = seen(Desk(), one, now=now, reached=10)
    assert (only(desk).live, only(desk).called_at) == (False, None)
    desk = seen(desk, one, now=now + 1, reached=now)
    assert (only(desk).live, only(desk).called_at, only(desk).known_at) == (True, now + 1, now)


def test_alarm_that_only_its_old_evidence_holds_up_calls_nobody_but_its_silence_does() -> None:
    now, ones = 100 * FRESH, (occurrence(onset=5), occurrence(onset=50, condition=Condition.COMMS))
    desk, log = observe(Desk(), POLICY, [whole(P, -1, now, ones, silent=True)], now=now)
    assert [(act.what, act.condition) for act in log] == [(What.CALLED, Condition.COMMS)]
    assert [item.live for item in desk.open[P]] == [False, True]
    timeline = arrive(begin(applied(hi(), hold=30), 0), samples((10, 11)), reached=40)
    assert not view(timeline).silent
    assert view(arrive(timeline, (), reached=41)).silent
    assert not view(arrive(begin(Applied(P, 1, (), 30), 0), (), reached=999)).silent
    assert not view(arrive(begin(applied(hi()), 0), samples((10, 11)), reached=9999)).silent


def test_several_timelines_of_a_point_speak_of_their_own_conditions_alone() -> None:
    readings = arrive(begin(applied(hi(off_delay_ticks=90), point=P), 0), samples((10, 11)))
    tamper = arrive(begin(applied(Rule(Condition.TAMPER, hi().priority), point=P), 0), samples((12, 1)))
    desk, _ = observe(Desk(), POLICY, [view(readings), view(tamper)], now=20)
    desk = shelved(acknowledged(desk, now=30), now=31)
    assert observe(desk, POLICY, [view(tamper)], now=40)[1] == ()
    late = view(arrive(compact(tamper, 12), (), reached=50))
    desk, log = observe(desk, POLICY, [replace(late, since=45), view(readings)], now=50)
    assert log == ()
    assert [state_of(desk, item) for item in desk.open[P]] == [State.SHELVED, State.UNACKNOWLEDGED]
    assert [act.condition for act in desk.acknowledgements[P]] == [HI]


def test_backfilled_excursion_waits_for_an_acknowledgement_and_wakes_nobody() -> None:
    now = 100 * FRESH
    desk = seen(Desk(), occurrence(onset=5, cleared_at=50), now=now)
    assert state_of(desk, only(desk)) is State.RETURNED_UNACKNOWLEDGED
    assert only(desk).called_at is None
    assert acknowledged(desk, now=now).open == {}


def test_same_view_again_changes_nothing() -> None:
    views = [whole(P, -1, 10, (occurrence(), occurrence(onset=3, condition=Condition.HIHI)))]
    desk, log = observe(Desk(), POLICY, views, now=10)
    assert [act.what for act in log] == [What.CALLED] * 2
    assert observe(desk, POLICY, views, now=10) == (desk, ())
    assert observe(acknowledged(desk, now=11), POLICY, views, now=11) == (acknowledged(desk, now=11), ())


def test_alarm_that_needs_no_acknowledgement_leaves_by_itself() -> None:
    desk = seen(Desk(), occurrence(ack_required=False), now=1)
    assert state_of(desk, only(desk)) is State.UNACKNOWLEDGED
    assert seen(desk, occurrence(cleared_at=2, ack_required=False), now=2).open == {}


def test_acknowledged_alarm_leaves_when_it_clears_and_comes_back_as_a_new_one() -> None:
    desk = acknowledged(seen(Desk(), occurrence(), now=10), now=10)
    assert state_of(desk, only(desk)) is State.ACKNOWLEDGED
    over = occurrence(cleared_at=20)
    desk = seen(desk, over, now=20)
    assert desk.open == {}
    desk = seen(desk, over, occurrence(onset=30), now=30)
    assert state_of(desk, only(desk)) is State.UNACKNOWLEDGED


def test_acknowledgement_covers_what_late_data_redraw_and_not_what_nobody_saw() -> None:
    desk = acknowledged(seen(Desk(), occurrence(onset=100), now=200), now=200)
    redrawn = (occurrence(onset=90, cleared_at=120), occurrence(onset=150))
    hidden = occurrence(onset=20, cleared_at=40)
    desk = seen(desk, hidden, *redrawn, now=210)
    states = {item.occurrence.onset: state_of(desk, item) for item in desk.open[P]}
    assert states == {20: State.RETURNED_UNACKNOWLEDGED, 150: State.ACKNOWLEDGED}


def test_redrawn_occurrence_was_told_already() -> None:
    desk = seen(Desk(), occurrence(onset=100), now=200)
    called = only(desk).called_at
    redrawn = (occurrence(onset=90, cleared_at=130), occurrence(onset=140))
    desk, log = observe(desk, POLICY, [whole(P, -1, 300, redrawn)], now=300)
    assert [item.called_at for item in desk.open[P]] == [called, called]
    assert [act.what for act in log] == [What.WITHDRAWN]
    assert log[0].covers(occurrence(onset=100))
    assert not log[0].covers(occurrence(onset=100, condition=Condition.LO))


def test_occurrence_that_late_data_show_to_be_none_leaves_with_a_word() -> None:
    desk = seen(Desk(), occurrence(onset=100, cleared_at=120), now=130)
    desk, log = observe(desk, POLICY, [whole(P, -1, 140, ())], now=140)
    assert desk.open == {}
    assert [(act.what, act.start, act.end) for act in log] == [(What.WITHDRAWN, 100, 120)]


def test_other_alarm_of_the_point_is_no_predecessor() -> None:
    desk = seen(Desk(), occurrence(condition=Condition.HIHI), now=10)
    desk, log = observe(desk, POLICY, [whole(P, -1, 20, (occurrence(onset=5),))], now=20)
    assert [act.what for act in log] == [What.WITHDRAWN, What.CALLED]
    assert only(desk).known_at == 20


def test_unacknowledged_occurrence_outlives_what_the_timeline_remembers() -> None:
    timeline = arrive(begin(applied(hi(), point=P), 0), samples((10, 11), (20, 5), (30, 5)))
    desk, _ = observe(Desk(), POLICY, [view(timeline)], now=30)
    before = desk.open
    desk, log = observe(desk, POLICY, [view(compact(timeline, 30))], now=40)
    assert desk.open == before
    assert log == ()


def test_acknowledgements_are_forgotten_when_nothing_can_need_them() -> None:
    desk = acknowledged(seen(Desk(), occurrence(onset=5), now=10), now=10)
    stands = seen(desk, occurrence(onset=5), now=100, since=50)
    assert stands.acknowledgements == desk.acknowledgements
    assert seen(desk, occurrence(onset=5, cleared_at=20), now=100, since=9).acknowledgements
    near, _ = observe(desk, POLICY, [whole(P, 10, 100, ())], now=100)
    assert near.acknowledgements == desk.acknowledgements
    gone, _ = observe(desk, POLICY, [whole(P, 11, 100, ())], now=100)
    assert gone.acknowledgements == {}
    again = acknowledged(seen(stands, occurrence(onset=5), occurrence(onset=90), now=100), now=100)
    kept = seen(again, occurrence(onset=90), now=200, since=50)
    assert [act.start for act in kept.acknowledgements[P]] == [90]


# --- what people do -----------------------------------------------------------------------------------


def refusals(act: str) -> list[tuple[str, Outcome | Refused]]:
    """Return the answers to attempts, each of which repairs what the one before was refused for."""
    alarm, quiet = seen(Desk(), occurrence(), now=10), Desk(now=10)
    own = {"point": P, "condition": HI, "now": 10}
    if act == "acknowledge":
        attempts = [
            acts.acknowledge(quiet, POLICY, **own, by=" "),
            acts.acknowledge(quiet, POLICY, **own, by="ann"),
            acts.acknowledge(acknowledged(alarm, now=10), POLICY, **own, by="ann"),
            acts.acknowledge(alarm, POLICY, **own, by="ann"),
        ]
    elif act == "comment":
        attempts = [
            acts.comment(desk, POLICY, **own, by=by, text=text)
            for desk, by, text in (
                (quiet, "", ""),
                (quiet, "ann", " "),
                (quiet, "ann", "x"),
                (alarm, "a", "x"),
            )
        ]
    elif act == "assign":
        attempts = [
            acts.assign(desk, POLICY, **own, by=by, to="bob")
            for desk, by in ((quiet, ""), (quiet, "ann"), (alarm, "ann"))
        ]
    elif act == "shelve":
        tamper = own | {"condition": Condition.TAMPER}
        again, until = shelved(alarm, now=10), 20
        attempts = [
            acts.shelve(quiet, POLICY, **tamper, by="", text="", until=None),
            acts.shelve(quiet, POLICY, **tamper, by="ann", text="", until=None),
            acts.shelve(quiet, POLICY, **tamper, by="ann", text="x", until=None),
            acts.shelve(again, POLICY, **own, by="ann", text="x", until=3),
            acts.shelve(quiet, POLICY, **own, by="ann", text="x", until=None),
            acts.shelve(quiet, POLICY, **own, by="ann", text="x", until=10),
            acts.shelve(quiet, POLICY, **own, by="ann", text="x", until=11 + POLICY.shelf_max_ticks),
            acts.shelve(quiet, POLICY, **own, by="ann", text="x", until=until),
        ]
    elif act == "unshelve":
        attempts = [
            acts.unshelve(desk, POLICY, **own, by=by)
            for desk, by in ((quiet, ""), (quiet, "ann"), (shelved(alarm, now=10), "ann"))
        ]
    elif act == "take_out":
        out = done(acts.take_out(alarm, POLICY, point=P, by="ann", text="x", until=None, now=10))
        attempts = [
            acts.take_out(desk, POLICY, point=P, by=by, text=text, until=until, now=10)
            for desk, by, text, until in (
                (out, "", "", 3),
                (out, "ann", "", 3),
                (out, "ann", "x", 3),
                (alarm, "ann", "x", 10),
                (alarm, "ann", "x", 11),
            )
        ]
    else:
        out = done(acts.take_out(alarm, POLICY, point=P, by="ann", text="x", until=None, now=10))
        attempts = [
            acts.put_back(desk, POLICY, point=P, by=by, now=10)
            for desk, by in ((alarm, ""), (alarm, "ann"), (out, "ann"))
        ]
    return [(answer.reason if isinstance(answer, Refused) else "done", answer) for answer in attempts]


ACTS = ("acknowledge", "comment", "assign", "shelve", "unshelve", "take_out", "put_back")


@pytest.mark.parametrize("act", ACTS)
def test_refusals_are_those_of_the_page_in_its_order(act: str) -> None:
    rows = table("What people do")
    assert {row["act"] for row in rows} == set(ACTS)
    assert {row["refused because"] for row in rows} == set(Reason)
    expected = [row["refused because"] for row in rows if row["act"] == act]
    answers = refusals(act)
    assert [word for word, _ in answers] == [*expected, "done"]


def test_comments_and_assignments_are_logged_with_the_stretch_they_speak_of() -> None:
    desk = seen(
        Desk(), occurrence(onset=4), occurrence(onset=2, condition=Condition.LO, cleared_at=3), now=10
    )
    own = {"point": P, "condition": HI, "now": 12}
    (remark,) = logged(acts.comment(desk, POLICY, **own, by="ann", text="door was open"))
    assert (remark.what, remark.start, remark.end, remark.by) == (What.COMMENTED, 4, 12, "ann")
    outcome = acts.assign(desk, POLICY, **own, by="ann", to="bob")
    assert [act.text for act in logged(outcome)] == ["bob"]
    assert [item.assigned for item in done(outcome).open[P]] == ["", "bob"]


def test_acknowledging_one_alarm_leaves_the_others_of_its_point() -> None:
    desk = seen(Desk(), occurrence(), occurrence(condition=Condition.HIHI, onset=1), now=5)
    desk = acknowledged(desk, now=5)
    assert [state_of(desk, item) for item in desk.open[P]] == [State.ACKNOWLEDGED, State.UNACKNOWLEDGED]


def test_one_shot_shelf_ends_when_its_alarm_clears() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=10), now=10)
    desk = seen(desk, occurrence(), now=20)
    assert state_of(desk, only(desk)) is State.SHELVED
    other = occurrence("other")
    assert seen(desk, other, now=20).shelves == desk.shelves
    views = [whole(P, -1, 30, (occurrence(cleared_at=25), occurrence(onset=28)))]
    after, log = observe(desk, POLICY, views, now=30)
    assert after.shelves == {}
    assert [act.what for act in log] == [What.UNSHELVED, What.CALLED]
    assert [state_of(after, item) for item in after.open[P]] == [
        State.RETURNED_UNACKNOWLEDGED,
        State.UNACKNOWLEDGED,
    ]


def test_one_shot_shelf_counts_from_the_first_of_two_stretches_and_holds_while_either_stands() -> None:
    both = occurrence(onset=3), occurrence(onset=7)
    desk = shelved(seen(Desk(), *both, now=10), now=10)
    assert desk.shelves[both[0].key].start == 3
    for first, second in ((None, 15), (15, None)):
        left = occurrence(onset=3, cleared_at=first), occurrence(onset=7, cleared_at=second)
        assert seen(desk, *left, now=20).shelves == desk.shelves
    gone = occurrence(onset=3, cleared_at=15), occurrence(onset=7, cleared_at=15)
    assert seen(desk, *gone, now=20).shelves == {}


def test_what_late_data_move_behind_its_one_shot_shelf_is_called_anew_from_the_first_step_on() -> None:
    timeline = arrive(begin(applied(hi(on_delay_ticks=30), point=P), 0), samples((50, 11)), reached=90)
    desk, _ = observe(Desk(), POLICY, [view(timeline)], now=90)
    round_ = due(desk, POLICY, 90)
    assert round_ is not None
    desk = shelved(told(desk, POLICY, round_), now=100)
    timeline = arrive(timeline, samples((105, 11), (140, 11)))
    desk, log = observe(desk, POLICY, [view(timeline)], now=140)
    assert log == ()
    timeline = arrive(timeline, samples((60, 5)))
    desk, log = observe(desk, POLICY, [view(timeline)], now=MINUTE)
    assert [(act.what, act.start) for act in log] == [
        (What.UNSHELVED, None), (What.WITHDRAWN, 50), (What.CALLED, 105),
    ]  # fmt: skip
    assert (only(desk).called_at, only(desk).told) == (MINUTE, ())
    again = due(desk, POLICY, MINUTE)
    assert again is not None
    assert [(call.step, call.count) for call in again.calls] == [(0, 1)]


def test_timed_shelf_ends_at_its_time_across_a_restart_and_people_are_called_anew() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=10), now=10, until=1000)
    desk = msgspec.json.decode(msgspec.json.encode(desk), type=Desk)
    assert passed(desk, POLICY, 999)[1] == ()
    after, log = passed(desk, POLICY, 5000)
    assert [(act.what, act.at) for act in log] == [(What.UNSHELVED, 1000), (What.CALLED, 5000)]
    assert only(after).called_at == 5000
    assert passed(after, POLICY, 5000) == (after, ())


def test_clock_that_is_set_back_prolongs_no_shelf() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=10), now=10, until=1000)
    desk, _ = passed(desk, POLICY, 990)
    desk, _ = passed(desk, POLICY, 5)
    assert desk.now == 990
    assert done(acts.take_out(desk, POLICY, point="q", by="a", text="x", until=995, now=5)).now == 990


def test_timed_shelf_covers_what_comes_later_and_acknowledged_alarms_are_not_called_again() -> None:
    desk = shelved(Desk(), now=10, until=1000)
    desk = seen(desk, occurrence(onset=20), now=20)
    assert only(desk).called_at is None
    desk = acknowledged(desk, now=30)
    desk, log = passed(desk, POLICY, 1000)
    assert [act.what for act in log] == [What.UNSHELVED]


def test_maintenance_ends_by_hand_or_at_its_time() -> None:
    for until in (None, 500):
        desk = done(acts.take_out(Desk(), POLICY, point=P, by="ann", text="swap", until=until, now=10))
        desk = seen(desk, occurrence(onset=20), occurrence(onset=21, condition=Condition.TAMPER), now=30)
        assert [item.called_at for item in desk.open[P]] == [None, 30]
        if until is None:
            outcome = acts.put_back(desk, POLICY, point=P, by="ann", now=500)
            desk, log = done(outcome), tuple(logged(outcome))
        else:
            desk, log = passed(desk, POLICY, 500)
        assert [act.what for act in log] == [What.PUT_BACK, What.CALLED]
        assert [item.called_at for item in desk.open[P]] == [500, 30]


def test_suppression_by_design_is_visible_named_and_ends_with_its_cause() -> None:
    desk, log = acts.suppress(Desk(), POLICY, {P: "no job is open", "q": "no job is open"}, now=10)
    assert [(act.what, act.point, act.text) for act in log] == [
        (What.SUPPRESSED, P, "no job is open"),
        (What.SUPPRESSED, "q", "no job is open"),
    ]
    assert acts.suppress(desk, POLICY, {P: "no job is open", "q": "no job is open"}, now=11)[1] == ()
    assert point_state(desk, P, applied(hi(), point=P)) is State.SUPPRESSED
    silent = occurrence(condition=Condition.COMMS, onset=15)
    desk = seen(desk, occurrence(onset=12), silent, now=20)
    assert [item.called_at for item in desk.open[P]] == [None, 20]
    desk, log = acts.suppress(desk, POLICY, {"q": "vehicle drives"}, now=30)
    assert [act.what for act in log] == [What.SUPPRESSED, What.RELEASED, What.CALLED]
    assert [item.called_at for item in desk.open[P]] == [30, 20]


def test_what_came_and_went_while_muted_calls_nobody() -> None:
    desk, _ = acts.suppress(Desk(), POLICY, {P: "no job is open"}, now=10)
    desk = seen(desk, occurrence(onset=12, cleared_at=14), now=20)
    desk, log = acts.suppress(desk, POLICY, {}, now=30)
    assert [act.what for act in log] == [What.RELEASED]
    assert state_of(desk, only(desk)) is State.RETURNED_UNACKNOWLEDGED


def test_mute_that_ends_beneath_a_stronger_one_calls_nobody() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=10), now=10, until=100)
    desk = done(acts.take_out(desk, POLICY, point=P, by="a", text="x", until=None, now=20))
    desk, log = passed(desk, POLICY, 100)
    assert [act.what for act in log] == [What.UNSHELVED]
    assert isinstance(acts.unshelve(desk, POLICY, point=P, condition=HI, by="ann", now=110), Refused)


def test_unshelving_by_hand_calls_anew() -> None:
    desk = shelved(seen(Desk(), occurrence(), now=10), now=10)
    outcome = acts.unshelve(desk, POLICY, point=P, condition=HI, by="ann", now=50)
    assert [act.what for act in logged(outcome)] == [What.UNSHELVED, What.CALLED]
    assert only(done(outcome)).called_at == 50


def test_point_without_rules_is_not_monitored_and_never_normal() -> None:
    assert point_state(Desk(), P, None) is State.NOT_MONITORED
    assert point_state(Desk(), P, Applied(P, 1, ())) is State.NOT_MONITORED
    assert point_state(Desk(), P, applied(hi(), point=P)) is State.NORMAL


def test_point_shows_what_needs_a_person_first() -> None:
    rules: tuple[Rule, ...] = (hi(), Rule(Condition.COMMS, hi().priority))
    watched = applied(*rules, point=P)
    desk = seen(Desk(), occurrence(), occurrence(condition=Condition.COMMS, onset=1), now=10)
    desk = acknowledged(desk, now=10)
    assert point_state(desk, P, watched) is State.UNACKNOWLEDGED
    desk = acknowledged(desk, now=11, condition=Condition.COMMS)
    assert point_state(desk, P, watched) is State.ACKNOWLEDGED


def test_desk_survives_a_restart_as_it_was() -> None:
    desk = seen(Desk(), occurrence(value=None), occurrence(condition=Condition.LO, onset=3), now=10)
    desk = shelved(acknowledged(desk, now=11), now=12, condition=Condition.LO, until=12 + MINUTE)
    desk = done(acts.take_out(desk, POLICY, point="q", by="a", text="x", until=None, now=13))
    desk = acts.suppress(desk, POLICY, {"r": "no job"}, now=14)[0]
    assert msgspec.json.decode(msgspec.json.encode(desk), type=Desk) == desk


def test_act_without_a_stretch_speaks_of_no_occurrence() -> None:
    one: Occurrence = occurrence()
    assert not Act(What.CALLED, 5, P, HI, start=0).covers(one)
    assert not Act(What.SHELVED, 5, P, HI).covers(one)
