"""What must hold for every rule and every sequence of inputs, however they come and however one looks.

`make test` tries some dozens; HENG_INTERLOCK_TRACES says how many instead (`make alike`: 100,000).
"""

import os
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.interlock.acts import act
from rules.interlock.inputs import (
    Acknowledge,
    BeginBypass,
    Enable,
    Happening,
    Lost,
    Moment,
    ReadBack,
    Reading,
    Reset,
    Seen,
    Trip,
)
from rules.interlock.model import Alive, Cause, Effect, Fit, Group, Happened, InState, Interlock, Limit, Rate
from rules.interlock.plan import Plan, make_plan
from rules.interlock.rehearse import Observation, rehearse
from rules.interlock.restart import begin
from rules.interlock.state import Change, Phase, State, decode_kept, encode_kept
from rules.interlock.step import next_due, step
from tests.rules.interlock.world import ANNE, BORIS, HOLD, INHIBIT, PLANT, UTC, cause

TRACES = int(os.environ.get("HENG_INTERLOCK_TRACES", "60"))
DELAYS = st.sampled_from([0.0, 0.5, 2.0, 5.0])
CONDITIONS = st.sampled_from(
    [
        Limit(point="t", low=Decimal(19), high=Decimal(25), deadband=Decimal("0.5"), guarded=False),
        Limit(point="u", high=Decimal(24)),
        Limit(point="u", high=Decimal(24), undetermined="in"),
        Rate(point="t", change_max=Decimal(1), within_s=3),
        InState(point="door", normal=(0,)),
        InState(point="ups", normal=(0, 1)),
        Alive(point="h"),
        Happened(kind="gas_alarm", lasts_s=4, ends="silence"),
    ]
)
FIT = Fit(
    point="t",
    low=Decimal(19),
    high=Decimal(25),
    spread_max=Decimal(2),
    rate_max_per_h=Decimal(3600),
    window_s=2,
    time_s=4,
    guarded=False,
)


@st.composite
def rules(draw: st.DrawFn) -> Plan:
    groups = []
    for place in range(draw(st.integers(1, 2))):
        causes: list[Cause] = [
            cause(draw(CONDITIONS), f"c{place}{number}", on=draw(DELAYS), off=draw(DELAYS))
            for number in range(draw(st.integers(1, 3)))
        ]
        groups.append(Group(name=f"g{place}", causes=tuple(causes), needed=draw(st.integers(1, len(causes)))))
    effects: Sequence[Effect] = draw(st.sampled_from([(HOLD,), (INHIBIT,), (HOLD, INHIBIT)]))
    fit = draw(st.sampled_from([(), (FIT,)]))
    return make_plan(Interlock(name="i", groups=tuple(groups), effects=tuple(effects), fit=fit), PLANT)


COUNTS = {
    "t": (2200, 2450, 2600, 1000),
    "u": (2300, 2395, 2500),
    "h": (500,),
    "door": (0, 1),
    "ups": (0, 1, 2),
}
SEEN = st.one_of(
    st.sampled_from([(point, count) for point, counts in COUNTS.items() for count in counts]).map(
        lambda one: Reading(one[0], 0, one[1])
    ),
    st.sampled_from(
        [Lost("door"), Happening("gas_alarm"), Happening("silence"), ReadBack("source", agrees=True)]
    ),
    st.sampled_from([ReadBack("source", agrees=False), Reading("t", 0, None, 17), Reading("t", 0, None, 18)]),
)
Word = Literal["see", "acknowledge", "reset", "enable", "trip", "bypass"]
WORDS: list[Word] = ["see", "see", "see", "see", "acknowledge", "reset", "enable", "enable", "trip", "bypass"]
Turn = tuple[int, Word, list[Seen]]
TURNS = st.lists(
    st.tuples(st.integers(0, 250), st.sampled_from(WORDS), st.lists(SEEN, max_size=4)), max_size=25
)
"""Ticks since the turn before, what is done, what is observed."""


def at_tick(inputs: Sequence[Seen], tick: int) -> list[Seen]:
    return [Reading(i.point, tick, i.count, i.status) if isinstance(i, Reading) else i for i in inputs]


