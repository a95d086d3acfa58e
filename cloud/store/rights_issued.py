"""Which rights each gateway was sent, revision by revision, and what it says it decides by."""

import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from wire.codec import decode_body
from wire.control import ControlStatus, DocumentNow
from wire.errors import MessageError
from wire.shadow import Revision

CHANNEL = "heng_rights"
"""The NOTIFY channel on which changes of rights wake who compiles them: `<organisation>:<site or 0>`."""
BODY_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that serves a site with rights of its own."""

    gateway_id: int
    organisation_id: int
    gateway: str
    site_id: int


@dataclass(frozen=True, slots=True)
class State:
    """How far the rights of a gateway were numbered."""

    incarnation: int
    number: int
    kept_incarnation: int
    kept_number: int
    kept_at: datetime | None


@dataclass(frozen=True, slots=True)
class Issued:
    """One revision: a whole snapshot, a delta to the snapshot before it, or a revocation; as JSON.

    Read it is inflated; to be added it is `deflated`.
    """

    incarnation: int
    number: int
    kind: str
    digest: bytes | None
    body: bytes
    issued_at: datetime
    ended: dict[str, list[str]]


async def listen(connection: Connection) -> None:
    """Subscribe to the wake-up; the connection must be in autocommit mode."""
    await connection.execute(f"LISTEN {CHANNEL}")


_SERVED = """
SELECT g.id AS gateway_id, g.organisation_id, g.name AS gateway, b.site_id
  FROM gateways g JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %s::timestamptz
 WHERE g.revoked_at IS NULL
   AND (EXISTS (SELECT FROM access_items i WHERE i.site_id = b.site_id)
        OR EXISTS (SELECT FROM visits v WHERE v.site_id = b.site_id)
        OR EXISTS (SELECT FROM rights_state r WHERE r.gateway_id = g.id))
 ORDER BY g.id
"""


async def served(connection: Connection, at: datetime) -> list[Served]:
    """Return the gateways that are sent rights: they serve a site that has some, or were sent some before."""
    async with connection.cursor(row_factory=class_row(Served)) as cursor:
        await cursor.execute(_SERVED, (at,))
        return await cursor.fetchall()


async def hold_state(connection: Connection, gateway: Served) -> State:
    """Return how far a gateway's rights are; nobody else goes on until this transaction ends."""
    await connection.execute(
        """
        INSERT INTO rights_state (gateway_id, organisation_id, incarnation, number) VALUES (%s, %s, 0, 0)
            ON CONFLICT (gateway_id) DO NOTHING
        """,
        (gateway.gateway_id, gateway.organisation_id),
    )
    async with connection.cursor(row_factory=class_row(State)) as cursor:
        await cursor.execute(
            """
            SELECT incarnation, number, kept_incarnation, kept_number, kept_at
              FROM rights_state WHERE gateway_id = %s FOR UPDATE
            """,
            (gateway.gateway_id,),
        )
        found = await cursor.fetchone()
    assert found is not None
    return found


