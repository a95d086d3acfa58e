"""What became of every occurrence is the same however its data came, and agrees with the list."""

import random
from decimal import Decimal

import msgspec
import pytest

from rules.alarm import acts
from rules.alarm.desk import Act, Desk, Refused, What, state_of
from rules.alarm.handling import observe
from rules.alarm.history import first_outs, history
from rules.alarm.model import Condition, Occurrence, Priority, Rule, Sample, State
from rules.alarm.timeline import arrive, begin, view
from tests.rules.alarm.world import POLICY, applied, hi, occurrence, seen, whole

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11d")

HI = Condition.HI


def alone(point: str) -> str:
    return "room-2"


def test_first_out_began_while_nothing_else_of_its_group_stood() -> None:
    ones = [
        occurrence("a", onset=10, cleared_at=30),
        occurrence("b", onset=10, cleared_at=20),
        occurrence("c", onset=25, cleared_at=60),
        occurrence("d", onset=60, cleared_at=70),
        occurrence("e", onset=71),
        occurrence("f", onset=90, cleared_at=95),
        occurrence("g", onset=99),
    ]
    expected = {"a:hi:1:10", "b:hi:1:10", "e:hi:1:71"}
    rng = random.Random(1)
    for _ in range(20):
        rng.shuffle(ones)
        assert first_outs(ones, alone) == expected
    assert first_outs(ones, str) == {one.id for one in ones}


def test_row_keeps_who_acknowledged_what_was_said_and_what_muted_it() -> None:
    one = occurrence(onset=100, cleared_at=400)
    desk = seen(Desk(), occurrence(onset=100), now=150)
    own = {"point": "p", "condition": HI}
    log = [Act(What.CALLED, 150, "p", HI, start=100)]
    for outcome in (
        acts.shelve(desk, POLICY, **own, by="ann", text="fan", until=250, now=200),
        acts.comment(desk, POLICY, **own, by="bob", text="door was open", now=210),
        acts.assign(desk, POLICY, **own, by="ann", to="bob", now=220),
    ):
        assert not isinstance(outcome, Refused)
        log += outcome[1]
    log.append(Act(What.UNSHELVED, 250, "p", HI))
    (row,) = history([one], log, at=1000, group_of=alone)
    assert (row.state, row.first_out, row.called) == (State.RETURNED_UNACKNOWLEDGED, True, True)
    assert [(act.what, act.by, act.text) for act in row.remarks] == [
        (What.COMMENTED, "bob", "door was open"),
        (What.ASSIGNED, "ann", "bob"),
    ]
    assert [(span.state, span.start, span.end, span.by, span.text) for span in row.muted] == [
        (State.SHELVED, 200, 250, "ann", "fan")
    ]
    acked = acts.acknowledge(desk, POLICY, **own, by="ann", now=300)
    assert not isinstance(acked, Refused)
    (row,) = history([one], [*log, *acked[1]], at=1000, group_of=alone)
    assert row.state is State.NORMAL
    assert row.acknowledged is not None
    assert (row.acknowledged.by, row.acknowledged.at) == ("ann", 300)
    (row,) = history([one], [*log, *acked[1]], at=299, group_of=alone)
    assert row.acknowledged is None


def test_mutes_that_lie_apart_are_not_of_the_occurrence_and_tamper_has_none() -> None:
    log = [
        Act(What.TAKEN_OUT, 0, "p", by="ann", text="swap"),
        Act(What.PUT_BACK, 50, "p", by="ann"),
        Act(What.SUPPRESSED, 150, "p", text="no job is open"),
        Act(What.SUPPRESSED, 160, "p", text="vehicle drives"),
        Act(What.TAKEN_OUT, 170, "p", by="ann", text="swap"),
        Act(What.SHELVED, 180, "p", Condition.LO, by="ann", text="fan"),
        Act(What.SHELVED, 300, "p", HI, by="ann", text="fan"),
        Act(What.PUT_BACK, 310, "other", by="ann"),
    ]
    ones = [
        occurrence(onset=100, cleared_at=200),
        occurrence(onset=100, condition=Condition.COMMS),
        occurrence(onset=100, condition=Condition.TAMPER),
    ]
    rows = {row.occurrence.condition: row for row in history(ones, log, at=1000, group_of=alone)}
    assert [(span.state, span.start, span.end) for span in rows[HI].muted] == [
        (State.SUPPRESSED, 150, 160),
        (State.SUPPRESSED, 160, None),
        (State.OUT_OF_SERVICE, 170, None),
    ]
    assert rows[HI].state is State.OUT_OF_SERVICE
    assert [span.state for span in rows[Condition.COMMS].muted] == [State.OUT_OF_SERVICE]
    assert rows[Condition.TAMPER].muted == ()
    assert rows[Condition.TAMPER].state is State.UNACKNOWLEDGED
    assert not rows[HI].called


def test_what_nobody_need_look_at_is_normal_even_when_muted() -> None:
    one = occurrence(onset=100, cleared_at=200, ack_required=False)
    log = [Act(What.SUPPRESSED, 150, "p", text="no job is open")]
    (row,) = history([one], log, at=1000, group_of=alone)
    assert row.state is State.NORMAL
    assert len(row.muted) == 1


