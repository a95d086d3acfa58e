"""Sites and gateways as the pages and the API show them; writes nothing."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Site:
    """A laboratory, a mobile laboratory or a vehicle, with what is known of its readings now."""

    id: int
    organisation: str
    name: str
    title: str
    kind: str
    """`laboratory`, `mobile_lab` or `vehicle`."""
    time_zone: str
    latitude_e9: int | None
    longitude_e9: int | None
    points: int
    """Number of points."""
    gateways: int
    """Gateways bound to the site now."""
    gateways_online: int
    last_observed_at: datetime | None
    """Time of the newest reading or position of any of its points."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway and the site that it serves now."""

    id: int
    organisation: str
    name: str
    site_id: int | None
    site: str | None
    online: bool
    online_since: datetime | None
    software: str | None
    last_batch_at: datetime | None
    created_at: datetime


_SITES = """
SELECT s.id, o.name AS organisation, s.name, s.title, s.kind, s.time_zone, s.latitude_e9, s.longitude_e9,
       (SELECT count(*) FROM points p WHERE p.site_id = s.id)::int AS points,
       b.gateways, b.gateways_online,
       greatest(
           (SELECT max(l.observed_at) FROM points p JOIN latest l ON l.point_id = p.id
             WHERE p.site_id = s.id),
           (SELECT max(l.observed_at) FROM points p JOIN latest_positions l ON l.point_id = p.id
             WHERE p.site_id = s.id)) AS last_observed_at
FROM sites s
JOIN organisations o ON o.id = s.organisation_id
CROSS JOIN LATERAL (
    SELECT count(*)::int AS gateways, count(*) FILTER (WHERE g.online)::int AS gateways_online
    FROM gateway_bindings gb JOIN gateways g ON g.id = gb.gateway_id
    WHERE gb.site_id = s.id AND gb.valid @> now()) b
WHERE s.id > %(after)s
  AND (%(id)s::int IS NULL OR s.id = %(id)s)
  AND (%(name)s::text IS NULL OR s.name = %(name)s)
  AND (%(organisation)s::text IS NULL OR o.name = %(organisation)s)
  AND (%(kind)s::text IS NULL OR s.kind = %(kind)s)
ORDER BY s.id
LIMIT %(limit)s
"""

_GATEWAYS = """
SELECT g.id, o.name AS organisation, g.name, s.id AS site_id, s.name AS site, g.online, g.online_since,
       g.software, g.last_batch_at, g.created_at
FROM gateways g
JOIN organisations o ON o.id = g.organisation_id
LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> now()
LEFT JOIN sites s ON s.id = b.site_id
WHERE g.id > %(after)s
  AND (%(name)s::text IS NULL OR g.name = %(name)s)
  AND (%(site_id)s::int IS NULL OR s.id = %(site_id)s)
  AND (%(online)s::boolean IS NULL OR g.online = %(online)s)
ORDER BY g.id
LIMIT %(limit)s
"""


async def list_sites(
    connection: Connection,
    *,
    organisation: str | None = None,
    name: str | None = None,
    kind: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Site]:
    """Return sites by id, those with an id greater than `after`."""
    return await _sites(connection, organisation=organisation, name=name, kind=kind, after=after, limit=limit)


async def get_site(connection: Connection, site_id: int) -> Site | None:
    """Return one site, or None when there is no such id."""
    rows = await _sites(connection, id=site_id)
    return rows[0] if rows else None


async def find_site(connection: Connection, name: str, *, organisation: str | None = None) -> Site | None:
    """Return the site of this name; the oldest one when several organisations have one of that name."""
    rows = await _sites(connection, name=name, organisation=organisation)
    return rows[0] if rows else None


async def shared_zone(connection: Connection, *, organisation_id: int | None = None) -> str:
    """Return the time zone that all sites share (those of one organisation), else UTC."""
    cursor = await connection.execute(
        "SELECT DISTINCT time_zone FROM sites"
        " WHERE (%(organisation)s::int IS NULL OR organisation_id = %(organisation)s) LIMIT 2",
        {"organisation": organisation_id},
    )
    found = await cursor.fetchall()
    return str(found[0][0]) if len(found) == 1 else "UTC"


async def site_ids(connection: Connection) -> frozenset[int]:
    """Return the id of every site."""
    cursor = await connection.execute("SELECT id FROM sites")
    return frozenset(int(number) for (number,) in await cursor.fetchall())


async def list_gateways(
    connection: Connection,
    *,
    site_id: int | None = None,
    online: bool | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Gateway]:
    """Return gateways by id, those with an id greater than `after`."""
    return await _gateways(connection, site_id=site_id, online=online, after=after, limit=limit)


async def get_gateway(connection: Connection, name: str) -> Gateway | None:
    """Return one gateway by its name, or None."""
    rows = await _gateways(connection, name=name)
    return rows[0] if rows else None


async def _sites(connection: Connection, **given: int | str | None) -> list[Site]:
    values = {"id": None, "name": None, "organisation": None, "kind": None, "after": 0, "limit": 1} | given
    async with connection.cursor(row_factory=class_row(Site)) as cursor:
        await cursor.execute(_SITES, values)
        return await cursor.fetchall()


async def _gateways(connection: Connection, **given: int | str | bool | None) -> list[Gateway]:
    values = {"name": None, "site_id": None, "online": None, "after": 0, "limit": 1} | given
    async with connection.cursor(row_factory=class_row(Gateway)) as cursor:
        await cursor.execute(_GATEWAYS, values)
        return await cursor.fetchall()