def play(
    plan: Plan,
    turns: Sequence[Turn],
    *,
    looks: Sequence[int] = (),
    shuffle: random.Random | None = None,
    zero: int = 0,
) -> tuple[State, list[Change]]:
    """Play turns from tick `zero` on, looking besides at the given ticks after it."""
    begun = begin(plan, Moment("b", zero, UTC))
    state, changes, now = begun.state, list(begun.changes), 0
    waiting = sorted(looks, reverse=True)
    for wait, word, inputs in turns:
        now += wait
        while waiting and waiting[-1] <= now:
            look = waiting.pop()
            stepped = step(state, plan, Moment("b", zero + look, UTC + look))
            state, changes = stepped.state, [*changes, *stepped.changes]
        at = Moment("b", zero + now, UTC + now)
        seen = at_tick(inputs, at.tick)
        if shuffle is not None:
            shuffle.shuffle(seen)
        breach = step(state, plan, at).state.kept.breach  # what a person sees who asks at this instant
        match word:
            case "see":
                stepped = step(state, plan, at, inputs=seen)
            case "acknowledge":
                stepped = act(state, plan, Acknowledge(by=ANNE, breach=breach), at=at)
            case "reset":
                stepped = act(state, plan, Reset(by=ANNE, breach=breach), at=at)
            case "enable":
                stepped = act(state, plan, Enable(by=ANNE, breach=breach), at=at)
            case "trip":
                stepped = act(state, plan, Trip(by=ANNE), at=at)
            case "bypass":
                asked = BeginBypass(by=ANNE, cause="c00", second=BORIS, reason="repair", seconds=3)
                stepped = act(state, plan, asked, at=at)
        state, changes = stepped.state, [*changes, *stepped.changes]
    return state, changes


@settings(max_examples=TRACES)
@pytest.mark.timeout(240 + TRACES)
@given(rules(), TURNS, st.lists(st.integers(0, 3000), max_size=20))
def test_looking_more_often_changes_nothing(plan: Plan, turns: list[Turn], looks: list[int]) -> None:
    looked, changes = play(plan, [*turns, (0, "see", [])], looks=looks)
    state, plain = play(plan, [*turns, (0, "see", [])])
    assert looked == state
    assert changes == plain


@settings(max_examples=TRACES)
@pytest.mark.timeout(240 + TRACES)
@given(rules(), TURNS, st.randoms(use_true_random=False))
def test_order_within_an_instant_changes_nothing(
    plan: Plan, turns: list[Turn], shuffle: random.Random
) -> None:
    assert play(plan, turns, shuffle=shuffle) == play(plan, turns)


@settings(max_examples=30)
@given(rules(), TURNS, st.integers(-(10**6), 10**9))
def test_decisions_are_the_same_wherever_the_clock_began(plan: Plan, turns: list[Turn], zero: int) -> None:
    state, changes = play(plan, turns, zero=zero)
    plain, before = play(plan, turns)
    assert [(one.kind, one.at.tick - zero, one.causes, one.reason) for one in changes] == [
        (one.kind, one.at.tick, one.causes, one.reason) for one in before
    ]
    assert (state.phase, state.votes) == (plain.phase, plain.votes)


@settings(max_examples=TRACES)
@pytest.mark.timeout(240 + TRACES)
@given(rules(), TURNS)
def test_safe_unless_healthy_and_healthy_only_without_enough_votes(plan: Plan, turns: list[Turn]) -> None:
    for end in range(len(turns) + 1):
        state, _ = play(plan, turns[:end])
        assert state.safe is (state.phase is not Phase.HEALTHY)
        voting = {watch.cause for watch in state.watches if watch.votes}
        aside = {bypass.cause for bypass in state.kept.bypasses}
        for group in plan.groups:
            left = set(group.causes) - aside
            if left and len(voting & left) >= min(group.needed, len(left)):
                assert state.phase is Phase.TRIPPED
        assert decode_kept(encode_kept(state.kept)) == state.kept
        assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state
        due = next_due(state, plan, state.kept.at)
        assert due is None or due > state.kept.at.tick


HISTORY = st.lists(st.tuples(st.integers(0, 6000), SEEN), max_size=40)


@pytest.mark.requirement("G-6.11d")
@settings(max_examples=TRACES)
@pytest.mark.timeout(240 + TRACES)
@given(rules(), HISTORY, st.randoms(use_true_random=False))
def test_rehearsal_is_the_same_for_every_order_of_its_history(
    plan: Plan, history: list[tuple[int, Seen]], shuffle: random.Random
) -> None:
    heard = [Observation(UTC + tick, at_tick([what], UTC + tick)[0]) for tick, what in history]
    told = rehearse(plan, heard, from_tick=UTC, to_tick=UTC + 6000)
    shuffle.shuffle(heard)
    assert rehearse(plan, [*heard, *heard], from_tick=UTC, to_tick=UTC + 6000) == told
