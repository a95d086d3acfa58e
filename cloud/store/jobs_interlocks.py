"""Interlocks of the hub as they are kept: rules, what was asked, how they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from rules.interlock.model import Interlock


@dataclass(frozen=True, slots=True)
class Trip:
    """An interlock of a gateway that is tripped by a command."""

    gateway: str
    interlock: str


@dataclass(frozen=True, slots=True)
class HubInterlock:
    """One interlock of the hub, and how it stands."""

    id: int
    organisation_id: int
    site_id: int
    site: str
    name: str
    version: int
    rule: Interlock
    trips: tuple[Trip, ...]
    enabled: bool
    """False: out of use; it holds nothing."""
    author: str
    reason: str
    made_at: datetime
    kept: bytes | None
    """What outlives the hub's process (`rules.interlock.state.Kept`)."""
    phase: str
    breach: int
    first_out: tuple[str, ...]
    unmet: list[str]
    stood_at: datetime | None
    """When the hub last judged it."""
    tripped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that a person asks of an interlock of the hub."""

    id: int
    organisation_id: int
    site_id: int
    interlock_id: int
    act: str
    breach: int
    actor: str
    reason: str
    asked_at: datetime
    done_at: datetime | None
    refused: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Whether an interlock of the hub holds the work of a zone."""

    name: str
    holds: bool
    since: datetime | None
    fit: bool
    """Whether it is healthy, or out of use: while it starts it neither holds nor lets work begin."""
    stood_at: datetime | None
    due_from: datetime | None
    """When it was judged last, or made; None: it is out of use, and nobody has to judge it."""


_ALL = """
SELECT i.id, i.organisation_id, i.site_id, s.name, i.name, i.version, i.rule::text, i.trips::text, i.enabled,
       i.author, i.reason, i.made_at, i.kept::text, i.phase, i.breach, i.first_out, i.unmet, i.stood_at,
       i.tripped_at
  FROM hub_interlocks i JOIN sites s ON s.id = i.site_id
 WHERE (%(id)s::int IS NULL OR i.id = %(id)s) AND (%(body)s::int IS NULL OR i.organisation_id = %(body)s)
 ORDER BY i.id
"""


async def list_hub_interlocks(
    connection: Connection, *, interlock_id: int | None = None, organisation_id: int | None = None
) -> list[HubInterlock]:
    """Return interlocks of the hub by id."""
    given = {"id": interlock_id, "body": organisation_id}
    rows = await (await connection.execute(_ALL, given)).fetchall()
    return [_interlock(row) for row in rows]


def _interlock(row: Sequence[Any]) -> HubInterlock:
    number, organisation_id, site_id, site, name, version, rule, trips, enabled, *rest = row
    author, reason, made_at, kept, phase, breach, first_out, unmet, stood_at, tripped_at = rest
    return HubInterlock(
        id=number,
        organisation_id=organisation_id,
        site_id=site_id,
        site=site,
        name=name,
        version=version,
        rule=msgspec.json.decode(rule, type=Interlock),
        trips=msgspec.json.decode(trips, type=tuple[Trip, ...]),
        enabled=enabled,
        author=author,
        reason=reason,
        made_at=made_at,
        kept=None if kept is None else kept.encode(),
        phase=phase,
        breach=breach,
        first_out=tuple(first_out),
        unmet=unmet,
        stood_at=stood_at,
        tripped_at=tripped_at,
    )


