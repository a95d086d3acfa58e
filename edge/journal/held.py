"""Groups that the disk has not taken yet, within a bound; what is dropped is remembered as lost.

Readings go first, then events, oldest first; gaps become coarser, and clock records and tombstones stay.
"""

from collections.abc import Callable, Sequence

from edge.journal.fold import fold
from edge.journal.group import Group, Span, is_empty, spans, without_events, without_readings
from edge.journal.memory import Lost, LostEvents, events_of
from wire.messages import Clock

BYTES_PER_WEIGHT = 64
"""What one reading takes in memory, about."""


class Held:
    """Groups in order."""

    def __init__(self, bytes_max: int) -> None:
        """`bytes_max` bounds what is held, roughly."""
        self._weight_max = max(1, bytes_max // BYTES_PER_WEIGHT)
        self._lost: dict[tuple[bytes, str], tuple[Clock, int, int]] = {}
        self._events: dict[bytes, LostEvents] = {}
        self.groups: list[Group] = []

    def add(self, groups: Sequence[Group]) -> None:
        """Hold more groups, and drop what is too much."""
        self.groups += groups
        for strip in (self._without_readings, self._without_events):
            self._thin(strip)
        if self._over() > 0:
            self.groups, lost = fold(self.groups)
            for stretch in lost:
                self._lose(stretch)
        self.groups = [group for group in self.groups if not is_empty(group)]

    def _over(self) -> int:
        return sum(group.weight for group in self.groups) - self._weight_max

    def _thin(self, strip: Callable[[Group], Group]) -> None:
        over = self._over()
        for place, group in enumerate(self.groups):
            if over <= 0:
                return
            self.groups[place] = strip(group)
            over -= group.weight - self.groups[place].weight

    def _without_readings(self, group: Group) -> Group:
        for span in spans(group):
            self._lose(Lost(group.boot, group.clock, span))
        return without_readings(group)

    def _without_events(self, group: Group) -> Group:
        gone = events_of(group)
        if gone:
            before = self._events.get(group.boot)
            count = gone.count + (before.count if before else 0)
            self._events[group.boot] = LostEvents(group.boot, group.clock, count, gone.tick)
        return without_events(group)

    def _lose(self, lost: Lost) -> None:
        span = lost.span
        _, first, last = self._lost.get((lost.boot, span.key), (None, span.first, span.last))
        stretch = (lost.clock, min(first, span.first), max(last, span.last))
        self._lost[lost.boot, span.key] = stretch

    def lost(self) -> list[Lost | LostEvents]:
        """Return what was dropped and not journalled yet."""
        stretches = [
            Lost(boot, clock, Span(key, first, last))
            for (boot, key), (clock, first, last) in self._lost.items()
        ]
        return [*stretches, *self._events.values()]

    def written(self) -> None:
        """Forget everything: it is journalled."""
        self.groups = []
        self._lost = {}
        self._events = {}
