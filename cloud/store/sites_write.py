"""Writes what a site file declares: organisation, sites, gateways with their bindings, calibrations.

Declaring the same again changes nothing. Nothing is ever deleted: a binding ends, and another begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cloud.store.connection import Connection
from cloud.store.directory import GatewayRow


class SiteConflictError(Exception):
    """What is declared contradicts what is there; the text says what."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site as declared."""

    name: str
    title: str
    kind: str
    time_zone: str
    latitude_e9: int | None
    longitude_e9: int | None


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One calibration of one point, as declared."""

    point_id: int
    from_at: datetime | None
    to_at: datetime | None
    indicated: Sequence[Decimal]
    correction: Sequence[Decimal]
    exponent: int
    certificate: str


async def organisation(connection: Connection, name: str) -> int:
    """Return the id of an organisation, made when it is not there."""
    await connection.execute("INSERT INTO organisations (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
    cursor = await connection.execute("SELECT id FROM organisations WHERE name = %s", (name,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def site(connection: Connection, organisation_id: int, row: SiteRow) -> int:
    """Make or update a site and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO sites (organisation_id, name, title, kind, time_zone, latitude_e9, longitude_e9)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (organisation_id, name) DO UPDATE
           SET title = excluded.title, kind = excluded.kind, time_zone = excluded.time_zone,
               latitude_e9 = excluded.latitude_e9, longitude_e9 = excluded.longitude_e9
        RETURNING id
        """,
        (
            organisation_id,
            row.name,
            row.title,
            row.kind,
            row.time_zone,
            row.latitude_e9,
            row.longitude_e9,
        ),
    )
    found = await cursor.fetchone()
    assert found is not None
    return int(found[0])


async def gateway(connection: Connection, organisation_id: int, name: str) -> GatewayRow:
    """Register a gateway; `SiteConflictError` when another organisation has its id."""
    await connection.execute(
        "INSERT INTO gateways (organisation_id, name) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
        (organisation_id, name),
    )
    cursor = await connection.execute("SELECT id, organisation_id FROM gateways WHERE name = %s", (name,))
    row = await cursor.fetchone()
    assert row is not None
    if row[1] != organisation_id:
        raise SiteConflictError(f"gateway {name} belongs to another organisation; ids are never reused")
    return GatewayRow(row[0], organisation_id, name)


async def bind(connection: Connection, row: GatewayRow, site_id: int, since: datetime | None) -> bool:
    """Let a gateway serve a site from `since` on (None: from the beginning); return whether that is new.

    The binding before ends there, with its channels. `SiteConflictError` when `since` lies before it.
    """
    cursor = await connection.execute(
        """
        SELECT site_id, lower(valid) FROM gateway_bindings
         WHERE gateway_id = %s AND upper_inf(valid) FOR UPDATE
        """,
        (row.id,),
    )
    current = await cursor.fetchone()
    if current is not None and current[0] == site_id:
        return False
    if current is not None:
        await _end(connection, row, begun=current[1], at=since)
    await connection.execute(
        """
        INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id, valid)
        VALUES (%s, %s, %s, tstzrange(%s, NULL))
        """,
        (row.organisation_id, row.id, site_id, since),
    )
    return True


async def _end(
    connection: Connection, row: GatewayRow, *, begun: datetime | None, at: datetime | None
) -> None:
    if at is None:
        raise SiteConflictError(f"gateway {row.name} serves another site: say `since` when it moved")
    if begun is not None and at <= begun:
        raise SiteConflictError(f"gateway {row.name} serves its site since {begun:%Y-%m-%dT%H:%M:%SZ} only")
    await connection.execute(
        """
        UPDATE gateway_bindings SET valid = valid * tstzrange(NULL, %s)
         WHERE gateway_id = %s AND upper_inf(valid)
        """,
        (at, row.id),
    )
    await connection.execute(
        """
        UPDATE channel_bindings SET valid = valid * tstzrange(NULL, %s)
         WHERE gateway_id = %s AND upper_inf(valid)
        """,
        (at, row.id),
    )


async def point(connection: Connection, site_id: int, name: str) -> int | None:
    """Return the id of a site's point."""
    cursor = await connection.execute(
        "SELECT id FROM points WHERE site_id = %s AND name = %s", (site_id, name)
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def calibration(connection: Connection, organisation_id: int, row: CalibrationRow) -> bool:
    """Enter a calibration; return whether it is new. The database refuses one that overlaps another."""
    cursor = await connection.execute(
        """
        INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent,
                                  certificate)
        SELECT %(organisation)s, %(point)s, tstzrange(%(from)s, %(to)s), %(indicated)s::numeric[],
               %(correction)s::numeric[], %(exponent)s, %(certificate)s
         WHERE NOT EXISTS (
               SELECT 1 FROM calibrations
                WHERE point_id = %(point)s AND entered_for = tstzrange(%(from)s, %(to)s)
                  AND indicated = %(indicated)s::numeric[] AND correction = %(correction)s::numeric[]
                  AND exponent = %(exponent)s AND certificate = %(certificate)s)
        """,
        {
            "organisation": organisation_id,
            "point": row.point_id,
            "from": row.from_at,
            "to": row.to_at,
            "indicated": list(row.indicated),
            "correction": list(row.correction),
            "exponent": row.exponent,
            "certificate": row.certificate,
        },
    )
    return cursor.rowcount == 1
