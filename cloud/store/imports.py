"""What an import compares with and writes: rows of a few tables, as JSON; and the runs that can be undone.

Rows are named by table and id; which tables and columns, stands here alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection

Fields = dict[str, Any]
TABLES: Mapping[str, tuple[str, ...]] = {
    "people": ("number", "name", "department", "email", "left_at"),
    "accounts": ("person_id", "login", "password_at", "disabled_at"),
    "role_grants": ("account_id", "role", "at_site_id", "ended_at"),
    "credentials": ("person_id", "kind", "format", "key_id", "token", "ending", "valid", "state"),
    "points": ("title", "calibration_due"),
    "assets": ("name", "kind", "model", "serial", "tag", "home_zone_id"),
}
"""Columns that an import writes and compares."""
_LOCK = 0x494D504F


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import that was applied."""

    id: int
    organisation_id: int
    organisation: str
    file_name: str
    file_sha256: str
    """Hexadecimal."""
    author: str
    applied_at: datetime
    added: int
    changed: int
    undone_at: datetime | None
    undone_by: str | None


async def lock(connection: Connection, organisation_id: int) -> None:
    """Let one import of an organisation run at a time, until the transaction ends; times are text in UTC."""
    await connection.execute("SET LOCAL TimeZone = 'UTC'")
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, organisation_id))


async def rows_of(connection: Connection, table: str, organisation_id: int) -> dict[int, Fields]:
    """Return what an organisation has in a table: id -> columns, as JSON has them."""
    query = sql.SQL(
        "SELECT id, jsonb_build_object({pairs}) FROM public.{table} WHERE organisation_id = %s ORDER BY id"
    )
    cursor = await connection.execute(
        query.format(pairs=_pairs(table), table=sql.Identifier(table)), (organisation_id,)
    )
    return {int(row[0]): dict(row[1]) for row in await cursor.fetchall()}


async def row_of(connection: Connection, table: str, row_id: int, organisation_id: int) -> Fields | None:
    """Return one row as JSON has it, None when it is gone; it stays so until the transaction ends."""
    query = sql.SQL(
        "SELECT jsonb_build_object({pairs}) FROM public.{table} WHERE id = %s AND organisation_id = %s"
        " FOR UPDATE"
    )
    cursor = await connection.execute(
        query.format(pairs=_pairs(table), table=sql.Identifier(table)), (row_id, organisation_id)
    )
    row = await cursor.fetchone()
    return None if row is None else dict(row[0])


async def add(connection: Connection, table: str, organisation_id: int, fields: Fields) -> tuple[int, Fields]:
    """Add a row; return its id and the row as JSON has it."""
    query = sql.SQL(
        "INSERT INTO public.{table} (organisation_id, {columns})"
        " SELECT %s, {columns} FROM jsonb_populate_record(NULL::public.{table}, %s)"
        " RETURNING id, jsonb_build_object({pairs})"
    ).format(table=sql.Identifier(table), columns=_columns(table), pairs=_pairs(table))
    row = await (await connection.execute(query, (organisation_id, Jsonb(fields)))).fetchone()
    assert row is not None
    return int(row[0]), dict(row[1])


async def change(
    connection: Connection, table: str, row_id: int, organisation_id: int, *, old: Fields, new: Fields
) -> Fields | None:
    """Set every column of a row that an import writes; return the row as JSON has it.

    None, and nothing is written, when the row is not as `old` any more.
    """
    query = sql.SQL(
        "UPDATE public.{table} SET ({columns}) ="
        " (SELECT {columns} FROM jsonb_populate_record(NULL::public.{table}, %s))"
        " WHERE id = %s AND organisation_id = %s AND jsonb_build_object({pairs}) = %s"
        " RETURNING jsonb_build_object({pairs})"
    ).format(table=sql.Identifier(table), columns=_columns(table), pairs=_pairs(table))
    values = (Jsonb(new), row_id, organisation_id, Jsonb(old))
    row = await (await connection.execute(query, values)).fetchone()
    return None if row is None else dict(row[0])


async def remove(connection: Connection, table: str, row_id: int, organisation_id: int) -> None:
    """Delete a row that an import added; the database refuses when something refers to it."""
    query = sql.SQL("DELETE FROM public.{table} WHERE id = %s AND organisation_id = %s")
    await connection.execute(query.format(table=sql.Identifier(table)), (row_id, organisation_id))


def _columns(table: str) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(one) for one in TABLES[table])


def _pairs(table: str) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(one), sql.Identifier(one)) for one in TABLES[table]
    )


