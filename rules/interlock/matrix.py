"""The cause-and-effect matrix as data and as a table to print, and the time from breach to safe state."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from rules.interlock.model import (
    HARD,
    STALE_PERIODS,
    Alive,
    CalibrationDue,
    Cause,
    CheckDue,
    Condition,
    Happened,
    InState,
    Interlock,
    Limit,
    Plant,
    Rate,
    Sensor,
)
from rules.interlock.plan import point_of
from wire.quantities import QUANTITIES

DECISION_S = 0.05
"""From a decoded sample to the write of the output: what a gateway is allowed to take."""


class Row(Struct, frozen=True):
    """One cause."""

    interlock: str
    group: str
    vote: str
    """Such as `2 of 3`."""
    cause: str
    words: str
    effects: tuple[bool, ...]
    """For each column, whether this cause has it."""


class Matrix(Struct, frozen=True):
    """Causes as rows, effects as columns."""

    columns: tuple[str, ...]
    """Such as `inhibit_output source-1/output`."""
    rows: tuple[Row, ...]


class Bound(Struct, frozen=True):
    """How long it takes from the breach of one cause to the confirmed safe state, at most; seconds."""

    cause: str
    sensor_s: float
    """Until the sensor tells: its period."""
    on_delay_s: float
    decision_s: float
    read_back_s: float
    lost_s: float | None
    """The same when the sensor is lost: staleness in place of period and on-delay. None: not counted."""

    @property
    def breach_s(self) -> float:
        """From the breach to the safe state."""
        return self.sensor_s + self.on_delay_s + self.decision_s + self.read_back_s

    @property
    def worst_s(self) -> float:
        """The longer of both ways."""
        return max(self.breach_s, self.lost_s or 0.0)


def make_matrix(rules: Iterable[Interlock], plant: Plant) -> Matrix:
    """Return the matrix of these interlocks."""
    rules = tuple(rules)
    columns = tuple(dict.fromkeys(name for rule in rules for name in _columns(rule)))
    rows = tuple(
        Row(
            rule.name,
            group.name,
            f"{group.needed} of {len(group.causes)}",
            cause.name,
            cause_words(cause, plant),
            tuple(column in _columns(rule) for column in columns),
        )
        for rule in rules
        for group, cause in rule.causes()
    )
    return Matrix(columns, rows)


def printed(matrix: Matrix) -> str:
    """Return the matrix as a table in Markdown, which reads as plain text too."""
    head = ("interlock", "group", "vote", "cause", "when", *matrix.columns)
    body = [
        (row.interlock, row.group, row.vote, row.cause, row.words, *("X" if on else "" for on in row.effects))
        for row in matrix.rows
    ]
    widths = [max(len(line[place]) for line in (head, *body)) for place in range(len(head))]
    lines = [_line(head, widths), _line(["-" * width for width in widths], widths)]
    return "\n".join([*lines, *(_line(line, widths) for line in body)]) + "\n"


def cause_words(cause: Cause, plant: Plant) -> str:
    """Return a cause in words: what has to be so, for how long, for it to vote."""
    words = condition_words(cause.condition, plant)
    if cause.on_delay_s:
        words += f" for {cause.on_delay_s:g} s"
    return words


def bounds(rule: Interlock, plant: Plant) -> tuple[Bound, ...]:
    """Return for every cause how long it takes to the confirmed safe state, at most.

    A group that needs several votes is as slow as the slowest of them.
    """
    outputs = [plant.outputs[effect.target] for effect in rule.effects if effect.kind in HARD]
    read_back = max((output.read_back_s for output in outputs), default=0.0)
    return tuple(_bound(cause, plant, read_back) for _, cause in rule.causes())


def breach_s(rule: Interlock, plant: Plant) -> float:
    """Return the longest of these times after a breach that every sensor tells."""
    return max(bound.breach_s for bound in bounds(rule, plant))


def worst_s(rule: Interlock, plant: Plant) -> float:
    """Return the longest of these times, that of a sensor that is lost included."""
    return max(bound.worst_s for bound in bounds(rule, plant))


def _bound(cause: Cause, plant: Plant, read_back: float) -> Bound:
    point = point_of(cause.condition)
    sensor = None if point is None else plant.sensors[point]
    period = 0.0 if sensor is None or sensor.period_s is None else sensor.period_s
    stale = max(STALE_PERIODS * period, cause.stale_after_s) if sensor is not None else 0.0
    delay = 0.0 if isinstance(cause.condition, Alive) else cause.on_delay_s
    told = 0.0 if isinstance(cause.condition, Alive | CalibrationDue) else period
    heard = bool(stale) and not isinstance(cause.condition, CalibrationDue)
    lost = stale + DECISION_S + read_back if heard else None
    return Bound(cause.name, told, delay, DECISION_S, read_back, lost)


def _columns(rule: Interlock) -> Sequence[str]:
    return [f"{effect.kind} {effect.target}" for effect in rule.effects]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def condition_words(condition: Condition, plant: Plant) -> str:
    """Return in words what has to be so for a cause to be out; its on-delay is not in them."""
    match condition:
        case Limit(point=point, low=low, high=high):
            unit = unit_of(plant.sensors.get(point))
            sides = [f"below {number(low)}{unit}"] if low is not None else []
            sides += [f"above {number(high)}{unit}"] if high is not None else []
            guard = ", uncertainty counted in" if condition.guarded else ""
            return f"{point} {' or '.join(sides)}{guard}"
        case Rate(point=point, change_max=most, within_s=within):
            change = f"{number(most)}{unit_of(plant.sensors.get(point))}"
            return f"{point} changes by more than {change} in {within:g} s"
        case InState(point=point, normal=normal):
            return f"{point} not {' or '.join(map(str, normal))}"
        case Alive(point=point):
            return f"{point} not heard"
        case Happened(kind=kind, subject=subject):
            return f"event {kind} of {subject}" if subject else f"event {kind}"
        case CheckDue(device=device):
            return f"{device} not checked"
        case _:
            return f"calibration of {condition.point} overdue"


def number(value: Decimal) -> str:
    """Return a number of a rule as a person wrote it, without ending zeros."""
    return f"{value.normalize():f}"


def unit_of(sensor: Sensor | None) -> str:
    """Return a space and the unit of what a sensor tells; empty where it has none."""
    row = None if sensor is None else QUANTITIES.get(sensor.quantity)
    return "" if row is None or not row.unit else f" {row.unit}"
