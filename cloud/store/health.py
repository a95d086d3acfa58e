"""What says whether the hub does its work: the schema, what waits, how far the aggregates are behind."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Backlog:
    """Figures of the whole hub."""

    gateways: int
    gateways_online: int
    points: int
    waiting: int
    """Batches received whose time is open."""
    quarantined: int
    """Batches received whose points or gateway are not declared."""
    conflicts: int
    rejects: int
    """Messages refused that are still kept."""
    gaps_open: int
    last_batch_at: datetime | None
    last_stored_s: float | None
    """Seconds since the newest batch was stored."""
    rollup_lag_batches: int
    """Stored batches that are not in the aggregates yet; at most 100,000 are counted."""
    database_bytes: int


_BACKLOG = """
SELECT (SELECT count(*) FROM gateways) AS gateways,
       (SELECT count(*) FROM gateways WHERE online) AS gateways_online,
       (SELECT count(*) FROM points) AS points,
       open.waiting, open.quarantined, open.conflicts,
       (SELECT count(*) FROM rejects) AS rejects,
       (SELECT count(*) FROM gaps WHERE to_at IS NULL) AS gaps_open,
       (SELECT max(last_batch_at) FROM gateways) AS last_batch_at,
       (SELECT extract(epoch FROM clock_timestamp() - stored_at)::float8
          FROM batches ORDER BY id DESC LIMIT 1) AS last_stored_s,
       (SELECT count(*) FROM (SELECT 1 FROM batches
         WHERE feed >= (SELECT feed FROM rollup_state) LIMIT 100000) later) AS rollup_lag_batches,
       pg_database_size(current_database()) AS database_bytes
FROM (SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
             count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
             count(*) FILTER (WHERE state = 'conflict') AS conflicts
      FROM batches WHERE state <> 'placed') open
"""


async def read_backlog(connection: Connection) -> Backlog:
    """Return the figures of now."""
    async with connection.cursor(row_factory=class_row(Backlog)) as cursor:
        await cursor.execute(_BACKLOG)
        row = await cursor.fetchone()
    if row is None:
        raise LookupError("the database gave no figures")
    return row
