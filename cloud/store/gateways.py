"""Gateways: their certified keys, and what is known of their being alive."""

from dataclasses import dataclass
from datetime import datetime

from cloud.store.connection import Connection
from cloud.store.declare import DeclarationError

KEYS_MAX = 100
"""Batch keys of one gateway, with those it had before."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A batch key with the proof that its gateway's TLS key certified it."""

    key_id: bytes
    organisation_id: int
    gateway_id: int
    public_key: bytes
    certificate_pem: str
    proof: bytes


async def add_key(connection: Connection, key: NewKey) -> bool:
    """Keep a key for ever; return whether it is new. Announce the change to the directory first.

    `DeclarationError` when its gateway has `KEYS_MAX` already.
    """
    cursor = await connection.execute(
        """
        INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem, proof)
        VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (key_id) DO NOTHING
        """,
        (
            key.key_id,
            key.organisation_id,
            key.gateway_id,
            key.public_key,
            key.certificate_pem,
            key.proof,
        ),
    )
    if cursor.rowcount == 0:
        return False
    counted = await connection.execute(
        "SELECT count(*) FROM gateway_keys WHERE gateway_id = %s HAVING count(*) > %s",
        (key.gateway_id, KEYS_MAX),
    )
    if await counted.fetchone() is not None:
        raise DeclarationError(f"gateway {key.gateway_id} has {KEYS_MAX} keys: no room for one more")
    return True


async def note_batches(connection: Connection, gateway_ids: list[int], received_at: datetime) -> None:
    """Note that these gateways' batches came in; their rows are locked in id order, as all do."""
    await connection.execute(
        """
        UPDATE gateways g SET last_batch_at = greatest(last_batch_at, %s)
          FROM (SELECT id FROM gateways WHERE id = ANY(%s::int[]) ORDER BY id FOR NO KEY UPDATE) l
         WHERE g.id = l.id
        """,
        (received_at, gateway_ids),
    )


@dataclass(frozen=True, slots=True)
class Liveness:
    """One gateway as last known."""

    gateway_id: int
    organisation_id: int
    name: str
    session: bytes | None
    online: bool
    online_since: datetime | None
    last_batch_at: datetime | None


async def liveness(connection: Connection) -> list[Liveness]:
    """Return all gateways."""
    cursor = await connection.execute(
        "SELECT id, organisation_id, name, session, online, online_since, last_batch_at FROM gateways"
    )
    return [Liveness(*row) for row in await cursor.fetchall()]


async def born(connection: Connection, *, gateway: str, session: bytes, software: str, at: datetime) -> bool:
    """A session began. Return whether it is news: a birth told again is none, even of a suspected session."""
    cursor = await connection.execute(
        """
        UPDATE gateways SET session = %s, online = true, online_since = %s, software = %s
         WHERE name = %s AND session IS DISTINCT FROM %s
        """,
        (session, at, software, gateway, session),
    )
    return cursor.rowcount == 1


async def lost(connection: Connection, *, gateway: str, session: bytes, at: datetime) -> bool:
    """The will of a session came. Return whether it counted: the will of an older session does not."""
    cursor = await connection.execute(
        """
        UPDATE gateways SET online = false, online_since = %s, session = NULL
         WHERE name = %s AND session = %s
        """,
        (at, gateway, session),
    )
    return cursor.rowcount == 1


async def set_suspected(connection: Connection, gateway_id: int, *, heard_at: datetime) -> bool:
    """Take a gateway for offline, unless it was heard since; its session goes on should it be heard."""
    cursor = await connection.execute(
        """
        UPDATE gateways SET online = false, online_since = %s
         WHERE id = %s AND online AND greatest(online_since, last_batch_at) <= %s
        """,
        (heard_at, gateway_id, heard_at),
    )
    return cursor.rowcount == 1


async def set_heard(connection: Connection, gateway_id: int, *, at: datetime) -> bool:
    """Take a suspected gateway for online again, because its session sent a batch."""
    cursor = await connection.execute(
        """
        UPDATE gateways SET online = true, online_since = %s
         WHERE id = %s AND NOT online AND session IS NOT NULL AND last_batch_at > online_since
        """,
        (at, gateway_id),
    )
    return cursor.rowcount == 1


async def site_of(connection: Connection, gateway_id: int, at: datetime) -> int | None:
    """Return the site that a gateway serves at a time."""
    cursor = await connection.execute(
        "SELECT site_id FROM gateway_bindings WHERE gateway_id = %s AND valid @> %s", (gateway_id, at)
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])
