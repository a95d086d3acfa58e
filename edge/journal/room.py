"""Keeps the journal within its bounds: oldest unsealed readings go first, then sealed batches, then events.

What goes is remembered as lost stretches, which become gap rows; a sealed batch leaves a tombstone. Gaps
that opened and closed become one stretch a point at last; clock records and tombstones never go.
"""

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from msgspec import structs

from edge.journal import rows
from edge.journal.fold import fold
from edge.journal.group import Group, is_empty, last_tick, without_events, without_readings
from edge.journal.memory import Memory, events_of
from edge.journal.schema import used_bytes
from edge.journal.sealer import opened
from edge.journal.state import State
from wire.errors import WireError
from wire.messages import TICKS_PER_S, Tombstone

_FULL_TO = 0.98
"""Once full, so much of the bound is left in use, so that not every commit has to make room."""
_CHUNK = 16
_READINGS, _EVENTS, _GAPS = REACHED = ("thinned", "thinned_events", "thinned_gaps")
"""Under these keys stands up to which row the readings, events and gaps are gone already."""
_OLDEST_READINGS = "SELECT at FROM pending WHERE id > ? AND readings > 0 ORDER BY id LIMIT 1"
_OLDEST_SEALED = "SELECT at FROM sealed ORDER BY id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a journal keeps."""

    bytes_max: int
    age_max_s: float


@dataclass(frozen=True, slots=True)
class Moment:
    """When room is made: UTC where it is known, and the youngest tick journalled in this boot."""

    utc_s: int | None
    boot: bytes = b""
    tick: int = 0


@dataclass(slots=True)
class Thinned:
    """What went, as far as the journal's owner has to act on it."""

    sealed: list[rows.SealedRow] = field(default_factory=list)
    kept: list[Group] = field(default_factory=list)
    """What stays of sealed batches that went: tombstone and events, to be journalled."""


class Thinner:
    """Makes room inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, state: State, limits: Limits) -> None:
        """It shares connection and state with the journal file."""
        self._connection = connection
        self._state = state
        self._memory = Memory(state)
        self._limits = limits

    def run(self, now: Moment) -> Thinned:
        """Remove what is too old or too much."""
        thinned = Thinned()
        self._expire(now, thinned)
        if used_bytes(self._connection) <= self._limits.bytes_max:
            return thinned
        for step in (self._drop_readings, self._drop_sealed, self._drop_events, self._fold_gaps):
            while self._over() and step(thinned):
                pass
        return thinned

    def _over(self) -> bool:
        return used_bytes(self._connection) > self._limits.bytes_max * _FULL_TO

    def _expire(self, now: Moment, thinned: Thinned) -> None:
        if now.utc_s is None:
            return
        before = int(now.utc_s - self._limits.age_max_s)
        if self._oldest(_OLDEST_READINGS, (self._reached(_READINGS),)) < before:
            for row in list(self._with_readings(_CHUNK)):
                if row.at is None or row.at >= before or self._young(row.group, now):
                    break
                self._strip(row)
        if self._oldest(_OLDEST_SEALED, ()) < before:
            for sealed in list(rows.read_sealed(self._connection, 0, 1)):
                if not self._young(_group_of(sealed), now):
                    self._bury(sealed, "older than the journal keeps", thinned)

    def _young(self, group: Group | None, now: Moment) -> bool:
        """Whether a group of this boot is young by ticks: UTC may have been corrected by years since."""
        tick = last_tick(group) if group and group.boot == now.boot else None
        return tick is not None and (now.tick - tick) / TICKS_PER_S <= self._limits.age_max_s

    def _oldest(self, query: str, values: tuple[int, ...]) -> float:
        """Return when the oldest row was written, where that is known; nothing is decoded for it."""
        row = self._connection.execute(query, values).fetchone()
        return math.inf if row is None or row[0] is None else float(row[0])

    def _reached(self, what: str) -> int:
        return int(self._state.get(what) or b"0")

    def _reach(self, what: str, row_id: int) -> None:
        self._state.put(what, str(row_id).encode())

    def _with_readings(self, limit: int) -> Iterable[rows.PendingRow]:
        """The oldest rows that hold readings; a remembered id spares scanning those that hold none."""
        query = (
            "SELECT id, at, readings, packed, body, crc FROM pending WHERE id > ? AND readings > 0 "
            "ORDER BY id LIMIT ?"
        )
        for values in self._connection.execute(query, (self._reached(_READINGS), limit)):
            yield rows.pending_row(values)

    def _drop_readings(self, thinned: Thinned) -> bool:
        found = list(self._with_readings(_CHUNK))
        for row in found:
            self._strip(row)
        return bool(found)

    def _strip(self, row: rows.PendingRow) -> None:
        self._memory.lose(row.group)
        self._keep(row, without_readings(row.group))
        self._reach(_READINGS, row.id)

    def _keep(self, row: rows.PendingRow, rest: Group) -> None:
        """Let the rest of a row take its place."""
        rows.delete_pending(self._connection, [row.id])
        if not is_empty(rest):
            rows.insert_pending(self._connection, replace(row, group=rest))

    def _drop_sealed(self, thinned: Thinned) -> bool:
        found = list(rows.read_sealed(self._connection, 0, 1))
        for row in found:
            self._bury(row, "journal full", thinned)
        return bool(found)

    def _bury(self, row: rows.SealedRow, reason: str, thinned: Thinned) -> None:
        rows.delete_sealed(self._connection, [row.id])
        thinned.sealed.append(row)
        group = _group_of(row)
        if group is None:
            return
        self._memory.lose(group)
        stone = Tombstone(row.epoch, row.seq, row.hash, reason)
        thinned.kept.append(structs.replace(without_readings(group), tombstones=[*group.tombstones, stone]))

    def _drop_events(self, thinned: Thinned) -> bool:
        found = list(rows.read_pending(self._connection, self._reached(_EVENTS), _CHUNK))
        for row in found:
            self._memory.lose(row.group)
            if gone := events_of(row.group):
                self._memory.lose_events(gone)
            self._keep(row, without_events(without_readings(row.group)))
            self._reach(_EVENTS, row.id)
        return bool(found)

    def _fold_gaps(self, thinned: Thinned) -> bool:
        found = list(rows.read_pending(self._connection, self._reached(_GAPS), _CHUNK))
        groups, lost = fold([row.group for row in found])
        for stretch in lost:
            self._memory.lose_span(stretch)
        for row, rest in zip(found, groups, strict=True):
            self._keep(row, rest)
            self._reach(_GAPS, row.id)
        return bool(found)


def _group_of(row: rows.SealedRow) -> Group | None:
    try:
        return opened(row.frame)
    except WireError:
        return None
