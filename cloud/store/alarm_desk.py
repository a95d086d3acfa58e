"""The alarm list of a site in the database: what is open in rows, the rest as one document, acts as a log.

Who changes a desk holds its row until the transaction ends. People change it through `cloud.alarm_acts`,
which reads only the points that it speaks of; the alarm room keeps all of it in memory and reads again what
others changed (`version`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from rules.alarm.desk import Act, Desk, Open, Told
from rules.alarm.model import Condition, Ended, Occurrence, Priority
from rules.alarm.policy import MINUTE, Policy


class Handling(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an open alarm has no column of its own."""

    assigned: str = ""
    told: tuple[Told, ...] = ()
    acknowledged: Act | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """One desk as it was read."""

    site_id: int
    organisation_id: int
    desk: Desk
    policy: Policy
    version: int


@dataclass(frozen=True, slots=True)
class Place:
    """What the rows of one point need beside the occurrence."""

    point_id: int | None
    grp: str
    detail: Mapping[str, Any]


_desk = msgspec.json.Decoder(Desk)
_policy = msgspec.json.Decoder(Policy)
_OPEN = """
SELECT point, condition, revision, onset, raised_at, priority, ack_required, alarm_limit, value, worst,
       worst_at, returned_at, cleared_at, ended, known_at, live, called_at, handling
FROM alarm_occurrences
WHERE site_id = %(site)s AND open AND (%(points)s::text[] IS NULL OR point = ANY(%(points)s))
ORDER BY point, onset, condition
"""
_VERSIONS = "SELECT site_id, version FROM alarm_desks ORDER BY site_id"

_UPSERT = """
INSERT INTO alarm_occurrences AS o (
    organisation_id, site_id, point_id, grp, detail, point, condition, revision, onset, raised_at, priority,
    ack_required, alarm_limit, value, worst, worst_at, returned_at, cleared_at, ended, open, known_at, live,
    called_at, acknowledged_at, acknowledged_by, handling)
VALUES (
    %(organisation_id)s, %(site_id)s, %(point_id)s, %(grp)s, %(detail)s, %(point)s, %(condition)s,
    %(revision)s, %(onset)s, %(raised_at)s, %(priority)s, %(ack_required)s, %(limit)s, %(value)s, %(worst)s,
    %(worst_at)s, %(returned_at)s, %(cleared_at)s, %(ended)s, %(open)s, %(known_at)s, %(live)s,
    %(called_at)s, %(acknowledged_at)s, %(acknowledged_by)s, %(handling)s)
ON CONFLICT (site_id, point, condition, revision, onset) DO UPDATE SET
    raised_at = excluded.raised_at, value = excluded.value, worst = excluded.worst,
    worst_at = excluded.worst_at, returned_at = excluded.returned_at, cleared_at = excluded.cleared_at,
    ended = excluded.ended, open = excluded.open, live = o.live OR excluded.live,
    called_at = coalesce(excluded.called_at, o.called_at),
    acknowledged_at = coalesce(excluded.acknowledged_at, o.acknowledged_at),
    acknowledged_by = coalesce(excluded.acknowledged_by, o.acknowledged_by),
    handling = coalesce(excluded.handling, o.handling), withdrawn_at = NULL
"""


async def listen(connection: Connection) -> None:
    """Be woken when a person did something; the connection must be in autocommit mode."""
    await connection.execute("LISTEN heng_alarms")


