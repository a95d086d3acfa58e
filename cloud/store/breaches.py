"""Past breaches of an interlock, from the events that its gateway told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud.store.connection import Connection

LISTED = 20
LOOKED_AT = timedelta(days=30)
"""So long after a trip it is looked who acknowledged and who reset: one may stay tripped for months."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One trip of an interlock, and how it was let go; what is empty or None was not told."""

    number: int | None
    tripped_at: datetime
    first_out: tuple[str, ...]
    words: str
    """Why each of these voted; empty: told by an older gateway, or no cause of the rule."""
    asked_by: str
    """Who asked for the trip."""
    acknowledged_by: str
    reset_by: str
    enabled_by: str
    ended_at: datetime | None
    """When it was enabled, went on by itself, or tripped anew."""
    end: str
    """`interlock_enabled`, `interlock_resumed` or `interlock_tripped`."""


_BREACHES = """
WITH trips AS (
    SELECT id, gateway_id, subject, observed_at, data FROM events
     WHERE kind = 'interlock_tripped' AND gateway_id = %(gateway)s AND subject = %(interlock)s
     ORDER BY observed_at DESC, id DESC LIMIT %(limit)s
)
SELECT t.observed_at, t.data, f.observed_at, coalesce(f.kind, ''), coalesce(f.who, ''),
       coalesce(a.acknowledged, ''), coalesce(a.reset, '')
  FROM trips t
  LEFT JOIN LATERAL (
      SELECT e.observed_at, e.kind, e.data ->> 'by' AS who FROM events e
       WHERE e.kind IN ('interlock_tripped', 'interlock_enabled', 'interlock_resumed')
         AND e.gateway_id = t.gateway_id AND e.subject = t.subject
         AND (e.observed_at, e.id) > (t.observed_at, t.id)
       ORDER BY e.observed_at, e.id LIMIT 1) f ON true
  LEFT JOIN LATERAL (
      SELECT (array_agg(e.data ->> 'by' ORDER BY e.observed_at DESC, e.id DESC)
                 FILTER (WHERE e.kind = 'interlock_acknowledged'))[1] AS acknowledged,
             (array_agg(e.data ->> 'by' ORDER BY e.observed_at DESC, e.id DESC)
                 FILTER (WHERE e.kind = 'interlock_reset'))[1] AS reset
        FROM events e
       WHERE e.gateway_id = t.gateway_id AND e.subject = t.subject
         AND e.kind IN ('interlock_acknowledged', 'interlock_reset')
         AND e.observed_at >= t.observed_at
         AND e.observed_at <= least(f.observed_at, t.observed_at + %(looked_at)s)) a ON true
 ORDER BY t.observed_at DESC, t.id DESC
"""


async def list_breaches(connection: Connection, gateway_id: int, interlock: str) -> list[Breach]:
    """Return the newest breaches of an interlock of a gateway, the newest first, at most `LISTED`."""
    given = {"gateway": gateway_id, "interlock": interlock, "limit": LISTED, "looked_at": LOOKED_AT}
    cursor = await connection.execute(_BREACHES, given)
    return [_breach(row) for row in await cursor.fetchall()]


def _breach(row: Sequence[Any]) -> Breach:
    tripped_at, data, ended_at, end, who, acknowledged, reset = row
    number = data.get("breach")
    first_out = str(data.get("first_out") or data.get("causes") or "")
    return Breach(
        number=number if isinstance(number, int) else None,
        tripped_at=tripped_at,
        first_out=tuple(one for one in first_out.split(", ") if one),
        words=str(data.get("words") or ""),
        asked_by=str(data.get("by") or ""),
        acknowledged_by=acknowledged,
        reset_by=reset,
        enabled_by=who if end == "interlock_enabled" else "",
        ended_at=ended_at,
        end=end,
    )
