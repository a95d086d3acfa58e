"""Templates of alarms, policies of sites, and ways by which people are told. Secrets are not read here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from rules.alarm.model import Rule
from rules.alarm.policy import Policy


@dataclass(frozen=True, slots=True)
class Template:
    """A template with its newest revision."""

    id: int
    organisation_id: int
    name: str
    quantity: str
    number: int
    """Of the revision."""
    rules: list[dict[str, Any]]
    author: str
    reason: str
    changed_at: datetime
    points: int
    """How many it watches."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way by which people are told, without its secret."""

    id: int
    organisation_id: int
    name: str
    kind: str
    """`email`, `webhook`, `wecom`, `dingtalk` or `sms`."""
    target: str
    """Addresses or numbers; of a hook its host."""
    signed: bool
    """Whether it has a key that signs."""
    language: str
    author: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """How a site handles its alarms, as it was said last."""

    site_id: int
    number: int
    policy: dict[str, Any]
    author: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one way, and what became of it."""

    id: int
    site: str | None
    round: int | None
    why: str | None
    """`alarms`, `flood_began`, `digest`, `flood_ended`; None: a test."""
    alarms: int
    """How many the round told of."""
    channel: str
    subject: str
    state: str
    """`waiting`, `sent` or `given_up`."""
    attempts: int
    created_at: datetime
    told: str
    """What was answered at the last attempt."""
    told_at: datetime | None


_TEMPLATES = """
SELECT t.id, t.organisation_id, t.name, t.quantity, r.number, r.rules, r.author, r.reason,
       r.created_at AS changed_at,
       (SELECT count(*) FROM alarm_applied a WHERE a.template_id = t.id)::int AS points
FROM alarm_templates t
JOIN LATERAL (SELECT * FROM alarm_template_revisions
               WHERE template_id = t.id ORDER BY number DESC LIMIT 1) r ON true
"""
_DELIVERIES = """
SELECT d.id, s.name AS site, r.number AS round, r.why, coalesce(jsonb_array_length(r.calls), 0) AS alarms,
       d.channel, d.subject, d.state, d.attempts::int AS attempts, d.created_at,
       coalesce(a.told, '') AS told, a.at AS told_at
FROM alarm_deliveries d
LEFT JOIN sites s ON s.id = d.site_id
LEFT JOIN alarm_rounds r ON r.id = d.round_id
LEFT JOIN LATERAL (SELECT told, at FROM alarm_attempts
                    WHERE delivery_id = d.id ORDER BY id DESC LIMIT 1) a ON true
