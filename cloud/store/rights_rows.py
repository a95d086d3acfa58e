"""Everything that the rights of one site are made of, read at one moment; whoever asks, all of it.

Nothing is narrowed to who asks: rights are compiled for gateways, and shown through other queries.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item of the rights of a site, or (without a site) of its organisation."""

    kind: str
    name: str
    site_id: int | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person, and what they are at doors."""

    id: int
    number: str
    name: str
    kind: str
    left_at: datetime | None
    state: str
    from_at: datetime | None
    to_at: datetime | None
    escorts: bool
    slow: bool
    key_id: str | None
    pin: str | None
    duress_pin: str | None


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A credential as its keyed hash."""

    person_id: int
    kind: str
    key_id: str
    token: str
    state: str
    from_at: datetime | None
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuthorisationRow:
    """What a person is authorised for; `to_at` is its end or its withdrawal."""

    id: int
    person_id: int
    kind: str
    subject: str
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit; `to_at` is its end as registered, or when it was ended."""

    id: int
    person_id: int
    host_id: int
    zones: list[str]
    from_at: datetime
    to_at: datetime
    escort: str
    approved_by: int | None
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalRow:
    """A door between two zones by their names; None is outside."""

    name: str
    from_zone: str | None
    to_zone: str | None


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site of an organisation."""

    id: int
    organisation_id: int
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rights of one site are made of."""

    site: SiteRow
    key_id: str | None
    """The organisation's key of credentials in use; None: it has none yet."""
    items: list[ItemRow] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    portals: list[PortalRow] = field(default_factory=list)
    people: list[PersonRow] = field(default_factory=list)
    credentials: list[CredentialRow] = field(default_factory=list)
    authorisations: list[AuthorisationRow] = field(default_factory=list)
    visits: list[VisitRow] = field(default_factory=list)


_SITE = "SELECT id, organisation_id, name, time_zone FROM public.sites WHERE id = %s"
_KEY = """
SELECT key_id FROM public.credential_keys WHERE organisation_id = %s AND retired_at IS NULL
 ORDER BY made_at DESC, key_id LIMIT 1
"""
_ITEMS = """
SELECT kind, name, site_id, body FROM public.access_items
 WHERE organisation_id = %(organisation)s AND (site_id = %(site)s OR site_id IS NULL)
 ORDER BY site_id NULLS FIRST, kind, name
"""
_ZONES = "SELECT name FROM public.zones WHERE site_id = %s AND retired_at IS NULL ORDER BY name"
_PORTALS = """
SELECT p.name, f.name AS from_zone, t.name AS to_zone FROM public.portals p
  LEFT JOIN public.zones f ON f.id = p.from_zone_id LEFT JOIN public.zones t ON t.id = p.to_zone_id
 WHERE p.site_id = %s AND p.retired_at IS NULL ORDER BY p.name
"""
_PEOPLE = """
SELECT p.id, p.number, p.name, p.kind, p.left_at, coalesce(a.state, 'active') AS state,
       lower(a.valid) AS from_at, upper(a.valid) AS to_at, coalesce(a.escorts, false) AS escorts,
       coalesce(a.slow, false) AS slow, a.key_id, a.pin, a.duress_pin
  FROM public.people p LEFT JOIN public.access_people a ON a.person_id = p.id
 WHERE p.organisation_id = %s ORDER BY p.id
"""
_CREDENTIALS = """
SELECT person_id, kind, key_id, token, state, lower(valid) AS from_at, upper(valid) AS to_at
  FROM public.credentials WHERE organisation_id = %s ORDER BY id
"""
_AUTHORISATIONS = """
SELECT id, person_id, kind, subject, lower(valid) AS from_at, least(upper(valid), withdrawn_at) AS to_at
  FROM public.authorisations
 WHERE organisation_id = %s AND (withdrawn_at IS NULL OR withdrawn_at > lower(valid)) ORDER BY id
"""
_VISITS = """
SELECT id, person_id, host_id, zones, lower(valid) AS from_at, least(upper(valid), ended_at) AS to_at, escort,
       approved_by, approved_at
  FROM public.visits
 WHERE site_id = %s AND upper(valid) > %s AND (ended_at IS NULL OR ended_at > lower(valid)) ORDER BY id
"""


