"""Figures of alarms, and what is refused when templates and policies are saved."""

import random
from decimal import Decimal

import pytest
from msgspec.structs import replace

from rules.alarm.check import DELAY_MAX_TICKS, policy_faults, template_faults
from rules.alarm.desk import Desk
from rules.alarm.figures import STALE_TICKS, figures, floods
from rules.alarm.handling import passed
from rules.alarm.model import Condition, Priority, Rule, Template
from rules.alarm.policy import MINUTE, Chain, Policy, Route, Step
from tests.rules.alarm.world import POLICY, S, hi, occurrence, seen

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11d")


def test_figures_of_a_quiet_hour_with_one_chatterer() -> None:
    start = 1000 * MINUTE
    ones = [occurrence(onset=start + minute * 20 * MINUTE, point="a") for minute in range(3)]
    ones += [occurrence(onset=start + 5 * MINUTE + n * 20 * S, point="b") for n in range(3)]
    ones += [occurrence(onset=start + 8 * MINUTE + n * 30 * S, point="c") for n in range(3)]
    ones += [occurrence(onset=start - 1, point="d"), occurrence(onset=start + 60 * MINUTE, point="d")]
    found = figures(ones, POLICY, start=start, end=start + 60 * MINUTE)
    assert (found.raised, found.per_ten_minutes, found.most_in_ten_minutes) == (9, 1.5, 7)
    assert found.top == (("a:hi", 3), ("b:hi", 3), ("c:hi", 3))
    assert found.chattering == ("b:hi",)
    assert (found.flood_share, found.floods, found.stale) == (0.0, (), ())


def test_top_names_ten_alarms_most_often_first() -> None:
    ones = [occurrence(f"p{n:02}", onset=n * MINUTE + k * S) for n in range(12) for k in range(n)]
    found = figures(ones, POLICY, start=0, end=60 * MINUTE)
    assert [key for key, _ in found.top] == [f"p{n:02}:hi" for n in range(11, 1, -1)]
    tied = [occurrence("z", onset=0), occurrence("a", onset=1)]
    assert figures(tied, POLICY, start=0, end=2).top == (("a:hi", 1), ("z:hi", 1))


def test_alarm_that_stands_for_more_than_a_day_is_stale() -> None:
    assert STALE_TICKS == 24 * 3600 * S
    ones = [
        occurrence("a"),
        occurrence("b", cleared_at=STALE_TICKS),
        occurrence("c", cleared_at=STALE_TICKS + 1),
        occurrence("d", onset=-(10**8), cleared_at=-1),
    ]
    assert figures(ones, POLICY, start=0, end=2 * STALE_TICKS).stale == ("a:hi:1:0", "c:hi:1:0")
    assert figures(ones, POLICY, start=0, end=STALE_TICKS).stale == ()


def test_stretch_must_have_a_length() -> None:
    with pytest.raises(ValueError, match="end is tick 5; expected one after start, 5"):
        figures([], POLICY, start=5, end=5)


