"""Keeps readings_1m and readings_1h beside the readings, from the feed of committed batches.

Every round takes the batches that are new in the feed, computes the minutes and hours they touch again from
the readings, and moves the feed position on, all in one transaction. A round that is repeated changes
nothing, one that is cut off leaves nothing, and late readings correct old buckets. On TimescaleDB its own
jobs do this, and there is nothing to keep here. What is behind is known (`pending_stretches`) and read from
the readings instead.
"""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from psycopg import OperationalError
from psycopg.types.range import Range
from psycopg_pool import AsyncConnectionPool

from cloud.store.buckets import Stretch
from cloud.store.connection import Connection

log = logging.getLogger(__name__)

ROUND_BATCHES = 20_000
"""Batches in one transaction; more are taken when one transaction of ingest wrote more."""
ROUND_S = 10.0
"""Shortest time between two rounds: a minute that is still filling is computed again in each."""
REST = 9
"""Times as long as it works, the keeper rests: under heavy load it takes a tenth of one processor."""
REST_S_MAX = 300.0

ROUNDS_QUIET = 6

_PENDING = """
SELECT range_agg(tstzrange(b.first_at, b.last_at, '[]'))
FROM batches b
WHERE b.feed >= (SELECT feed FROM rollup_state)
  AND b.state IN ('placed', 'conflict') AND b.first_at IS NOT NULL
  AND b.gateway_id IN (SELECT gateway_id FROM channel_bindings WHERE point_id = %s)
"""

_KIND = "SELECT relkind FROM pg_class WHERE oid = 'readings_1m'::regclass"

_LOCK = "SELECT feed::text, pg_snapshot_xmin(pg_current_snapshot())::text FROM rollup_state FOR UPDATE"

# All batches of a feed position together, for there is no place to stop inside one.
_REACH = """
SELECT max(feed)::text, count(*) FROM (
    SELECT feed FROM batches WHERE feed >= %(since)s::xid8 AND feed < %(xmin)s::xid8
    ORDER BY feed LIMIT %(limit)s) next
"""

_TOUCHED = """
SELECT DISTINCT c.point_id, lower(s.stretch), upper(s.stretch)
FROM (SELECT gateway_id, unnest(range_agg(tstzrange(
             date_bin('1 minute', first_at, 'epoch'),
             date_bin('1 minute', last_at, 'epoch') + INTERVAL '1 minute'))) AS stretch
      FROM batches
      WHERE feed >= %(since)s::xid8 AND feed <= %(reach)s::xid8 AND feed < %(xmin)s::xid8
        AND state IN ('placed', 'conflict') AND first_at IS NOT NULL
      GROUP BY gateway_id) s
JOIN channel_bindings c ON c.gateway_id = s.gateway_id AND c.valid && s.stretch
"""

_MINUTES = """
INSERT INTO readings_1m AS kept
SELECT date_bin('1 minute', r.observed_at, 'epoch'), r.point_id, min(r.organisation_id),
       count(r.raw), count(*) - count(r.raw), sum(r.raw), min(r.raw), max(r.raw),
       (array_agg(r.raw ORDER BY r.observed_at) FILTER (WHERE r.raw IS NOT NULL))[1],
       (array_agg(r.raw ORDER BY r.observed_at DESC) FILTER (WHERE r.raw IS NOT NULL))[1], max(r.status)
FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) AS t (point_id, low, high)
CROSS JOIN LATERAL (SELECT * FROM readings
                    WHERE point_id = t.point_id AND observed_at >= t.low AND observed_at < t.high
                    OFFSET 0) r
GROUP BY 1, 2
ON CONFLICT (point_id, bucket) DO UPDATE SET
    n = excluded.n, absent = excluded.absent, sum = excluded.sum, min = excluded.min, max = excluded.max,
    first = excluded.first, last = excluded.last, worst = excluded.worst
WHERE (kept.n, kept.absent, kept.sum, kept.min, kept.max, kept.first, kept.last, kept.worst)
    IS DISTINCT FROM (excluded.n, excluded.absent, excluded.sum, excluded.min, excluded.max,
                      excluded.first, excluded.last, excluded.worst)
"""

