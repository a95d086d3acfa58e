"""The items of access rights, and what people and cards are at doors, as they are shown and changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from cloud.store.rights_rows import SiteRow


@dataclass(frozen=True, slots=True)
class Item:
    """A group, schedule, day, right, mantrap, piece of equipment, or how a zone or portal is asked."""

    organisation_id: int
    site_id: int | None
    """None: it holds at every site of the organisation."""
    site: str | None
    kind: str
    """`site`, `day`, `schedule`, `group`, `zone`, `portal`, `mantrap`, `right` or `equipment`."""
    name: str
    title: str
    body: dict[str, Any]
    """As `rules.access.document` has it, without its id."""
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class AccessPerson:
    """What a person is at doors; no PIN, but whether there is one."""

    person_id: int
    organisation_id: int
    number: str
    name: str
    kind: str
    """`staff` or `visitor`."""
    state: str
    """`active`, `suspended` or `revoked`."""
    from_at: datetime | None
    to_at: datetime | None
    escorts: bool
    slow: bool
    has_pin: bool
    has_duress_pin: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A credential as may be shown, with its person."""

    id: int
    organisation_id: int
    person_id: int
    number: str
    kind: str
    ending: str
    state: str


_ITEMS = """
SELECT i.organisation_id, i.site_id, s.name AS site, i.kind, i.name, i.title, i.body, i.changed_by,
       i.changed_at
  FROM access_items i LEFT JOIN sites s ON s.id = i.site_id
 WHERE (%(site)s::int IS NULL OR i.site_id = %(site)s
        OR (i.site_id IS NULL
            AND i.organisation_id = (SELECT organisation_id FROM sites WHERE id = %(site)s)))
   AND (%(kinds)s::text[] IS NULL OR i.kind = ANY (%(kinds)s))
 ORDER BY i.kind, i.name, i.site_id NULLS FIRST, i.organisation_id
 LIMIT %(limit)s OFFSET %(after)s
"""


