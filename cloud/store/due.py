"""Points that are read periodically, with their newest reading or fix and their period."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class DueRow:
    """One point; `name` is `site/point`."""

    name: str
    observed_at: datetime
    period: timedelta | None


async def list_due(connection: Connection) -> list[DueRow]:
    """Return every point that has a newest value."""
    cursor = await connection.execute(
        """
        SELECT s.name || '/' || p.name, n.observed_at, v.period_ms * interval '1 ms'
          FROM (SELECT point_id, observed_at FROM latest
                 UNION ALL SELECT point_id, observed_at FROM latest_positions) n
          JOIN points p ON p.id = n.point_id
          JOIN sites s ON s.id = p.site_id
          JOIN point_versions v ON v.point_id = p.id AND v.valid @> n.observed_at
        """
    )
    return [DueRow(*row) for row in await cursor.fetchall()]