async def hold(connection: Connection, site_id: int, points: Collection[str] | None = None) -> Kept | None:
    """Return the desk of a site and hold it; of its open alarms those of `points` (None: all).

    Points that are shelved or out of service are read too. None: there is no such site to be seen.
    """
    await connection.execute(
        "INSERT INTO alarm_desks (site_id, organisation_id, desk)"
        " SELECT id, organisation_id, '{}' FROM sites WHERE id = %s ON CONFLICT (site_id) DO NOTHING",
        (site_id,),
    )
    cursor = await connection.execute(
        "SELECT site_id, organisation_id, desk::text, version FROM alarm_desks WHERE site_id = %s FOR UPDATE",
        (site_id,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    desk = _desk.decode(row[2])
    if points is not None:
        muted = {shelf.point for shelf in desk.shelves.values()} | set(desk.maintenance)
        points = {*points, *muted, *desk.suppressed}
    opened = await open_items(connection, site_id, points)
    return Kept(row[0], row[1], replace(desk, open=opened), await policy_of(connection, site_id), row[3])


async def peek(connection: Connection, site_id: int) -> Desk:
    """Return the desk of a site without its open alarms, and hold nothing."""
    cursor = await connection.execute("SELECT desk::text FROM alarm_desks WHERE site_id = %s", (site_id,))
    row = await cursor.fetchone()
    return Desk() if row is None else _desk.decode(row[0])


async def versions(connection: Connection, *, hold_them: bool = False) -> dict[int, int]:
    """Return site id -> how often people changed its desk; held until the transaction ends if asked."""
    cursor = await connection.execute(_VERSIONS + (" FOR UPDATE" if hold_them else ""))
    return dict(await cursor.fetchall())


async def policy_of(connection: Connection, site_id: int) -> Policy:
    """Return how a site handles its alarms; while nothing was said, nobody is called."""
    cursor = await connection.execute(
        "SELECT policy::text FROM alarm_policies WHERE site_id = %s ORDER BY number DESC LIMIT 1", (site_id,)
    )
    row = await cursor.fetchone()
    return Policy() if row is None else _policy.decode(row[0])


async def acted_points(connection: Connection, site_id: int, after: int) -> tuple[set[str], int]:
    """Return the points of acts behind an id of the log of a site, and the newest id."""
    cursor = await connection.execute(
        "SELECT point, id FROM alarm_acts WHERE site_id = %s AND id > %s", (site_id, after)
    )
    rows = await cursor.fetchall()
    return {point for point, _ in rows}, max((id_ for _, id_ in rows), default=after)


async def newest_act(connection: Connection) -> int:
    """Return the newest id of the log of acts."""
    row = await (await connection.execute("SELECT coalesce(max(id), 0) FROM alarm_acts")).fetchone()
    return 0 if row is None else int(row[0])


async def open_items(
    connection: Connection, site_id: int, points: Collection[str] | None = None
) -> dict[str, tuple[Open, ...]]:
    """Return point -> its open alarms, oldest first; of all points when none are named."""
    cursor = await connection.execute(
        _OPEN, {"site": site_id, "points": None if points is None else sorted(points)}
    )
    found: dict[str, list[Open]] = {}
    async for row in cursor:
        item = open_of(row)
        found.setdefault(item.occurrence.point, []).append(item)
    return {point: tuple(items) for point, items in found.items()}


def open_of(row: Sequence[Any]) -> Open:
    """Return an open alarm from the columns of `_OPEN_COLUMNS`."""
    *given, known_at, live, called_at, handling = row
    more = Handling() if handling is None else msgspec.convert(handling, Handling, strict=False)
    return Open(
        occurrence_of(given),
        known_at=known_at,
        live=live,
        called_at=called_at,
        acknowledged=more.acknowledged,
        assigned=more.assigned,
        told=more.told,
    )


def occurrence_of(row: Sequence[Any]) -> Occurrence:
    """Return an occurrence from its columns, `point` to `ended`."""
    point, condition, revision, onset, raised_at, priority, ack_required, *values, ended = row
    limit, value, worst, worst_at, returned_at, cleared_at = values
    return Occurrence(
        point=point,
        condition=Condition(condition),
        revision=revision,
        onset=onset,
        raised_at=raised_at,
        priority=Priority(priority),
        ack_required=ack_required,
        limit=limit,
        value=value,
        worst=worst,
        worst_at=worst_at,
        returned_at=returned_at,
        cleared_at=cleared_at,
        ended=None if ended is None else Ended(ended),
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What of a desk is to be written."""

    site_id: int
    organisation_id: int
    before: Desk
    after: Desk
    acts: Sequence[Act]
    occurrences: Sequence[Occurrence] = ()
    """Found or changed; those that are open are written whether they are here or not."""
    withdrawn: Sequence[Occurrence] = ()


async def write(
    connection: Connection, changes: Changes, places: Mapping[str, Place], *, by_person: bool = False
) -> None:
    """Write what changed between two desks; the row of the desk must be held."""
    one = changes
    values = [_row(one, occurrence, item, places=places) for occurrence, item in _rows(one)]
    async with connection.cursor() as cursor:
        if values:
            await cursor.executemany(_UPSERT, values)
        if one.withdrawn:
            await cursor.executemany(
                "UPDATE alarm_occurrences SET open = false, withdrawn_at = %s"
                " WHERE site_id = %s AND point = %s AND condition = %s AND revision = %s AND onset = %s",
                [(one.after.now, one.site_id, *_key(occurrence)) for occurrence in one.withdrawn],
            )
    await _write_acts(connection, one)
    if _document_changed(one.before, one.after) or by_person:
        await connection.execute(
            "UPDATE alarm_desks SET desk = %s::jsonb, version = version + %s WHERE site_id = %s",
            (msgspec.json.encode(replace(one.after, open={})).decode(), int(by_person), one.site_id),
        )
    if by_person:
        await connection.execute("NOTIFY heng_alarms")


def _document_changed(before: Desk, after: Desk) -> bool:
    """Whether the document has to be written: time alone once a minute, while it ends something."""
    at = after.now
    if replace(before, open={}, now=at) != replace(after, open={}):
        return True
    return bool(after.shelves or after.maintenance) and before.now // MINUTE != at // MINUTE


def _rows(one: Changes) -> list[tuple[Occurrence, Open | None]]:
    """Return the occurrences whose rows change, with how each stands on the list; None: it does no more."""
    before, after = one.before.open, one.after.open
    points = {point for point in before.keys() | after.keys() if before.get(point) is not after.get(point)}
    points |= {occurrence.point for occurrence in one.occurrences}
    was = {item.occurrence.id: item for point in points for item in before.get(point, ())}
    stands = {item.occurrence.id: item for point in points for item in after.get(point, ())}
    found = {occurrence.id: occurrence for occurrence in one.occurrences}
    gone = {occurrence.id for occurrence in one.withdrawn}
    rows = []
    for name in {**was, **found, **stands}:
        item = stands.get(name)
        if name in gone or (name not in found and was.get(name) == item):
            continue
        occurrence = item.occurrence if item is not None else found.get(name) or was[name].occurrence
        rows.append((occurrence, item))
    return rows


async def _write_acts(connection: Connection, one: Changes) -> None:
    if not one.acts:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO alarm_acts (organisation_id, site_id, what, at_tick, point, condition, from_tick,"
            " to_tick, by_whom, said, until_tick) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(one.organisation_id, one.site_id, act.what.value, act.at, act.point),
                    None if act.condition is None else act.condition.value,
                    *(act.start, act.end, act.by, act.text, act.until),
                )
                for act in one.acts
            ],
        )


def _row(
    one: Changes, occurrence: Occurrence, item: Open | None, *, places: Mapping[str, Place]
) -> dict[str, Any]:
    place = places.get(occurrence.point, Place(None, occurrence.point, {}))
    acts = one.after.acknowledgements.get(occurrence.point, ())
    ack = next((act for act in acts if act.covers(occurrence)), None)
    row: dict[str, Any] = {
        name: getattr(occurrence, name)
        for name in (
            *("point", "revision", "onset", "raised_at", "ack_required", "limit", "value", "worst"),
            *("worst_at", "returned_at", "cleared_at"),
        )
    }
    handling = None
    if item is not None:
        handling = Jsonb(msgspec.to_builtins(Handling(item.assigned, item.told, item.acknowledged)))
    return row | {
        "organisation_id": one.organisation_id,
        "site_id": one.site_id,
        "point_id": place.point_id,
        "grp": place.grp,
        "detail": Jsonb(dict(place.detail)),
        "condition": occurrence.condition.value,
        "priority": int(occurrence.priority),
        "ended": None if occurrence.ended is None else occurrence.ended.value,
        "open": item is not None,
        "known_at": one.after.now if item is None else item.known_at,
        "live": item is not None and item.live,
        "called_at": None if item is None else item.called_at,
        "acknowledged_at": None if ack is None else ack.at,
        "acknowledged_by": None if ack is None else ack.by,
        "handling": handling,
    }


def _key(occurrence: Occurrence) -> tuple[str, str, int, int]:
    return occurrence.point, occurrence.condition.value, occurrence.revision, occurrence.onset


async def tell(connection: Connection, site_id: int) -> None:
    """Have the room read a site's desk and policy again; the row of the desk must be held."""
    await connection.execute("UPDATE alarm_desks SET version = version + 1 WHERE site_id = %s", (site_id,))
    await connection.execute("NOTIFY heng_alarms")


async def is_watched(connection: Connection, site_id: int, point: str) -> bool:
    """Whether a site has something watched of this name."""
    cursor = await connection.execute(
        "SELECT 1 FROM alarm_series WHERE site_id = %s AND point = %s AND until_tick IS NULL LIMIT 1",
        (site_id, point),
    )
    return await cursor.fetchone() is not None


async def known_after(
    connection: Connection, site_id: int, point: str, *, revision: int, since: int
) -> list[Occurrence]:
    """Return what is on record of a point and revision and was not settled at a time."""
    cursor = await connection.execute(
        "SELECT point, condition, revision, onset, raised_at, priority, ack_required, alarm_limit, value,"
        " worst, worst_at, returned_at, cleared_at, ended FROM alarm_occurrences"
        " WHERE site_id = %s AND point = %s AND revision = %s AND withdrawn_at IS NULL"
        " AND (cleared_at IS NULL OR cleared_at > %s)",
        (site_id, point, revision, since),
    )
    return [occurrence_of(row) for row in await cursor.fetchall()]
