"""Local days and minutes, and whether a schedule holds: integers alone, no tables of the machine it runs on.

A window is held against the wall clock as it is read at the site. So one from 02:00 to 03:00 does not occur
in the night in which that hour is skipped, and occurs twice in the night in which it is repeated.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from rules.access.document import Day, Offset, Schedule
from rules.access.words import DayKind, DayName

DAY_MIN = 1440
WEEK = (DayName.MON, DayName.TUE, DayName.WED, DayName.THU, DayName.FRI, DayName.SAT, DayName.SUN)
_EPOCH = date(1970, 1, 1).toordinal()
_PROBE_MS = 86_400_000
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)

Spans = Mapping[DayName, tuple[tuple[int, int], ...]]
"""Day on which a window begins -> (start, end) in minutes of that day."""


def day_number(text: str) -> int:
    """Return the days since 1970-01-01 of an ISO date; `ValueError` for one that does not exist."""
    return date.fromisoformat(text).toordinal() - _EPOCH


@dataclass(frozen=True, slots=True)
class Wall:
    """The clock and calendar on the wall of a site."""

    starts: tuple[int, ...]
    seconds: tuple[int, ...]
    days: Mapping[int, Day]

    def local(self, at_ms: int) -> tuple[int, int]:
        """Return the day (since 1970-01-01) and its minute; before the first offset, the first counts."""
        place = max(bisect_right(self.starts, at_ms) - 1, 0)
        return divmod((at_ms // 1000 + self.seconds[place]) // 60, DAY_MIN)

    def counts_as(self, day: int) -> DayName:
        """Return as what a day counts, after holidays and make-up workdays."""
        special = self.days.get(day)
        if special is None:
            return WEEK[(day + 3) % 7]
        return DayName.HOLIDAY if special.kind is DayKind.HOLIDAY else special.like


def wall_of(offsets: Sequence[Offset], calendar: Iterable[Day]) -> Wall:
    """Return a site's wall clock; offsets ascend."""
    return Wall(
        tuple(offset.from_ms for offset in offsets),
        tuple(offset.seconds for offset in offsets),
        {day_number(day.date): day for day in calendar},
    )


def spans_of(schedule: Schedule) -> Spans:
    """Return the windows of a schedule by the day on which they begin."""
    spans: dict[DayName, list[tuple[int, int]]] = {}
    for window in schedule.windows:
        for day in window.days:
            spans.setdefault(day, []).append((window.start_min, window.end_min))
    return {day: tuple(found) for day, found in spans.items()}


def holds(spans: Spans, wall: Wall, at_ms: int) -> bool:
    """Whether a schedule holds at an instant."""
    day, minute = wall.local(at_ms)
    today = spans.get(wall.counts_as(day), ())
    if any(start <= minute < end for start, end in today):
        return True
    yesterday = spans.get(wall.counts_as(day - 1), ())
    return any(minute < end - DAY_MIN for _, end in yesterday)


def offsets_of(zone: tzinfo, from_ms: int, to_ms: int) -> tuple[Offset, ...]:
    """Return the offsets of a time zone between two instants, each from the ms on at which it begins."""
    at, last = from_ms, _offset(zone, from_ms)
    found = [Offset(from_ms, last)]
    while at < to_ms:
        ahead = min(at + _PROBE_MS, to_ms)
        if _offset(zone, ahead) != last:
            low, high = at, ahead
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == last else (low, middle)
            ahead, last = high, _offset(zone, high)
            found.append(Offset(high, last))
        at = ahead
    return tuple(found)


def _offset(zone: tzinfo, at_ms: int) -> int:
    offset = (_FIRST + timedelta(milliseconds=at_ms)).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
