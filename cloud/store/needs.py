"""What of control, alarms, jobs and rights may need a person: read at once, in few statements, bounded.

Pages show it on their first screen and a stream follows it once a second: of a storm of alarms only the
number is read, and the few at each site that want somebody first.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store import commands, control_status
from cloud.store.commands import Command
from cloud.store.connection import Connection
from cloud.store.control_status import KNOWN_FOR, Held
from cloud.store.ticks import datetime_of_us, us_of_tick
from rules.alarm.model import Condition, Kind, Priority
from rules.permissions import Permission

May = Callable[[Permission, int, int | None], bool]
"""Whether a permission holds in an organisation, at a site (None: in all of it)."""
ALARMS_FEW = 8
"""So many alarms of each site are read one by one."""


@dataclass(frozen=True, slots=True)
class HubStanding:
    """How an interlock of the hub that is in use stands."""

    id: int
    site_id: int
    name: str
    phase: str
    tripped_at: datetime | None
    stood_at: datetime | None
    """When the hub last judged it."""

    def is_known(self, now: datetime) -> bool:
        """Whether it may be taken for how things stand now."""
        return self.stood_at is not None and now - self.stood_at <= KNOWN_FOR


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm that nothing mutes and that wants somebody: nobody acknowledged it, or it is urgent."""

    id: int
    site_id: int
    site: str
    point: str
    title: str
    condition: str
    urgent: bool
    acknowledged: bool
    stands: bool
    onset: datetime
    at_site: int
    """How many such alarms the site has."""


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job whose work is held."""

    id: int
    site_id: int
    number: str
    zone: str
    held_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unhonoured:
    """A gateway that has not said that it knows what was ended: a card, a right, a visit."""

    gateway: str
    site_id: int
    site: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """All of it, as it was read."""

    held: tuple[Held, ...] = ()
    hub_interlocks: tuple[HubStanding, ...] = ()
    alarms: tuple[OpenAlarm, ...] = ()
    """Of each site the few that want somebody first."""
    jobs: tuple[HeldJob, ...] = ()
    rights: tuple[Unhonoured, ...] = ()
    commands: tuple[Command, ...] = ()
    """Those that wait for a second person."""


_HUB_INTERLOCKS = """
SELECT id, site_id, name, phase, tripped_at, stood_at FROM hub_interlocks WHERE enabled ORDER BY id
"""
_ALARMS = """
WITH desks AS MATERIALIZED (
    SELECT site_id, d.*
      FROM alarm_desks,
           jsonb_to_record(desk) AS d(maintenance jsonb, suppressed jsonb, shelves jsonb)
), aside AS (
    SELECT site_id, jsonb_object_keys(maintenance) AS point, true AS out, false AS by_design,
           NULL::text AS condition
      FROM desks
    UNION ALL
    SELECT site_id, jsonb_object_keys(suppressed), false, true, NULL FROM desks
    UNION ALL
    SELECT site_id, shelf.value ->> 'point', false, false, shelf.value ->> 'condition'
      FROM desks, jsonb_each(shelves) AS shelf
), muted AS MATERIALIZED (
    SELECT site_id, point, bool_or(out) AS out, bool_or(by_design) AS by_design,
           array_agg(condition) AS shelved
      FROM aside GROUP BY site_id, point
), wanting AS (
    SELECT o.id, o.site_id,
           row_number() OVER (PARTITION BY o.site_id ORDER BY o.cleared_at IS NOT NULL, o.priority,
                              o.acknowledged_at IS NOT NULL, o.onset DESC, o.id DESC) AS place,
           count(*) OVER (PARTITION BY o.site_id)::int AS at_site
      FROM alarm_occurrences o
      LEFT JOIN muted m ON m.site_id = o.site_id AND m.point = o.point
     WHERE o.open AND (%(site)s::int IS NULL OR o.site_id = %(site)s)
       AND (o.acknowledged_at IS NULL OR (o.priority = %(urgent)s AND o.cleared_at IS NULL))
       AND (m.point IS NULL OR o.condition = ANY (%(never_muted)s)
            OR NOT (m.out OR (m.by_design AND o.condition <> ALL (%(apart)s))
                    OR array_position(m.shelved, o.condition) IS NOT NULL))
)
SELECT o.id, o.site_id, s.name, o.point, coalesce(p.title, ''), o.condition, o.priority = %(urgent)s,
       o.acknowledged_at IS NOT NULL, o.cleared_at IS NULL, o.onset, w.at_site
  FROM wanting w
  JOIN alarm_occurrences o ON o.id = w.id
  JOIN sites s ON s.id = o.site_id
  LEFT JOIN points p ON p.id = o.point_id
 WHERE w.place <= %(few)s
 ORDER BY w.site_id, w.place