async def places(
    connection: Connection, organisation_id: int
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Return ids of sites by name, and of zones in use by site and name."""
    found = await connection.execute(
        "SELECT name, id FROM public.sites WHERE organisation_id = %s", (organisation_id,)
    )
    sites = {str(name): int(number) for name, number in await found.fetchall()}
    inner = await connection.execute(
        """
        SELECT s.name, z.name, z.id FROM public.zones z JOIN public.sites s ON s.id = z.site_id
         WHERE z.organisation_id = %s AND z.retired_at IS NULL
        """,
        (organisation_id,),
    )
    return sites, {(str(site), str(zone)): int(number) for site, zone, number in await inner.fetchall()}


async def points(
    connection: Connection, organisation_id: int, now: datetime
) -> dict[tuple[str, str], tuple[int, str | None]]:
    """Return, by site and name, a point's id and the due date that its calibration in force has itself."""
    cursor = await connection.execute(
        """
        SELECT s.name, p.name, p.id, c.due_on::text FROM public.points p
          JOIN public.sites s ON s.id = p.site_id
          LEFT JOIN public.calibrations c ON c.point_id = p.id AND c.valid @> %s::timestamptz
         WHERE p.organisation_id = %s
        """,
        (now, organisation_id),
    )
    return {(str(site), str(name)): (int(number), due) for site, name, number, due in await cursor.fetchall()}


async def logins(connection: Connection) -> dict[str, int]:
    """Return every login of the hub with its person's id; logins are never shared."""
    cursor = await connection.execute("SELECT login, person_id FROM public.accounts")
    return {str(login): int(person) for login, person in await cursor.fetchall()}


async def open_grants(connection: Connection, organisation_id: int) -> set[tuple[int, str, int | None]]:
    """Return roles in force as account, role, site."""
    cursor = await connection.execute(
        """
        SELECT account_id, role, at_site_id FROM public.role_grants
         WHERE organisation_id = %s AND ended_at IS NULL
        """,
        (organisation_id,),
    )
    return {(int(account), str(role), site) for account, role, site in await cursor.fetchall()}


async def credential_keys(connection: Connection, organisation_id: int) -> list[bytes]:
    """Return an organisation's keys of hashes of credentials, the newest that is in use first."""
    cursor = await connection.execute(
        """
        SELECT key FROM public.credential_keys WHERE organisation_id = %s
         ORDER BY retired_at IS NOT NULL, made_at DESC
        """,
        (organisation_id,),
    )
    return [bytes(key) for (key,) in await cursor.fetchall()]


async def add_credential_key(
    connection: Connection, organisation_id: int, key_id: str, key: bytes, *, at: datetime
) -> None:
    """Keep a new key."""
    await connection.execute(
        "INSERT INTO public.credential_keys (organisation_id, key_id, key, made_at) VALUES (%s, %s, %s, %s)",
        (organisation_id, key_id, key, at),
    )


async def add_run(
    connection: Connection,
    organisation_id: int,
    *,
    file_name: str,
    sha256: bytes,
    author: str,
    at: datetime,
    changes: Sequence[Fields],
) -> int:
    """Keep what an import wrote and return its id."""
    added = sum(one["old"] is None for one in changes)
    cursor = await connection.execute(
        """
        INSERT INTO public.import_runs (organisation_id, file_name, file_sha256, author, applied_at, added,
                                        changed, changes)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (organisation_id, file_name, sha256, author, at, added, len(changes) - added, json.dumps(changes)),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


_RUN = """
SELECT i.id, i.organisation_id, o.name AS organisation, i.file_name,
       encode(i.file_sha256, 'hex') AS file_sha256, i.author, i.applied_at,
       i.added, i.changed, i.undone_at, i.undone_by
FROM import_runs i JOIN organisations o ON o.id = i.organisation_id
"""
_RUNS = (
    _RUN
    + """
WHERE i.id > %(after)s AND (%(id)s::int IS NULL OR i.id = %(id)s)
ORDER BY i.id
LIMIT %(limit)s
"""
)


async def list_runs(connection: Connection, *, after: int = 0, limit: int = 1000) -> list[ImportRun]:
    """Return imports by id, those with an id greater than `after`."""
    async with connection.cursor(row_factory=class_row(ImportRun)) as cursor:
        await cursor.execute(_RUNS, {"id": None, "after": after, "limit": limit})
        return await cursor.fetchall()


async def newest_runs(connection: Connection, limit: int) -> list[ImportRun]:
    """Return the newest imports, the last one first."""
    async with connection.cursor(row_factory=class_row(ImportRun)) as cursor:
        await cursor.execute(_RUN + "ORDER BY i.id DESC LIMIT %s", (limit,))
        return await cursor.fetchall()


async def undoable(connection: Connection) -> set[int]:
    """Return the last import of each organisation that is not undone."""
    cursor = await connection.execute(
        "SELECT max(id) FROM import_runs WHERE undone_at IS NULL GROUP BY organisation_id"
    )
    return {int(number) for (number,) in await cursor.fetchall()}


async def get_run(connection: Connection, run_id: int) -> ImportRun | None:
    """Return one import, or None."""
    async with connection.cursor(row_factory=class_row(ImportRun)) as cursor:
        await cursor.execute(_RUNS, {"id": run_id, "after": 0, "limit": 1})
        return await cursor.fetchone()


async def last_run(connection: Connection, organisation_id: int) -> int | None:
    """Return the id of an organisation's last import that is not undone."""
    cursor = await connection.execute(
        "SELECT max(id) FROM public.import_runs WHERE organisation_id = %s AND undone_at IS NULL",
        (organisation_id,),
    )
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def changes_of(connection: Connection, run_id: int) -> list[Fields]:
    """Return what an import wrote, in the order of writing."""
    cursor = await connection.execute("SELECT changes FROM public.import_runs WHERE id = %s", (run_id,))
    row = await cursor.fetchone()
    return [] if row is None else list(row[0])


async def set_undone(connection: Connection, run_id: int, *, at: datetime, by: str) -> None:
    """Say that an import was undone."""
    await connection.execute(
        "UPDATE public.import_runs SET undone_at = %s, undone_by = %s WHERE id = %s", (at, by, run_id)
    )