async def save(
    connection: Connection,
    place: tuple[int, int],
    rule: Interlock,
    *,
    trips: Sequence[Trip],
    enabled: bool,
    author: str,
    reason: str,
    at: datetime,
) -> int:
    """Keep a rule of (organisation, site) under its name, as the next version where there is one."""
    cursor = await connection.execute(
        "INSERT INTO public.hub_interlocks (organisation_id, site_id, name, version, rule, trips, enabled,"
        " author, reason, made_at) VALUES (%s, %s, %s, 1, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (organisation_id, name) DO UPDATE SET version = hub_interlocks.version + 1,"
        " site_id = excluded.site_id, rule = excluded.rule, trips = excluded.trips,"
        " enabled = excluded.enabled, author = excluded.author, reason = excluded.reason,"
        " made_at = excluded.made_at RETURNING id",
        (
            *place,
            rule.name,
            Jsonb(msgspec.to_builtins(rule)),
            Jsonb(msgspec.to_builtins(tuple(trips))),
            *(enabled, author, reason, at),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def keep_state(
    connection: Connection,
    interlock_id: int,
    *,
    kept: bytes,
    phase: str,
    breach: int,
    first_out: Sequence[str],
    unmet: Sequence[str],
    at: datetime,
    tripped_at: datetime | None,
) -> None:
    """Keep how an interlock stands."""
    await connection.execute(
        "UPDATE hub_interlocks SET kept = %s::jsonb, phase = %s, breach = %s, first_out = %s, unmet = %s,"
        " stood_at = %s, tripped_at = %s WHERE id = %s",
        (
            *(kept.decode(), phase, breach, list(first_out), Jsonb(list(unmet))),
            *(at, tripped_at, interlock_id),
        ),
    )


async def ask(
    connection: Connection,
    interlock: HubInterlock,
    act: str,
    *,
    breach: int,
    actor: str,
    reason: str,
    at: datetime,
) -> int:
    """Have the hub's room do something with an interlock."""
    cursor = await connection.execute(
        "INSERT INTO hub_interlock_acts (organisation_id, site_id, interlock_id, act, breach, actor, reason,"
        " asked_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (interlock.organisation_id, interlock.site_id, interlock.id, act, breach, actor, reason, at),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


_ASKS = """
SELECT id, organisation_id, site_id, interlock_id, act, breach, actor, reason, asked_at, done_at, refused
  FROM hub_interlock_acts
"""


async def open_asks(connection: Connection) -> list[Asked]:
    """Return what was asked and not answered, in order."""
    async with connection.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute(_ASKS + " WHERE done_at IS NULL ORDER BY id LIMIT 100")
        return await cursor.fetchall()


async def asks_of(connection: Connection, interlock_id: int) -> list[Asked]:
    """Return what was asked of an interlock lately, the last first."""
    async with connection.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute(_ASKS + " WHERE interlock_id = %s ORDER BY id DESC LIMIT 20", (interlock_id,))
        return await cursor.fetchall()


async def answer(connection: Connection, ask_id: int, *, refused: str, at: datetime) -> None:
    """Write down what became of it; empty `refused`: it was done."""
    await connection.execute(
        "UPDATE hub_interlock_acts SET done_at = %s, refused = %s WHERE id = %s", (at, refused, ask_id)
    )


async def places_held(connection: Connection) -> frozenset[tuple[int, str]]:
    """Return every (organisation, `site/zone`) whose work an interlock of the hub may hold."""
    cursor = await connection.execute(
        "SELECT DISTINCT organisation_id, e->>'target' FROM public.hub_interlocks,"
        " jsonb_array_elements(rule->'effects') e WHERE e->>'kind' = 'hold_work'"
    )
    return frozenset((int(row[0]), str(row[1])) for row in await cursor.fetchall())


async def holding(connection: Connection, site: str, zone: str, organisation_id: int) -> list[Holding]:
    """Return the interlocks of the hub that hold work in a zone, `site/zone`, and whether they do now."""
    cursor = await connection.execute(
        "SELECT name, enabled AND phase NOT IN ('healthy', 'starting'),"
        " CASE WHEN enabled AND phase <> 'healthy' THEN coalesce(tripped_at, made_at) ELSE stood_at END,"
        " NOT enabled OR phase = 'healthy', stood_at,"
        " CASE WHEN enabled THEN coalesce(stood_at, made_at) END FROM public.hub_interlocks"
        " WHERE organisation_id = %s AND EXISTS ("
        "SELECT 1 FROM jsonb_array_elements(rule->'effects') e"
        " WHERE e->>'kind' = 'hold_work' AND e->>'target' = %s) ORDER BY name",
        (organisation_id, f"{site}/{zone}"),
    )
    return [Holding(*row) for row in await cursor.fetchall()]
