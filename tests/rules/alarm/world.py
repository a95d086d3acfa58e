"""What the tests of alarms share: the tables of the page, a second opinion on detection, a policy."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from rules.alarm.desk import Desk
from rules.alarm.handling import observe
from rules.alarm.model import (
    FLAGS,
    HIGHS,
    Applied,
    Condition,
    Occurrence,
    Priority,
    Rule,
    Sample,
)
from rules.alarm.policy import MINUTE, Chain, Policy, Route, Step
from rules.alarm.timeline import View

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "alarms.md"
S = 100
POLICY = Policy(
    chains={
        "night": Chain(
            steps=(
                Step(0, ("facilities",), repeat_ticks=10 * MINUTE, repeats=2),
                Step(15 * MINUTE, ("head",), repeat_ticks=30 * MINUTE),
            )
        )
    },
    routes=(Route("night"),),
)


def table(heading: str, page: Path = PAGE) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, by the words of its head."""
    lines = page.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|"))
    return _rows(lines[start:])


def table_with(*columns: str, page: Path = PAGE) -> list[dict[str, str]]:
    """Return the rows of the one table that has these columns."""
    lines = page.read_text("utf-8").splitlines()
    wanted = [n for n, line in enumerate(lines) if _cells(line) == list(columns)]
    assert len(wanted) == 1, columns
    return _rows(lines[wanted[0] :])


def _rows(lines: list[str]) -> list[dict[str, str]]:
    head, rows = _cells(lines[0]), []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(head, _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def hi(limit: str = "10", **more: object) -> Rule:
    return Rule(Condition.HI, Priority.MEDIUM, limit=Decimal(limit), **more)  # type: ignore[arg-type]


def applied(*rules: Rule, hold: int | None = None, point: str = "room-2/air/temperature") -> Applied:
    return Applied(point, 1, rules, hold)


def samples(*pairs: tuple[int, str | int | None]) -> list[Sample]:
    return [Sample(at, None if value is None else Decimal(value)) for at, value in pairs]


def occurrence(
    point: str = "p",
    condition: Condition = Condition.HI,
    onset: int = 0,
    cleared_at: int | None = None,
    **more: object,
) -> Occurrence:
    known = {"raised_at": onset, "priority": Priority.MEDIUM, "returned_at": cleared_at} | more
    return Occurrence(  # type: ignore[arg-type]
        point, condition, 1, onset, cleared_at=cleared_at, **known
    )


def seen(desk: Desk, *found: Occurrence, now: int, reached: int | None = None, since: int = -1) -> Desk:
    """Return the desk after a view of each point that is named."""
    points: dict[str, list[Occurrence]] = {}
    for one in found:
        points.setdefault(one.point, []).append(one)
    reached = now if reached is None else reached
    views = [whole(point, since, reached, tuple(ones)) for point, ones in points.items()]
    return observe(desk, POLICY, views, now=now)[0]


def whole(
    point: str, since: int, reached: int, ones: tuple[Occurrence, ...], *, silent: bool = False
) -> View:
    """Return the view of a timeline that looks for every condition."""
    return View(point, tuple(Condition), since, reached, ones, silent)


def second_opinion(
    watched: Applied, given: Iterable[Sample], *, begin: int, reached: int
) -> list[Occurrence]:
    """Find occurrences by looking at whole runs of verdicts; the detector goes from sample to sample."""
    ordered = sorted(given, key=lambda sample: sample.at)
    found = []
    for rule in watched.rules:
        runs = _runs(_spoken(watched, rule, ordered, begin=begin, reached=reached), reached)
        found += _occurrences(watched, rule, runs)
    return sorted(found, key=lambda one: (one.onset, one.condition))


def _spoken(
    watched: Applied, rule: Rule, ordered: list[Sample], *, begin: int, reached: int
) -> list[tuple[int, str]]:
    """Return what is said from when on: by each sample, and by each silence."""
    silence = "beyond" if rule.condition is Condition.COMMS else "unknown"
    spoken = [(begin, "back" if rule.condition is Condition.COMMS else "unknown")]
    steady: int | None = None
    ends = [*(sample.at for sample in ordered), reached][1:]
    first = ordered[0].at if ordered else reached
    if watched.hold_ticks is not None and first > begin + watched.hold_ticks:
        spoken.append((begin + watched.hold_ticks, silence))
    for place, (sample, end) in enumerate(zip(ordered, ends, strict=True)):
        if sample.value is None:
            steady = None
        elif steady is None:
            steady = sample.at
        spoken.append((sample.at, _word(rule, ordered[: place + 1], steady)))
        if watched.hold_ticks is not None and end > sample.at + watched.hold_ticks:
            spoken.append((sample.at + watched.hold_ticks, silence))
            steady = None
    return spoken


def _runs(spoken: list[tuple[int, str]], reached: int) -> list[tuple[int, int, str]]:
    """Join what says the same: (from, to, word)."""
    runs: list[tuple[int, int, str]] = []
    for (start, word), end in zip(spoken, [at for at, _ in spoken[1:]] + [reached], strict=True):
        if runs and runs[-1][2] == word:
            runs[-1] = (runs[-1][0], end, word)
        else:
            runs.append((start, end, word))
    return runs


def _occurrences(watched: Applied, rule: Rule, runs: list[tuple[int, int, str]]) -> list[Occurrence]:
    found, place = [], 0
    while place < len(runs):
        onset, end, word = runs[place]
        place += 1
        if word != "beyond" or end - onset < rule.on_delay_ticks:
            continue
        back = next(
            (
                n
                for n in range(place, len(runs))
                if runs[n][2] == "back" and runs[n][1] - runs[n][0] >= rule.off_delay_ticks
            ),
            None,
        )
        returned_at = runs[back][0] if back is not None else None
        if back is None and runs[-1][2] == "back":
            returned_at = runs[-1][0]
        found.append(
            Occurrence(
                watched.point,
                rule.condition,
                watched.revision,
                onset,
                raised_at=onset + rule.on_delay_ticks,
                priority=rule.priority,
                returned_at=returned_at,
                cleared_at=None if back is None else runs[back][0] + rule.off_delay_ticks,
            )
        )
        place = len(runs) if back is None else back + 1
    return found


def _word(rule: Rule, known: list[Sample], steady: int | None) -> str:
    """Say what the newest of these samples says."""
    value, condition = known[-1].value, rule.condition
    if condition is Condition.COMMS:
        return "back"
    if condition is Condition.DEVICE:
        return "beyond" if value is None else "back"
    if value is None:
        return "unknown"
    if condition in FLAGS:
        return "beyond" if value > 0 else "back"
    assert rule.limit is not None
    if condition is Condition.RATE:
        return _rate_word(rule, known, steady)
    far = value - rule.limit if condition in HIGHS else rule.limit - value
    return "beyond" if far > 0 else "back" if far <= -rule.deadband else "between"


def _rate_word(rule: Rule, known: list[Sample], steady: int | None) -> str:
    assert rule.limit is not None
    assert steady is not None
    at, value = known[-1].at, known[-1].value
    assert value is not None
    slot = max(rule.window_ticks // 60, 1)
    far = [
        abs(value - sample.value)
        for sample in known
        if sample.value is not None and sample.at // slot >= (at - rule.window_ticks) // slot
    ]
    change = max(far)
    if change > rule.limit:
        return "beyond"
    if at - steady < rule.window_ticks:
        return "unknown"
    return "back" if change <= rule.limit - rule.deadband else "between"
