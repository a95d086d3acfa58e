"""What only one value tells apart: a bound itself, the sign of a margin, the next instant to look."""

from decimal import Decimal
from typing import Any

from rules.interlock import fitness
from rules.interlock.inputs import Reading
from rules.interlock.matrix import bounds
from rules.interlock.model import Fit, Happened, InState, ticks
from rules.interlock.plan import make_plan
from rules.interlock.proof import proof_steps, step_words
from rules.interlock.reasons import Reason
from rules.interlock.state import ChangeKind
from rules.interlock.status import unmet
from rules.interlock.step import next_due
from tests.rules.interlock.world import PLANT, Run, cause, healthy, rule


def test_loop_is_to_look_again_when_an_on_delay_ends() -> None:
    run = healthy(rule(cause(on=2)))
    run.see(11, t=3000)
    assert next_due(run.state, run.plan, run.state.kept.at) == ticks(13)


def fit(**fields: Any) -> Fit:
    values: dict[str, Any] = {
        "point": "u",
        "low": Decimal(22),
        "high": Decimal(24),
        "spread_max": Decimal(1),
        "rate_max_per_h": Decimal(10**6),
        "window_s": 4,
        "time_s": 4,
    }
    return Fit(**values | fields)


def looked(one: Fit, *counts: int) -> tuple[bool, bool]:
    """Return whether mean and spread are inside after readings of each second."""
    fitting = make_plan(rule(fit=(one,)), PLANT).fits[0]
    run, watch = Run(rule(fit=(one,))), fitness.begin(fitting)
    for second, count in enumerate(counts):
        reading = Reading(one.point, ticks(second), count)
        watch = fitness.take(fitting, watch, [reading], now=run.at(second))
    return watch.mean, watch.spread


def test_uncertainty_narrows_the_limits_of_a_mean_on_both_sides() -> None:
    """Corrected by about -0.12 at 22 and -0.14 at 24, uncertain by 0.2."""
    assert [looked(fit(), count)[0] for count in (2220, 2240, 2380, 2400)] == [False, True, True, False]


def test_spread_that_is_as_large_as_allowed_is_steady() -> None:
    one = fit(point="t", guarded=False, spread_max=Decimal(1))
    assert looked(one, 2200, 2300) == (True, True)
    assert looked(one, 2200, 2301)[1] is False


def test_bound_of_a_cause_that_no_sensor_can_lose_is_that_of_the_breach() -> None:
    gas = cause(Happened(kind="gas_alarm", lasts_s=5), "gas")
    [bound] = [one for one in bounds(rule(gas), PLANT) if one.cause == "gas"]
    assert bound.worst_s == bound.breach_s < 1


def test_proof_step_speaks_of_its_own_cause() -> None:
    one = rule(cause(), cause(InState(point="door", normal=(0,)), "door"))
    words = [step_words(step, one, PLANT) for step in proof_steps(one)]
    assert "door" not in words[0]
    assert "door" in words[1]


def test_trip_is_told_with_the_number_of_its_breach() -> None:
    run = healthy()
    run.see(11, t=3000)
    [tripped] = [change for change in run.changes if change.kind is ChangeKind.TRIPPED]
    assert tripped.breach == run.breach == 2


def test_vote_counts_from_the_end_of_its_on_delay() -> None:
    run = healthy(rule(cause(on=2)))
    run.see(11, t=3000)
    run.see(12, t=3000)
    run.see(13, t=3000)
    assert (run.watch().votes, run.watch().since) == (True, ticks(13))


def test_loop_is_to_look_again_when_a_room_is_steady_for_long_enough() -> None:
    one = fit(point="t", guarded=False, window_s=2, time_s=2)
    run = healthy(rule(fit=(one,)))
    run.see(11, t=3000)
    for second in (12, 13):
        run.see(second, t=2300)
    inside = run.state.fits[0].inside_since
    assert inside == ticks(12)
    assert next_due(run.state, run.plan, run.state.kept.at) == inside + ticks(2)


def test_rest_of_an_off_delay_is_told() -> None:
    run = healthy(rule(cause(off=5)))
    run.see(11, t=3000)
    run.see(12, t=2200)
    run.see(14, t=2200)
    [left] = [one.remaining_s for one in unmet(run.state, run.plan) if one.reason is Reason.OFF_DELAY]
    assert left == 3
