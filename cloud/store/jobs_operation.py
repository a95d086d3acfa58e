"""Sessions in which an instrument is operated from afar, and their transcripts, chained by hashes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection

BEGINNING = bytes(32)
RECEIPTS_FOR = timedelta(days=1)
"""So long after its end a session's receipts are still taken into its transcript."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One session."""

    id: int
    organisation_id: int
    site_id: int
    job_id: int
    job: str
    gateway_id: int
    gateway: str
    instrument: str
    operator: str
    """Number of a person, or login."""
    account_id: int
    session_id: int
    """Of the browser in which the operator is signed in; 0: there were no accounts."""
    started_at: datetime
    heard_at: datetime
    """When the operator did something last."""
    ended_at: datetime | None
    end_reason: str
    end_detail: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    number: int
    at: datetime
    kind: str
    """`begun`, `command`, `receipt`, `note`, `ended`."""
    data: str
    """JSON, to the letter as it was hashed."""
    previous: str
    hash: str
    """SHA-256 over the hash before, session, number, time, kind and data; hexadecimal."""


@dataclass(frozen=True, slots=True)
class NewOperation:
    """A session that begins."""

    organisation_id: int
    site_id: int
    job_id: int
    gateway_id: int
    instrument: str
    operator: str
    account_id: int
    session_id: int
    at: datetime


_ALL = """
SELECT o.id, o.organisation_id, o.site_id, o.job_id, j.number AS job, o.gateway_id, g.name AS gateway,
       o.instrument, o.operator, o.account_id, o.session_id, o.started_at, o.heard_at, o.ended_at,
       o.end_reason, o.end_detail
  FROM operations o JOIN jobs j ON j.id = o.job_id JOIN gateways g ON g.id = o.gateway_id
 WHERE (%(id)s::int IS NULL OR o.id = %(id)s)
   AND (%(job)s::int IS NULL OR o.job_id = %(job)s)
   AND (%(open)s IS NOT TRUE OR o.ended_at IS NULL)
   AND (%(since)s::timestamptz IS NULL OR o.ended_at IS NULL OR o.ended_at > %(since)s)
   AND (%(before)s::int IS NULL OR o.id < %(before)s)
 ORDER BY o.id DESC LIMIT %(limit)s
"""


async def list_operations(connection: Connection, **given: object) -> list[Operation]:
    """Return sessions, the last begun first; `job`, `open`, `since` (not ended before), `before` narrow."""
    values = {**dict.fromkeys(("id", "job", "open", "since", "before")), "limit": 1000, **given}
    async with connection.cursor(row_factory=class_row(Operation)) as cursor:
        await cursor.execute(_ALL, values)
        return await cursor.fetchall()


async def get_operation(
    connection: Connection, operation_id: int, *, change: bool = False
) -> Operation | None:
    """Return one session, or None; with `change` whoever else would change it waits."""
    if change:
        await connection.execute("SELECT 1 FROM operations WHERE id = %s FOR UPDATE", (operation_id,))
    found = await list_operations(connection, id=operation_id, limit=1)
    return found[0] if found else None


async def begin(connection: Connection, new: NewOperation) -> int | None:
    """Enter a session and return its id; None while another one holds the instrument."""
    cursor = await connection.execute(
        "INSERT INTO public.operations (organisation_id, site_id, job_id, gateway_id, instrument, operator,"
        " account_id, session_id, started_at, heard_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (gateway_id, instrument) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        (
            *(new.organisation_id, new.site_id, new.job_id, new.gateway_id, new.instrument),
            *(new.operator, new.account_id, new.session_id, new.at, new.at),
        ),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def held_by(connection: Connection, gateway_id: int, instrument: str) -> tuple[int, int] | None:
    """Return account and session of who operates an instrument, whoever asks; None: nobody does."""
    cursor = await connection.execute(
        "SELECT account_id, session_id FROM public.operations"
        " WHERE gateway_id = %s AND instrument = %s AND ended_at IS NULL",
        (gateway_id, instrument),
    )
    row = await cursor.fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


async def hear(connection: Connection, operation_id: int, at: datetime) -> None:
    """Note that the operator did something."""
    await connection.execute(
        "UPDATE operations SET heard_at = greatest(heard_at, %s) WHERE id = %s", (at, operation_id)
    )


