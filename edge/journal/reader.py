"""Reads what is left of a damaged journal file, row by row; it writes nothing into it."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from edge.journal import rows
from edge.journal.errors import JournalDamagedError, JournalError
from edge.journal.header import graft_header
from edge.journal.schema import checksum, has_our_tables, is_sound

_T = TypeVar("_T")
_SINGLE_TRIES = 4096
_BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises on a damaged file; its message may quote bytes that are no text."""
_JUMP_MAX = 2**40
_STATE = "SELECT key, value, crc FROM state"
_SEALED = "SELECT id, epoch, seq, hash, at, readings, frame, crc FROM sealed"
_PENDING = "SELECT id, at, readings, packed, body, crc FROM pending"


class Reader:
    """Use as a context manager. When even the first page is unreadable, a healthy one takes its place."""

    def __init__(self, file: Path) -> None:
        """`file` was set aside, its log beside it."""
        self._file = file
        self._grafted: Path | None = None

    def __enter__(self) -> Self:
        self._connection = sqlite3.connect(self._file, isolation_level=None)
        if not self._readable():
            self._connection.close()
            self._grafted = graft_header(self._file)
            self._connection = sqlite3.connect(self._grafted, isolation_level=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        if self._grafted:
            for side in ("", "-wal", "-shm"):
                self._grafted.with_name(self._grafted.name + side).unlink(missing_ok=True)

    def _readable(self) -> bool:
        """Whether the tables are found where and as they should be."""
        try:
            return has_our_tables(self._connection)
        except _BROKEN:
            return False

    @property
    def sound(self) -> bool:
        """Whether no row can have vanished without a trace."""
        try:
            return is_sound(self._connection)
        except _BROKEN:
            return False

    def state(self) -> Iterator[tuple[str, bytes]]:
        """Yield what is readable of the state."""
        with suppress(*_BROKEN):
            for key, value, crc in self._connection.execute(_STATE):
                if isinstance(key, str) and isinstance(value, bytes) and crc == checksum(key, value):
                    yield key, value

    def sealed(self) -> Iterator[rows.SealedRow | None]:
        """Yield every sealed batch that is as it was written; None where rows cannot be read."""
        yield from self._rows(_SEALED, rows.sealed_row)

    def pending(self) -> Iterator[rows.PendingRow | None]:
        """Yield every group that is as it was written; None where rows cannot be read."""
        yield from self._rows(_PENDING, rows.pending_row)

    def _rows(self, select: str, check: Callable[[Sequence[object]], _T]) -> Iterator[_T | None]:
        position = 0
        while True:
            for values in self._forward(select, position):
                position = max(position, _number(values[0]))
                yield _checked(values, check)
            if not self._broke:
                return
            yield None
            for row_id in range(position + 1, position + _SINGLE_TRIES):
                for values in self._query(f"{select} WHERE id = ?", row_id):
                    yield _checked(values, check)
                if self._broke:
                    yield None
            position += _SINGLE_TRIES - 1
            jump = self._readable_from(select, position)
            if jump is None:
                return
            position = jump

    def _forward(self, select: str, after: int) -> Iterator[Sequence[object]]:
        yield from self._query(f"{select} WHERE id > ? ORDER BY id", after)

    def _readable_from(self, select: str, position: int) -> int | None:
        """Return an id behind which rows can be read again, None when there is none."""
        step = 1
        while step < _JUMP_MAX:
            found = list(self._query(f"{select} WHERE id > ? ORDER BY id LIMIT 1", position + step))
            if not self._broke:
                return position + step if found else None
            step *= 2
        return None

    def _query(self, query: str, value: int) -> Iterator[Sequence[object]]:
        """Yield rows until the file breaks; whether it did is in `_broke`."""
        self._broke = False
        try:
            yield from self._connection.execute(query, (value,))
        except (*_BROKEN, JournalError):
            self._broke = True


def _checked(values: Sequence[object], check: Callable[[Sequence[object]], _T]) -> _T | None:
    try:
        return check(values)
    except JournalDamagedError:
        return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
