"""Reads and writes the journal's rows; every row read is checked against its checksum."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge.journal.errors import JournalDamagedError
from edge.journal.group import Group, pack, unpack
from edge.journal.schema import checksum, translated


@dataclass(frozen=True, slots=True)
class PendingRow:
    """One journalled group that is not sealed yet; `at` is UTC in seconds where time was known."""

    id: int
    at: int | None
    packed: bool
    group: Group


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed batch with its final bytes."""

    id: int
    epoch: bytes
    seq: int
    hash: bytes
    at: int | None
    readings: int
    frame: bytes


def insert_pending(connection: sqlite3.Connection, row: PendingRow) -> None:
    """Write one group."""
    body = pack(row.group)
    readings = row.group.readings
    values = (row.id, row.at, readings, int(row.packed), body)
    connection.execute("INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?)", (*values, checksum(*values)))


def insert_sealed(connection: sqlite3.Connection, row: SealedRow) -> None:
    """Write one sealed batch."""
    values = (row.id, row.epoch, row.seq, row.hash, row.at, row.readings, row.frame)
    connection.execute("INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, checksum(*values)))


def read_pending(connection: sqlite3.Connection, after: int, limit: int) -> Iterator[PendingRow]:
    """Yield the groups behind an id, oldest first; `JournalDamagedError` at a row not as written."""
    query = "SELECT id, at, readings, packed, body, crc FROM pending WHERE id > ? ORDER BY id LIMIT ?"
    with translated():
        for values in connection.execute(query, (after, limit)):
            yield pending_row(values)


def read_sealed(connection: sqlite3.Connection, after: int, limit: int) -> Iterator[SealedRow]:
    """Yield the sealed batches behind an id, oldest first; `JournalDamagedError` as above."""
    query = (
        "SELECT id, epoch, seq, hash, at, readings, frame, crc FROM sealed WHERE id > ? ORDER BY id LIMIT ?"
    )
    with translated():
        for values in connection.execute(query, (after, limit)):
            yield sealed_row(values)


def pending_row(values: Sequence[Any]) -> PendingRow:
    """Return a row of `pending` once it is checked."""
    *data, crc = values
    row_id, at, _, packed, body = data
    if not isinstance(row_id, int) or not isinstance(body, bytes) or crc != checksum(*data):
        raise JournalDamagedError(f"pending row {row_id}: wrong checksum")
    try:
        return PendingRow(row_id, at if isinstance(at, int) else None, bool(packed), unpack(body))
    except ValueError as error:
        raise JournalDamagedError(f"pending row {row_id}: {error}") from None


def sealed_row(values: Sequence[Any]) -> SealedRow:
    """Return a row of `sealed` once it is checked."""
    *data, crc = values
    if crc != checksum(*data):
        raise JournalDamagedError(f"sealed row {data[0]}: wrong checksum")
    return SealedRow(*data)


def delete_pending(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Remove groups."""
    connection.executemany("DELETE FROM pending WHERE id = ?", [(row_id,) for row_id in ids])


def delete_sealed(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Remove sealed batches."""
    connection.executemany("DELETE FROM sealed WHERE id = ?", [(row_id,) for row_id in ids])


def largest_id(connection: sqlite3.Connection, table: str) -> int:
    """Return the largest id of a table, 0 when it is empty."""
    with translated():
        query = {"pending": "SELECT max(id) FROM pending", "sealed": "SELECT max(id) FROM sealed"}[table]
        return int(connection.execute(query).fetchone()[0] or 0)
