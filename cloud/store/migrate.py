"""Brings the hub's tables to the schema of this code, and says whether they are there.

A migration is `migrations/NNNN_what.sql`. Lines of its header comment may say:

    -- transaction: none              each statement on its own instead of the whole file in one transaction
    -- requires: timescaledb          applied where the extension is installed
    -- requires: no timescaledb       applied where it is not

A file is never edited once released: its hash is kept, and a difference is refused. This module does not
move data between the two kinds of database.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql

from cloud.store.statements import split_statements

HUB_ROLE = "heng_hub"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_HEADER = re.compile(r"--\s*(transaction|requires)\s*:\s*(.+?)\s*")
_LOCK = 0x48454E47
_UPGRADE = "run: heng database upgrade"


class SchemaError(Exception):
    """The tables and this code do not belong together; the text says what to run."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    text: str
    transaction: bool
    requires_timescaledb: bool | None

    @property
    def sha256(self) -> str:
        """Return the hash that the version table keeps."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def belongs(self, timescaledb: bool) -> bool:
        """Whether it is applied on this kind of database."""
        return self.requires_timescaledb is None or self.requires_timescaledb == timescaledb


def parse_migration(name: str, text: str) -> Migration:
    """Read the header of one file; `SchemaError` names an unknown word in it."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise SchemaError(f"migration {name!r}: expected NNNN_what.sql")
    words = dict(_header_words(text))
    if words.get("transaction", "none") != "none":
        raise SchemaError(f"migration {name}: transaction: {words['transaction']!r}, expected 'none'")
    requires = {None: None, "timescaledb": True, "no timescaledb": False}
    if words.get("requires") not in requires:
        raise SchemaError(f"migration {name}: requires: {words['requires']!r}")
    return Migration(int(match[1]), name, text, "transaction" not in words, requires[words.get("requires")])


def _header_words(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if not line.startswith("--"):
            return
        if match := _HEADER.fullmatch(line):
            yield match[1], match[2]


def load_migrations() -> tuple[Migration, ...]:
    """Return the files that ship with this code, in order; numbers are unique."""
    folder = resources.files("cloud.store") / "migrations"
    found = [
        parse_migration(entry.name, entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.number)
    numbers = [migration.number for migration in found]
    if len(set(numbers)) != len(numbers):
        raise SchemaError(f"two migrations share a number: {[m.name for m in found]}")
    return tuple(found)


async def upgrade(
    connection: psycopg.AsyncConnection[tuple[object, ...]],
    migrations: Sequence[Migration] | None = None,
) -> list[str]:
    """Apply what is missing, as the owner, and grant the hub role its rights; return the names applied.

    The connection must be in autocommit. `SchemaError` when the tables are newer than the code.
    """
    files = load_migrations() if migrations is None else migrations
    await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        await _ensure_version_table(connection)
        timescaledb = await has_timescaledb(connection)
        applied = await _applied(connection)
        _check_known(files, applied, timescaledb)
        missing = [m for m in files if m.belongs(timescaledb) and m.number not in applied]
        if missing:
            await connection.execute("DROP SCHEMA IF EXISTS scoped CASCADE")  # its views hold on to columns
        for migration in missing:
            await _apply(connection, migration)
        names = [migration.name for migration in missing]
        await _grant(connection)
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return names


async def check_version(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """Raise `SchemaError` unless the tables are exactly those of this code."""
    row = await (await connection.execute("SELECT to_regclass('schema_migrations') IS NULL")).fetchone()
    if row is None or row[0]:
        raise SchemaError(f"the database has no tables of Heng; {_UPGRADE}")
    files = load_migrations()
    timescaledb = await has_timescaledb(connection)
    applied = await _applied(connection)
    _check_known(files, applied, timescaledb)
    missing = [m.name for m in files if m.belongs(timescaledb) and m.number not in applied]
    if missing:
        raise SchemaError(f"the database is older than this code, it lacks {', '.join(missing)}; {_UPGRADE}")


async def has_timescaledb(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    """Whether the extension is installed in this database."""
    cursor = await connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    return await cursor.fetchone() is not None


async def install_timescaledb(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    """Install the extension where the server offers it and the role may; return whether it is installed."""
    cursor = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
    if await cursor.fetchone() is None:
        return False
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported):
        return await has_timescaledb(connection)
    except psycopg.errors.OperationalError as error:
        raise SchemaError(f"the extension timescaledb cannot be installed: {error}") from error
    return True


async def _ensure_version_table(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number     integer PRIMARY KEY,
            name       text NOT NULL,
            sha256     text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


async def _applied(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> dict[int, tuple[str, str]]:
    cursor = await connection.execute("SELECT number, name, sha256 FROM schema_migrations")
    rows = await cursor.fetchall()
    return {int(str(number)): (str(name), str(sha256)) for number, name, sha256 in rows}


def _check_known(files: Sequence[Migration], applied: dict[int, tuple[str, str]], timescaledb: bool) -> None:
    known = {migration.number: migration for migration in files}
    for number, (name, sha256) in sorted(applied.items()):
        migration = known.get(number)
        if migration is None:
            raise SchemaError(
                f"the database is newer than this code: it has {name}; install the Heng that wrote it"
            )
        if migration.sha256 != sha256:
            raise SchemaError(
                f"the database was made from another {name} than this code ships; "
                "install the Heng that wrote it, or start with an empty database"
            )
        if not migration.belongs(timescaledb):
            raise SchemaError(
                f"{name} was applied, but the extension timescaledb has come or gone since; "
                "dump the data and restore it into a new database"
            )


async def _apply(connection: psycopg.AsyncConnection[tuple[object, ...]], migration: Migration) -> None:
    record = (migration.number, migration.name, migration.sha256)
    insert = "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)"
    if migration.transaction:
        async with connection.transaction():
            await connection.execute(migration.text.encode())
            await connection.execute(insert, record)
        return
    for statement in split_statements(migration.text):
        await connection.execute(statement.encode())
    await connection.execute(insert, record)


async def _grant(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """Give the hub role what services need: no DDL, evidence can be added but not changed; and the views."""
    cursor = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (HUB_ROLE,))
    if await cursor.fetchone() is None:
        try:
            await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(HUB_ROLE)))
        except psycopg.errors.InsufficientPrivilege:
            raise SchemaError(
                f"the role {HUB_ROLE} is missing; as a superuser run: "
                f"CREATE ROLE {HUB_ROLE} LOGIN PASSWORD '…'"
            ) from None
    async with connection.transaction():
        for name in ("grants.sql", "scope.sql"):
            text = (resources.files("cloud.store") / name).read_text(encoding="utf-8")
            await connection.execute(text.encode())
