"""Zones and portals of sites as the pages and the API show them; writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import dict_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Portal:
    """A door between two zones; None on one side is outside."""

    id: int
    name: str
    title: str
    kind: str
    """`door`, `gate` or `hatch`."""
    from_zone: str | None
    """Name of the zone on one side; None: outside."""
    to_zone: str | None
    """Name of the zone on the other side; None: outside."""
    reader_in: str | None
    """Reader for going from `from_zone` to `to_zone`."""
    reader_out: str | None
    """Reader for the way back."""
    contact: str | None
    """Point that says whether it is open."""
    lock: str | None
    """Output that locks it."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Zone:
    """A room, compartment or cabinet of a site, with what its site file names for it."""

    id: int
    site_id: int
    site: str
    name: str
    title: str
    kind: str
    """`room`, `compartment` or `cabinet`."""
    covers: list[str]
    """Points that are in it, by the beginnings of their names."""
    cameras: list[str]
    readers: list[str]
    created_at: datetime
    retired_at: datetime | None
    """Since when the site file no longer has it."""
    portals: list[Portal]
    """Those that lead into or out of it."""


_ZONES = """
SELECT z.id, z.site_id, s.name AS site, z.name, z.title, z.kind, z.covers, z.cameras, z.readers,
       z.created_at, z.retired_at
FROM zones z JOIN sites s ON s.id = z.site_id
WHERE z.id > %(after)s
  AND (%(site_id)s::int IS NULL OR z.site_id = %(site_id)s)
  AND (%(retired)s OR z.retired_at IS NULL)
ORDER BY z.id
LIMIT %(limit)s
"""

_PORTALS = """
SELECT p.from_zone_id, p.to_zone_id,
       p.id, p.name, p.title, p.kind, f.name, t.name, p.reader_in, p.reader_out, p.contact, p.lock,
       p.created_at
FROM portals p
LEFT JOIN zones f ON f.id = p.from_zone_id
LEFT JOIN zones t ON t.id = p.to_zone_id
WHERE (p.from_zone_id = ANY(%(zones)s) OR p.to_zone_id = ANY(%(zones)s)) AND p.retired_at IS NULL
ORDER BY p.id
"""


async def list_zones(
    connection: Connection,
    *,
    site_id: int | None = None,
    retired: bool = False,
    after: int = 0,
    limit: int = 1000,
) -> list[Zone]:
    """Return zones by id, those with an id greater than `after`; retired ones only when asked for."""
    values = {"site_id": site_id, "retired": retired, "after": after, "limit": limit}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ZONES, values)
        found = await cursor.fetchall()
    rows = await connection.execute(_PORTALS, {"zones": [zone["id"] for zone in found]})
    sides = [(row[:2], Portal(*row[2:])) for row in await rows.fetchall()]
    return [
        Zone(**zone, portals=[portal for between, portal in sides if zone["id"] in between]) for zone in found
    ]
