"""Groups that the disk has not taken yet, within a bound; what is dropped is remembered as lost stretches."""

from collections.abc import Sequence

from edge.journal.group import Group, Span, is_empty, spans, without_readings
from edge.journal.memory import Lost
from wire.messages import Clock

BYTES_PER_WEIGHT = 64
"""What one reading takes in memory, about."""


class Held:
    """Groups in order; readings of the oldest go first, events stay as long as they fit themselves."""

    def __init__(self, bytes_max: int) -> None:
        """`bytes_max` bounds what is held, roughly."""
        self._weight_max = max(1, bytes_max // BYTES_PER_WEIGHT)
        self._lost: dict[tuple[bytes, str], tuple[Clock, int, int]] = {}
        self.groups: list[Group] = []

    def add(self, groups: Sequence[Group]) -> None:
        """Hold more groups; drop the oldest readings, then the oldest groups, when that is too much."""
        self.groups += groups
        over = sum(group.weight for group in self.groups) - self._weight_max
        if over > 0:
            self.groups = self._thin(over)

    def _thin(self, over: int) -> list[Group]:
        kept: list[Group] = []
        for group in self.groups:
            if over > 0 and group.readings:
                self._lose(group)
                rest = without_readings(group)
                over -= group.weight - rest.weight
                if not is_empty(rest):
                    kept.append(rest)
            else:
                kept.append(group)
        while over > 0 and kept:
            over -= kept.pop(0).weight
        return kept

    def _lose(self, group: Group) -> None:
        for span in spans(group):
            _, first, last = self._lost.get((group.boot, span.key), (None, span.first, span.last))
            clock_and_span = (group.clock, min(first, span.first), max(last, span.last))
            self._lost[group.boot, span.key] = clock_and_span

    def lost(self) -> list[Lost]:
        """Return the stretches that were dropped and not journalled yet."""
        return [
            Lost(boot, clock, Span(key, first, last))
            for (boot, key), (clock, first, last) in self._lost.items()
        ]

    def written(self) -> None:
        """Forget everything: it is journalled."""
        self.groups = []
        self._lost = {}
