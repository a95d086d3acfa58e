"""Writes the zones and portals of a site as its file declares them.

What vanishes from the file is retired, never deleted; declared again, it is there again.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import LiteralString

from psycopg import sql

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """One zone as declared."""

    name: str
    title: str
    kind: str
    """`room`, `compartment` or `cabinet`."""
    covers: list[str]
    """Beginnings of names of points, or whole names."""
    cameras: list[str]
    readers: list[str]


@dataclass(frozen=True, slots=True)
class PortalRow:
    """One portal as declared; zones by name, None is outside."""

    name: str
    title: str
    kind: str
    """`door`, `gate` or `hatch`."""
    from_zone: str | None
    to_zone: str | None
    reader_in: str | None
    reader_out: str | None
    contact: str | None
    lock: str | None


_ZONE = """
INSERT INTO zones AS z (organisation_id, site_id, name, title, kind, covers, cameras, readers)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (site_id, name) DO UPDATE
   SET title = excluded.title, kind = excluded.kind, covers = excluded.covers,
       cameras = excluded.cameras, readers = excluded.readers, retired_at = NULL
 WHERE (z.title, z.kind, z.covers, z.cameras, z.readers)
       IS DISTINCT FROM (excluded.title, excluded.kind, excluded.covers, excluded.cameras, excluded.readers)
    OR z.retired_at IS NOT NULL
"""

_PORTAL = """
INSERT INTO portals AS p (organisation_id, site_id, name, title, kind, from_zone_id, to_zone_id,
                          reader_in, reader_out, contact, lock)
SELECT %(organisation)s, %(site)s, %(name)s, %(title)s, %(kind)s,
       (SELECT id FROM zones WHERE site_id = %(site)s AND name = %(from_zone)s),
       (SELECT id FROM zones WHERE site_id = %(site)s AND name = %(to_zone)s),
       %(reader_in)s, %(reader_out)s, %(contact)s, %(lock)s
    ON CONFLICT (site_id, name) DO UPDATE
   SET title = excluded.title, kind = excluded.kind, from_zone_id = excluded.from_zone_id,
       to_zone_id = excluded.to_zone_id, reader_in = excluded.reader_in, reader_out = excluded.reader_out,
       contact = excluded.contact, lock = excluded.lock, retired_at = NULL
 WHERE (p.title, p.kind, p.from_zone_id, p.to_zone_id, p.reader_in, p.reader_out, p.contact, p.lock)
       IS DISTINCT FROM
       (excluded.title, excluded.kind, excluded.from_zone_id, excluded.to_zone_id, excluded.reader_in,
        excluded.reader_out, excluded.contact, excluded.lock)
    OR p.retired_at IS NOT NULL
"""


async def declare_zones(
    connection: Connection,
    organisation_id: int,
    site_id: int,
    *,
    zones: Sequence[ZoneRow],
    portals: Sequence[PortalRow],
) -> list[str]:
    """Let a site have exactly these zones and portals; return what changed, in words.

    Portals name zones of `zones` alone: a door that stays can no longer lead to a zone that is retired.
    """
    changes = []
    for zone in zones:
        cursor = await connection.execute(_ZONE, (organisation_id, site_id, *astuple(zone)))
        changes += [f"zone {zone.name}"] if cursor.rowcount else []
    for portal in portals:
        values = {"organisation": organisation_id, "site": site_id, **asdict(portal)}
        cursor = await connection.execute(_PORTAL, values)
        changes += [f"portal {portal.name}"] if cursor.rowcount else []
    changes += await _retire(connection, "portals", site_id, kept={one.name for one in portals})
    return changes + await _retire(connection, "zones", site_id, kept={one.name for one in zones})


async def _retire(
    connection: Connection, table: LiteralString, site_id: int, *, kept: Collection[str]
) -> list[str]:
    statement = sql.SQL(
        """
        UPDATE {} SET retired_at = now()
         WHERE site_id = %s AND retired_at IS NULL AND name <> ALL(%s) RETURNING name
        """
    )
    cursor = await connection.execute(statement.format(sql.Identifier(table)), (site_id, list(kept)))
    return [f"{table[:-1]} {name} is retired" for (name,) in sorted(await cursor.fetchall())]
