"""Debounce: every edge counts once, a state changes once settled, and when anybody looks does not matter."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.gpio.decode import (
    KINDS,
    Calm,
    Changed,
    Chatter,
    Contact,
    Glitch,
    Outcome,
    Rules,
    due_ns,
    edge,
    settle,
)

MS = 1_000_000
RULES = Rules(settle_ns=30 * MS, chatter_ns=200 * MS)
NEVER = 10**18
Edge = tuple[int, int]

edges_of = st.lists(st.tuples(st.integers(0, 300 * MS), st.integers(0, 1)), max_size=60).map(
    lambda steps: [
        (sum(gap for gap, _ in steps[: place + 1]), level) for place, (_, level) in enumerate(steps)
    ]
)


def run(edges: Sequence[Edge], looks: Sequence[int] = (), rules: Rules = RULES) -> list[Outcome]:
    contact, found = Contact(0), list[Outcome]()
    steps = sorted(
        [*((at, 0, level) for at, level in edges), *((at, 1, 0) for at in looks)], key=lambda s: s[:2]
    )
    for at_ns, looking, level in steps:
        if looking:
            contact, outcomes = settle(contact, rules, now_ns=at_ns)
        else:
            contact, outcomes = edge(contact, rules, at_ns=at_ns, level=level)
        found += outcomes
    return found + list(settle(contact, rules, now_ns=NEVER)[1])


@pytest.mark.requirement("G-6.4b")
def test_bouncing_switch_changes_once_at_its_first_edge() -> None:
    bounces = [(1000 * MS + step * MS, 1 - step % 2) for step in range(7)]
    assert run(bounces) == [Changed(1000 * MS, 1, 7)]


def test_pulse_that_does_not_last_is_a_glitch() -> None:
    assert run([(MS, 1), (20 * MS, 0)]) == [Glitch(MS, 2)]


def test_pulse_too_short_to_read_is_seen_as_one() -> None:
    assert run([(MS, 0)]) == [Glitch(MS, 1)]


def test_level_that_lasts_just_long_enough_counts() -> None:
    assert run([(0, 1), (30 * MS, 0)]) == [Changed(0, 1, 1), Changed(30 * MS, 0, 1)]


def test_chatter_is_told_once_and_ends_with_what_is_there() -> None:
    rattling = [(step * 10 * MS, 1 - step % 2) for step in range(41)]
    assert run(rattling) == [Chatter(0, 20), Calm(400 * MS, 1, 21, changed=True)]
    assert run(rattling[:-1]) == [Chatter(0, 20), Calm(390 * MS, 0, 20, changed=False)]


def test_edge_with_an_earlier_time_than_the_last_is_taken_at_that() -> None:
    assert run([(50 * MS, 1)], [10 * MS]) == [Changed(50 * MS, 1, 1)]
    contact, _ = edge(Contact(0), RULES, at_ns=50 * MS, level=1)
    assert edge(contact, RULES, at_ns=40 * MS, level=0)[0].last_ns == 50 * MS


def test_due_is_when_there_is_something_to_say() -> None:
    assert due_ns(Contact(0), RULES) is None
    assert Contact(0).settled
    contact, _ = edge(Contact(0), RULES, at_ns=0, level=1)
    assert due_ns(contact, RULES) == 30 * MS
    for step in range(1, 19):
        contact, _ = edge(contact, RULES, at_ns=step * 10 * MS, level=step % 2)
    assert due_ns(contact, RULES) == 200 * MS
    contact, outcomes = settle(contact, RULES, now_ns=200 * MS)
    assert outcomes == [Chatter(0, 19)]
    assert due_ns(contact, RULES) == 210 * MS


@given(edges_of)
def test_every_edge_is_counted_once(edges: list[Edge]) -> None:
    assert sum(outcome.edges for outcome in run(edges)) == len(edges)


@given(edges_of, st.lists(st.integers(0, 20_000 * MS), max_size=30))
def test_when_somebody_looks_changes_nothing(edges: list[Edge], looks: list[int]) -> None:
    times = {at for at, _ in edges}
    assert run(edges, [look for look in looks if look not in times]) == run(edges)


@given(edges_of)
def test_told_levels_alternate_and_end_with_the_last_one(edges: list[Edge]) -> None:
    level = 0
    for outcome in run(edges):
        if isinstance(outcome, Changed) or (isinstance(outcome, Calm) and outcome.changed):
            assert outcome.level == 1 - level
            level = outcome.level
    assert level == (edges[-1][1] if edges else 0)


@given(edges_of)
def test_times_never_run_backwards(edges: list[Edge]) -> None:
    times = [outcome.at_ns for outcome in run(edges)]
    assert times == sorted(times)


@given(edges_of)
def test_chatter_begins_and_ends_in_turn(edges: list[Edge]) -> None:
    turns = [isinstance(outcome, Chatter) for outcome in run(edges) if isinstance(outcome, Chatter | Calm)]
    assert turns == [True, False] * (len(turns) // 2)


@given(st.lists(st.tuples(st.integers(100, 500), st.lists(st.integers(1, 29), max_size=6)), max_size=10))
def test_clean_switching_with_bounces_below_the_limit_is_followed_exactly(
    switchings: list[tuple[int, list[int]]],
) -> None:
    at, level, edges, expected = 0, 0, list[Edge](), list[Outcome]()
    for rest_ms, bounces in switchings:
        at += rest_ms * MS
        level = 1 - level
        wobble = bounces if len(bounces) % 2 == 0 else bounces[1:]
        expected.append(Changed(at, level, len(wobble) + 1))
        edges.append((at, level))
        for place, gap in enumerate(wobble):
            at += gap * MS
            edges.append((at, level if place % 2 else 1 - level))
    assert run(edges) == expected


def test_wire_that_is_cut_reads_as_the_state_that_somebody_has_to_know_of() -> None:
    for name in ("door_contact", "fire_release", "tamper"):
        kind = KINDS[name]
        assert (kind.pull, kind.active) == ("up", "high")
    for name in ("request_to_exit", "ignition"):
        assert (KINDS[name].pull == "up") != (KINDS[name].active == "high")
