"""Keeps the journal within its bounds: oldest unsealed readings go first, then sealed batches, events last.

What goes is remembered as lost stretches, which become gap rows; a sealed batch leaves a tombstone.
"""

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from msgspec import structs

from edge.journal import rows
from edge.journal.group import Group, is_empty, without_readings
from edge.journal.memory import Memory
from edge.journal.schema import used_bytes
from edge.journal.sealer import opened
from edge.journal.state import State
from wire.errors import WireError
from wire.messages import Tombstone

_FULL_TO = 0.98
"""Once full, so much of the bound is left in use, so that not every commit has to make room."""
_CHUNK = 16
_OLDEST_READINGS = "SELECT at FROM pending WHERE id > ? AND readings > 0 ORDER BY id LIMIT 1"
_OLDEST_SEALED = "SELECT at FROM sealed ORDER BY id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a journal keeps."""

    bytes_max: int
    age_max_s: float


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

    def run(self, now_s: int | None) -> Thinned:
        """Remove what is too old or too much."""
        thinned = Thinned()
        self._expire(now_s, thinned)
        if used_bytes(self._connection) <= self._limits.bytes_max:
            return thinned
        for step in (self._drop_readings, self._drop_sealed, self._drop_events):
            while self._over() and step(thinned):
                pass
        return thinned

    def _over(self) -> bool:
        return used_bytes(self._connection) > self._limits.bytes_max * _FULL_TO

    def _expire(self, now_s: int | None, thinned: Thinned) -> None:
        if now_s is None:
            return
        before = int(now_s - self._limits.age_max_s)
        if self._oldest(_OLDEST_READINGS, (self._thinned_to,)) < before:
            for row in list(self._with_readings(_CHUNK)):
                if row.at is None or row.at >= before:
                    break
                self._strip(row)
        if self._oldest(_OLDEST_SEALED, ()) < before:
            for sealed in list(rows.read_sealed(self._connection, 0, 1)):
                self._bury(sealed, "older than the journal keeps", thinned)

    def _oldest(self, query: str, values: tuple[int, ...]) -> float:
        """Return when the oldest row was written, where that is known; nothing is decoded for it."""
        row = self._connection.execute(query, values).fetchone()
        return math.inf if row is None or row[0] is None else float(row[0])

    @property
    def _thinned_to(self) -> int:
        return int(self._state.get("thinned") or b"0")

    def _with_readings(self, limit: int) -> Iterable[rows.PendingRow]:
        """The oldest rows that hold readings; a remembered id spares scanning those that hold none."""
        query = (
            "SELECT id, at, readings, packed, body, crc FROM pending WHERE id > ? AND readings > 0 "
            "ORDER BY id LIMIT ?"
        )
        for values in self._connection.execute(query, (self._thinned_to, limit)):
            yield rows.pending_row(values)

    def _drop_readings(self, thinned: Thinned) -> bool:
        found = list(self._with_readings(_CHUNK))
        for row in found:
            self._strip(row)
        return bool(found)

    def _strip(self, row: rows.PendingRow) -> None:
        self._memory.lose(row.group)
        rows.delete_pending(self._connection, [row.id])
        rest = without_readings(row.group)
        if not is_empty(rest):
            rows.insert_pending(self._connection, replace(row, group=rest))
        self._state.put("thinned", str(row.id).encode())

    def _drop_sealed(self, thinned: Thinned) -> bool:
        found = list(rows.read_sealed(self._connection, 0, 1))
        for row in found:
            self._bury(row, "journal full", thinned)
        return bool(found)

    def _bury(self, row: rows.SealedRow, reason: str, thinned: Thinned) -> None:
        rows.delete_sealed(self._connection, [row.id])
        thinned.sealed.append(row)
        try:
            group = opened(row.frame)
        except WireError:
            return
        self._memory.lose(group)
        stone = Tombstone(row.epoch, row.seq, row.hash, reason)
        thinned.kept.append(structs.replace(without_readings(group), tombstones=[*group.tombstones, stone]))

    def _drop_events(self, thinned: Thinned) -> bool:
        found = list(rows.read_pending(self._connection, 0, _CHUNK))
        rows.delete_pending(self._connection, [row.id for row in found])
        lost = sum(len(row.group.events) for row in found)
        before = int(self._state.get("events_lost") or b"0")
        self._state.put("events_lost", str(before + lost).encode())
        return bool(found)
