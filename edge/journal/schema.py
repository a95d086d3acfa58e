"""The journal's SQLite file: tables, how it is opened, and the checksum that every row carries.

Pages are small (1 KiB), since a commit a second rewrites two or three of them and a card wears by what is
written. WAL with synchronous=FULL: a commit counts once the log is synced.
"""

import errno
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.journal.errors import JournalDamagedError, JournalError, JournalFullError

APPLICATION_ID = 0x48454E47
SCHEMA_VERSION = 1
VERSION_KEY = "schema"
PAGE_BYTES = 1024
WAL_PAGES_MAX = 1000

_TABLES = """
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pending (id INTEGER PRIMARY KEY, at INTEGER, readings INTEGER NOT NULL, packed INTEGER NOT NULL,
                      body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE sealed (id INTEGER PRIMARY KEY, epoch BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
                     at INTEGER, readings INTEGER NOT NULL, frame BLOB NOT NULL, crc INTEGER NOT NULL);
"""

_DAMAGED = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_FORMAT,
)
_REFUSED = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
)
_REFUSED_ERRNO = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.ENXIO,
    errno.ENODEV,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
)
_WAL_FORMAT = b"\x02\x02"

Value = bytes | str | int | None


def checksum(*values: Value) -> int:
    """Return the CRC-32 of a row's values, with their lengths."""
    crc = 0
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode()
        crc = zlib.crc32(data, zlib.crc32(b"%d:" % len(data), crc))
    return crc


def connect(file: Path) -> sqlite3.Connection:
    """Open or create a journal; `JournalDamagedError` when it is none, `JournalError` when too new."""
    _look_at_header(file)
    with translated():
        connection = sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, file)
        except BaseException:
            connection.close()
            raise
    return connection


def _look_at_header(file: Path) -> None:
    """SQLite takes a file of another format version for one that may not be written."""
    with suppress(FileNotFoundError), file.open("rb") as handle:
        versions = handle.read(20)[18:20]
        if versions and versions != _WAL_FORMAT:
            raise JournalDamagedError(f"{file.name} has format versions {versions.hex()}")


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not tables and not version:
        _create(connection)
    elif _pragma(connection, "application_id") != APPLICATION_ID or not tables:
        raise JournalDamagedError(f"{file.name} is no journal")
    elif version != SCHEMA_VERSION:
        if _confirmed(connection, version):
            raise JournalError(f"{file} has schema version {version}; this software knows {SCHEMA_VERSION}")
        raise JournalDamagedError(f"{file.name} has schema version {version}")
    elif not has_our_tables(connection):
        raise JournalDamagedError(f"{file.name} has other tables than a journal")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
    connection.execute(f"PRAGMA journal_size_limit={2 * WAL_PAGES_MAX * PAGE_BYTES}")
    connection.execute("PRAGMA cache_size=-2000")
    connection.execute("PRAGMA temp_store=MEMORY")


def is_sound(connection: sqlite3.Connection) -> bool:
    """Whether each page is as SQLite left it: rows vanish without an error where a count of them changed."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    return found is not None and found[0] == "ok"


def has_our_tables(connection: sqlite3.Connection) -> bool:
    """Whether the tables are word for word ours: SQLite takes many a turned bit for another column type."""
    found = connection.execute("SELECT name, rootpage, sql FROM sqlite_schema").fetchall()
    ours = [statement.strip() for statement in _TABLES.split(";") if statement.strip()]
    expected = {(sql.split()[2], root, sql) for root, sql in enumerate(ours, start=2)}
    return len(found) == len(expected) and set(found) == expected


def _confirmed(connection: sqlite3.Connection, version: int) -> bool:
    """Whether a checked row names the version too: a bit that turned in the header is no newer software."""
    row = connection.execute("SELECT value, crc FROM state WHERE key = ?", (VERSION_KEY,)).fetchone()
    value = str(version).encode()
    return row is not None and row == (value, checksum(VERSION_KEY, value))


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the file holds rows; what was deleted is reused and does not count."""
    return (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) * PAGE_BYTES


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, durably, or nothing of it."""
    with translated():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of SQLite and of the disk into the journal's own; a misuse of SQLite stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        extended = getattr(error, "sqlite_errorcode", 0)
        code = extended & 0xFF
        undecodable = not code and isinstance(error, sqlite3.OperationalError)
        if code in _DAMAGED or extended == sqlite3.SQLITE_IOERR_SHORT_READ or undecodable:
            raise JournalDamagedError(f"SQLite: {error}") from error
        if code not in _REFUSED:
            raise
        raise JournalFullError(f"SQLite: {error}") from error
    except OSError as error:
        if error.errno not in _REFUSED_ERRNO:
            raise
        raise JournalFullError(f"disk: {error}") from error
    except UnicodeDecodeError as error:
        raise JournalDamagedError("SQLite: text that is none") from error
