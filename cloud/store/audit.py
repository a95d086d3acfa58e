"""What an audit counts: rows per instant and per point, batches by state; writes nothing.

It judges nothing: whether the counts are right is for whoever knows what the devices gave out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class StoredInstant:
    """All rows that some points have at one instant, and the counts of one of them."""

    observed_at: datetime
    numbers: list[int]
    """Counts of the numbering point at this instant."""
    rows: int
    """Rows of all the points, the numbering point included."""


@dataclass(frozen=True, slots=True)
class Fed:
    """A point as a gateway's channel feeds it, and how much is stored of it."""

    gateway: str
    channel: str
    point_id: int
    readings: int
    positions: int


_INSTANTS = """
SELECT observed_at,
       coalesce(array_agg(raw ORDER BY raw) FILTER (WHERE point_id = %(numbering)s AND raw IS NOT NULL), '{}')
           AS numbers,
       count(*)::int AS rows
FROM readings WHERE point_id = ANY(%(points)s) GROUP BY observed_at ORDER BY observed_at
"""

_FED = """
SELECT g.name AS gateway, c.channel, c.point_id,
       (SELECT count(*) FROM readings r WHERE r.point_id = c.point_id)::bigint AS readings,
       (SELECT count(*) FROM positions p WHERE p.point_id = c.point_id)::bigint AS positions
FROM channel_bindings c JOIN gateways g ON g.id = c.gateway_id
ORDER BY g.name, c.channel
"""

_OPEN_STARTS = """
SELECT id FROM gaps WHERE point_id = %s AND from_at IS NULL AND to_at IS NOT NULL
"""

_STATES = "SELECT state, count(*)::int FROM batches GROUP BY state"


async def stored_instants(
    connection: Connection, numbering: int, points: Sequence[int]
) -> list[StoredInstant]:
    """Return what is stored of a device's points, by time; `numbering` counts the device's answers."""
    async with connection.cursor(row_factory=class_row(StoredInstant)) as cursor:
        await cursor.execute(_INSTANTS, {"numbering": numbering, "points": list(points)})
        return await cursor.fetchall()


async def fed_points(connection: Connection) -> list[Fed]:
    """Return every channel binding with the number of rows of its point."""
    async with connection.cursor(row_factory=class_row(Fed)) as cursor:
        await cursor.execute(_FED)
        return await cursor.fetchall()


async def gaps_since_last(connection: Connection, point_id: int) -> set[int]:
    """Return the ids of a point's gaps that say "since the last reading before" their end."""
    return {row[0] for row in await (await connection.execute(_OPEN_STARTS, (point_id,))).fetchall()}


async def batches_by_state(connection: Connection) -> dict[str, int]:
    """Return how many batches are placed, waiting, quarantined or in conflict."""
    return dict(await (await connection.execute(_STATES)).fetchall())
