"""Rounds of messages and the single messages that wait, were sent or were given up, with every attempt."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from rules.alarm.calls import Notification


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What messages say of a site."""

    id: int
    name: str
    title: str
    time_zone: str
    units: dict[str, str]
    """Point -> quantity."""


@dataclass(frozen=True, slots=True)
class Way:
    """A channel by which people are told, with its secret: for who sends alone."""

    id: int
    organisation_id: int
    name: str
    kind: str
    """`email`, `webhook`, `wecom`, `dingtalk` or `sms`."""
    target: str
    secret: dict[str, str]
    language: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message to one way."""

    channel: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is to be sent now."""

    id: int
    organisation_id: int
    channel: str
    subject: str
    body: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Most:
    """How many messages may be under way at once."""

    of_way: int
    of_organisation: int


_WAITING = """
SELECT id, organisation_id, channel, subject, body, attempts, created_at FROM (
    SELECT *, row_number() OVER (PARTITION BY organisation_id ORDER BY busy DESC, next_at, id) AS place
      FROM (SELECT *, id = ANY(%(busy)s::bigint[]) AS busy,
                   row_number() OVER (PARTITION BY organisation_id, channel
                                      ORDER BY id = ANY(%(busy)s::bigint[]) DESC, next_at, id) AS of_way
              FROM alarm_deliveries WHERE state = 'waiting' AND next_at <= %(now)s) d
     WHERE of_way <= %(way)s) e
WHERE place <= %(organisation)s AND NOT busy ORDER BY next_at, id LIMIT %(limit)s
"""


async def listen(connection: Connection) -> None:
    """Be woken when a message waits; the connection must be in autocommit mode."""
    await connection.execute("LISTEN heng_alarm_messages")


async def site_of(connection: Connection, site_id: int) -> SiteFacts:
    """Return what messages say of a site."""
    cursor = await connection.execute(
        "SELECT id, name, title, time_zone FROM sites WHERE id = %s", (site_id,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"there is no site {site_id}")
    cursor = await connection.execute("SELECT name, quantity FROM points WHERE site_id = %s", (site_id,))
    id_, name, title, time_zone = row
    return SiteFacts(id_, name, title, time_zone, dict(await cursor.fetchall()))


async def channels(
    connection: Connection, organisation_id: int, names: Sequence[str] | None = None
) -> list[Way]:
    """Return an organisation's ways by name, those of these names if any are given."""
    async with connection.cursor(row_factory=class_row(Way)) as cursor:
        await cursor.execute(
            "SELECT id, organisation_id, name, kind, target, secret, language FROM alarm_channels"
            " WHERE organisation_id = %s AND removed_at IS NULL"
            " AND (%s::text[] IS NULL OR name = ANY(%s)) ORDER BY name",
            (organisation_id, *(2 * [None if names is None else list(names)])),
        )
        return await cursor.fetchall()


async def keep_round(
    connection: Connection, organisation_id: int, site_id: int, *, round_: Notification
) -> int:
    """Write a round down and return its id."""
    calls: list[dict[str, Any]] = [
        {"alarm": call.occurrence.id, "to": call.recipients, "step": call.step, "count": call.count}
        for call in round_.calls
    ]
    cursor = await connection.execute(
        "INSERT INTO alarm_rounds (organisation_id, site_id, number, at_tick, why, by_priority, first_out,"
        " calls) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb) RETURNING id",
        (
            *(organisation_id, site_id, round_.number, round_.at, round_.why.value),
            *(Jsonb(round_.by_priority), list(round_.first_out), msgspec.json.encode(calls).decode()),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def keep_messages(
    connection: Connection,
    organisation_id: int,
    site_id: int | None,
    *,
    round_id: int | None,
    messages: Sequence[NewMessage],
    at: datetime,
) -> list[int]:
    """Let messages wait, and wake who sends them when the transaction ends; return their ids."""
    ids = []
    for one in messages:
        cursor = await connection.execute(
            "INSERT INTO alarm_deliveries (organisation_id, site_id, round_id, channel, subject, body, state,"
            " next_at, created_at) VALUES (%s, %s, %s, %s, %s, %s, 'waiting', %s, %s) RETURNING id",
            (organisation_id, site_id, round_id, one.channel, one.subject, one.body, at, at),
        )
        row = await cursor.fetchone()
        assert row is not None
        ids.append(int(row[0]))
    if ids:
        await connection.execute("NOTIFY heng_alarm_messages")
    return ids


async def waiting(
    connection: Connection, now: datetime, limit: int, *, busy: Collection[int], most: Most
) -> list[Waiting]:
    """Return messages whose time has come, the oldest first, but of no way and no organisation too many.

    `busy` are those that are being sent; they count, and are not returned.
    """
    async with connection.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(
            _WAITING,
            {
                "now": now,
                "busy": list(busy),
                "limit": limit,
                "way": most.of_way,
                "organisation": most.of_organisation,
            },
        )
        return await cursor.fetchall()


async def keep_attempt(
    connection: Connection, message: Waiting, *, at: datetime, sent: bool, told: str, again: timedelta | None
) -> None:
    """Note what became of one attempt; `again` None: there is no other one."""
    state = "sent" if sent else "given_up" if again is None else "waiting"
    await connection.execute(
        "INSERT INTO alarm_attempts (organisation_id, delivery_id, at, sent, told)"
        " VALUES (%s, %s, %s, %s, %s)",
        (message.organisation_id, message.id, at, sent, told[:500]),
    )
    await connection.execute(
        "UPDATE alarm_deliveries SET state = %s, attempts = attempts + 1, next_at = %s WHERE id = %s",
        (state, at + (again or timedelta(0)), message.id),
    )
