"""When a gateway has to shut itself down in order: battery low, power unknown too long, ignition off. Pure.

Unknown is never fine: it ends no countdown that low battery began, and after a loss of power it begins one.
Nothing known asks for nothing.
"""

from dataclasses import dataclass, replace
from typing import Literal

Power = Literal["mains", "battery", "unknown"]
Ignition = Literal["on", "off", "unknown"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked for; None asks for nothing."""

    delay_s: float = 10.0
    """So long has low battery to last, so that mains may come back."""
    charge_min_pct: float | None = 20.0
    runtime_min_s: float | None = 180.0
    unknown_s: float | None = 60.0
    """So long may the power be unknown after it came from the battery."""
    unknown_from_mains_s: float | None = None
    """So long may it be unknown after it came from the mains, or was never known."""
    ignition_off_s: float | None = 600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the gateway knows of its supply."""

    power: Power | None = None
    """None while no UPS was ever heard."""
    power_since_s: float = 0.0
    was_on_battery: bool = False
    """Whether the last known power was the battery's."""
    low: bool = False
    """The UPS itself says that its battery is low."""
    charge_pct: float | None = None
    runtime_s: float | None = None
    low_since_s: float | None = None
    ignition: Ignition | None = None
    ignition_since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The earliest reason to shut down, and when it is due; `None` for neither."""

    due_s: float | None = None
    reason: str = ""

    def is_due(self, now_s: float) -> bool:
        """Whether it is to happen now."""
        return self.due_s is not None and now_s >= self.due_s


def hear_power(seen: Seen, power: Power, now_s: float, *, limits: Limits) -> Seen:
    """Take where the power comes from."""
    if power != seen.power:
        on_battery = seen.was_on_battery if power == "unknown" else power == "battery"
        seen = replace(seen, power=power, power_since_s=now_s, was_on_battery=on_battery)
    return _judged(seen, now_s, limits)


def hear_battery(
    seen: Seen, now_s: float, limits: Limits, *, low: bool, charge_pct: float | None, runtime_s: float | None
) -> Seen:
    """Take how the battery is; None is not known."""
    return _judged(replace(seen, low=low, charge_pct=charge_pct, runtime_s=runtime_s), now_s, limits)


def hear_ignition(seen: Seen, ignition: Ignition, now_s: float) -> Seen:
    """Take the state of the ignition; what is unknown counts no time."""
    return seen if ignition == seen.ignition else replace(seen, ignition=ignition, ignition_since_s=now_s)


def verdict(seen: Seen, limits: Limits) -> Verdict:
    """Return the earliest reason to shut down."""
    reasons: list[tuple[float, str]] = []
    if seen.low_since_s is not None:
        reasons.append((seen.low_since_s + limits.delay_s, _low_words(seen, limits)))
    wait_s = limits.unknown_s if seen.was_on_battery else limits.unknown_from_mains_s
    if seen.power == "unknown" and wait_s is not None:
        last = "the battery carried" if seen.was_on_battery else "mains"
        reasons.append((seen.power_since_s + wait_s, f"power unknown, last known: {last}"))
    if seen.ignition == "off" and limits.ignition_off_s is not None:
        reasons.append((seen.ignition_since_s + limits.ignition_off_s, "ignition off"))
    return Verdict(*min(reasons)) if reasons else Verdict()


def _judged(seen: Seen, now_s: float, limits: Limits) -> Seen:
    """Keep since when the battery carries and is low; only mains, or a battery that is not low, end that."""
    if seen.power == "battery" and _is_low(seen, limits):
        return seen if seen.low_since_s is not None else replace(seen, low_since_s=now_s)
    return seen if seen.power == "unknown" else replace(seen, low_since_s=None)


def _is_low(seen: Seen, limits: Limits) -> bool:
    return (
        seen.low
        or _at_most(seen.charge_pct, limits.charge_min_pct)
        or _at_most(seen.runtime_s, limits.runtime_min_s)
    )


def _at_most(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value <= limit


def _low_words(seen: Seen, limits: Limits) -> str:
    if _at_most(seen.charge_pct, limits.charge_min_pct):
        return f"battery charge {seen.charge_pct:g} percent"
    if _at_most(seen.runtime_s, limits.runtime_min_s):
        return f"battery for {seen.runtime_s:g} s"
    return "battery low"
