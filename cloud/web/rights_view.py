"""Rights as who × where × when, in the words of a page: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cloud.rights_compile import item_of
from cloud.store.rights_items import Item
from cloud.web.doors_words import DAY_KINDS, DAYS, EFFECTS
from cloud.web.language import Language
from cloud.web.words import mark
from rules.access.document import Day, Right, Schedule, Span, Window

EVERYONE = mark("everybody of the staff")
ALWAYS = mark("always")
MIDNIGHT = 1440


@dataclass(frozen=True, slots=True)
class RightView:
    """One right."""

    item: Item
    effect: str
    denies: bool
    who: list[str]
    where: list[str]
    when: str
    from_ms: int | None
    to_ms: int | None
    approved_by: str
    approved_ms: int | None
    over: bool
    """Whether it has ended."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What somebody may at one zone."""

    lines: list[tuple[str, bool]]
    """What, and whether it denies."""


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule."""

    item: Item
    lines: list[str]


def right_views(
    items: Iterable[Item],
    titles: Mapping[str, str],
    names: Mapping[str, str],
    *,
    language: Language,
    now_ms: int,
) -> list[RightView]:
    """Return the rights of a site; `titles` of zones and doors, `names` of people, groups and schedules."""
    found = []
    for item in items:
        right = _made(item, Right)
        if right is None:
            continue
        who = [names.get(f"p:{one}", one) for one in right.people]
        who = [*(names.get(f"g:{one}", one) for one in right.groups), *who]
        approval = right.approval
        view = RightView(
            item=item,
            effect=language.say(EFFECTS[right.effect]),
            denies=right.effect == "deny",
            who=[language.say(EVERYONE)] * right.everyone + who,
            where=[titles.get(one, one) for one in (*right.zones, *right.sides)],
            when=language.say(ALWAYS)
            if right.schedule is None
            else names.get(f"s:{right.schedule}", right.schedule),
            from_ms=right.valid.from_ms,
            to_ms=right.valid.to_ms,
            approved_by="" if approval is None else names.get(f"p:{approval.by}", approval.by),
            approved_ms=None if approval is None else approval.at_ms,
            over=right.valid.after(now_ms),
        )
        found.append(view)
    return found


def matrix(rights: Sequence[RightView], zones: Sequence[tuple[str, str]]) -> list[tuple[str, list[Cell]]]:
    """Return who × zones: a row for everybody who is named, a cell for each zone; without what is over."""
    rows: dict[str, list[Cell]] = {}
    for right in rights:
        if right.over:
            continue
        for who in right.who:
            cells = rows.setdefault(who, [Cell([]) for _ in zones])
            for cell, (_, title) in zip(cells, zones, strict=True):
                if title in right.where:
                    cell.lines.append((f"{right.effect}: {right.when}", right.denies))
    return sorted(rows.items())


def schedule_views(items: Iterable[Item], language: Language) -> list[ScheduleView]:
    """Return schedules with each window on a line."""
    found = []
    for item in items:
        schedule = _made(item, Schedule)
        if schedule is not None:
            found.append(ScheduleView(item, [window_text(one, language) for one in schedule.windows]))
    return found


def day_text(item: Item, language: Language) -> str:
    """Return what a day of the calendar is."""
    day = _made(item, Day)
    if day is None:
        return ""
    kind = language.say(DAY_KINDS[day.kind])
    return kind if day.kind == "holiday" else f"{kind}: {language.say(DAYS[day.like])}"


def window_text(window: Window, language: Language) -> str:
    """Return a window such as `Monday, Tuesday 08:00-18:00`; behind midnight it is of the next day."""
    joined = language.say(mark(", ")).join(language.say(DAYS[day]) for day in window.days)
    return (
        f"{joined} {clock(window.start_min)}–{clock(window.end_min)}{' (+1)' * (window.end_min > MIDNIGHT)}"
    )


def clock(minute: int) -> str:
    """Return a minute of the day as `HH:MM`; the end of the day is 24:00."""
    if minute == MIDNIGHT:
        return "24:00"
    return f"{minute % MIDNIGHT // 60:02d}:{minute % 60:02d}"


def body_of(item: Item | None) -> Mapping[str, Any]:
    """Return what a form shows of an item that is edited."""
    return {} if item is None else item.body


def span_of(item: Item | None) -> Span:
    """Return the validity of an item that is edited."""
    values = [] if item is None else list(item.body.get("valid", ()))
    start, end = [*values, None, None][:2]
    return Span(start, end)


def _made(item: Item, of: type[Any]) -> Any:
    try:
        found = item_of(item.kind, item.name, item.body)
    except msgspec.ValidationError:
        return None
    return found if isinstance(found, of) else None
