"""Visits: who comes, to whom, where to and until when; registered before they come."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit."""

    id: int
    organisation_id: int
    site_id: int
    site: str
    person_id: int
    number: str
    """The visitor's, as doors know it."""
    visitor: str
    company: str
    host: str
    """The host's number."""
    zones: list[str]
    from_at: datetime
    to_at: datetime
    """Not included."""
    escort: str
    """`none`, `host` or `any`."""
    purpose: str
    approved_by: str | None
    """Number of the head of the laboratory."""
    approved_at: datetime | None
    registered_by: str
    registered_at: datetime
    ended_at: datetime | None
    ended_why: str
    cards: int
    """Active cards of the visitor."""


_VISITS = """
SELECT v.id, v.organisation_id, v.site_id, s.name AS site, v.person_id, p.number, p.name AS visitor,
       p.department AS company, h.number AS host, v.zones, lower(v.valid) AS from_at, upper(v.valid) AS to_at,
       v.escort, v.purpose, a.number AS approved_by, v.approved_at, v.registered_by, v.registered_at,
       v.ended_at, v.ended_why,
       (SELECT count(*) FROM public.credentials c
         WHERE c.person_id = v.person_id AND c.state = 'active')::int AS cards
  FROM visits v
  JOIN sites s ON s.id = v.site_id
  JOIN public.people p ON p.id = v.person_id
  JOIN public.people h ON h.id = v.host_id
  LEFT JOIN public.people a ON a.id = v.approved_by
 WHERE (%(before)s::int IS NULL OR v.id < %(before)s) AND (%(id)s::int IS NULL OR v.id = %(id)s)
   AND (%(site)s::int IS NULL OR v.site_id = %(site)s)
   AND (%(open_at)s::timestamptz IS NULL OR (upper(v.valid) > %(open_at)s AND v.ended_at IS NULL))
 ORDER BY v.id DESC LIMIT %(limit)s
"""


async def list_visits(
    connection: Connection,
    *,
    visit_id: int | None = None,
    site_id: int | None = None,
    open_at: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Visit]:
    """Return visits, the last registered first; with `open_at` those that are not over then."""
    values = {"id": visit_id, "site": site_id, "open_at": open_at, "before": before, "limit": limit}
    async with connection.cursor(row_factory=class_row(Visit)) as cursor:
        await cursor.execute(_VISITS, values)
        return await cursor.fetchall()


async def add_visitor(
    connection: Connection, organisation_id: int, *, name: str, company: str
) -> tuple[int, str]:
    """Enter a visitor and return id and number: `V-` and a count that no other person has."""
    cursor = await connection.execute(
        """
        INSERT INTO public.people (organisation_id, number, name, department, kind)
        SELECT %(organisation)s, 'V-' || lpad(n::text, 6, '0'), %(name)s, %(company)s, 'visitor'
          FROM (SELECT 1 + coalesce(max(substr(number, 3)::int), 0) AS n FROM public.people
                 WHERE organisation_id = %(organisation)s AND kind = 'visitor'
                   AND number ~ '^V-[0-9]{6}$') next
        RETURNING id, number
        """,
        {"organisation": organisation_id, "name": name, "company": company},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


@dataclass(frozen=True, slots=True)
class NewVisit:
    """A visit to be registered."""

    organisation_id: int
    site_id: int
    person_id: int
    host_id: int
    zones: list[str]
    from_at: datetime
    to_at: datetime
    escort: str
    purpose: str


async def lock(connection: Connection, organisation_id: int) -> None:
    """Have visits of one organisation be registered one after the other, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, organisation_id))


_LOCK = 0x56495349


async def add(connection: Connection, new: NewVisit, *, by: str, at: datetime) -> int:
    """Register a visit and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO public.visits (organisation_id, site_id, person_id, host_id, zones, valid, escort,
                                   purpose, registered_by, registered_at)
        VALUES (%s, %s, %s, %s, %s, tstzrange(%s, %s), %s, %s, %s, %s) RETURNING id
        """,
        (
            *(
                new.organisation_id,
                new.site_id,
                new.person_id,
                new.host_id,
                new.zones,
                new.from_at,
                new.to_at,
            ),
            *(new.escort, new.purpose, by, at),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def end(connection: Connection, visit_id: int, *, at: datetime, why: str) -> bool:
    """End a visit; return whether it was not ended yet."""
    cursor = await connection.execute(
        "UPDATE public.visits SET ended_at = %s, ended_why = %s WHERE id = %s AND ended_at IS NULL",
        (at, why, visit_id),
    )
    return cursor.rowcount == 1


async def approve(connection: Connection, visit_id: int, *, by: str, at: datetime) -> None:
    """Say that a head, by their number, approved a visit."""
    await connection.execute(
        """
        UPDATE public.visits v SET approved_at = %s, approved_by =
            (SELECT p.id FROM public.people p WHERE p.organisation_id = v.organisation_id AND p.number = %s)
         WHERE v.id = %s
        """,
        (at, by, visit_id),
    )
