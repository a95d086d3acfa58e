"""The devices that gateways declare, kept in event time; written in the transaction of the declaration."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from cloud.store.directory import GatewayRow
from wire.messages import DeviceDeclaration, PointDeclaration


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    driver: str
    channels: list[str]
    parts: list[dict[str, str]]


async def keep_devices(
    connection: Connection,
    gateway: GatewayRow,
    devices: Sequence[DeviceDeclaration],
    points: Sequence[PointDeclaration],
    *,
    since_ms: int | None = None,
) -> None:
    """Keep what a gateway says it speaks to: what is new begins, what is gone or changed ends.

    Changes hold from `since_ms` (UTC), at the latest from now; what a gateway declares first holds from the
    beginning. A gateway that says nothing of devices has those that its points name, of a driver not known.
    """
    told = {device.name: device for device in devices} or _named_by(points)
    channels: dict[str, list[str]] = {name: [] for name in told}
    for point in points:
        if point.device in channels:
            channels[point.device].append(point.name)
    cursor = await connection.execute(
        "SELECT name, id, driver, channels, parts FROM devices WHERE gateway_id = %s AND upper_inf(valid)",
        (gateway.id,),
    )
    rows = {name: _Row(*rest) for name, *rest in await cursor.fetchall()}
    same = {name for name in rows if name in told and _is_same(rows[name], told[name], channels[name])}
    since = None if since_ms is None else datetime.fromtimestamp(since_ms / 1000, UTC)
    for name in rows.keys() - same:
        await _end(connection, rows[name].id, since)
    known = await connection.execute("SELECT 1 FROM devices WHERE gateway_id = %s LIMIT 1", (gateway.id,))
    first = await known.fetchone() is None
    for name in [name for name in told if name not in same]:
        await _begin(connection, gateway, told[name], channels=channels[name], since=since, first=first)


def _named_by(points: Sequence[PointDeclaration]) -> dict[str, DeviceDeclaration]:
    names = dict.fromkeys(point.device for point in points if point.device)
    return {name: DeviceDeclaration(name=name, driver="unknown") for name in names}


def _is_same(row: _Row, device: DeviceDeclaration, channels: list[str]) -> bool:
    return (row.driver, row.channels, row.parts) == (device.driver, channels, _parts(device))


def _parts(device: DeviceDeclaration) -> list[dict[str, str]]:
    return [
        {"name": part.name, "kind": part.kind, "address": part.address}
        | ({"rest": part.rest} if part.rest else {})
        for part in device.parts
    ]


async def _end(connection: Connection, device_id: int, since: datetime | None) -> None:
    """End a row; one that would end before it began is of no time at all, and goes into the empty range."""
    await connection.execute(
        """
        UPDATE devices
           SET valid = tstzrange(lower(valid), greatest(least(%(since)s, now()), lower(valid)))
         WHERE id = %(id)s
        """,
        {"since": since, "id": device_id},
    )


async def _begin(
    connection: Connection,
    gateway: GatewayRow,
    device: DeviceDeclaration,
    *,
    channels: list[str],
    since: datetime | None,
    first: bool,
) -> None:
    await connection.execute(
        """
        INSERT INTO devices (organisation_id, gateway_id, name, driver, channels, parts, valid)
        SELECT %(organisation)s, %(gateway)s, %(name)s, %(driver)s, %(channels)s, %(parts)s,
               tstzrange(CASE WHEN %(first)s THEN NULL
                              ELSE greatest(least(%(since)s, now()), (
                                   SELECT max(upper(valid)) FROM devices
                                    WHERE gateway_id = %(gateway)s AND name = %(name)s)) END, NULL)
        """,
        {
            "organisation": gateway.organisation_id,
            "gateway": gateway.id,
            "name": device.name,
            "driver": device.driver,
            "channels": channels,
            "parts": Jsonb(_parts(device), dumps=msgspec.json.encode),
            "first": first,
            "since": since,
        },
    )
