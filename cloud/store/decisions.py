"""What happened at doors, as gateways recorded it; writes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection

KINDS = (
    *("access_granted", "access_refused", "access_passed", "access_no_entry", "access_too_few"),
    *("access_visitor_alone", "access_unauthorised_entry", "door_forced", "door_held", "door_shut"),
    *("access_not_opened", "access_late", "access_placed", "exit_opened", "door_opened_by_command"),
    *("lock_down",),
)
"""Kinds of events about doors and who passes them."""


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """Something that happened at a door."""

    id: int
    observed_at: datetime
    stored_at: datetime
    kind: str
    subject: str
    """The side of the door (`door-1/in`), the door or the zone."""
    data: dict[str, Any]
    gateway_id: int
    gateway: str
    site_id: int | None
    site: str | None


_EVENTS = """
SELECT e.id, e.observed_at, e.stored_at, e.kind, e.subject, e.data - 'duress' AS data, g.id AS gateway_id,
       g.name AS gateway, s.id AS site_id, s.name AS site
  FROM events e
  JOIN gateways g ON g.id = e.gateway_id
  LEFT JOIN sites s ON s.id = e.site_id
 WHERE e.kind = ANY (%(kinds)s)
   AND (%(id)s::bigint IS NULL OR e.id = %(id)s)
   AND (%(from_at)s::timestamptz IS NULL OR e.observed_at >= %(from_at)s)
   AND (%(to_at)s::timestamptz IS NULL OR e.observed_at < %(to_at)s)
   AND (%(before)s::bigint IS NULL OR e.id < %(before)s)
   AND (%(site)s::int IS NULL OR e.site_id = %(site)s)
   AND (%(person)s::text IS NULL OR e.data ->> 'person' = %(person)s)
   AND (%(door)s::text IS NULL OR e.subject = %(door)s OR starts_with(e.subject, %(door)s || '/'))
   AND (NOT %(refused)s OR e.kind = 'access_refused')
 ORDER BY e.id DESC
 LIMIT %(limit)s
"""


async def list_door_events(
    connection: Connection,
    *,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    site_id: int | None = None,
    person: str | None = None,
    door: str | None = None,
    refused: bool = False,
    before: int | None = None,
    limit: int = 100,
) -> list[DoorEvent]:
    """Return what happened at doors, the last stored first. Whether somebody was forced is left out."""
    return await _events(
        connection,
        from_at=from_at,
        to_at=to_at,
        site=site_id,
        person=person,
        door=door,
        refused=refused,
        before=before,
        limit=limit,
    )


async def get_door_event(connection: Connection, event_id: int) -> DoorEvent | None:
    """Return one event, or None."""
    rows = await _events(connection, id=event_id)
    return rows[0] if rows else None


async def _events(connection: Connection, **given: object) -> list[DoorEvent]:
    none = dict.fromkeys(("id", "from_at", "to_at", "before", "site", "person", "door"))
    values = {**none, "refused": False, "limit": 1, "kinds": list(KINDS)} | given
    async with connection.cursor(row_factory=class_row(DoorEvent)) as cursor:
        await cursor.execute(_EVENTS, values)
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class RightsOf:
    """How far the rights of a gateway are, and what it honours."""

    gateway_id: int
    gateway: str
    site_id: int | None
    site: str | None
    incarnation: int
    number: int
    faults: list[str]
    """Why the newest rights are not sent; empty: they are."""
    faults_since: datetime | None
    issued_at: datetime | None
    honoured_incarnation: int | None
    honoured_number: int | None
    honoured_since: datetime | None
    heard_at: datetime | None
    """When it last said what it honours."""
    refusal: str
    refused: list[str]
    """What was wrong, as the gateway says."""

    @property
    def up_to_date(self) -> bool:
        """Whether it says that it decides by the newest revision."""
        honoured = (self.honoured_incarnation or 0, self.honoured_number or 0)
        return honoured >= (self.incarnation, self.number)


_RIGHTS = """
SELECT g.id AS gateway_id, g.name AS gateway, s.id AS site_id, s.name AS site, r.incarnation, r.number,
       r.faults, r.faults_since,
       (SELECT max(i.issued_at) FROM public.rights_issued i WHERE i.gateway_id = g.id) AS issued_at,
       h.incarnation AS honoured_incarnation, h.number AS honoured_number, h.since AS honoured_since,
       h.heard_at,
       coalesce(h.refusal, '') AS refusal, coalesce(h.faults, '[]') AS refused
  FROM rights_state r
  JOIN gateways g ON g.id = r.gateway_id
  LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %(at)s::timestamptz
  LEFT JOIN sites s ON s.id = b.site_id
  LEFT JOIN rights_honoured h ON h.gateway_id = g.id
 WHERE %(site)s::int IS NULL OR s.id = %(site)s
 ORDER BY s.name, g.name
"""


async def list_rights(connection: Connection, at: datetime, *, site_id: int | None = None) -> list[RightsOf]:
    """Return how far the rights of each gateway are."""
    async with connection.cursor(row_factory=class_row(RightsOf)) as cursor:
        await cursor.execute(_RIGHTS, {"at": at, "site": site_id})
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was ended at a gateway, and since when the gateway does not honour it any more."""

    gateway_id: int
    number: int
    issued_at: datetime
    honoured_at: datetime | None
    """None: it may still honour it."""
    ended: dict[str, list[str]]
    """`credentials` (tokens), `people`, `rights`, `visits`."""


async def list_revoked(
    connection: Connection, gateways: list[int], *, since: datetime, limit: int = 200
) -> list[Revoked]:
    """Return what was ended since a moment, and all that gateways may still honour, the last first."""
    async with connection.cursor(row_factory=class_row(Revoked)) as cursor:
        await cursor.execute(
            """
            SELECT gateway_id, number, issued_at, honoured_at, ended FROM public.rights_issued
             WHERE gateway_id = ANY (%s) AND kind = 'revocation' AND (issued_at >= %s OR honoured_at IS NULL)
             ORDER BY issued_at DESC LIMIT %s
            """,
            (gateways, since, limit),
        )
        return await cursor.fetchall()
