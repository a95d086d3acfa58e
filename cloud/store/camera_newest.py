"""The newest picture of each camera that is here; writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.store.cameras import Found
from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class NewestPicture:
    """A picture that is here, and that no other of its camera with a known time is newer than."""

    at: datetime
    """Of the frame."""
    sha256: str
    moment: str
    """`before`, `after`, `timer` or empty."""
    reason: str
    """What it was taken for, as the gateway wrote it."""
    in_evidence: bool
    """Whether the gateway's evidence names its hash."""


# Evidence is looked for around the picture's own time, so that years of events are not read.
_NEWEST = """
SELECT DISTINCT ON (w.id) w.id, h.from_at, encode(h.sha256, 'hex'), h.moment, h.reason,
       EXISTS (SELECT 1 FROM events e
                WHERE e.gateway_id = w.gateway_id AND e.subject = w.camera AND e.kind = 'picture'
                  AND e.observed_at BETWEEN h.from_at - interval '1 day' AND h.from_at + interval '1 day'
                  AND e.data->>'sha256' = encode(h.sha256, 'hex'))
FROM unnest(%(ids)s::int[], %(gateways)s::int[], %(cameras)s::text[]) AS w (id, gateway_id, camera)
CROSS JOIN LATERAL (
    SELECT m.sha256, m.moment, m.reason, m.from_at
    FROM media m
    WHERE m.gateway_id = w.gateway_id AND m.camera = w.camera AND m.from_at IS NOT NULL
      AND m.kind = 'picture' AND m.deleted_at IS NULL
    ORDER BY m.from_at DESC
    LIMIT 1) h
ORDER BY w.id, h.from_at DESC
"""


async def newest_pictures(connection: Connection, found: Sequence[Found]) -> dict[int, NewestPicture]:
    """Return the newest picture of each of these cameras that has one here, by the camera's id."""
    wanted = [(one.id, gateway, one.prefix) for one in found for gateway in one.gateway_ids]
    values = {
        "ids": [one[0] for one in wanted],
        "gateways": [one[1] for one in wanted],
        "cameras": [one[2] for one in wanted],
    }
    rows = await (await connection.execute(_NEWEST, values)).fetchall()
    return {row[0]: NewestPicture(*row[1:]) for row in rows}
