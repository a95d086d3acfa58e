"""Finds between which readings something may be missing, while a damaged journal is read row by row. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from edge.journal.group import Group, spans
from edge.journal.memory import Backlog, Hole, LastTick
from edge.journal.rows import PendingRow, SealedRow
from edge.journal.sealer import opened
from wire.errors import WireError
from wire.messages import Clock

_Key = tuple[bytes, str]


class Holes:
    """Passes rows on and remembers what lay around those that could not be read (None)."""

    def __init__(self, *, anywhere: bool = False) -> None:
        """`anywhere`: rows may be missing without a trace."""
        self.found: list[Hole] = []
        self._anywhere = anywhere
        self._broken = int(anywhere)
        self._seen: dict[_Key, tuple[int, int]] = {}

    def sealed(self, read: Iterable[SealedRow | None]) -> Iterator[SealedRow]:
        """Pass on sealed batches. Fresh ones and backlog take turns: a missing one may lie anywhere."""
        around: dict[_Key, tuple[Clock, int, int]] = {}
        for row in read:
            if row is None:
                self._broken += 1
            else:
                _widen(around, row)
                yield row
        if self._broken:
            for (boot, key), (clock, first, last) in around.items():
                self.found.append(Hole(boot, clock, key, None, first))
                self.found.append(Hole(boot, clock, key, first, last))

    def pending(self, read: Iterable[PendingRow | None]) -> Iterator[PendingRow]:
        """Pass on groups; they are in order, so that a hole lies between its neighbours."""
        for row in read:
            if row is None:
                self._broken += 1
            else:
                self._look(row.group)
                yield row

    def behind(self, backlogs: Mapping[bytes, Backlog], last: Mapping[str, LastTick]) -> None:
        """Find what may be missing behind the last group that was read: fresh readings may have gone before.

        It reaches from there, or from where the backlog began, to the last reading that was journalled.
        """
        for boot, backlog in backlogs.items():
            for key, newest in last.items():
                end = newest.tick if newest.boot == boot else backlog.last
                seen, before = self._seen.get((boot, key), (backlog.first, 0))
                if self._anywhere:
                    seen, before = backlog.first, 0
                if end is not None and seen < end and before < self._broken:
                    self.found.append(Hole(boot, backlog.clock, key, seen, end))

    def _look(self, group: Group) -> None:
        for span in spans(group):
            key = (group.boot, span.key)
            last, before = self._seen.get(key, (None, 0))
            if before < self._broken:
                self.found.append(Hole(group.boot, group.clock, span.key, last, span.first))
            self._seen[key] = (span.last if last is None else max(last, span.last), self._broken)


def _widen(around: dict[_Key, tuple[Clock, int, int]], row: SealedRow) -> None:
    try:
        group = opened(row.frame)
    except WireError:
        return
    for span in spans(group):
        _, first, last = around.get((group.boot, span.key), (None, span.first, span.last))
        stretch = (group.clock, min(first, span.first), max(last, span.last))
        around[group.boot, span.key] = stretch
