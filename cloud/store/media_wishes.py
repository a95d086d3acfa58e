"""Stretches of recordings that people asked for, until their gateway has said what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection

OPEN_MAX = 100
"""Of one gateway."""
WAITS_D = 7
"""So many days a gateway has to answer."""
EXPIRED = "the gateway did not answer in time"


@dataclass(frozen=True, slots=True)
class Wish:
    """A stretch of a camera's recording that was asked for."""

    id: int
    from_at: datetime
    to_at: datetime
    asked_at: datetime
    state: str
    """`waiting`, `done`, `none` (nothing of it is recorded), `failed` or `expired`."""
    told_at: datetime | None
    """When the gateway was told; None: it has not asked since."""
    answered_at: datetime | None
    segments: int | None
    """How many files came of it."""
    why: str
    """In English, of a wish that failed."""


@dataclass(frozen=True, slots=True)
class OpenWish:
    """A wish as its gateway is told."""

    id: int
    camera: str
    from_at: datetime
    to_at: datetime


_ADD = """
INSERT INTO media_wishes (organisation_id, gateway_id, camera, from_at, to_at, asked_at)
SELECT g.organisation_id, g.id, %(camera)s, %(from_at)s, %(to_at)s, %(now)s
FROM gateways g WHERE g.id = %(gateway_id)s
  AND (SELECT count(*) FROM media_wishes WHERE gateway_id = g.id AND state = 'waiting') < %(most)s
RETURNING id, from_at, to_at, asked_at, state, told_at, answered_at, segments, why
"""

_SAME = """
SELECT id, from_at, to_at, asked_at, state, told_at, answered_at, segments, why FROM media_wishes
WHERE gateway_id = %s AND camera = %s AND from_at = %s AND to_at = %s AND state = 'waiting'
"""

_LIST = """
SELECT id, from_at, to_at, asked_at, state, told_at, answered_at, segments, why FROM media_wishes
WHERE gateway_id = %s AND camera = %s AND from_at < %s AND to_at > %s
ORDER BY id DESC LIMIT %s
"""


async def add_wish(
    connection: Connection,
    gateway_id: int,
    camera: str,
    *,
    from_at: datetime,
    to_at: datetime,
    now: datetime,
) -> tuple[Wish, bool] | None:
    """Ask for a stretch, once while it is open; return it and whether it is new.

    None when `OPEN_MAX` of the gateway are open.
    """
    async with connection.transaction(), connection.cursor(row_factory=class_row(Wish)) as cursor:
        await cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, gateway_id))
        await cursor.execute(_SAME, (gateway_id, camera, from_at, to_at))
        if same := await cursor.fetchone():
            return same, False
        values = {"gateway_id": gateway_id, "camera": camera, "from_at": from_at, "to_at": to_at}
        await cursor.execute(_ADD, values | {"now": now, "most": OPEN_MAX})
        made = await cursor.fetchone()
        return None if made is None else (made, True)


_LOCK = 0x4D454449


async def open_wishes(connection: Connection, gateway_id: int, *, now: datetime) -> Sequence[OpenWish]:
    """Return what a gateway is to answer, the oldest first, and note that it was told."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE media_wishes SET state = 'expired', answered_at = %(now)s, why = %(why)s"
            " WHERE gateway_id = %(gateway)s AND state = 'waiting'"
            "   AND asked_at < %(now)s - make_interval(days => %(days)s)",
            {"now": now, "gateway": gateway_id, "why": EXPIRED, "days": WAITS_D},
        )
        await connection.execute(
            "UPDATE media_wishes SET told_at = %s"
            " WHERE gateway_id = %s AND state = 'waiting' AND told_at IS NULL",
            (now, gateway_id),
        )
        cursor = await connection.execute(
            "SELECT id, camera, from_at, to_at FROM media_wishes"
            " WHERE gateway_id = %s AND state = 'waiting' ORDER BY id LIMIT %s",
            (gateway_id, OPEN_MAX),
        )
        return [OpenWish(*row) for row in await cursor.fetchall()]


async def answer_wish(
    connection: Connection,
    wish_id: int,
    *,
    gateway_id: int,
    state: str,
    why: str,
    segments: int,
    now: datetime,
) -> bool:
    """Note what became of a wish; False when this gateway has none with this id. The first word counts."""
    cursor = await connection.execute(
        """
        UPDATE media_wishes
           SET state = CASE WHEN state = 'waiting' THEN %(state)s ELSE state END,
               why = CASE WHEN state = 'waiting' THEN %(why)s ELSE why END,
               segments = CASE WHEN state = 'waiting' THEN %(segments)s ELSE segments END,
               answered_at = coalesce(answered_at, %(now)s)
         WHERE id = %(id)s AND gateway_id = %(gateway)s
        """,
        {
            "state": state,
            "why": why,
            "segments": segments,
            "now": now,
            "id": wish_id,
            "gateway": gateway_id,
        },
    )
    return cursor.rowcount == 1


async def list_wishes(
    connection: Connection,
    gateway_id: int,
    camera: str,
    *,
    from_at: datetime,
    to_at: datetime,
    limit: int = 200,
) -> list[Wish]:
    """Return the wishes that touch an interval, the last one first."""
    async with connection.cursor(row_factory=class_row(Wish)) as cursor:
        await cursor.execute(_LIST, (gateway_id, camera, to_at, from_at, limit))
        return await cursor.fetchall()