async def read_rows(connection: Connection, site_id: int, *, visits_since: datetime) -> Rows | None:
    """Return what the rights of a site are made of; None where there is no such site.

    Visits that were over before `visits_since` are left out. Call it in a transaction that sees one moment.
    """
    async with connection.cursor(row_factory=class_row(SiteRow)) as cursor:
        await cursor.execute(_SITE, (site_id,))
        site = await cursor.fetchone()
    if site is None:
        return None
    body = (site.organisation_id,)
    key = await (await connection.execute(_KEY, body)).fetchone()
    zones = await (await connection.execute(_ZONES, (site_id,))).fetchall()
    values = {"organisation": site.organisation_id, "site": site_id}
    async with connection.cursor(row_factory=class_row(ItemRow)) as items:
        await items.execute(_ITEMS, values)
        found_items = await items.fetchall()
    async with connection.cursor(row_factory=class_row(PortalRow)) as portals:
        await portals.execute(_PORTALS, (site_id,))
        found_portals = await portals.fetchall()
    async with connection.cursor(row_factory=class_row(PersonRow)) as people:
        await people.execute(_PEOPLE, body)
        found_people = await people.fetchall()
    async with connection.cursor(row_factory=class_row(CredentialRow)) as credentials:
        await credentials.execute(_CREDENTIALS, body)
        found_credentials = await credentials.fetchall()
    async with connection.cursor(row_factory=class_row(AuthorisationRow)) as authorisations:
        await authorisations.execute(_AUTHORISATIONS, body)
        found_authorisations = await authorisations.fetchall()
    async with connection.cursor(row_factory=class_row(VisitRow)) as visits:
        await visits.execute(_VISITS, (site_id, visits_since))
        found_visits = await visits.fetchall()
    return Rows(
        site,
        None if key is None else str(key[0]),
        items=found_items,
        zones=[str(name) for (name,) in zones],
        portals=found_portals,
        people=found_people,
        credentials=found_credentials,
        authorisations=found_authorisations,
        visits=found_visits,
    )


_ENDED = """
SELECT c.token FROM public.credentials c WHERE c.organisation_id = %(organisation)s AND c.state <> 'active'
"""
_GONE = """
SELECT p.number FROM public.people p LEFT JOIN public.access_people a ON a.person_id = p.id
 WHERE p.organisation_id = %(organisation)s
   AND (p.left_at <= %(at)s OR coalesce(a.state, 'active') <> 'active')
"""


_OVER = "SELECT 'visit-' || v.id FROM public.visits v WHERE v.site_id = %(site)s AND v.ended_at <= %(at)s"
_STANDING = """
SELECT i.name FROM public.access_items i
 WHERE i.organisation_id = %(organisation)s AND i.site_id = %(site)s AND i.kind = 'right'
   AND coalesce(i.body ->> 'effect', '') <> 'deny'
"""


@dataclass(frozen=True, slots=True)
class EndedNow:
    """What does not hold any more at a site, whatever else is wrong with its rights."""

    tokens: frozenset[str] = frozenset()
    """Of credentials that are not active."""
    people: frozenset[str] = frozenset()
    """Numbers of people who are not active or have left."""
    visits: frozenset[str] = frozenset()
    """Ended before their time."""
    standing: frozenset[str] | None = None
    """Names of the rights that still let somebody in; None: not looked up."""


async def ended_now(connection: Connection, organisation_id: int, site_id: int, *, at: datetime) -> EndedNow:
    """Return what was ended at a site, from short lists."""
    values = {"organisation": organisation_id, "site": site_id, "at": at}
    found = []
    for query in (_ENDED, _GONE, _OVER, _STANDING):
        rows = await (await connection.execute(query, values)).fetchall()
        found.append(frozenset(str(one) for (one,) in rows))
    return EndedNow(*found)
