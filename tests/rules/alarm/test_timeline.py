"""Samples in any order give the same occurrences, those that a second opinion finds, and nothing is lost."""

import os
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alarm.model import (
    FLAGS,
    Applied,
    Condition,
    Ended,
    Occurrence,
    Priority,
    Rule,
    Sample,
)
from rules.alarm.timeline import (
    Change,
    Timeline,
    TooOldError,
    arrive,
    begin,
    compact,
    compare,
    retire,
    view,
)
from tests.rules.alarm.world import applied, hi, samples, second_opinion

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b", "G-6.11d")

TRACES = int(os.environ.get("HENG_ALARM_TRACES", "300"))
"""The long campaign is HENG_ALARM_TRACES=100000."""


def random_rules(rng: random.Random) -> tuple[Rule, ...]:
    rules = []
    for condition in rng.sample(list(Condition), rng.randint(1, 4)):
        level = condition not in (Condition.COMMS, Condition.DEVICE, *FLAGS)
        rules.append(
            Rule(
                condition,
                rng.choice(list(Priority)),
                limit=Decimal(rng.randint(1, 6)) if level else None,
                deadband=Decimal(rng.choice(("0", "0.5", "1"))) if level else Decimal(0),
                on_delay_ticks=rng.choice((0, 0, 1, 5, 12)),
                off_delay_ticks=rng.choice((0, 0, 1, 5, 12)),
                window_ticks=rng.choice((6, 20, 150)) if condition is Condition.RATE else 0,
            )
        )
    return tuple(rules)


def random_trace(rng: random.Random) -> tuple[Applied, list[Sample], int]:
    watched = applied(*random_rules(rng), hold=rng.choice((None, 4, 9, 20)))
    at, value, given = 0, Decimal(3), []
    for _ in range(rng.randint(0, 30)):
        at += rng.choice((1, 2, 3, 5, 8, 25))
        value += Decimal(rng.choice(("-2", "-0.5", "0", "0", "0.5", "2")))
        given.append(Sample(at, None if rng.random() < 0.1 else value))
    return watched, given, at + rng.choice((0, 1, 7, 40))


def told(occurrence: Occurrence) -> tuple[object, ...]:
    return (
        occurrence.id,
        occurrence.raised_at,
        occurrence.returned_at,
        occurrence.cleared_at,
        occurrence.priority,
    )


def in_pieces(rng: random.Random, watched: Applied, given: list[Sample], reached: int) -> Timeline:
    """Let samples arrive in any order, in pieces, some twice, while time goes on as it likes."""
    timeline, left = begin(watched, 0), [*given, *rng.choices(given, k=3)] if given else []
    rng.shuffle(left)
    while left:
        piece = [left.pop() for _ in range(min(len(left), rng.randint(1, 5)))]
        timeline = arrive(timeline, piece, reached=rng.randint(0, reached))
        if rng.random() < 0.1:
            timeline = msgspec.json.decode(msgspec.json.encode(timeline), type=Timeline)
    return arrive(timeline, (), reached=reached)


def test_random_traces_in_any_order_are_what_a_second_opinion_finds() -> None:
    rng, found = random.Random(20261121), 0
    for number in range(TRACES):
        watched, given, reached = random_trace(rng)
        expected = [told(one) for one in second_opinion(watched, given, begin=0, reached=reached)]
        in_order = view(arrive(begin(watched, 0), given, reached=reached))
        assert [told(one) for one in in_order.occurrences] == expected, number
        assert view(in_pieces(rng, watched, given, reached)) == in_order, number
        found += len(expected)
    assert found > TRACES


