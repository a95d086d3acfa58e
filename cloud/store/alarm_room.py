"""How far the alarm room has followed the feed, and small things that it asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Position:
    """Where the room is."""

    feed: int
    directory: int
    """Grows when templates change, or what they watch."""


_LEAD = 0x416C6D
_ROOM = "SELECT feed::text::bigint, directory FROM alarm_room"


async def lead(connection: Connection, part: int) -> bool:
    """Whether this connection leads a part of the room from now on, for as long as it lasts."""
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LEAD, part))).fetchone()
    return row is not None and bool(row[0])


async def position(connection: Connection, *, hold: bool = False) -> Position:
    """Return where the room is; held until the transaction ends if asked."""
    row = await (await connection.execute(_ROOM + (" FOR UPDATE" if hold else ""))).fetchone()
    if row is None:
        raise LookupError("alarm_room has no row")
    return Position(*row)


async def move(connection: Connection, feed: int) -> None:
    """Note how far the room has come."""
    await connection.execute("UPDATE alarm_room SET feed = %s::text::xid8", (str(feed),))


async def change_directory(connection: Connection) -> None:
    """Note that templates changed, or what they watch; the room looks at once."""
    await connection.execute("UPDATE alarm_room SET directory = directory + 1")
    await connection.execute("NOTIFY heng_alarms")


async def calibrations_version(connection: Connection) -> tuple[int, int]:
    """Return something that differs when what counts mean has changed."""
    row = await (
        await connection.execute(
            "SELECT (SELECT coalesce(max(id), 0) FROM calibrations), (SELECT version FROM directory_version)"
        )
    ).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


async def sites_without_job(connection: Connection) -> set[int]:
    """Return mobile laboratories that have jobs, none of which is under way: their environment counts in one.

    A mobile laboratory that was never given a job is watched at all times.
    """
    cursor = await connection.execute(
        "SELECT s.id FROM sites s WHERE s.kind = 'mobile_lab'"
        " AND EXISTS (SELECT FROM jobs j WHERE j.site_id = s.id)"
        " AND NOT EXISTS (SELECT FROM jobs j WHERE j.site_id = s.id AND j.state IN ('running', 'held'))"
    )
    return {row[0] for row in await cursor.fetchall()}


async def overdue(connection: Connection, point_ids: Sequence[int], today: date) -> set[int]:
    """Return those points whose calibration was due before a day."""
    cursor = await connection.execute(
        "SELECT p.id FROM points p"
        " LEFT JOIN LATERAL (SELECT due_on FROM calibrations c WHERE c.point_id = p.id AND c.valid @> now()"
        "                     LIMIT 1) c ON true"
        " WHERE p.id = ANY(%s) AND coalesce(c.due_on, p.calibration_due) < %s",
        (list(point_ids), today),
    )
    return {row[0] for row in await cursor.fetchall()}


async def covers(connection: Connection) -> dict[int, list[tuple[str, list[str]]]]:
    """Return site id -> its zones, each with the beginnings of the names of its points."""
    cursor = await connection.execute(
        "SELECT site_id, name, covers FROM zones WHERE retired_at IS NULL ORDER BY site_id, name"
    )
    found: dict[int, list[tuple[str, list[str]]]] = {}
    async for site_id, name, begins in cursor:
        found.setdefault(site_id, []).append((name, begins))
    return found


async def all_gateways(connection: Connection) -> list[int]:
    """Return the ids of all gateways."""
    return [row[0] for row in await (await connection.execute("SELECT id FROM gateways")).fetchall()]


async def organisation_of(connection: Connection, site_id: int) -> int | None:
    """Return the organisation of a site."""
    row = await (
        await connection.execute("SELECT organisation_id FROM sites WHERE id = %s", (site_id,))
    ).fetchone()
    return None if row is None else int(row[0])
