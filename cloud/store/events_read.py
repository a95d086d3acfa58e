"""Events: what happened, as gateways and the hub recorded it; writes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection
from cloud.store.snapshot import Seen

PERSONAL = ("person", "people", "token", "masked", "duress", "admits")
"""What data of events say of people; who may not read access is told none of it, nor what doors decided."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    id: int
    observed_at: datetime
    stored_at: datetime
    kind: str
    subject: str
    data: dict[str, Any]
    gateway: str | None
    site_id: int | None
    site: str | None


_EVENTS = """
SELECT e.id, e.observed_at, e.stored_at, e.kind, e.subject,
       CASE WHEN a.may THEN e.data ELSE e.data - %(personal)s::text[] END AS data, g.name AS gateway,
       s.id AS site_id, s.name AS site
FROM events e
CROSS JOIN LATERAL (SELECT %(all)s OR e.organisation_id = ANY(%(organisations)s::int[])
                           OR coalesce(e.site_id = ANY(%(sites)s::int[]), false) AS may) a
LEFT JOIN gateways g ON g.id = e.gateway_id
LEFT JOIN sites s ON s.id = e.site_id
WHERE e.observed_at >= %(from_at)s AND e.observed_at < %(to_at)s
  AND (%(before)s::bigint IS NULL OR e.id < %(before)s)
  AND (%(site_id)s::int IS NULL OR e.site_id = %(site_id)s)
  AND (%(gateway)s::text IS NULL OR g.name = %(gateway)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
  AND (a.may OR NOT starts_with(e.kind, 'access_'))
ORDER BY e.id DESC
LIMIT %(limit)s
"""


async def list_events(
    connection: Connection,
    from_at: datetime,
    to_at: datetime,
    *,
    access: Seen | None,
    site_id: int | None = None,
    gateway: str | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Event]:
    """Return events of an interval, the last stored first, those with an id smaller than `before`.

    `access` is where who asks may read access, None: everywhere; elsewhere `access_*` and people are missing.
    """
    values = {
        "from_at": from_at,
        "to_at": to_at,
        "before": before,
        "site_id": site_id,
        "gateway": gateway,
        "kind": kind,
        "limit": limit,
        "all": access is None,
        "organisations": [] if access is None else sorted(access.organisations),
        "sites": [] if access is None else sorted(access.sites),
        "personal": list(PERSONAL),
    }
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(_EVENTS, values)
        return await cursor.fetchall()
