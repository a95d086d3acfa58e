"""What a gateway says it feeds: layouts, and points with their channels in the sites that it serves.

A point keeps its quantity and kind for ever. Its exponent only becomes finer, from just after its newest
reading; coarser counts are converted exactly when they are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from cloud.store.directory import GatewayRow
from wire.messages import Layout, PointDeclaration

LAYOUTS_MAX = 1000
CHANNELS_MAX = 5000
"""Layouts and points of one gateway, with those that it no longer uses."""


class DeclarationError(Exception):
    """A point is declared as something else than it was, or there is no room for more of a gateway."""


@dataclass(frozen=True, slots=True)
class _Version:
    id: int
    exponent: int
    period_ms: int | None


async def keep(connection: Connection, gateway: GatewayRow, body: bytes) -> bool:
    """Keep a declaration as sent; return whether it differs from the one before."""
    cursor = await connection.execute(
        """
        INSERT INTO declarations AS d (gateway_id, organisation_id, body) VALUES (%s, %s, %s)
            ON CONFLICT (gateway_id) DO UPDATE SET body = excluded.body, declared_at = now()
         WHERE d.body <> excluded.body
        """,
        (gateway.id, gateway.organisation_id, body),
    )
    return cursor.rowcount == 1


async def kept(connection: Connection, gateway_id: int) -> bytes | None:
    """Return a gateway's last declaration."""
    cursor = await connection.execute("SELECT body FROM declarations WHERE gateway_id = %s", (gateway_id,))
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def add_layouts(connection: Connection, gateway: GatewayRow, layouts: Sequence[Layout]) -> None:
    """Keep layouts; their ids are made from their content, so a known one changes nothing.

    `DeclarationError` when the gateway would have more than `LAYOUTS_MAX`.
    """
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO layouts (gateway_id, organisation_id, layout, channels, exponents)
            VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [
                (gateway.id, gateway.organisation_id, layout.id, layout.points, layout.exponents)
                for layout in layouts
            ],
        )
    cursor = await connection.execute("SELECT count(*) FROM layouts WHERE gateway_id = %s", (gateway.id,))
    await _check_room(cursor, gateway, most=LAYOUTS_MAX, what="layouts")


async def _check_room(
    cursor: AsyncCursor[tuple[Any, ...]], gateway: GatewayRow, *, most: int, what: str
) -> None:
    row = await cursor.fetchone()
    if row is not None and row[0] > most:
        raise DeclarationError(f"gateway {gateway.name}: more than {most} {what}")


async def add_retired(
    connection: Connection, gateway: GatewayRow, points: Sequence[PointDeclaration]
) -> None:
    """Make what a backlog may still hold known, where it never was; what is known stays as it is.

    A point that is something else by now is left out: its readings wait in quarantine.
    """
    cursor = await connection.execute(
        "SELECT DISTINCT channel FROM channel_bindings WHERE gateway_id = %s", (gateway.id,)
    )
    known = {channel for (channel,) in await cursor.fetchall()}
    unknown = {point.name: point for point in points if point.name not in known}
    taken = await connection.execute(
        """
        SELECT DISTINCT p.name FROM points p JOIN gateway_bindings g USING (site_id)
         WHERE g.gateway_id = %s AND p.name = ANY(%s)
        """,
        (gateway.id, list(unknown)),
    )
    for (name,) in await taken.fetchall():
        del unknown[name]
    if unknown:
        await add_points(connection, gateway, list(unknown.values()))


async def add_points(
    connection: Connection,
    gateway: GatewayRow,
    points: Sequence[PointDeclaration],
    *,
    since_ms: int | None = None,
) -> None:
    """Create points, channels and versions in every site that the gateway serves or served.

    A changed period holds from `since_ms` (UTC); without it, from just after the newest reading. Announce the
    change to the directory first. `DeclarationError` when a point is something else already, or when the
    gateway would have more than `CHANNELS_MAX`.
    """
    cursor = await connection.execute(
        "SELECT DISTINCT site_id FROM gateway_bindings WHERE gateway_id = %s ORDER BY 1", (gateway.id,)
    )
    for (site_id,) in await cursor.fetchall():
        await _add_to_site(connection, gateway, points, site_id=site_id, since_ms=since_ms)
    counted = await connection.execute(
        "SELECT count(DISTINCT channel) FROM channel_bindings WHERE gateway_id = %s", (gateway.id,)
    )
    await _check_room(counted, gateway, most=CHANNELS_MAX, what="points")


