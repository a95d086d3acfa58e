"""How gateways are: their clock, and how far what they measured is from being here; writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """What the newest batch of a gateway says of it, and what is still on its way."""

    gateway: str
    clock_state: str
    """`unsynchronised`, `synchronised` or `holdover`."""
    clock_source: str
    bound_ms: int | None
    """The clock is right within so much; None while the time is not known."""
    newest_at: datetime | None
    """Time of the newest reading in it; None when it has none, or its time is not known."""
    received_at: datetime
    missing: int
    """Batches of its journal that were sealed before and are not here."""
    waiting: int
    """Batches that are here and wait for time, or for a declaration."""


# The newest epoch is that of the newest readings; its last batch is found by its number, not by its time.
_HEALTH = """
SELECT g.name AS gateway, b.clock_state, b.clock_source, b.bound_ms, b.last_at AS newest_at, b.received_at,
       greatest(e.highest - e.received - e.gone, 0)::bigint AS missing,
       (SELECT count(*) FROM batches o WHERE o.gateway_id = g.id AND o.state <> 'placed') AS waiting
FROM gateways g
CROSS JOIN LATERAL (
    SELECT l.epoch, upper(l.received) - 1 AS highest,
           (SELECT sum(upper(r) - lower(r)) FROM unnest(l.received) r) AS received,
           (SELECT count(*) FROM tombstones t WHERE t.gateway_id = g.id AND t.epoch = l.epoch
               AND NOT l.received @> t.seq AND t.seq < upper(l.received)) AS gone
    FROM ledger l WHERE l.gateway_id = g.id AND NOT isempty(l.received)
    ORDER BY l.last_at DESC NULLS LAST, l.first_at DESC LIMIT 1) e
CROSS JOIN LATERAL (
    SELECT * FROM batches n WHERE n.gateway_id = g.id AND n.epoch = e.epoch AND n.seq = e.highest
    ORDER BY n.id LIMIT 1) b
WHERE g.id = ANY(%s)
"""


async def gateway_health(connection: Connection, gateway_ids: Sequence[int]) -> dict[str, GatewayHealth]:
    """Return name -> health, of these gateways that sent anything yet."""
    async with connection.cursor(row_factory=class_row(GatewayHealth)) as cursor:
        await cursor.execute(_HEALTH, (list(gateway_ids),))
        return {row.gateway: row for row in await cursor.fetchall()}