WHERE (%(before)s::bigint IS NULL OR d.id < %(before)s) AND (%(site)s::int IS NULL OR d.site_id = %(site)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""


async def list_templates(connection: Connection, *, after: int = 0, limit: int = 100) -> list[Template]:
    """Return templates by id, those with an id greater than `after`."""
    async with connection.cursor(row_factory=class_row(Template)) as cursor:
        await cursor.execute(_TEMPLATES + "WHERE t.id > %s ORDER BY t.id LIMIT %s", (after, limit))
        return await cursor.fetchall()


async def find_template(connection: Connection, organisation_id: int, name: str) -> Template | None:
    """Return the template of this name."""
    async with connection.cursor(row_factory=class_row(Template)) as cursor:
        await cursor.execute(
            _TEMPLATES + "WHERE t.organisation_id = %s AND t.name = %s", (organisation_id, name)
        )
        return await cursor.fetchone()


async def save_template(
    connection: Connection,
    organisation_id: int,
    name: str,
    *,
    quantity: str,
    rules: Sequence[Rule],
    author: str,
    reason: str,
    at: datetime,
) -> tuple[int, int]:
    """Keep a template, or the next revision of it; return its id and the number of the revision."""
    cursor = await connection.execute(
        "INSERT INTO alarm_templates (organisation_id, name, quantity) VALUES (%s, %s, %s)"
        " ON CONFLICT (organisation_id, name) DO UPDATE SET quantity = excluded.quantity RETURNING id",
        (organisation_id, name, quantity),
    )
    row = await cursor.fetchone()
    assert row is not None
    cursor = await connection.execute(
        "INSERT INTO alarm_template_revisions (organisation_id, template_id, number, rules, author, reason,"
        " created_at) SELECT %s, %s, coalesce(max(number), 0) + 1, %s, %s, %s, %s"
        " FROM alarm_template_revisions WHERE template_id = %s RETURNING number",
        (
            *(organisation_id, row[0], Jsonb(msgspec.to_builtins(tuple(rules))), author, reason, at),
            row[0],
        ),
    )
    number = await cursor.fetchone()
    assert number is not None
    return int(row[0]), int(number[0])


async def apply(
    connection: Connection, point_ids: Sequence[int], template: Template, *, author: str, at: datetime
) -> None:
    """Have a template watch these points, in place of what watched them."""
    await connection.execute(
        "INSERT INTO alarm_applied AS a (point_id, organisation_id, site_id, template_id, author, applied_at)"
        " SELECT id, organisation_id, site_id, %s, %s, %s FROM points WHERE id = ANY(%s)"
        " ON CONFLICT (point_id) DO UPDATE SET template_id = excluded.template_id,"
        " author = excluded.author, applied_at = excluded.applied_at",
        (template.id, author, at, list(point_ids)),
    )


async def remove(connection: Connection, point_ids: Sequence[int]) -> None:
    """Have nothing watch these points any more; that they may be seen was checked: views delete nothing."""
    await connection.execute("DELETE FROM public.alarm_applied WHERE point_id = ANY(%s)", (list(point_ids),))


async def list_channels(connection: Connection) -> list[Channel]:
    """Return all ways by name."""
    async with connection.cursor(row_factory=class_row(Channel)) as cursor:
        await cursor.execute(
            "SELECT id, organisation_id, name, kind, target, secret ? 'key' AS signed, language, author,"
            " changed_at FROM alarm_channels WHERE removed_at IS NULL ORDER BY organisation_id, name"
        )
        return await cursor.fetchall()


async def save_channel(
    connection: Connection,
    organisation_id: int,
    name: str,
    *,
    kind: str,
    target: str,
    secret: dict[str, str],
    language: str,
    author: str,
    at: datetime,
) -> int:
    """Keep a way under a name and return its id."""
    cursor = await connection.execute(
        "INSERT INTO alarm_channels (organisation_id, name, kind, target, secret, language, author,"
        " changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (organisation_id, name) DO UPDATE SET"
        " kind = excluded.kind, target = excluded.target, secret = excluded.secret,"
        " language = excluded.language, author = excluded.author, changed_at = excluded.changed_at,"
        " removed_at = NULL RETURNING id",
        (organisation_id, name, kind, target, Jsonb(secret), language, author, at),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def remove_channel(connection: Connection, channel_id: int, at: datetime) -> None:
    """Take a way out of use; its secret is forgotten."""
    await connection.execute(
        "UPDATE alarm_channels SET removed_at = %s, secret = '{}' WHERE id = %s", (at, channel_id)
    )


async def policies(connection: Connection, site_id: int | None = None) -> list[SavedPolicy]:
    """Return the newest policy of each site that has one."""
    async with connection.cursor(row_factory=class_row(SavedPolicy)) as cursor:
        await cursor.execute(
            "SELECT DISTINCT ON (site_id) site_id, number, policy, author, reason, created_at"
            " FROM alarm_policies WHERE (%(site)s::int IS NULL OR site_id = %(site)s)"
            " ORDER BY site_id, number DESC",
            {"site": site_id},
        )
        return await cursor.fetchall()


async def save_policy(
    connection: Connection,
    organisation_id: int,
    site_id: int,
    *,
    policy: Policy,
    author: str,
    reason: str,
    at: datetime,
) -> int:
    """Keep how a site handles its alarms and return the number of the revision."""
    cursor = await connection.execute(
        "INSERT INTO alarm_policies (organisation_id, site_id, number, policy, author, reason, created_at)"
        " SELECT %s, %s, coalesce(max(number), 0) + 1, %s, %s, %s, %s FROM alarm_policies WHERE site_id = %s"
        " RETURNING number",
        (
            *(organisation_id, site_id, Jsonb(msgspec.to_builtins(policy)), author, reason, at),
            site_id,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def list_deliveries(
    connection: Connection, *, site_id: int | None = None, before: int | None = None, limit: int = 100
) -> list[Delivery]:
    """Return messages, the newest first, those with an id smaller than `before`."""
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(_DELIVERIES, {"site": site_id, "before": before, "limit": limit})
        return await cursor.fetchall()