async def end(connection: Connection, operation_id: int, *, reason: str, detail: str, at: datetime) -> None:
    """Note that a session ended, and why."""
    await connection.execute(
        "UPDATE operations SET ended_at = %s, end_reason = %s, end_detail = %s WHERE id = %s",
        (at, reason, detail, operation_id),
    )


async def add_line(
    connection: Connection, operation: Operation, kind: str, data: Mapping[str, object], *, at: datetime
) -> None:
    """Add a line to a transcript; the row of the session is held."""
    cursor = await connection.execute(
        "SELECT number, hash FROM operation_lines WHERE operation_id = %s ORDER BY number DESC LIMIT 1",
        (operation.id,),
    )
    row = await cursor.fetchone()
    number, previous = (1, BEGINNING) if row is None else (int(row[0]) + 1, bytes(row[1]))
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    hashed = hash_of(operation.id, number, at, kind=kind, data=text, previous=previous)
    await connection.execute(
        "INSERT INTO operation_lines (operation_id, number, organisation_id, site_id, at, kind, data,"
        " previous, hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(operation.id, number, operation.organisation_id, operation.site_id),
            *(at, kind, text, previous, hashed),
        ),
    )


def hash_of(operation_id: int, number: int, at: datetime, *, kind: str, data: str, previous: bytes) -> bytes:
    """Return the hash of a line."""
    told = f"{operation_id}\n{number}\n{at.astimezone(UTC).isoformat()}\n{kind}\n{data}"
    return hashlib.sha256(previous + told.encode()).digest()


async def transcript(connection: Connection, operation_id: int) -> list[Line]:
    """Return every line of a transcript, in order."""
    cursor = await connection.execute(
        "SELECT number, at, kind, data::text, encode(previous, 'hex'), encode(hash, 'hex')"
        " FROM operation_lines WHERE operation_id = %s ORDER BY number",
        (operation_id,),
    )
    return [Line(*row) for row in await cursor.fetchall()]


def broken_at(operation_id: int, lines: Sequence[Line]) -> int | None:
    """Return the number of the first line that is not as it was written, None when the chain is whole."""
    previous = BEGINNING
    for number, line in enumerate(lines, start=1):
        told = hash_of(operation_id, number, line.at, kind=line.kind, data=line.data, previous=previous)
        if line.number != number or line.previous != previous.hex() or line.hash != told.hex():
            return number
        previous = told
    return None


_RECEIPTS = """
SELECT r.id, encode(r.command_id, 'hex'), r.state, r.reason, r.text, r.data, r.at, r.from_journal
  FROM command_receipts r
 WHERE r.command_id IN (SELECT decode(l.data->>'command', 'hex') FROM operation_lines l
                         WHERE l.operation_id = %(id)s AND l.kind = 'command')
   AND NOT EXISTS (SELECT 1 FROM operation_lines l WHERE l.operation_id = %(id)s AND l.kind = 'receipt'
                      AND (l.data->>'receipt')::bigint = r.id)
 ORDER BY r.id
"""


async def new_receipts(connection: Connection, operation_id: int) -> list[dict[str, Any]]:
    """Return the receipts of a session's commands that its transcript lacks."""
    rows = await (await connection.execute(_RECEIPTS, {"id": operation_id})).fetchall()
    return [
        {
            "receipt": row[0],
            "command": row[1],
            "state": row[2],
            "reason": row[3],
            "text": row[4],
            "data": row[5],
            "at": None if row[6] is None else row[6].isoformat(),
            "from_journal": row[7],
        }
        for row in rows
    ]


async def signed_in(connection: Connection, operation: Operation, at: datetime) -> bool:
    """Whether the operator's session lives, and the account is open."""
    cursor = await connection.execute(
        "SELECT 1 FROM web_sessions s JOIN accounts a ON a.id = s.account_id"
        " WHERE s.id = %s AND s.account_id = %s AND s.ended_at IS NULL AND s.ends_at > %s"
        " AND a.disabled_at IS NULL",
        (operation.session_id, operation.account_id, at),
    )
    return await cursor.fetchone() is not None
