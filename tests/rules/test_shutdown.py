"""Low battery, power unknown and ignition off shut down in time; mains and ignition on call it off."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.shutdown import (
    Ignition,
    Limits,
    Power,
    Seen,
    Verdict,
    hear_battery,
    hear_ignition,
    hear_power,
    verdict,
)

LIMITS = Limits(unknown_from_mains_s=300.0)
Step = tuple[float, Power | Ignition | tuple[bool, float | None, float | None] | Literal["ign_unknown"]]


def after(*steps: Step, limits: Limits = LIMITS) -> Seen:
    seen = Seen()
    for at_s, what in steps:
        if what in ("mains", "battery", "unknown"):
            seen = hear_power(seen, what, at_s, limits=limits)
        elif isinstance(what, tuple):
            seen = hear_battery(seen, at_s, limits, low=what[0], charge_pct=what[1], runtime_s=what[2])
        else:
            seen = hear_ignition(seen, "unknown" if what == "ign_unknown" else what, at_s)
    return seen


@pytest.mark.parametrize(
    ("steps", "due_s", "reason"),
    [
        ((), None, ""),
        (((0, "mains"), (1, (True, 5.0, 10.0))), None, ""),
        (((0, "battery"), (1, (False, 80.0, 900.0))), None, ""),
        (((0, "battery"), (5, (False, 20.0, 900.0))), 15, "battery charge 20 percent"),
        (((0, "battery"), (5, (False, 80.0, 180.0))), 15, "battery for 180 s"),
        (((0, "battery"), (5, (True, None, None))), 15, "battery low"),
        (((0, (True, 3.0, None)), (7, "battery")), 17, "battery charge 3 percent"),
        (((0, "battery"), (5, (False, 10.0, None)), (8, (False, 9.0, None))), 15, "battery charge 9 percent"),
        (((0, "battery"), (5, (False, 10.0, None)), (8, "mains")), None, ""),
        (((0, "battery"), (5, (False, 10.0, None)), (8, "unknown")), 15, "battery charge 10 percent"),
        (
            ((0, "battery"), (5, (False, 10.0, None)), (8, "unknown"), (9, (False, None, None))),
            15,
            "battery low",
        ),
        (((0, "battery"), (5, "unknown")), 65, "power unknown, last known: the battery carried"),
        (
            ((0, "battery"), (5, "unknown"), (6, "unknown")),
            65,
            "power unknown, last known: the battery carried",
        ),
        (((0, "mains"), (5, "unknown")), 305, "power unknown, last known: mains"),
        (((0, "mains"), (5, "unknown"), (8, "mains")), None, ""),
        (((0, "on"), (5, "off")), 605, "ignition off"),
        (((0, "off"), (5, "off")), 600, "ignition off"),
        (((0, "off"), (5, "on")), None, ""),
        (((0, "off"), (5, "ign_unknown")), None, ""),
        (((0, "off"), (590, "battery"), (591, (True, None, None))), 600, "ignition off"),
    ],
)
def test_reason_and_time(steps: tuple[Step, ...], due_s: float | None, reason: str) -> None:
    assert verdict(after(*steps), LIMITS) == Verdict(due_s, reason)


def test_what_is_not_asked_for_never_happens() -> None:
    none = Limits(charge_min_pct=None, runtime_min_s=None, unknown_s=None, ignition_off_s=None)
    seen = after((0, "battery"), (1, (False, 0.0, 0.0)), (2, "unknown"), (3, "off"), limits=none)
    assert verdict(seen, none) == Verdict()


STEPS = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.one_of(
            st.sampled_from(["mains", "battery", "unknown", "on", "off", "ign_unknown"]),
            st.tuples(
                st.booleans(),
                st.one_of(st.none(), st.floats(0, 100)),
                st.one_of(st.none(), st.floats(0, 9000)),
            ),
        ),
    ),
    max_size=30,
)


def timed(steps: list[Step]) -> list[Step]:
    at_s, found = 0.0, []
    for apart, what in steps:
        at_s += apart
        found.append((at_s, what))
    return found


@given(STEPS)
def test_mains_and_ignition_on_call_everything_off(steps: list[Step]) -> None:
    moves = timed(steps)
    end = moves[-1][0] + 1 if moves else 0.0
    assert verdict(after(*moves, (end, "mains"), (end, "on")), LIMITS) == Verdict()


@given(STEPS)
def test_nothing_is_due_before_its_delay(steps: list[Step]) -> None:
    moves = timed(steps)
    for count in range(1, len(moves) + 1):
        due_s = verdict(after(*moves[:count]), LIMITS).due_s
        first = verdict(after(*moves[: count - 1]), LIMITS).due_s
        assert due_s is None or first is not None or due_s >= moves[count - 1][0] + LIMITS.delay_s - 1e-6


@given(STEPS)
def test_losing_contact_never_puts_a_shutdown_off(steps: list[Step]) -> None:
    moves = timed(steps)
    end = moves[-1][0] if moves else 0.0
    before = verdict(after(*moves), LIMITS).due_s
    unknown = verdict(after(*moves, (end, "unknown")), LIMITS).due_s
    assert before is None or (unknown is not None and unknown <= before)


@given(STEPS, st.floats(0, 100))
def test_lower_charge_is_never_due_later(steps: list[Step], charge: float) -> None:
    moves = timed(steps)
    end = moves[-1][0] if moves else 0.0
    dues = [
        verdict(after(*moves, (end, (False, value, None))), LIMITS).due_s for value in (charge / 2, charge)
    ]
    lower, higher = (float("inf") if due is None else due for due in dues)
    assert lower <= higher
