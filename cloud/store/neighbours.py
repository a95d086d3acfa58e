"""The stored reading, or position report, next to a time; looked for near by first.

A search without bounds would have to open every chunk of a hypertable; `latest` says when there is nothing to
look for, and steps of growing width find the rest. Nothing is written here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloud.store.connection import Connection

_WIDTHS = (timedelta(hours=6), timedelta(days=4), timedelta(days=60), timedelta(days=1000))
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)

_NEWEST = """
SELECT 'readings', observed_at FROM latest WHERE point_id = %(point_id)s
UNION ALL SELECT 'positions', observed_at FROM latest_positions WHERE point_id = %(point_id)s
ORDER BY 2 DESC LIMIT 1
"""
_BEFORE = {
    "readings": """
SELECT max(observed_at) FROM readings WHERE point_id = %s AND observed_at >= %s AND observed_at < %s
""",
    "positions": """
SELECT max(observed_at) FROM positions WHERE point_id = %s AND observed_at >= %s AND observed_at < %s
""",
}
_AFTER = {
    "readings": """
SELECT min(observed_at) FROM readings WHERE point_id = %s AND observed_at >= %s AND observed_at < %s
""",
    "positions": """
SELECT min(observed_at) FROM positions WHERE point_id = %s AND observed_at >= %s AND observed_at < %s
""",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a point's data are and how far they reach."""

    point_id: int
    table: str
    """`readings` or `positions`: a point has the one or the other."""
    newest_at: datetime | None
    """None when nothing is stored."""


async def find_stored(connection: Connection, point_id: int) -> Stored:
    """Return where the data of a point are."""
    row = await (await connection.execute(_NEWEST, {"point_id": point_id})).fetchone()
    return Stored(point_id, row[0], row[1]) if row else Stored(point_id, "readings", None)


async def last_before(connection: Connection, stored: Stored, time: datetime) -> datetime | None:
    """Return the time of the newest one before `time`, None when there is none."""
    if stored.newest_at is None or stored.newest_at < time:
        return stored.newest_at
    end = time
    for start in [*(time - width for width in _WIDTHS if time - width > _OLDEST), _OLDEST]:
        values = (stored.point_id, start, end)
        row = await (await connection.execute(_BEFORE[stored.table], values)).fetchone()
        if row and row[0]:
            return _found(row[0])
        end = start
    return None


async def first_from(connection: Connection, stored: Stored, time: datetime) -> datetime | None:
    """Return the time of the oldest one at or after `time`, None when there is none."""
    if stored.newest_at is None or stored.newest_at < time:
        return None
    start = time
    for width in _WIDTHS:
        end = time + width
        if end > stored.newest_at:
            break
        row = await (await connection.execute(_AFTER[stored.table], (stored.point_id, start, end))).fetchone()
        if row and row[0]:
            return _found(row[0])
        start = end
    values = (stored.point_id, start, stored.newest_at)
    row = await (await connection.execute(_AFTER[stored.table], values)).fetchone()
    return _found(row[0]) if row and row[0] else stored.newest_at


def _found(time: datetime) -> datetime:
    return time.astimezone(UTC)
