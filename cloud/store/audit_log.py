"""The audit log: rows are appended, each with the hash of the one before it, and never changed.

One chain for the whole hub. Who appends holds a lock until the transaction ends, so append last. The hub's
signed heads say how far the chain went; `cloud.identity.chain` judges all of it.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection

GENESIS = bytes(32)
"""The hash before the first row."""
_LOCK = 0x48454E4741554449
_TEXT_MAX = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written down."""

    actor_kind: str
    """`account`, `token`, `command` (at the hub's own command line), `gateway`, `rule` or `nobody`."""
    actor: str
    action: str
    object: str
    outcome: str = "done"
    """`done` or `refused`."""
    organisation_id: int | None = None
    """None: it concerns the whole hub, or nobody knows whose it is."""
    old: Any = None
    new: Any = None
    """As JSON takes it; never a secret."""
    why: str = ""
    origin: str = ""
    """From where: address, or the user of the command line."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the audit log."""

    id: int
    """Counts from 1 without holes."""
    at: datetime
    organisation_id: int | None
    actor_kind: str
    """`account`, `token`, `command`, `gateway`, `rule` or `nobody`."""
    actor: str
    action: str
    object: str
    outcome: str
    """`done` or `refused`."""
    old: str | None
    """JSON, before the change."""
    new: str | None
    """JSON, after it."""
    why: str
    origin: str
    """From where."""
    previous: str
    """Hash of the row before, hexadecimal."""
    hash: str
    """SHA-256 over the canonical JSON of all other fields, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain went at a time, signed by the hub."""

    audit_id: int
    hash: bytes
    at: datetime
    public_key: bytes
    signature: bytes


def row_hash(row: AuditRow) -> str:
    """Return what a row's hash has to be: over its fields as canonical JSON (sorted, UTF-8, no spaces)."""
    fields = {
        "id": row.id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "organisation_id": row.organisation_id,
        "actor_kind": row.actor_kind,
        "actor": row.actor,
        "action": row.action,
        "object": row.object,
        "outcome": row.outcome,
        "old": row.old,
        "new": row.new,
        "why": row.why,
        "origin": row.origin,
        "previous": row.previous,
    }
    return hashlib.sha256(_canonical(fields).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _json(value: Any) -> str | None:
    if value is None:
        return None
    return _plain(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str))


def _plain(text: str) -> str:
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


async def append(connection: Connection, entries: Sequence[Entry], *, at: datetime) -> int:
    """Append entries at the end of the chain and return the last id; inside the caller's transaction.

    Nothing is kept unless that transaction commits: a change and its row stand or fall together.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    head = await read_tip(connection)
    rows = []
    last, previous = (0, GENESIS.hex()) if head is None else head
    for entry in entries:
        last += 1
        made = _row(entry, last, at=at, previous=previous)
        previous = made.hash
        rows.append(made)
    async with connection.cursor() as cursor:
        await cursor.executemany(_INSERT, [_values(row) for row in rows])
    return last


def _row(entry: Entry, number: int, *, at: datetime, previous: str) -> AuditRow:
    fields: dict[str, Any] = {
        "id": number,
        "at": at,
        "organisation_id": entry.organisation_id,
        "actor_kind": entry.actor_kind,
        "actor": _plain(entry.actor)[:_TEXT_MAX],
        "action": entry.action,
        "object": _plain(entry.object)[:_TEXT_MAX],
        "outcome": entry.outcome,
        "old": _json(entry.old),
        "new": _json(entry.new),
        "why": _plain(entry.why)[:_TEXT_MAX],
        "origin": _plain(entry.origin)[:_TEXT_MAX],
        "previous": previous,
    }
    return AuditRow(**fields, hash=row_hash(AuditRow(**fields, hash="")))


_INSERT = """
INSERT INTO public.audit_log (id, at, organisation_id, actor_kind, actor, action, object, outcome, old, new,
                              why, origin, previous, hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def _values(row: AuditRow) -> tuple[object, ...]:
    who = (row.id, row.at, row.organisation_id, row.actor_kind, row.actor)
    what = (row.action, row.object, row.outcome, row.old, row.new, row.why, row.origin)
    return (*who, *what, bytes.fromhex(row.previous), bytes.fromhex(row.hash))


async def read_tip(connection: Connection) -> tuple[int, str] | None:
    """Return id and hash of the last row of the chain, whoever asks."""
    cursor = await connection.execute(
        "SELECT id, encode(hash, 'hex') FROM public.audit_log ORDER BY id DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


_COLUMNS = """
SELECT id, at, organisation_id, actor_kind, actor, action, object, outcome, old::text AS old,
       new::text AS new, why, origin, encode(previous, 'hex') AS previous, encode(hash, 'hex') AS hash
"""

_SEARCH = (
    _COLUMNS
    + """
FROM audit_log
WHERE at >= %(from_at)s AND at < %(to_at)s
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(actor_kinds)s::text[] IS NULL OR actor_kind = ANY (%(actor_kinds)s))
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(object)s::text IS NULL OR starts_with(object, %(object)s))
  AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)
ORDER BY id DESC
LIMIT %(limit)s
"""
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: an interval, and what has to fit; None fits all."""

    from_at: datetime
    to_at: datetime
    actor: str | None = None
    action: str | None = None
    object: str | None = None
    """Beginning of the object's name."""
    outcome: str | None = None
    actor_kinds: Sequence[str] | None = None


async def search(
    connection: Connection, asked: Asked, *, before: int | None = None, limit: int = 100
) -> list[AuditRow]:
    """Return rows that fit, the last first, those with an id below `before`."""
    values = {**asdict(asked), "before": before, "limit": limit}
    async with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        await cursor.execute(_SEARCH, values)
        return await cursor.fetchall()


async def read_all(connection: Connection, *, part: int = 5000) -> AsyncIterator[AuditRow]:
    """Yield the whole chain in order of ids, in parts; for verification, so never through a view."""
    after = 0
    while True:
        async with connection.cursor(row_factory=class_row(AuditRow)) as cursor:
            await cursor.execute(_PART, (after, part))
            rows = await cursor.fetchall()
        for row in rows:
            yield row
        if len(rows) < part:
            return
        after = rows[-1].id


_PART = _COLUMNS + " FROM public.audit_log WHERE id > %s ORDER BY id LIMIT %s"


async def add_head(connection: Connection, head: Head) -> bool:
    """Keep a signed head; return whether it is new."""
    cursor = await connection.execute(
        """
        INSERT INTO public.audit_heads (audit_id, hash, at, public_key, signature) VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (audit_id) DO NOTHING
        """,
        (head.audit_id, head.hash, head.at, head.public_key, head.signature),
    )
    return cursor.rowcount == 1


async def read_heads(connection: Connection) -> list[Head]:
    """Return every signed head in order."""
    async with connection.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute(
            "SELECT audit_id, hash, at, public_key, signature FROM public.audit_heads ORDER BY audit_id"
        )
        return await cursor.fetchall()
