"""What gateways sealed, as it was kept: batches with their very bytes, keys and tombstones.

Judges nothing.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """One batch with the bytes that were signed."""

    id: int
    epoch: bytes
    seq: int
    hash: bytes
    previous: bytes
    key_id: bytes
    signature: bytes
    state: str
    first_at: datetime | None
    last_at: datetime | None
    received_at: datetime
    body: bytes | None
    """None: their retention is over."""


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """A batch key of the gateway, with the proof by which it was believed."""

    key_id: bytes
    public_key: bytes
    certificate_pem: str
    proof: bytes
    first_seen_at: datetime
    refused_at: datetime | None


_SEALED = """
WITH spans AS (
    SELECT epoch, min(seq) AS first, max(seq) AS last FROM batches
     WHERE gateway_id = %(gateway)s
       AND coalesce(last_at, received_at) >= %(from)s AND coalesce(first_at, received_at) < %(to)s
     GROUP BY epoch)
SELECT b.id, b.epoch, b.seq, b.hash, b.previous, b.key_id, b.signature, b.state, b.first_at, b.last_at,
       b.received_at, d.body
FROM batches b
JOIN spans s ON s.epoch = b.epoch AND b.seq BETWEEN s.first AND s.last
LEFT JOIN batch_bodies d ON d.batch_id = b.id
WHERE b.gateway_id = %(gateway)s AND (b.epoch, b.seq, b.id) > (%(epoch)s, %(seq)s, %(id)s)
ORDER BY b.epoch, b.seq, b.id
LIMIT %(part)s
"""


async def sealed_batches(
    connection: Connection, gateway_id: int, *, from_at: datetime, to_at: datetime, part: int = 500
) -> AsyncIterator[SealedBatch]:
    """Yield each epoch's batches from the first to the last that touches an interval, by epoch and number.

    A batch touches it by the times of its readings, else by its arrival. Fresh readings are sealed before
    older ones, so a number between two of an interval may hold other times; the chain needs it all the same.
    """
    last: tuple[bytes, int, int] = (b"", 0, 0)
    while True:
        values = {
            "gateway": gateway_id,
            "from": from_at,
            "to": to_at,
            "part": part,
            "epoch": last[0],
            "seq": last[1],
            "id": last[2],
        }
        async with connection.cursor(row_factory=class_row(SealedBatch)) as cursor:
            await cursor.execute(_SEALED, values)
            rows = await cursor.fetchall()
        for row in rows:
            yield row
        if len(rows) < part:
            return
        last = rows[-1].epoch, rows[-1].seq, rows[-1].id


async def keys_of(connection: Connection, gateway_id: int) -> list[EvidenceKey]:
    """Return every batch key that a gateway ever had."""
    async with connection.cursor(row_factory=class_row(EvidenceKey)) as cursor:
        await cursor.execute(
            "SELECT key_id, public_key, certificate_pem, proof, first_seen_at, refused_at FROM gateway_keys"
            " WHERE gateway_id = %s ORDER BY first_seen_at",
            (gateway_id,),
        )
        return await cursor.fetchall()


async def tombstones_of(
    connection: Connection, gateway_id: int
) -> dict[tuple[bytes, int], tuple[bytes, str]]:
    """Return the batches that a gateway said it had to drop: (epoch, number) -> (hash, reason)."""
    cursor = await connection.execute(
        "SELECT epoch, seq, hash, reason FROM tombstones WHERE gateway_id = %s", (gateway_id,)
    )
    return {(bytes(e), int(s)): (bytes(h), str(r)) for e, s, h, r in await cursor.fetchall()}


_LOST = """
SELECT l.epoch, lower(r), upper(r) - 1
FROM ledger l
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(int8range(seq, seq, '[]')), '{}') AS kept FROM batches
    WHERE gateway_id = l.gateway_id AND epoch = l.epoch) b
CROSS JOIN LATERAL unnest(l.received - b.kept) r
WHERE l.gateway_id = %s
ORDER BY 1, 2
"""


async def lost_batches(connection: Connection, gateway_id: int) -> list[tuple[bytes, int, int]]:
    """Return what the ledger says was received and no row is kept of: epoch, first and last number.

    A chain alone cannot say so of its newest batches, or of a whole epoch.
    """
    cursor = await connection.execute(_LOST, (gateway_id,))
    return [(bytes(epoch), int(first), int(last)) for epoch, first, last in await cursor.fetchall()]
