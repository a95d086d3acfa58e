"""Points and what watches them: template, state, maintenance; what nothing watches is not monitored."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from cloud.store import alarm_desk
from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, us_of_tick
from rules.alarm.desk import point_state
from rules.alarm.model import Applied, Rule


@dataclass(frozen=True, slots=True)
class WatchedPoint:
    """A point of a site and how it is watched."""

    id: int
    site_id: int
    site: str
    name: str
    title: str
    quantity: str
    template: str | None
    """None: nothing watches it."""
    state: str
    """State of its alarms, `normal` where there is none; `not_monitored` where nothing watches it, which is
    never good."""
    out_since: datetime | None
    """Out of service for maintenance since then."""
    out_until: datetime | None
    """None while it is out: until somebody puts it back."""
    out_by: str
    out_reason: str


_POINTS = """
SELECT p.id, p.site_id, s.name, p.name, p.title, p.quantity, t.name, r.rules
FROM points p
JOIN sites s ON s.id = p.site_id
LEFT JOIN alarm_applied a ON a.point_id = p.id
LEFT JOIN alarm_templates t ON t.id = a.template_id
LEFT JOIN LATERAL (SELECT rules FROM alarm_template_revisions
                    WHERE template_id = t.id ORDER BY number DESC LIMIT 1) r ON true
WHERE p.id > %(after)s AND (%(site)s::int IS NULL OR p.site_id = %(site)s)
  AND p.quantity NOT IN ('position', 'camera')
ORDER BY p.id LIMIT %(limit)s
"""


async def list_points(
    connection: Connection, *, site_id: int | None = None, after: int = 0, limit: int = 100
) -> list[WatchedPoint]:
    """Return points by id, those with an id greater than `after`."""
    cursor = await connection.execute(_POINTS, {"site": site_id, "after": after, "limit": limit})
    rows = await cursor.fetchall()
    desks = {}
    for site in sorted({row[1] for row in rows}):
        names = [row[3] for row in rows if row[1] == site]
        opened = await alarm_desk.open_items(connection, site, names)
        desks[site] = msgspec.structs.replace(await alarm_desk.peek(connection, site), open=opened)
    found = []
    for row in rows:
        desk, name, rules = desks[row[1]], row[3], row[7]
        judged = None
        if rules is not None:
            judged = Applied(name, 0, msgspec.convert(rules, tuple[Rule, ...], strict=False))
        out = desk.maintenance.get(name)
        found.append(
            WatchedPoint(
                id=row[0],
                site_id=row[1],
                site=row[2],
                name=name,
                title=row[4],
                quantity=row[5],
                template=row[6],
                state=point_state(desk, name, judged).value,
                out_since=None if out is None else _at(out.at),
                out_until=None if out is None or out.until is None else _at(out.until),
                out_by="" if out is None else out.by,
                out_reason="" if out is None else out.reason,
            )
        )
    return found


async def count_unwatched(connection: Connection, site_id: int | None = None) -> int:
    """Return how many points nothing watches."""
    cursor = await connection.execute(
        "SELECT count(*) FROM points p WHERE (%(site)s::int IS NULL OR p.site_id = %(site)s)"
        " AND p.quantity NOT IN ('position', 'camera')"
        " AND NOT EXISTS (SELECT 1 FROM alarm_applied a WHERE a.point_id = p.id)",
        {"site": site_id},
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


def _at(tick: int) -> datetime:
    return datetime_of_us(us_of_tick(tick))