async def list_items(
    connection: Connection,
    *,
    site_id: int | None = None,
    kinds: Sequence[str] | None = None,
    after: int = 0,
    limit: int = 10_000,
) -> list[Item]:
    """Return items by kind and name: those of a site with those of its organisation, or all."""
    async with connection.cursor(row_factory=class_row(Item)) as cursor:
        await cursor.execute(
            _ITEMS,
            {
                "site": site_id,
                "kinds": None if kinds is None else list(kinds),
                "after": after,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def find_item(
    connection: Connection, organisation_id: int, site_id: int | None, *, kind: str, name: str
) -> dict[str, Any] | None:
    """Return title and body of an item, which stays so until the transaction ends; None: it is not there."""
    cursor = await connection.execute(
        """
        SELECT jsonb_build_object('title', title, 'body', body) FROM public.access_items
         WHERE organisation_id = %s AND site_id IS NOT DISTINCT FROM %s::int AND kind = %s AND name = %s
           FOR UPDATE
        """,
        (organisation_id, site_id, kind, name),
    )
    row = await cursor.fetchone()
    return None if row is None else dict(row[0])


async def put_item(connection: Connection, item: Item) -> None:
    """Keep an item in the place of the one with its kind and name."""
    await connection.execute(
        """
        INSERT INTO public.access_items (organisation_id, site_id, kind, name, title, body, changed_by,
                                         changed_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (organisation_id, site_id, kind, name) DO UPDATE
           SET title = excluded.title, body = excluded.body, changed_by = excluded.changed_by,
               changed_at = excluded.changed_at
        """,
        (
            *(item.organisation_id, item.site_id, item.kind, item.name, item.title, Jsonb(item.body)),
            *(item.changed_by, item.changed_at),
        ),
    )


async def drop_item(
    connection: Connection, organisation_id: int, site_id: int | None, *, kind: str, name: str
) -> None:
    """Take an item out."""
    await connection.execute(
        """
        DELETE FROM public.access_items
         WHERE organisation_id = %s AND site_id IS NOT DISTINCT FROM %s::int AND kind = %s AND name = %s
        """,
        (organisation_id, site_id, kind, name),
    )


async def find_site(connection: Connection, site_id: int) -> SiteRow | None:
    """Return a site that who asks may see."""
    async with connection.cursor(row_factory=class_row(SiteRow)) as cursor:
        await cursor.execute(
            "SELECT id, organisation_id, name, time_zone FROM sites WHERE id = %s", (site_id,)
        )
        return await cursor.fetchone()


async def sites_with_rights(connection: Connection, organisation_id: int) -> list[int]:
    """Return the sites of an organisation that have rights of their own, whoever asks."""
    cursor = await connection.execute(
        """
        SELECT DISTINCT site_id FROM public.access_items
         WHERE organisation_id = %s AND site_id IS NOT NULL ORDER BY site_id
        """,
        (organisation_id,),
    )
    return [int(number) for (number,) in await cursor.fetchall()]


# --- people and cards -------------------------------------------------------------------------------------

_PEOPLE = """
SELECT p.id AS person_id, p.organisation_id, p.number, p.name, p.kind, coalesce(a.state, 'active') AS state,
       lower(a.valid) AS from_at, upper(a.valid) AS to_at, coalesce(a.escorts, false) AS escorts,
       coalesce(a.slow, false) AS slow, a.pin IS NOT NULL AS has_pin,
       a.duress_pin IS NOT NULL AS has_duress_pin
  FROM people p LEFT JOIN access_people a ON a.person_id = p.id
 WHERE p.id > %(after)s AND (%(id)s::int IS NULL OR p.id = %(id)s)
   AND (%(number)s::text IS NULL OR p.number = %(number)s)
   AND (%(organisation)s::int IS NULL OR p.organisation_id = %(organisation)s)
 ORDER BY p.id LIMIT %(limit)s
"""


async def list_people(
    connection: Connection,
    *,
    organisation_id: int | None = None,
    person_id: int | None = None,
    number: str | None = None,
    after: int = 0,
    limit: int = 10_000,
) -> list[AccessPerson]:
    """Return what people are at doors, by id."""
    values = {"organisation": organisation_id, "id": person_id, "number": number, "after": after}
    async with connection.cursor(row_factory=class_row(AccessPerson)) as cursor:
        await cursor.execute(_PEOPLE, {**values, "limit": limit})
        return await cursor.fetchall()


async def number_of_account(connection: Connection, account_id: int, *, organisation_id: int) -> str | None:
    """Return the number of the person whose account this is, whoever asks; None: not of this organisation.

    Each organisation numbers its own people: the same number elsewhere is somebody else.
    """
    cursor = await connection.execute(
        """
        SELECT p.number FROM public.accounts a JOIN public.people p ON p.id = a.person_id
         WHERE a.id = %s AND p.organisation_id = %s
        """,
        (account_id, organisation_id),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def find_staff(connection: Connection, organisation_id: int, number: str) -> int | None:
    """Return the id of somebody of the staff who has not left, by number and whoever asks; None else."""
    cursor = await connection.execute(
        """
        SELECT id FROM public.people
         WHERE organisation_id = %s AND number = %s AND kind = 'staff' AND left_at IS NULL
        """,
        (organisation_id, number),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def set_person(
    connection: Connection,
    person: AccessPerson,
    *,
    state: str,
    valid: tuple[datetime | None, datetime | None],
    escorts: bool,
    slow: bool,
) -> None:
    """Keep what a person is at doors; PINs stay as they are."""
    await connection.execute(
        """
        INSERT INTO access_people (person_id, organisation_id, state, valid, escorts, slow)
        VALUES (%s, %s, %s, tstzrange(%s, %s), %s, %s)
            ON CONFLICT (person_id) DO UPDATE
           SET state = excluded.state, valid = excluded.valid, escorts = excluded.escorts,
               slow = excluded.slow
        """,
        (person.person_id, person.organisation_id, state, *valid, escorts, slow),
    )


async def set_pins(
    connection: Connection, person: AccessPerson, *, key_id: str, pin: str | None, duress_pin: str | None
) -> None:
    """Keep a person's PINs as keyed hashes; None: there is none."""
    await connection.execute(
        """
        INSERT INTO public.access_people (person_id, organisation_id, key_id, pin, duress_pin)
        VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (person_id) DO UPDATE
           SET key_id = excluded.key_id, pin = excluded.pin, duress_pin = excluded.duress_pin
        """,
        (person.person_id, person.organisation_id, key_id, pin, duress_pin),
    )


async def get_card(connection: Connection, credential_id: int) -> Card | None:
    """Return one credential, which stays so until the transaction ends."""
    async with connection.cursor(row_factory=class_row(Card)) as cursor:
        await cursor.execute(
            """
            SELECT c.id, c.organisation_id, c.person_id, p.number, c.kind, c.ending, c.state
              FROM credentials c JOIN people p ON p.id = c.person_id WHERE c.id = %s
            """,
            (credential_id,),
        )
        return await cursor.fetchone()


async def set_card_state(connection: Connection, credential_id: int, state: str) -> None:
    """Say what became of a credential."""
    await connection.execute("UPDATE credentials SET state = %s WHERE id = %s", (state, credential_id))


async def add_card(
    connection: Connection,
    person: AccessPerson,
    *,
    card_format: str,
    key_id: str,
    token: str,
    ending: str,
    valid: tuple[datetime | None, datetime | None],
) -> int | None:
    """Give a person a card and return its id; None when somebody has it already."""
    cursor = await connection.execute(
        """
        INSERT INTO public.credentials (organisation_id, person_id, kind, format, key_id, token, ending,
                                        valid, state)
        VALUES (%s, %s, 'card', %s, %s, %s, %s, tstzrange(%s, %s), 'active')
            ON CONFLICT (organisation_id, key_id, token) DO NOTHING RETURNING id
        """,
        (person.organisation_id, person.person_id, card_format, key_id, token, ending, *valid),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def cards_of_tokens(connection: Connection, tokens: list[str]) -> dict[str, tuple[str, str, str]]:
    """Return token -> number and name of its person and the card's ending, of what who asks may see."""
    cursor = await connection.execute(
        """
        SELECT c.token, p.number, p.name, c.ending FROM credentials c JOIN people p ON p.id = c.person_id
         WHERE c.token = ANY (%s)
        """,
        (tokens,),
    )
    return {
        str(token): (str(number), str(name), str(end)) for token, number, name, end in await cursor.fetchall()
    }


async def names_of(connection: Connection, site_id: int, numbers: list[str]) -> dict[str, str]:
    """Return number -> name of people of a site's organisation, of those that who asks may see."""
    cursor = await connection.execute(
        """
        SELECT p.number, p.name FROM people p
         WHERE p.organisation_id = (SELECT organisation_id FROM sites WHERE id = %s) AND p.number = ANY (%s)
        """,
        (site_id, numbers),
    )
    return {str(number): str(name) for number, name in await cursor.fetchall()}


# --- keys -------------------------------------------------------------------------------------------------


async def retire_keys(connection: Connection, organisation_id: int, *, but: str, at: datetime) -> None:
    """Let one key of an organisation alone be in use."""
    await connection.execute(
        """
        UPDATE public.credential_keys
           SET retired_at = CASE WHEN key_id = %(but)s THEN NULL ELSE coalesce(retired_at, %(at)s) END
         WHERE organisation_id = %(organisation)s
        """,
        {"organisation": organisation_id, "but": but, "at": at},
    )
