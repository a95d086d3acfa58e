"""People of an organisation and what they are authorised for, at any moment; knows no password."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """One person of an organisation."""

    id: int
    organisation_id: int
    organisation: str
    number: str
    """Staff number, of the organisation's own counting."""
    name: str
    department: str
    email: str
    """Empty: none is known."""
    login: str | None
    """Of the person's account; None without one."""
    account_id: int | None
    disabled: bool
    """Whether the account is closed."""
    left_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What a person may do by their laboratory's word, and when."""

    id: int
    organisation_id: int
    person_id: int
    person: str
    number: str
    kind: str
    """`activity` or `equipment`."""
    subject: str
    """Which activity, or which kind of equipment."""
    from_at: datetime
    to_at: datetime | None
    """Not included; None: open."""
    basis: str
    """What it rests on: certificate, examination, decision."""
    entered_at: datetime
    withdrawn_at: datetime | None
    withdrawn_why: str


_PEOPLE = """
SELECT p.id, p.organisation_id, o.name AS organisation, p.number, p.name, p.department, p.email, a.login,
       a.id AS account_id, a.disabled_at IS NOT NULL AS disabled, p.left_at, p.created_at
FROM people p JOIN organisations o ON o.id = p.organisation_id LEFT JOIN accounts a ON a.person_id = p.id
WHERE p.id > %(after)s
  AND (%(id)s::int IS NULL OR p.id = %(id)s)
  AND (%(organisation_id)s::int IS NULL OR p.organisation_id = %(organisation_id)s)
  AND (%(number)s::text IS NULL OR p.number = %(number)s)
  AND (p.kind = 'staff' OR %(id)s::int IS NOT NULL OR %(number)s::text IS NOT NULL)
ORDER BY p.id
LIMIT %(limit)s
"""


async def list_people(
    connection: Connection,
    *,
    organisation_id: int | None = None,
    number: str | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Person]:
    """Return people by id, those with an id greater than `after`."""
    return await _people(connection, organisation_id=organisation_id, number=number, after=after, limit=limit)


async def get_person(connection: Connection, person_id: int) -> Person | None:
    """Return one person, or None."""
    rows = await _people(connection, id=person_id)
    return rows[0] if rows else None


async def _people(connection: Connection, **given: int | str | None) -> list[Person]:
    values = {"id": None, "organisation_id": None, "number": None, "after": 0, "limit": 1} | given
    async with connection.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(_PEOPLE, values)
        return await cursor.fetchall()


async def add_person(
    connection: Connection, organisation_id: int, *, number: str, name: str, department: str
) -> int | None:
    """Enter a person and return the id; None when the organisation has that number already."""
    cursor = await connection.execute(
        """
        INSERT INTO people (organisation_id, number, name, department) VALUES (%s, %s, %s, %s)
            ON CONFLICT (organisation_id, number) DO NOTHING RETURNING id
        """,
        (organisation_id, number, name, department),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def change_person(
    connection: Connection, person_id: int, *, name: str, department: str, left_at: datetime | None
) -> bool:
    """Change what is known of a person; return whether there is one."""
    cursor = await connection.execute(
        "UPDATE people SET name = %s, department = %s, left_at = %s WHERE id = %s",
        (name, department, left_at, person_id),
    )
    return cursor.rowcount == 1


_AUTHORISATIONS = """
SELECT a.id, a.organisation_id, a.person_id, p.name AS person, p.number, a.kind, a.subject,
       lower(a.valid) AS from_at, upper(a.valid) AS to_at, a.basis, a.entered_at, a.withdrawn_at,
       a.withdrawn_why
FROM authorisations a JOIN people p ON p.id = a.person_id
WHERE a.id > %(after)s
  AND (%(id)s::int IS NULL OR a.id = %(id)s)
  AND (%(person_id)s::int IS NULL OR a.person_id = %(person_id)s)
  AND (%(kind)s::text IS NULL OR a.kind = %(kind)s)
  AND (%(subject)s::text IS NULL OR a.subject = %(subject)s)
  AND (%(at)s::timestamptz IS NULL
       OR (a.valid @> %(at)s::timestamptz AND (a.withdrawn_at IS NULL OR a.withdrawn_at > %(at)s)))
ORDER BY a.id
LIMIT %(limit)s
"""


async def list_authorisations(
    connection: Connection,
    *,
    person_id: int | None = None,
    kind: str | None = None,
    subject: str | None = None,
    at: datetime | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[Authorisation]:
    """Return authorisations by id; with `at` only those in force at that moment, withdrawals considered."""
    values = {
        "id": None,
        "person_id": person_id,
        "kind": kind,
        "subject": subject,
        "at": at,
        "after": after,
        "limit": limit,
    }
    async with connection.cursor(row_factory=class_row(Authorisation)) as cursor:
        await cursor.execute(_AUTHORISATIONS, values)
        return await cursor.fetchall()


async def is_authorised(
    connection: Connection, person_id: int, *, kind: str, subject: str, at: datetime
) -> bool:
    """Whether a person was authorised for this at a moment: never judged by "now"."""
    found = await list_authorisations(
        connection, person_id=person_id, kind=kind, subject=subject, at=at, limit=1
    )
    return bool(found)


async def add_authorisation(
    connection: Connection,
    person: Person,
    *,
    kind: str,
    subject: str,
    from_at: datetime,
    to_at: datetime | None,
    basis: str,
) -> int:
    """Enter an authorisation and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid, basis)
        VALUES (%s, %s, %s, %s, tstzrange(%s, %s), %s) RETURNING id
        """,
        (person.organisation_id, person.id, kind, subject, from_at, to_at, basis),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def withdraw(connection: Connection, authorisation_id: int, *, at: datetime, why: str) -> bool:
    """End an authorisation from a moment on; return whether one that was not withdrawn yet is there."""
    cursor = await connection.execute(
        """
        UPDATE authorisations SET withdrawn_at = %s, withdrawn_why = %s
         WHERE id = %s AND withdrawn_at IS NULL
        """,
        (at, why, authorisation_id),
    )
    return cursor.rowcount == 1


async def get_authorisation(connection: Connection, authorisation_id: int) -> Authorisation | None:
    """Return one authorisation, or None."""
    values = dict.fromkeys(("person_id", "kind", "subject", "at"))
    async with connection.cursor(row_factory=class_row(Authorisation)) as cursor:
        await cursor.execute(_AUTHORISATIONS, {**values, "id": authorisation_id, "after": 0, "limit": 1})
        return await cursor.fetchone()
