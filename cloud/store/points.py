"""Points: what is measured where, in which unit and how often; writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection
from wire.quantities import QUANTITIES


@dataclass(frozen=True, slots=True)
class Point:
    """One measured place and quantity, with its newest declaration."""

    id: int
    organisation_id: int
    site_id: int
    site: str
    name: str
    quantity: str
    kind: str
    """`analog`, `state` or `counter`."""
    states: dict[str, str]
    """For kind state: value -> word."""
    exponent: int | None
    period_ms: int | None
    """How often a reading is due; None when readings come by themselves."""
    created_at: datetime
    unit: str = ""
    """For display."""
    ucum: str = ""
    title: str = ""
    """What people call it, as imported; empty: nothing is known."""


_POINTS = """
SELECT p.id, p.organisation_id, p.site_id, s.name AS site, p.name, p.quantity, p.kind, p.states,
       v.exponent, v.period_ms, p.created_at, p.title
FROM points p
JOIN sites s ON s.id = p.site_id
LEFT JOIN LATERAL (SELECT exponent, period_ms FROM point_versions
                   WHERE point_id = p.id ORDER BY valid DESC LIMIT 1) v ON true
WHERE p.id > %(after)s
  AND (%(id)s::int IS NULL OR p.id = %(id)s)
  AND (%(ids)s::int[] IS NULL OR p.id = ANY(%(ids)s))
  AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
  AND (%(name)s::text IS NULL OR p.name = %(name)s)
  AND (%(quantity)s::text IS NULL OR p.quantity = %(quantity)s)
ORDER BY p.id
LIMIT %(limit)s
"""


async def list_points(
    connection: Connection,
    *,
    site_id: int | None = None,
    name: str | None = None,
    quantity: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Point]:
    """Return points by id, those with an id greater than `after`."""
    return await _points(connection, site_id=site_id, name=name, quantity=quantity, after=after, limit=limit)


async def get_point(connection: Connection, point_id: int) -> Point | None:
    """Return one point, or None when there is no such id."""
    rows = await _points(connection, id=point_id)
    return rows[0] if rows else None


async def points_of(connection: Connection, point_ids: Sequence[int]) -> list[Point]:
    """Return the points of these ids, by id."""
    return await _points(connection, ids=list(point_ids), limit=len(point_ids))


async def _points(connection: Connection, **given: int | str | list[int] | None) -> list[Point]:
    values = {
        "id": None,
        "ids": None,
        "site_id": None,
        "name": None,
        "quantity": None,
        "after": 0,
        "limit": 1,
    } | given
    async with connection.cursor(row_factory=class_row(Point)) as cursor:
        await cursor.execute(_POINTS, values)
        return [_with_unit(point) for point in await cursor.fetchall()]


def _with_unit(point: Point) -> Point:
    quantity = QUANTITIES.get(point.quantity)
    return point if quantity is None else replace(point, unit=quantity.unit, ucum=quantity.ucum)