RULES = (
    hi("4", on_delay_ticks=3, off_delay_ticks=2),
    Rule(Condition.LO, Priority.HIGH, limit=Decimal(1)),
    Rule(Condition.COMMS, Priority.LOW),
    Rule(Condition.DEVICE, Priority.LOW, ack_required=False),
)


def _acts(rng: random.Random, occurrences: tuple[Occurrence, ...], reached: int) -> list[Act]:
    """People who looked at some of the occurrences at some time."""
    log = []
    for one in occurrences:
        if rng.random() < 0.5:
            at = rng.randint(one.raised_at, reached)
            end = max(at if one.cleared_at is None else min(at, one.cleared_at), one.onset)
            where = (one.point, one.condition, one.onset, end)
            log.append(Act(What.ACKNOWLEDGED, at, *where, by="ann"))
    return sorted(log, key=lambda act: act.at)


def test_history_and_list_agree_in_any_order_of_arrival() -> None:
    rng, waiting = random.Random(11), 0
    for number in range(150):
        watched, at, given = applied(*RULES, hold=rng.choice((None, 9))), 0, []
        for _ in range(20):
            at += rng.choice((1, 2, 5, 14))
            value = Decimal(rng.randint(0, 6))
            given.append(Sample(at, value if rng.random() < 0.9 else None))
        whole = view(arrive(begin(watched, 0), given, reached=at + 5))
        log = _acts(rng, whole.occurrences, at + 5)
        expected = history(whole.occurrences, log, at=at + 5, group_of=str)
        acks: dict[str, tuple[Act, ...]] = {watched.point: tuple(log)} if log else {}
        desk, timeline = Desk(acknowledgements=acks), begin(watched, 0)
        rng.shuffle(given)
        for sample in given:
            timeline = arrive(timeline, [sample], reached=rng.randint(0, at + 5))
            desk, _ = observe(desk, POLICY, [view(timeline)], now=timeline.reached)
            if rng.random() < 0.1:
                desk = msgspec.json.decode(msgspec.json.encode(desk), type=Desk)
        timeline = arrive(timeline, (), reached=at + 5)
        desk, _ = observe(desk, POLICY, [view(timeline)], now=at + 5)
        assert history(view(timeline).occurrences, log, at=at + 5, group_of=str) == expected
        shown = {item.occurrence.id: state_of(desk, item) for items in desk.open.values() for item in items}
        assert shown == {row.occurrence.id: row.state for row in expected if row.state is not State.NORMAL}, (
            number
        )
        waiting += len(shown)
    assert waiting > 100


def test_history_of_another_point_is_not_touched() -> None:
    log = [Act(What.ACKNOWLEDGED, 5, "q", HI, 0, 10, by="ann")]
    (row,) = history([occurrence()], log, at=10, group_of=alone)
    assert row.state is State.UNACKNOWLEDGED
    assert observe(Desk(), POLICY, [whole("q", 0, 1, ())], now=1)[0].open == {}


def test_history_puts_no_act_to_a_stretch_of_another_condition() -> None:
    ones = occurrence(onset=100), occurrence(onset=100, condition=Condition.LO)
    log = [
        Act(What.CALLED, 100, "p", HI, start=100),
        Act(What.CALLED, 100, "p", HI),
        Act(What.ACKNOWLEDGED, 110, "p", HI, 100, 110, by="ann"),
        Act(What.COMMENTED, 120, "p", HI, 100, 120, by="ann", text="door was open"),
        Act(What.ASSIGNED, 130, "p", HI, 100, 130, by="ann", text="bob"),
        Act(What.SHELVED, 140, "p", HI, by="ann", text="fan"),
        Act(What.SHELVED, 150, "p", Condition.LO, by="ann", text="fan"),
        Act(What.UNSHELVED, 160, "p", HI, by="ann"),
    ]
    rows = {row.occurrence.condition: row for row in history(ones, log, at=1000, group_of=alone)}
    assert (rows[HI].called, rows[HI].acknowledged, rows[HI].remarks) == (True, log[2], tuple(log[3:5]))
    assert [(span.start, span.end) for span in rows[HI].muted] == [(140, 160)]
    other = rows[Condition.LO]
    assert (other.called, other.acknowledged, other.remarks) == (False, None, ())
    assert [(span.start, span.end) for span in other.muted] == [(150, None)]
    assert (rows[HI].state, other.state) == (State.ACKNOWLEDGED, State.SHELVED)


def test_call_is_of_the_stretch_that_it_names_and_of_no_other_of_its_alarm() -> None:
    ones = occurrence(onset=100, cleared_at=200), occurrence(onset=300)
    for start, called in ((100, [True, False]), (300, [False, True]), (250, [False, False])):
        rows = history(ones, [Act(What.CALLED, 400, "p", HI, start=start)], at=1000, group_of=alone)
        assert [row.called for row in rows] == called
