"""What is wrong with a template or a policy, all of it, before it is saved."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, pairwise

from msgspec import Struct

from rules.alarm.model import HIGHS, LEVELS, LOWS, Condition, Kind, Priority, Rule, Template
from rules.alarm.policy import Policy

RULES_MAX = len(Condition)
DELAY_MAX_TICKS = 24 * 3600 * 100


class Fault(Struct, frozen=True):
    """One thing that is wrong: where, what stands there, what was expected."""

    path: str
    value: str
    expectation: str


def template_faults(
    template: Template, low: Decimal | None = None, high: Decimal | None = None
) -> tuple[Fault, ...]:
    """Return what is wrong with a template; `low` and `high` are the range of the sensor, where known."""
    faults = []
    if not template.rules:
        faults.append(Fault("rules", "", "at least one rule"))
    seen: set[Condition] = set()
    for rule in template.rules:
        if rule.condition in seen:
            faults.append(Fault(rule.condition, rule.condition, "each condition once"))
        seen.add(rule.condition)
        faults.extend(_rule_faults(rule, low, high))
    return (*faults, *_order_faults(template))


def policy_faults(policy: Policy) -> tuple[Fault, ...]:
    """Return what is wrong with a policy: above all, an urgent alarm of which nobody is told."""
    faults = []
    for name, chain in policy.chains.items():
        path = f"chains.{name}"
        if not chain.steps:
            faults.append(Fault(path, "", "at least one step"))
        for number, step in enumerate(chain.steps):
            where = f"{path}.{number}"
            if not step.recipients:
                faults.append(Fault(f"{where}.recipients", "", "at least one recipient"))
            if step.after_ticks < 0:
                faults.append(Fault(f"{where}.after_ticks", str(step.after_ticks), "0 or more"))
            if step.repeat_ticks is not None and step.repeat_ticks < policy.gather_ticks:
                expected = f"{policy.gather_ticks} or more: messages are gathered for so long"
                faults.append(Fault(f"{where}.repeat_ticks", str(step.repeat_ticks), expected))
    for number, route in enumerate(policy.routes):
        if route.chain not in policy.chains:
            expected = "one of " + (", ".join(sorted(policy.chains)) or "no chains")
            faults.append(Fault(f"routes.{number}.chain", route.chain, expected))
    faults += [
        Fault("routes", f"{kind}, urgent", "a route for every urgent alarm")
        for kind in Kind
        if policy.chain_of(kind, Priority.URGENT) is None
    ]
    if not 0 < policy.flood_under <= policy.flood_over:
        expected = f"from 1 to flood_over ({policy.flood_over})"
        faults.append(Fault("flood_under", str(policy.flood_under), expected))
    if not 0 < policy.gather_ticks <= policy.digest_ticks <= policy.flood_window_ticks:
        value = f"{policy.gather_ticks}, {policy.digest_ticks}, {policy.flood_window_ticks}"
        expected = "above 0 and rising: gather_ticks, digest_ticks, flood_window_ticks"
        faults.append(Fault("gather_ticks", value, expected))
    return tuple(faults)


def _rule_faults(rule: Rule, low: Decimal | None, high: Decimal | None) -> Iterator[Fault]:
    path = rule.condition.value
    for name, delay in (("on_delay_ticks", rule.on_delay_ticks), ("off_delay_ticks", rule.off_delay_ticks)):
        if not 0 <= delay <= DELAY_MAX_TICKS:
            yield Fault(f"{path}.{name}", str(delay), f"0 to {DELAY_MAX_TICKS} (24 h)")
    if rule.condition not in LEVELS:
        if rule.limit is not None or rule.deadband or rule.window_ticks:
            yield Fault(path, f"{rule.limit}", "no limit, deadband or window: this condition has none")
        return
    if rule.limit is None or not rule.limit.is_finite():
        yield Fault(f"{path}.limit", f"{rule.limit}", "a number")
        return
    if not rule.deadband.is_finite() or rule.deadband < 0:
        yield Fault(f"{path}.deadband", f"{rule.deadband}", "0 or more")
    if rule.condition is Condition.RATE:
        if rule.window_ticks <= 0:
            yield Fault(f"{path}.window_ticks", str(rule.window_ticks), "more than 0")
        if rule.limit <= 0 or rule.deadband > rule.limit:
            yield Fault(f"{path}.limit", f"{rule.limit}", "more than 0, and not less than the deadband")
        return
    if rule.window_ticks:
        yield Fault(f"{path}.window_ticks", str(rule.window_ticks), "none: only rate has a window")
    if (low is not None and rule.limit < low) or (high is not None and rule.limit > high):
        yield Fault(f"{path}.limit", f"{rule.limit}", f"within the range of the sensor, {low} to {high}")


def _order_faults(template: Template) -> Iterator[Fault]:
    """Limits must rise from lolo to hihi, and every alarm must be able to clear."""
    rising = (*LOWS, *HIGHS)
    there = sorted(
        (
            (rising.index(rule.condition), rule.limit, rule)
            for rule in template.rules
            if rule.condition in rising and rule.limit is not None and rule.limit.is_finite()
        ),
        key=lambda item: item[0],
    )
    for (_, below, lower), (_, above, upper) in pairwise(there):
        if below >= above:
            expected = f"above the limit of {lower.condition}, {below}"
            yield Fault(f"{upper.condition}.limit", f"{above}", expected)
    for (_, below, lower), (_, above, upper) in combinations(there, 2):
        opposite = lower.condition in LOWS and upper.condition in HIGHS
        if opposite and below < above and below + lower.deadband > above - upper.deadband:
            value = f"{lower.deadband}, {upper.deadband}"
            expected = f"values left at which {lower.condition} and {upper.condition} both clear"
            yield Fault(f"{upper.condition}.deadband", value, expected)
