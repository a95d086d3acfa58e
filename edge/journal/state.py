"""What the journal remembers beside its rows, as small values by key, kept in step with transactions."""

import sqlite3
from collections.abc import Iterator

from edge.journal.errors import JournalDamagedError
from edge.journal.schema import checksum, translated


class State:
    """The table `state`: staged changes are visible at once and become durable with the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read everything; `JournalDamagedError` when a row is not what was written."""
        self._connection = connection
        self._kept: dict[str, bytes] = {}
        self._staged: dict[str, bytes | None] = {}
        with translated():
            for key, value, crc in connection.execute("SELECT key, value, crc FROM state"):
                if not isinstance(key, str) or not isinstance(value, bytes) or crc != checksum(key, value):
                    raise JournalDamagedError(f"state row {str(key)[:80]!r}: wrong checksum")
                self._kept[key] = value

    def get(self, key: str) -> bytes | None:
        """Return a value, or None when there is none."""
        return self._staged[key] if key in self._staged else self._kept.get(key)

    def items(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield (rest of the key, value) of all keys with a prefix."""
        for key in {**self._kept, **self._staged}:
            value = self.get(key)
            if key.startswith(prefix) and value is not None:
                yield key[len(prefix) :], value

    def put(self, key: str, value: bytes) -> None:
        """Stage a value."""
        if self.get(key) != value:
            self._staged[key] = value

    def delete(self, key: str) -> None:
        """Stage the removal of a value."""
        if self.get(key) is not None:
            self._staged[key] = None

    def write(self) -> None:
        """Write what is staged, inside the caller's transaction."""
        for key, value in self._staged.items():
            if value is None:
                self._connection.execute("DELETE FROM state WHERE key = ?", (key,))
            else:
                row = (key, value, checksum(key, value))
                self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", row)

    def committed(self) -> None:
        """Take what was written as the truth; call after the transaction."""
        for key, value in self._staged.items():
            if value is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = value
        self._staged = {}

    def discard(self) -> None:
        """Forget what is staged; call after a transaction that failed."""
        self._staged = {}
