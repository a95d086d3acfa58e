"""Cameras: what gateways declare with a frame rate, a recorded time and a picture; writes nothing.

A camera is named by the id of its point `<prefix>/recorded`, which lasts although gateway and device change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, newest_open
from cloud.store.latest import SILENT_PERIODS

FROZEN = 2
"""Count of the state point `picture`."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera, and what it does now."""

    id: int
    """That of its point `<prefix>/recorded`."""
    site_id: int
    site: str
    gateway: str
    """That feeds it now, or fed it last."""
    device: str | None
    """Its name in the gateway's settings; null when the gateway does not tell."""
    prefix: str
    """First part of its points."""
    state: str
    """`recording`; `frozen` (it records, and the picture does not change); `silent`."""
    since_at: datetime | None
    """Since when it is so, as far as that is known."""
    cause: str | None
    """Of a silence: a word of `GapCause`; null when nobody has said it."""
    reason: str
    """Of a silence, in English as the gateway said it."""
    heartbeat_at: datetime | None
    """When it was last told that it records."""
    heartbeat_s: float | None
    """How often that is due."""
    live: bool
    """Whether a live view would begin now: it records, and its gateway listens."""


@dataclass(frozen=True, slots=True)
class Found:
    """A camera as the tables have it."""

    id: int
    site_id: int
    site: str
    organisation_id: int
    gateway_id: int
    gateway: str
    gateway_ids: list[int]
    """Those that ever fed it."""
    device: str | None
    prefix: str
    period_ms: int | None
    heartbeat_at: datetime | None
    picture: int | None
    frozen_at: datetime | None
    moving_at: datetime | None
    back_at: datetime | None
    """When its last gap ended."""


_CAMERAS = """
SELECT p.id, s.id AS site_id, s.name AS site, p.organisation_id, b.gateway_id, g.name AS gateway,
       (SELECT array_agg(DISTINCT c.gateway_id) FROM channel_bindings c WHERE c.point_id = p.id)
           AS gateway_ids,
       (SELECT d.name FROM devices d
         WHERE d.gateway_id = b.gateway_id AND d.channels @> ARRAY[p.name] AND d.valid @> %(now)s
         LIMIT 1) AS device,
       left(p.name, -length('/recorded')) AS prefix, v.period_ms, l.observed_at AS heartbeat_at,
       lm.raw AS picture,
       (SELECT max(e.observed_at) FROM events e
         WHERE e.gateway_id = b.gateway_id AND e.subject = left(p.name, -length('/recorded'))
           AND e.kind = 'camera_frozen') AS frozen_at,
       (SELECT max(e.observed_at) FROM events e
         WHERE e.gateway_id = b.gateway_id AND e.subject = left(p.name, -length('/recorded'))
           AND e.kind = 'camera_moving') AS moving_at,
       (SELECT max(a.to_at) FROM gaps a WHERE a.point_id = p.id) AS back_at
FROM points p
JOIN sites s ON s.id = p.site_id
JOIN points f ON f.site_id = p.site_id AND f.name = left(p.name, -length('/recorded')) || '/frame_rate'
JOIN points m ON m.site_id = p.site_id AND m.name = left(p.name, -length('/recorded')) || '/picture'
CROSS JOIN LATERAL (
    SELECT c.gateway_id FROM channel_bindings c WHERE c.point_id = p.id
    ORDER BY c.valid @> %(now)s DESC, upper(c.valid) DESC NULLS FIRST LIMIT 1) b
JOIN gateways g ON g.id = b.gateway_id
LEFT JOIN point_versions v ON v.point_id = p.id AND v.valid @> %(now)s
LEFT JOIN latest l ON l.point_id = p.id
LEFT JOIN latest lm ON lm.point_id = m.id
WHERE p.name LIKE '%%/recorded' AND p.quantity = 'duration' AND f.quantity = 'frequency' AND m.kind = 'state'
  AND p.id > %(after)s
  AND (%(id)s::int IS NULL OR p.id = %(id)s)
  AND (%(site_id)s::int IS NULL OR p.site_id = %(site_id)s)
ORDER BY p.id
LIMIT %(limit)s
"""


async def list_found(
    connection: Connection, *, now: datetime, site_id: int | None = None, after: int = 0, limit: int = 1000
) -> list[Found]:
    """Return cameras by id, those with an id greater than `after`."""
    return await _found(connection, now=now, site_id=site_id, after=after, limit=limit)


async def find_camera(connection: Connection, camera_id: int, *, now: datetime) -> Found | None:
    """Return one camera, or None when there is none of this id."""
    rows = await _found(connection, now=now, id=camera_id)
    return rows[0] if rows else None


async def _found(connection: Connection, **given: datetime | int | None) -> list[Found]:
    values = {"id": None, "site_id": None, "after": 0, "limit": 1} | given
    async with connection.cursor(row_factory=class_row(Found)) as cursor:
        await cursor.execute(_CAMERAS, values)
        return await cursor.fetchall()


async def judge_cameras(
    connection: Connection, found: Sequence[Found], *, now: datetime, listening: frozenset[str]
) -> list[Camera]:
    """Return what these cameras do now, in the same order; `listening` are gateways that would hear."""
    gaps = await newest_open(connection, [one.id for one in found], now=now)
    return [_judged(one, gaps.get(one.id), now=now, listening=listening) for one in found]


def _is_heard(found: Found, now: datetime) -> bool:
    if found.heartbeat_at is None:
        return False
    if found.period_ms is None:
        return True
    return now - found.heartbeat_at <= SILENT_PERIODS * timedelta(milliseconds=found.period_ms)


def _judged(found: Found, gap: Gap | None, *, now: datetime, listening: frozenset[str]) -> Camera:
    heard = _is_heard(found, now) and gap is None
    if not heard:
        state, since = "silent", gap.from_at if gap and gap.from_at else found.heartbeat_at
    elif found.picture == FROZEN:
        state, since = "frozen", found.frozen_at
    else:
        state = "recording"
        since = max((at for at in (found.moving_at, found.back_at) if at is not None), default=None)
    return Camera(
        id=found.id,
        site_id=found.site_id,
        site=found.site,
        gateway=found.gateway,
        device=found.device,
        prefix=found.prefix,
        state=state,
        since_at=since,
        cause=gap.cause if gap else None,
        reason=gap.reason if gap else "",
        heartbeat_at=found.heartbeat_at,
        heartbeat_s=None if found.period_ms is None else found.period_ms / 1000,
        live=heard and found.gateway in listening,
    )