def test_compacted_timeline_goes_on_as_if_it_remembered_all() -> None:
    rng = random.Random(7)
    for number in range(TRACES // 2):
        watched, given, reached = random_trace(rng)
        whole = arrive(begin(watched, 0), given, reached=reached)
        cut = rng.randint(0, len(given))
        part = arrive(begin(watched, 0), given[:cut])
        for _ in range(rng.randint(1, 3)):
            part = compact(part, rng.randint(0, part.reached))
        late = [sample for sample in given[cut:] if sample.at > part.base_at]
        rng.shuffle(late)
        after = view(arrive(part, late, reached=reached))
        settled = [
            one
            for one in view(whole).occurrences
            if one.cleared_at is None or one.cleared_at > part.base_at or one in after.occurrences
        ]
        assert list(after.occurrences) == settled, number


@given(st.integers(0, 2**32))
def test_more_time_revises_nothing_that_has_cleared(seed: int) -> None:
    watched, given, reached = random_trace(random.Random(seed))
    early = view(arrive(begin(watched, 0), given, reached=reached))
    late = view(arrive(begin(watched, 0), given, reached=reached + 500))
    cleared = [one for one in early.occurrences if not one.stands]
    assert [one for one in late.occurrences if one in cleared] == cleared
    assert not any(r.change is Change.WITHDRAWN for r in compare(early, late))


def test_late_sample_withdraws_what_a_timer_raised() -> None:
    timeline = arrive(begin(applied(hi(on_delay_ticks=50)), 0), samples((10, 11)), reached=100)
    before = view(timeline)
    assert [one.raised_at for one in before.occurrences] == [60]
    after = view(arrive(timeline, samples((40, 5))))
    assert after.occurrences == ()
    (withdrawn,) = compare(before, after)
    assert (withdrawn.change, withdrawn.occurrence.onset) == (Change.WITHDRAWN, 10)


def test_late_data_fill_a_silence_and_say_what_was_found_changed_and_withdrawn() -> None:
    rules = (hi(), Rule(Condition.COMMS, Priority.LOW))
    timeline = arrive(begin(applied(*rules, hold=30), 0), samples((10, 5), (100, 11)), reached=110)
    before = view(timeline)
    assert [(one.condition, one.onset, one.cleared_at) for one in before.occurrences] == [
        (Condition.COMMS, 40, 100),
        (Condition.HI, 100, None),
    ]
    after = view(arrive(timeline, samples((35, 12), (60, 5), (80, 5), (105, 13)), reached=110))
    assert {(r.change, r.occurrence.condition, r.occurrence.onset) for r in compare(before, after)} == {
        (Change.FOUND, Condition.HI, 35),
        (Change.CHANGED, Condition.HI, 100),
        (Change.WITHDRAWN, Condition.COMMS, 40),
    }
    assert compare(after, after) == ()


def test_sample_older_than_the_base_is_refused_and_nothing_taken_in() -> None:
    timeline = compact(arrive(begin(applied(hi()), 0), samples((10, 5), (20, 5))), 15)
    with pytest.raises(TooOldError, match="a sample at tick 12; expected one after 15"):
        arrive(timeline, samples((30, 11), (12, 11)))
    with pytest.raises(TooOldError, match="a sample at tick 15; expected one after 15"):
        arrive(timeline, samples((15, 5)))
    assert arrive(timeline, samples((16, 5))).samples == tuple(samples((16, 5), (20, 5)))
    assert retire(timeline, 15).reached == 15
    with pytest.raises(TooOldError, match="rules end at tick 14; expected 15 or later"):
        retire(timeline, 14)


def test_timeline_forgets_nothing_of_the_future_and_nothing_twice() -> None:
    timeline = arrive(begin(applied(hi()), 0), samples((10, 11), (20, 5)), reached=25)
    assert compact(timeline, 10**9).base_at == 25
    assert compact(timeline, 0) is timeline
    before, after = view(timeline), view(compact(timeline, 25))
    assert [one.cleared_at for one in before.occurrences] == [20]
    assert compare(before, after) == ()


def test_two_values_at_one_instant_are_settled_alike_in_any_order() -> None:
    one, other, none = samples((10, 11), (10, 5), (10, None))
    views = [
        view(arrive(arrive(arrive(begin(applied(hi()), 0), [a]), [b]), [c]))
        for a, b, c in ((one, other, none), (other, none, one), (none, one, other), (none, other, one))
    ]
    assert all(seen == views[0] for seen in views)
    assert [seen.value for seen in views[0].occurrences] == [Decimal(11)]
    assert view(arrive(begin(applied(hi()), 0), [other, none, one])) == views[0]


def test_rules_that_change_end_what_stood_under_them() -> None:
    timeline = arrive(begin(applied(hi(off_delay_ticks=5)), 0), samples((10, 11), (30, 5), (50, 11)))
    last = retire(timeline, 40)
    assert [(one.cleared_at, one.ended) for one in last.occurrences] == [(35, Ended.RETURNED)]
    (stood,) = retire(timeline, 20).occurrences
    assert (stood.onset, stood.cleared_at, stood.ended) == (10, 20, Ended.RULE_CHANGED)
