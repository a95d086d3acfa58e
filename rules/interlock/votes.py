"""Why a cause voted, in a word and as a sentence with what was read (table "because" of its page)."""

from collections.abc import Mapping
from decimal import Decimal

from rules.interlock.inputs import seconds
from rules.interlock.matrix import condition_words, number, unit_of
from rules.interlock.model import Alive, Confirmed, Limit, Plant, Watchable
from rules.interlock.plan import Watched, point_of
from rules.interlock.reasons import Because

SILENT = frozenset({Because.STALE, Because.LOST})
"""Nothing was read: it says nothing of limits."""

GAPS: Mapping[str, str] = {
    "sensor": "its sensor failed",
    "radio": "nothing came by radio",
    "bus": "its driver or bus failed",
    "gateway": "the gateway stood still",
    "power": "power failed",
    "maintenance": "it was under maintenance",
}
"""What a declared gap says of why nothing comes; others stay by their word."""


def shows(condition: Watchable) -> frozenset[Because]:
    """Return for which votes a proof test has seen this condition, and not something else."""
    match condition:
        case Limit():
            return frozenset({Because.BEYOND, Because.UNDETERMINED})
        case Alive():
            return SILENT
        case _:
            return frozenset({Because.OUT})


def out(watched: Watched, value: Decimal | None, u: Decimal | None) -> tuple[Because, str]:
    """Return why a cause votes that was out for its on-delay, in a word and in words."""
    condition = watched.condition
    if not isinstance(condition, Limit):
        return Because.OUT, _other(watched, value)
    about, unit = condition.point, unit_of(watched.sensor)
    if value is None:
        return Because.OFF_SCALE, f"{about} was at the end of what its sensor can tell"
    was = f"{about} was {value:f}{unit}"
    spread = u if condition.guarded else Decimal(0)
    if spread is None:
        return Because.NO_UNCERTAINTY, f"{was}, and its uncertainty is not known"
    for limit, over, side in _sides(condition, value):
        if over > spread:
            return Because.BEYOND, f"{was}, {side} {number(limit)}{unit}"
    for limit, over, _ in _sides(condition, value):
        if over > -spread:
            return Because.UNDETERMINED, f"{was} ± {spread:f}{unit}, too near to {number(limit)}{unit}"
    limit = max(_sides(condition, value), key=lambda one: one[1])[0]
    return Because.DEADBAND, f"{was}, not far enough back from {number(limit)}{unit}"


def silent(watched: Watched, *, ticks: int | None, gap: str) -> tuple[Because, str]:
    """Return why a cause votes that was not heard for so many ticks; `gap` is the cause of a declared one."""
    about = _about(watched)
    why = f" ({GAPS.get(gap, gap)})" if gap else ""
    if watched.stale is None or ticks is None:
        return Because.LOST, f"{about}: a good reading is missing{why}"
    return Because.STALE, f"{about}: no good reading for {seconds(ticks):g} s{why}"


def _sides(limit: Limit, value: Decimal) -> list[tuple[Decimal, Decimal, str]]:
    """Return for every side its limit, by how much the value is over it, and the word of the side."""
    low = [] if limit.low is None else [(limit.low, limit.low - value, "below")]
    high = [] if limit.high is None else [(limit.high, value - limit.high, "above")]
    return [*low, *high]


def _other(watched: Watched, value: Decimal | None) -> str:
    condition = watched.condition
    if isinstance(condition, Confirmed):
        return f"output {condition.output} is not what it was told to be"
    sensor = watched.sensor
    words = condition_words(condition, Plant(sensors={} if sensor is None else {sensor.point: sensor}))
    return words if value is None else f"{words}: {value:f}{unit_of(sensor)}"


def _about(watched: Watched) -> str:
    condition = watched.condition
    return f"output {condition.output}" if isinstance(condition, Confirmed) else point_of(condition) or ""