async def add(connection: Connection, gateway: Served, new: Issued) -> None:
    """Keep a revision behind all others of a gateway, whose state is held."""
    await connection.execute(
        """
        INSERT INTO rights_issued (gateway_id, organisation_id, incarnation, number, kind, digest, body,
                                   issued_at, ended)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(gateway.gateway_id, gateway.organisation_id, new.incarnation, new.number, new.kind, new.digest),
            *(new.body, new.issued_at, Jsonb(new.ended)),
        ),
    )
    await connection.execute(
        "UPDATE rights_state SET incarnation = %s, number = %s WHERE gateway_id = %s",
        (new.incarnation, new.number, gateway.gateway_id),
    )


async def set_faults(connection: Connection, gateway: Served, faults: Sequence[str], *, at: datetime) -> None:
    """Say why the newest rights are not sent; empty: they are. The gateway's state is held."""
    await connection.execute(
        """
        UPDATE rights_state
           SET faults = %(faults)s,
               faults_since = CASE WHEN %(none)s THEN NULL ELSE coalesce(faults_since, %(at)s) END
         WHERE gateway_id = %(gateway)s AND faults <> %(faults)s
        """,
        {"faults": Jsonb(list(faults)), "none": not faults, "at": at, "gateway": gateway.gateway_id},
    )


async def set_kept(connection: Connection, gateway_id: int, revision: Revision, *, at: datetime) -> None:
    """Say which revision the broker keeps for a gateway."""
    await connection.execute(
        """
        UPDATE rights_state SET kept_incarnation = %s, kept_number = %s, kept_at = %s WHERE gateway_id = %s
        """,
        (revision.incarnation, revision.number, at, gateway_id),
    )


_CHAIN = """
SELECT incarnation, number, kind, digest, body, issued_at, ended FROM rights_issued i
 WHERE gateway_id = %(gateway)s AND kind <> 'revocation'
   AND (incarnation, number) <= (%(incarnation)s, %(number)s)
   AND (incarnation, number) >= (
       SELECT s.incarnation, s.number FROM rights_issued s
        WHERE s.gateway_id = %(gateway)s AND s.kind = 'snapshot'
          AND (s.incarnation, s.number) <= (%(incarnation)s, %(number)s)
        ORDER BY s.incarnation DESC, s.number DESC LIMIT 1)
 ORDER BY incarnation, number
"""
_LATER = """
SELECT incarnation, number, kind, digest, body, issued_at, ended FROM rights_issued
 WHERE gateway_id = %s AND kind = 'revocation' AND (incarnation, number) > (%s, %s)
 ORDER BY incarnation, number
"""


async def chain(connection: Connection, gateway_id: int, revision: Revision) -> list[Issued]:
    """Return what makes the newest rights up to a revision: a whole snapshot, and the deltas behind it."""
    values = {"gateway": gateway_id, "incarnation": revision.incarnation, "number": revision.number}
    return await _issued(connection, _CHAIN, values)


async def revocations_after(connection: Connection, gateway_id: int, revision: Revision) -> list[Issued]:
    """Return the revocations behind a revision, in order."""
    return await _issued(connection, _LATER, (gateway_id, revision.incarnation, revision.number))


async def _issued(
    connection: Connection, query: str, values: Mapping[str, Any] | Sequence[Any]
) -> list[Issued]:
    cursor = await connection.execute(query.encode(), values)
    return [
        Issued(incarnation, number, kind, digest, _inflated(body), issued_at, ended)
        for incarnation, number, kind, digest, body, issued_at, ended in await cursor.fetchall()
    ]


def deflated(body: bytes) -> bytes:
    """Return a body as it is kept."""
    return zlib.compress(body, 6)


def _inflated(body: bytes) -> bytes:
    return zlib.decompressobj().decompress(body, BODY_BYTES_MAX)


async def forget(connection: Connection, gateway_id: int, *, before: datetime) -> int:
    """Delete revisions older than a time, but for those that the newest rights still rest on."""
    cursor = await connection.execute(
        """
        DELETE FROM rights_issued WHERE gateway_id = %(gateway)s AND issued_at < %(before)s
           AND (incarnation, number) < (
               SELECT s.incarnation, s.number FROM rights_issued s
                WHERE s.gateway_id = %(gateway)s AND s.kind = 'snapshot' AND s.issued_at < %(before)s
                ORDER BY s.incarnation DESC, s.number DESC LIMIT 1)
        """,
        {"gateway": gateway_id, "before": before},
    )
    return cursor.rowcount


# --- what gateways say ------------------------------------------------------------------------------------


async def set_honoured(connection: Connection, gateway: Served, said: DocumentNow, *, at: datetime) -> None:
    """Keep what a gateway says it decides by; `since` stays while the revision does."""
    revision = said.revision or Revision()
    refused = said.refused
    await connection.execute(
        """
        INSERT INTO rights_honoured AS h (gateway_id, organisation_id, incarnation, number, digest, since,
                                          heard_at, refused_incarnation, refused_number, refusal, faults)
        VALUES (%(gateway)s, %(organisation)s, %(incarnation)s, %(number)s, %(digest)s, %(at)s, %(at)s,
                %(refused_incarnation)s, %(refused_number)s, %(refusal)s, %(faults)s)
            ON CONFLICT (gateway_id) DO UPDATE
           SET incarnation = excluded.incarnation, number = excluded.number, digest = excluded.digest,
               since = CASE WHEN (h.incarnation, h.number) = (excluded.incarnation, excluded.number)
                            THEN h.since ELSE excluded.since END,
               heard_at = excluded.heard_at, refused_incarnation = excluded.refused_incarnation,
               refused_number = excluded.refused_number, refusal = excluded.refusal, faults = excluded.faults
        """,
        {
            "gateway": gateway.gateway_id,
            "organisation": gateway.organisation_id,
            "incarnation": revision.incarnation,
            "number": revision.number,
            "digest": said.digest,
            "at": at,
            "refused_incarnation": None if refused is None else refused.incarnation,
            "refused_number": None if refused is None else refused.number,
            "refusal": said.refusal,
            "faults": json.dumps(list(said.faults)),
        },
    )
    await connection.execute(
        """
        UPDATE rights_issued SET honoured_at = %s
         WHERE gateway_id = %s AND (incarnation, number) <= (%s, %s) AND honoured_at IS NULL
        """,
        (at, gateway.gateway_id, revision.incarnation, revision.number),
    )


async def said(
    connection: Connection, gateways: Sequence[int] | None
) -> list[tuple[int, DocumentNow, datetime]]:
    """Return what gateways (None: all) said last of their rights, and when it came."""
    cursor = await connection.execute(
        """
        SELECT gateway_id, body, received_at FROM control_status
         WHERE %(gateways)s::int[] IS NULL OR gateway_id = ANY (%(gateways)s)
        """,
        {"gateways": None if gateways is None else list(gateways)},
    )
    found = []
    for gateway_id, body, received_at in await cursor.fetchall():
        with suppress(MessageError):  # of a version that had other fields: it is told anew within seconds
            found.append((int(gateway_id), decode_body(body, ControlStatus).rights, received_at))
    return found
