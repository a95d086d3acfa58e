"""Presence of a tag in a zone: examples, and what must hold for every sequence of levels."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.presence import Change, Kind, Presence, PresenceRules, deaf, heard, passed

RULES = PresenceRules(enter_dbm=-75, leave_dbm=-83, smoothing=400, enter=300, leave=2000, dwell=6000)
Samples = list[tuple[int, int]]

SAMPLES = st.lists(st.tuples(st.integers(0, 3000), st.integers(-110, -30)), max_size=60)
"""Pairs of (ticks since the one before, dBm)."""


def play(samples: Samples, looks: list[int] | None = None) -> tuple[Presence, list[Change]]:
    """Play samples (with absolute times), looking at the given times too."""
    state, found = Presence(), []
    steps = [(at, 0, rssi) for at, rssi in samples] + [(at, 1, 0) for at in looks or []]
    for at, look, rssi in sorted(steps, key=lambda step: step[:2]):
        state, changes = passed(state, RULES, at) if look else heard(state, RULES, at=at, rssi=rssi)
        found += changes
    return state, found


def absolute(steps: Samples) -> Samples:
    at, found = 0, []
    for wait, rssi in steps:
        at += wait
        found.append((at, rssi))
    return found


def steady(start: int, end: int, rssi: int) -> Samples:
    return [(at, rssi) for at in range(start, end, 100)]


@pytest.mark.requirement("G-6.4e")
def test_tag_enters_dwells_and_leaves_at_the_times_of_the_radio() -> None:
    state, found = play(steady(0, 7000, -60))
    assert [(change.kind, change.at, change.since) for change in found] == [
        (Kind.ENTERED, 300, 0),
        (Kind.DWELLED, 6300, 300),
    ]
    state, late = passed(state, RULES, 1_000_000)
    assert [(change.kind, change.at, change.since, change.level) for change in late] == [
        (Kind.LEFT, 8900, 6900, None)
    ]
    assert passed(state, RULES, 2_000_000) == (state, ())


def test_tag_that_goes_far_leaves_although_it_is_still_heard() -> None:
    _, found = play(steady(0, 1000, -60) + steady(1000, 5000, -95))
    assert [change.kind for change in found] == [Kind.ENTERED, Kind.LEFT]
    left = found[1]
    assert left.at == left.since + RULES.leave
    assert 1000 < left.since < 2500
    assert left.level is not None
    assert left.level < RULES.leave_dbm


def test_one_strong_advertisement_is_no_entry() -> None:
    state, found = play([(0, -40)], looks=[100, 1000, 1999])
    assert found == []
    assert not state.inside
    _, found = play([(0, -40), (5000, -40)])
    assert found == []


def test_passing_by_shortly_below_the_lower_level_begins_anew() -> None:
    _, found = play([(0, -60), (200, -110), (3000, -60), (3200, -60), (3300, -60)])
    assert [(change.kind, change.at) for change in found] == [(Kind.ENTERED, 3300)]


def test_what_the_radio_did_not_hear_is_no_departure() -> None:
    state, _ = play(steady(0, 1000, -60))
    state, changes = deaf(state, RULES, start=900, end=50_000)
    assert (state.inside, changes) == (True, ())
    state, changes = heard(state, RULES, at=51_000, rssi=-60)
    assert (state.inside, changes) == (True, ())
    state, changes = passed(state, RULES, 60_000)
    assert [(change.kind, change.at) for change in changes] == [(Kind.LEFT, 53_000)]


def test_deafness_begins_after_what_was_decided_before() -> None:
    state, _ = play(steady(0, 1000, -60))
    state, changes = deaf(state, RULES, start=3000, end=9000)
    assert [(change.kind, change.at) for change in changes] == [(Kind.LEFT, 2900)]
    assert state == Presence()


def test_advertisement_from_the_past_changes_nothing() -> None:
    state, _ = play(steady(0, 1000, -60))
    assert heard(state, RULES, at=100, rssi=-110) == (state, ())


@given(SAMPLES, st.lists(st.integers(0, 200_000), max_size=30))
def test_looking_more_often_changes_nothing(steps: Samples, looks: list[int]) -> None:
    samples = absolute(steps)
    end = [200_000]
    assert play(samples, looks + end)[1] == play(samples, end)[1]


@given(SAMPLES)
def test_entries_and_departures_alternate_and_times_grow(steps: Samples) -> None:
    _, found = play(absolute(steps), looks=[200_000])
    turns = [change.kind for change in found if change.kind is not Kind.DWELLED]
    assert turns == [Kind.ENTERED, Kind.LEFT] * (len(turns) // 2)
    assert all(a.at <= b.at for a, b in pairwise(found))
    assert all(change.since <= change.at for change in found)


@given(SAMPLES)
def test_nobody_dwells_who_is_not_inside_and_nobody_twice(steps: Samples) -> None:
    inside = dwelled = False
    for change in play(absolute(steps), looks=[200_000])[1]:
        if change.kind is Kind.DWELLED:
            assert inside
            assert not dwelled
            dwelled = True
        else:
            inside, dwelled = change.kind is Kind.ENTERED, False


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(-82, -76)), min_size=1, max_size=50))
def test_between_the_levels_nothing_changes(steps: Samples) -> None:
    begun = steady(0, 1000, -60)
    _, before = play(begun)
    _, after = play(begun + [(1000 + at, rssi) for at, rssi in absolute(steps)])
    assert [c.kind for c in after if c.kind is not Kind.DWELLED] == [c.kind for c in before]
    _, alone = play(absolute(steps))
    assert alone == []


@given(SAMPLES, st.integers(0, 200_000), st.integers(0, 200_000))
def test_deafness_itself_is_never_a_departure(steps: Samples, start: int, length: int) -> None:
    samples = absolute(steps)
    state, _ = play(samples)
    start += samples[-1][0] if samples else 0
    after, changes = deaf(state, RULES, start=start, end=start + length)
    assert all(change.at <= start for change in changes)
    assert passed(after, RULES, start + length) == (after, ())
