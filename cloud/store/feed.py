"""The commit-safe feed of batches, as pages follow it: what changed since, and a wake-up. Writes nothing.

A position is a transaction id: rows with `feed` at or after it, and before every transaction that still runs,
are new. So a batch that commits late is never missed. NOTIFY only wakes; the position decides.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

Connection = AsyncConnection[Any]

CHANNEL = "heng_feed"
"""The NOTIFY channel that ingest wakes its followers on."""

_HEAD = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

_NEWS = """
SELECT DISTINCT gateway_id FROM batches
WHERE feed >= %(after)s::text::xid8 AND feed < %(head)s::text::xid8
"""

_READINGS = """
SELECT l.point_id, l.observed_at FROM latest l
WHERE %(gateways)s::int[] IS NULL
   OR EXISTS (SELECT 1 FROM channel_bindings b
              WHERE b.point_id = l.point_id AND b.gateway_id = ANY(%(gateways)s))
"""

_POSITIONS = """
SELECT l.point_id, l.observed_at FROM latest_positions l
WHERE %(gateways)s::int[] IS NULL
   OR EXISTS (SELECT 1 FROM channel_bindings b
              WHERE b.point_id = l.point_id AND b.gateway_id = ANY(%(gateways)s))
"""


@dataclass(frozen=True, slots=True)
class News:
    """Gateways whose batches were committed between two positions."""

    position: int
    """Where the next look starts."""
    gateways: tuple[int, ...]


async def listen(connection: Connection, channel: str = CHANNEL) -> None:
    """Subscribe to a wake-up; the connection must be in autocommit mode."""
    await connection.execute(f"LISTEN {channel}")


async def wait(connection: Connection, timeout_s: float) -> bool:
    """Return True at the first wake-up, False when none came in time."""
    async with aclosing(connection.notifies(timeout=timeout_s, stop_after=1)) as wake_ups:
        async for _ in wake_ups:
            return True
    return False


async def wake_ups(connection: Connection, timeout_s: float) -> list[tuple[str, str]]:
    """Return the first wake-up and those that came with it, as (channel, payload); none in time: empty."""
    async with aclosing(connection.notifies(timeout=timeout_s, stop_after=1)) as came:
        return [(one.channel, one.payload) async for one in came]


async def head(connection: Connection) -> int:
    """Return the position before which everything is committed or gone."""
    row = await (await connection.execute(_HEAD)).fetchone()
    if row is None:
        raise LookupError("the database has no snapshot")
    return int(row[0])


async def news_since(connection: Connection, after: int) -> News:
    """Return what was committed at or after a position."""
    position = max(await head(connection), after)
    rows = await (await connection.execute(_NEWS, {"after": str(after), "head": str(position)})).fetchall()
    return News(position, tuple(row[0] for row in rows))


async def newest_readings(connection: Connection, gateways: Sequence[int] | None) -> dict[int, datetime]:
    """Return point id -> time of its newest reading, of points that these gateways feed (None: all)."""
    return await _newest(connection, _READINGS, gateways)


async def newest_positions(connection: Connection, gateways: Sequence[int] | None) -> dict[int, datetime]:
    """Return point id -> time of its newest position, of points that these gateways feed (None: all)."""
    return await _newest(connection, _POSITIONS, gateways)


async def _newest(connection: Connection, query: str, gateways: Sequence[int] | None) -> dict[int, datetime]:
    values = {"gateways": None if gateways is None else list(gateways)}
    return dict(await (await connection.execute(query, values)).fetchall())