_HOURS = """
INSERT INTO readings_1h AS kept
SELECT date_bin('1 hour', r.bucket, 'epoch'), r.point_id, min(r.organisation_id),
       sum(r.n)::bigint, sum(r.absent)::bigint, sum(r.sum), min(r.min), max(r.max),
       (array_agg(r.first ORDER BY r.bucket) FILTER (WHERE r.n > 0))[1],
       (array_agg(r.last ORDER BY r.bucket DESC) FILTER (WHERE r.n > 0))[1], max(r.worst)
FROM (SELECT point_id, unnest(range_agg(tstzrange(
             date_bin('1 hour', low, 'epoch'),
             date_bin('1 hour', high - INTERVAL '1 microsecond', 'epoch') + INTERVAL '1 hour'))) AS stretch
      FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) AS touched (point_id, low, high)
      GROUP BY point_id) t
CROSS JOIN LATERAL (SELECT * FROM readings_1m
                    WHERE point_id = t.point_id AND bucket >= lower(t.stretch) AND bucket < upper(t.stretch)
                    OFFSET 0) r
GROUP BY 1, 2
ON CONFLICT (point_id, bucket) DO UPDATE SET
    n = excluded.n, absent = excluded.absent, sum = excluded.sum, min = excluded.min, max = excluded.max,
    first = excluded.first, last = excluded.last, worst = excluded.worst
WHERE (kept.n, kept.absent, kept.sum, kept.min, kept.max, kept.first, kept.last, kept.worst)
    IS DISTINCT FROM (excluded.n, excluded.absent, excluded.sum, excluded.min, excluded.max,
                      excluded.first, excluded.last, excluded.worst)
"""

_MOVE = "UPDATE rollup_state SET feed = %s::xid8, ran_at = now()"


async def pending_stretches(connection: Connection, point_id: int) -> list[Stretch]:
    """Return the times for which the rollups of this point may be behind its readings."""
    row = await (await connection.execute(_PENDING, (point_id,))).fetchone()
    if row is None or row[0] is None:
        return []
    return [_closed(stretch) for stretch in row[0]]


async def is_kept_by_hub(connection: Connection) -> bool:
    """Whether the rollups are tables that `keep_rollups` must fill, and not TimescaleDB's."""
    row = await (await connection.execute(_KIND)).fetchone()
    return row is not None and row[0] in ("r", b"r")


async def roll_up(connection: Connection, *, limit: int = ROUND_BATCHES) -> int:
    """Do one round in one transaction and return how many batches it took; 0 when there was nothing new."""
    async with connection.transaction():
        row = await (await connection.execute(_LOCK)).fetchone()
        if row is None:
            return 0
        values: dict[str, Any] = {"since": row[0], "xmin": row[1], "limit": limit}
        reach = await (await connection.execute(_REACH, values)).fetchone()
        if reach is None or reach[0] is None:
            return 0
        values["reach"] = reach[0]
        rows = await (await connection.execute(_TOUCHED, values)).fetchall()
        touched = [list(column) for column in zip(*rows, strict=True)]
        if touched:
            await connection.execute(_MINUTES, touched)
            await connection.execute(_HOURS, touched)
        await connection.execute(_MOVE, (str(int(reach[0]) + 1),))
        return int(reach[1])


async def keep_rollups(
    pool: AsyncConnectionPool[Connection],
    wake: asyncio.Event,
    stop: asyncio.Event,
    *,
    round_s: float = ROUND_S,
) -> None:
    """Roll up what the feed brings until `stop` is set; does nothing on TimescaleDB.

    `wake` says that there may be something new; without it only every `ROUNDS_QUIET`th round looks.
    A database that is away is waited for.
    """
    lost, quiet = False, ROUNDS_QUIET - 1
    while not stop.is_set():
        quiet = 0 if wake.is_set() or lost else quiet + 1
        wake.clear()
        rest_s = round_s
        try:
            if quiet in (0, ROUNDS_QUIET):
                quiet, started = 0, monotonic()
                if not await _catch_up(pool, stop):
                    return
                rest_s = max(round_s, min(REST * (monotonic() - started), REST_S_MAX))
            if lost:
                log.info("rollups are kept again")
            lost = False
        except OperationalError as error:
            if not lost:
                log.warning("rollups wait for the database: %s", error)
            lost = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest_s)


async def _catch_up(pool: AsyncConnectionPool[Connection], stop: asyncio.Event) -> bool:
    """Roll up all there is; return False when that is not the hub's work here."""
    async with pool.connection() as connection:
        if not await is_kept_by_hub(connection):
            return False
        while not stop.is_set() and await roll_up(connection) >= ROUND_BATCHES:
            pass
    return True


def _closed(stretch: Range[datetime]) -> Stretch:
    """Return a stretch that holds both ends of the range."""
    if stretch.lower is None or stretch.upper is None:
        raise TypeError(f"a batch has both a first and a last time, not {stretch}")
    return stretch.lower, stretch.upper + timedelta(microseconds=1)
