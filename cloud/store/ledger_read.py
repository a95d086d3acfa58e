"""The ledger as evidence: which batches of each gateway and epoch came, and which are missing."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection

RANGES_MAX = 100


@dataclass(frozen=True, slots=True)
class EpochAccount:
    """The account of one epoch of one gateway, in batches: highest = received + tombstoned + missing."""

    gateway: str
    gateway_id: int
    epoch: str
    """Hexadecimal."""
    highest: int
    """The highest number received or tombstoned; numbers start at 1 and none is skipped."""
    received: int
    tombstoned: int
    """Not received, and the gateway said that they had to go."""
    missing: int
    """Neither; they may still come."""
    missing_ranges: list[list[int]]
    """First and last number of the first stretches that are missing."""
    waiting: int
    """Received, time still open."""
    quarantined: int
    """Received, a point undeclared or the gateway bound to no site then."""
    conflicts: int
    """Received, but another one of this number had been received before."""
    closed_at: datetime | None
    first_at: datetime


_EPOCHS = """
SELECT g.name AS gateway, g.id AS gateway_id, encode(l.epoch, 'hex') AS epoch, h.highest,
       coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(l.received) r), 0)::bigint AS received,
       coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(t.gone - l.received) r), 0)::bigint
           AS tombstoned,
       coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(m.missing) r), 0)::bigint AS missing,
       ARRAY(SELECT ARRAY[lower(r), upper(r) - 1] FROM unnest(m.missing) r ORDER BY r LIMIT %(ranges)s)
           AS missing_ranges,
       s.waiting, s.quarantined, s.conflicts, l.closed_at, l.first_at
FROM ledger l
JOIN gateways g ON g.id = l.gateway_id
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(int8range(seq, seq, '[]')), '{}') AS gone FROM tombstones
    WHERE gateway_id = l.gateway_id AND epoch = l.epoch) t
CROSS JOIN LATERAL (SELECT coalesce(upper(l.received + t.gone) - 1, 0) AS highest) h
CROSS JOIN LATERAL (
    SELECT int8multirange(int8range(1, h.highest + 1)) - l.received - t.gone AS missing) m
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
           count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
           count(*) FILTER (WHERE state = 'conflict') AS conflicts
    FROM batches
    WHERE gateway_id = l.gateway_id AND epoch = l.epoch AND state <> 'placed') s
WHERE %(gateway)s::text IS NULL OR g.name = %(gateway)s
ORDER BY g.name, l.first_at, l.epoch
OFFSET %(offset)s
LIMIT %(limit)s
"""


async def list_epochs(
    connection: Connection, *, gateway: str | None = None, offset: int = 0, limit: int = 1000
) -> list[EpochAccount]:
    """Return the account of every epoch, by gateway and then oldest first."""
    values = {"gateway": gateway, "offset": offset, "limit": limit, "ranges": RANGES_MAX}
    async with connection.cursor(row_factory=class_row(EpochAccount)) as cursor:
        await cursor.execute(_EPOCHS, values)
        return await cursor.fetchall()