"""
_JOBS = """
SELECT j.id, j.site_id, j.number, j.zone, (j.document -> 'holds' -> -1 ->> 'held_at')::bigint
  FROM sites s JOIN jobs j ON j.site_id = s.id AND j.state = 'held'
 WHERE %(site)s::int IS NULL OR j.site_id = %(site)s
 ORDER BY j.id
"""
_RIGHTS = """
SELECT g.name AS gateway, s.id AS site_id, s.name AS site, min(i.issued_at) AS since
  FROM rights_state r
  JOIN gateways g ON g.id = r.gateway_id AND g.revoked_at IS NULL
  JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %(at)s::timestamptz
  JOIN sites s ON s.id = b.site_id
  LEFT JOIN rights_honoured h ON h.gateway_id = g.id
  JOIN public.rights_issued i
    ON i.gateway_id = g.id AND i.kind = 'revocation' AND i.honoured_at IS NULL
   AND (i.incarnation, i.number) > (coalesce(h.incarnation, -1), coalesce(h.number, -1))
 WHERE %(site)s::int IS NULL OR s.id = %(site)s
 GROUP BY g.name, s.id, s.name
 ORDER BY s.name, g.name
"""
_APART = [one.value for one in Condition if one.kind is not Kind.PROCESS]
_NEVER_MUTED = [one.value for one in Condition if one.kind is Kind.TAMPER]


async def read_waiting(connection: Connection, at: datetime, *, site_id: int | None = None) -> Waiting:
    """Return what may need a person, at one site or at all that who asks may see."""
    given = {"at": at, "site": site_id}
    held = await control_status.list_held(connection, at, site=site_id)
    async with connection.cursor(row_factory=class_row(HubStanding)) as cursor:
        await cursor.execute(_HUB_INTERLOCKS)
        hub = [one for one in await cursor.fetchall() if site_id in (None, one.site_id)]
    async with connection.cursor(row_factory=class_row(Unhonoured)) as ended:
        await ended.execute(_RIGHTS, given)
        rights = await ended.fetchall()
    return Waiting(
        held=tuple(held),
        hub_interlocks=tuple(hub),
        alarms=await _alarms(connection, site_id),
        jobs=await _jobs(connection, site_id),
        rights=tuple(rights),
        commands=tuple(
            one for one in await commands.list_waiting(connection, at) if site_id in (None, one.site_id)
        ),
    )


async def waiting_commands(
    connection: Connection, at: datetime, *, may: May, asker: str = "", site_id: int | None = None
) -> list[Command]:
    """Return the commands that wait for a second person and that one may approve, the oldest first.

    `may` is what this person may do (`Viewer.may`); `asker` their login: what they asked for themselves is
    for somebody else. Each waits until its `approve_until`.
    """
    return [
        one
        for one in await commands.list_waiting(connection, at)
        if site_id in (None, one.site_id) and (not asker or one.asker != asker) and is_for(one, may)
    ]


def is_for(command: Command, may: May) -> bool:
    """Whether a person who may do this may approve a command, as far as permissions say."""
    needed = [Permission.COMMANDS_APPROVE]
    if command.name == "interlock.bypass":
        needed.append(Permission.CONTROL_BYPASS)
    return all(may(one, command.organisation_id, command.site_id) for one in needed)


async def read_held(
    connection: Connection, before: Collection[Held], gateways: Collection[int], at: datetime
) -> tuple[Held, ...]:
    """Return what gateways control, with those of `gateways` read anew."""
    fresh = await control_status.list_held(connection, at, ids=gateways)
    return (*(one for one in before if one.gateway_id not in gateways), *fresh)


async def _alarms(connection: Connection, site_id: int | None) -> tuple[OpenAlarm, ...]:
    given = {
        "site": site_id,
        "few": ALARMS_FEW,
        "urgent": int(Priority.URGENT),
        "apart": _APART,
        "never_muted": _NEVER_MUTED,
    }
    rows = await (await connection.execute(_ALARMS, given)).fetchall()
    made = []
    for *known, onset, at_site in rows:
        known += [datetime_of_us(us_of_tick(onset)), at_site]
        made.append(OpenAlarm(*known))
    return tuple(made)


async def _jobs(connection: Connection, site_id: int | None) -> tuple[HeldJob, ...]:
    rows = await (await connection.execute(_JOBS, {"site": site_id})).fetchall()
    made = []
    for *known, tick in rows:
        known.append(None if tick is None else datetime_of_us(us_of_tick(tick)))
        made.append(HeldJob(*known))
    return tuple(made)