def test_floods_are_those_that_the_list_sees() -> None:
    rng = random.Random(3)
    for _ in range(60):
        times = sorted(rng.randint(0, 120) * MINUTE // 2 for _ in range(rng.randint(0, 90)))
        spans = floods(times, POLICY, end=61 * MINUTE)
        desk, seen_spans, since = Desk(), [], None
        for number, at in enumerate(times):
            desk, _ = passed(desk, POLICY, at)
            if since is not None and desk.flood.since is None:
                seen_spans.append(since)
            desk = seen(desk, occurrence(f"p{number}", onset=at), now=at)
            since = desk.flood.since
        assert [begin for begin, _ in spans] == [*seen_spans, *([since] if since is not None else [])]
        for begin, end in spans:
            left = sum(end - at < POLICY.flood_window_ticks for at in times if at < end)
            assert left < POLICY.flood_under or end == 61 * MINUTE
            assert begin < end


def test_share_of_floods() -> None:
    ones = [occurrence(f"p{n}", onset=0) for n in range(11)]
    assert figures(ones, POLICY, start=0, end=40 * MINUTE).flood_share == 0.25
    assert figures(ones, POLICY, start=-20 * MINUTE, end=20 * MINUTE).flood_share == 0.25
    assert figures(ones, POLICY, start=0, end=5 * MINUTE).floods == ((0, 5 * MINUTE),)
    later = [occurrence(f"p{n}", onset=20 * MINUTE) for n in range(11)]
    assert figures(later, POLICY, start=0, end=40 * MINUTE).flood_share == 0.25


# --- what is refused ----------------------------------------------------------------------------------


def level(condition: Condition, limit: str, deadband: str = "0") -> Rule:
    return Rule(condition, Priority.LOW, limit=Decimal(limit), deadband=Decimal(deadband))


GOOD = Template(
    "room",
    1,
    (
        level(Condition.LOLO, "16"),
        level(Condition.LO, "18", "1"),
        level(Condition.HI, "22", "1"),
        level(Condition.HIHI, "24"),
        Rule(Condition.RATE, Priority.LOW, limit=Decimal(2), window_ticks=360_000),
        Rule(Condition.COMMS, Priority.LOW, on_delay_ticks=6000),
    ),
)


def faults(*rules: Rule) -> list[tuple[str, str, str]]:
    found = template_faults(Template("t", 1, rules), Decimal(0), Decimal(50))
    return [(fault.path, fault.value, fault.expectation) for fault in found]


def test_bounds_themselves_are_allowed() -> None:
    assert DELAY_MAX_TICKS == 8_640_000
    edges = replace(POLICY, gather_ticks=1, digest_ticks=1, flood_window_ticks=1, flood_under=10)
    assert policy_faults(edges) == ()
    assert policy_faults(replace(POLICY, flood_under=1)) == ()
    assert policy_faults(replace(POLICY, flood_under=11)) != ()
    assert faults(hi("0", on_delay_ticks=DELAY_MAX_TICKS), level(Condition.HIHI, "50")) == []
    assert faults(Rule(Condition.RATE, Priority.LOW, Decimal(1), Decimal(1), window_ticks=1)) == []


def test_good_template_and_policy_have_no_faults() -> None:
    assert template_faults(GOOD) == ()
    assert template_faults(GOOD, Decimal(-40), Decimal(85)) == ()
    assert policy_faults(POLICY) == ()


@pytest.mark.parametrize(("rules", "expected"), [
    ((), ("rules", "", "at least one rule")),
    ((hi("60"),), ("hi.limit", "60", "within the range of the sensor, 0 to 50")),
    ((hi("-1"),), ("hi.limit", "-1", "within the range of the sensor, 0 to 50")),
    ((hi("NaN"),), ("hi.limit", "NaN", "a number")),
    ((Rule(Condition.HI, Priority.LOW),), ("hi.limit", "None", "a number")),
    ((hi(deadband=Decimal(-1)),), ("hi.deadband", "-1", "0 or more")),
    ((hi(deadband=Decimal("Infinity")),), ("hi.deadband", "Infinity", "0 or more")),
    ((hi(on_delay_ticks=-1),), ("hi.on_delay_ticks", "-1", f"0 to {DELAY_MAX_TICKS} (24 h)")),
    ((hi(off_delay_ticks=DELAY_MAX_TICKS + 1),),
     ("hi.off_delay_ticks", str(DELAY_MAX_TICKS + 1), f"0 to {DELAY_MAX_TICKS} (24 h)")),
    ((hi(window_ticks=5),), ("hi.window_ticks", "5", "none: only rate has a window")),
    ((hi(), hi("11")), ("hi", "hi", "each condition once")),
    ((level(Condition.RATE, "2"),), ("rate.window_ticks", "0", "more than 0")),
    ((Rule(Condition.RATE, Priority.LOW, limit=Decimal(0), window_ticks=5),),
     ("rate.limit", "0", "more than 0, and not less than the deadband")),
    ((Rule(Condition.RATE, Priority.LOW, limit=Decimal(1), deadband=Decimal(2), window_ticks=5),),
     ("rate.limit", "1", "more than 0, and not less than the deadband")),
    ((level(Condition.COMMS, "2"),), ("comms", "2", "no limit, deadband or window: this condition has none")),
    ((level(Condition.HI, "20"), level(Condition.HIHI, "20")),
     ("hihi.limit", "20", "above the limit of hi, 20")),
    ((level(Condition.LO, "18", "2"), level(Condition.HI, "22", "2.5")),
     ("hi.deadband", "2, 2.5", "values left at which lo and hi both clear")),
])  # fmt: skip
def test_template_is_refused_with_field_value_and_expectation(
    rules: tuple[Rule, ...], expected: tuple[str, str, str]
) -> None:
    assert expected in faults(*rules)


def test_deadbands_of_all_lows_and_highs_must_leave_room() -> None:
    found = faults(level(Condition.LOLO, "10", "15"), level(Condition.LO, "18"), level(Condition.HIHI, "24"))
    assert found == [("hihi.deadband", "15, 0", "values left at which lolo and hihi both clear")]
    assert faults(level(Condition.LO, "20", "1"), level(Condition.HI, "22", "1")) == []


@pytest.mark.parametrize(("changed", "expected"), [
    ({"chains": {"night": Chain(())}}, ("chains.night", "", "at least one step")),
    ({"chains": {"night": Chain((Step(0, ()),))}},
     ("chains.night.0.recipients", "", "at least one recipient")),
    ({"chains": {"night": Chain((Step(-1, ("a",)),))}}, ("chains.night.0.after_ticks", "-1", "0 or more")),
    ({"chains": {"night": Chain((Step(0, ("a",), repeat_ticks=2999),))}},
     ("chains.night.0.repeat_ticks", "2999", "3000 or more: messages are gathered for so long")),
    ({"routes": (Route("night"), Route("day"))}, ("routes.1.chain", "day", "one of night")),
    ({"chains": {}}, ("routes.0.chain", "night", "one of no chains")),
    ({"routes": (Route("night", priorities=(Priority.LOW,)),)},
     ("routes", "process, urgent", "a route for every urgent alarm")),
    ({"gather_ticks": 0},
     ("gather_ticks", "0, 18000, 60000",
      "above 0 and rising: gather_ticks, digest_ticks, flood_window_ticks")),
    ({"flood_under": 0}, ("flood_under", "0", "from 1 to flood_over (10)")),
    ({"digest_ticks": 100},
     ("gather_ticks", "3000, 100, 60000",
      "above 0 and rising: gather_ticks, digest_ticks, flood_window_ticks")),
])  # fmt: skip
def test_policy_is_refused_with_field_value_and_expectation(
    changed: dict[str, object], expected: tuple[str, str, str]
) -> None:
    found: Policy = replace(POLICY, **changed)
    assert expected in [(fault.path, fault.value, fault.expectation) for fault in policy_faults(found)]