async def _add_to_site(
    connection: Connection,
    gateway: GatewayRow,
    points: Sequence[PointDeclaration],
    *,
    site_id: int,
    since_ms: int | None,
) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO points AS p (organisation_id, site_id, name, quantity, kind, states)
            VALUES (%s, %s, %s, %s, %s, %s)
                ON CONFLICT (site_id, name) DO UPDATE SET states = p.states || excluded.states
             WHERE p.states || excluded.states <> p.states
            """,
            [
                (gateway.organisation_id, site_id, p.name, p.quantity, p.kind.value, Jsonb(p.states))
                for p in points
            ],
        )
    found = await connection.execute(
        "SELECT name, id, quantity, kind FROM points WHERE site_id = %s AND name = ANY(%s)",
        (site_id, [p.name for p in points]),
    )
    rows = {name: (number, quantity, kind) for name, number, quantity, kind in await found.fetchall()}
    _check_same(points, rows)
    numbers = {name: number for name, (number, _, _) in rows.items()}
    await _bind_channels(connection, gateway, numbers, site_id)
    await _add_versions(connection, gateway, points, numbers=numbers, since_ms=since_ms)


def _check_same(points: Sequence[PointDeclaration], rows: dict[str, tuple[int, str, str]]) -> None:
    for point in points:
        _, quantity, kind = rows[point.name]
        if (point.quantity, point.kind.value) != (quantity, kind):
            raise DeclarationError(
                f"point {point.name}: declared as {point.kind.value} of {point.quantity}, "
                f"but it is {kind} of {quantity}; give the new meaning a new name"
            )


async def _bind_channels(
    connection: Connection, gateway: GatewayRow, numbers: dict[str, int], site_id: int
) -> None:
    await connection.execute(
        """
        INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id, valid)
        SELECT g.organisation_id, g.gateway_id, n.channel, n.point_id, g.valid
          FROM gateway_bindings g, unnest(%s::text[], %s::int[]) AS n(channel, point_id)
         WHERE g.gateway_id = %s AND g.site_id = %s
           AND NOT EXISTS (SELECT 1 FROM channel_bindings c
                            WHERE c.gateway_id = g.gateway_id AND c.channel = n.channel
                              AND c.valid && g.valid)
        """,
        (list(numbers), list(numbers.values()), gateway.id, site_id),
    )


async def _add_versions(
    connection: Connection,
    gateway: GatewayRow,
    points: Sequence[PointDeclaration],
    *,
    numbers: dict[str, int],
    since_ms: int | None,
) -> None:
    cursor = await connection.execute(
        """
        SELECT point_id, id, exponent, period_ms FROM point_versions
         WHERE point_id = ANY(%s::int[]) AND upper_inf(valid)
        """,
        (list(numbers.values()),),
    )
    current = {row[0]: _Version(*row[1:]) for row in await cursor.fetchall()}
    fresh = [point for point in points if numbers[point.name] not in current]
    async with connection.cursor() as insert:
        await insert.executemany(
            """
            INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)
            VALUES (%s, %s, %s, %s)
            """,
            [(gateway.organisation_id, numbers[p.name], p.exponent, p.period_ms) for p in fresh],
        )
    for point in points:
        version = current.get(numbers[point.name])
        if version is not None:
            await _supersede(connection, version, numbers[point.name], point=point, since_ms=since_ms)


_END_AT_NEWEST = """
UPDATE point_versions v
   SET valid = tstzrange(lower(v.valid), greatest(l.observed_at + interval '10 ms', lower(v.valid)))
  FROM latest l
 WHERE v.id = %(id)s AND l.point_id = v.point_id
   AND greatest(l.observed_at + interval '10 ms', lower(v.valid)) IS DISTINCT FROM lower(v.valid)
RETURNING v.organisation_id, upper(v.valid)
"""

# Readings of the old period may still be on their way: the time of the change decides, not what is stored.
_END_AT_CHANGE = """
UPDATE point_versions v
   SET valid = tstzrange(lower(v.valid), least(%(since)s, now()))
 WHERE v.id = %(id)s AND (lower_inf(v.valid) OR lower(v.valid) < least(%(since)s, now()))
RETURNING v.organisation_id, upper(v.valid)
"""


async def _supersede(
    connection: Connection,
    version: _Version,
    point_id: int,
    *,
    point: PointDeclaration,
    since_ms: int | None,
) -> None:
    exponent = min(version.exponent, point.exponent)
    if (exponent, point.period_ms) == (version.exponent, version.period_ms):
        return
    # Finer counts must never meet a coarser version, however a clock errs: they split at the newest reading.
    at_change = since_ms is not None and exponent == version.exponent
    since = datetime.fromtimestamp((since_ms or 0) / 1000, UTC)
    cursor = await connection.execute(
        _END_AT_CHANGE if at_change else _END_AT_NEWEST, {"id": version.id, "since": since}
    )
    split = await cursor.fetchone()
    if split is None:
        await connection.execute(
            "UPDATE point_versions SET exponent = %s, period_ms = %s WHERE id = %s",
            (exponent, point.period_ms, version.id),
        )
        return
    await connection.execute(
        """
        INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms, valid)
        VALUES (%s, %s, %s, %s, tstzrange(%s, NULL))
        """,
        (split[0], point_id, exponent, point.period_ms, split[1]),
    )
