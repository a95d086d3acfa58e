"""What gateways see and are not set up for: tags, units on a bus, sensors; writes nothing.

A gateway tells what it sees once, and again after a day while it is still there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from cloud.store.connection import Connection

SEEN_WITHIN = timedelta(days=2)
"""What was not told for so long is not there any more: two tellings are missing."""
LEFT_WITHIN = timedelta(days=30)
"""So long what was there is listed as not seen any more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that answers or advertises, and that no settings name."""

    gateway: str
    site_id: int | None
    site: str | None
    device: str
    """The device of the settings that saw it."""
    driver: str | None
    """Kind of that device's driver; None when the gateway did not tell."""
    address: str
    data: dict[str, Any]
    """What its driver told of it last: signal, format, unit, …"""
    first_seen_at: datetime
    last_seen_at: datetime


# What was configured meanwhile is the address of a part now; where drivers do not tell the addresses of what
# they know, it is no longer told.
_CANDIDATES = """
SELECT g.name AS gateway, s.id AS site_id, s.name AS site, c.device, d.driver, c.address, c.data,
       c.first_seen_at, c.last_seen_at
FROM (SELECT gateway_id, data->>'device' AS device, subject AS address,
             min(observed_at) AS first_seen_at, max(observed_at) AS last_seen_at,
             (array_agg(data ORDER BY observed_at DESC))[1] - 'device' AS data
      FROM events WHERE kind = 'candidate_seen' AND gateway_id IS NOT NULL
      GROUP BY gateway_id, data->>'device', subject
      HAVING max(observed_at) > %(since)s AND max(observed_at) <= %(until)s) c
JOIN gateways g ON g.id = c.gateway_id
LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> now()
LEFT JOIN sites s ON s.id = b.site_id
LEFT JOIN devices d ON d.gateway_id = c.gateway_id AND d.name = c.device AND upper_inf(d.valid)
WHERE (%(site_id)s::int IS NULL OR s.id = %(site_id)s)
  AND (%(gateway)s::text IS NULL OR g.name = %(gateway)s)
  AND NOT EXISTS (SELECT 1 FROM devices o, jsonb_array_elements(o.parts) part
                   WHERE o.gateway_id = c.gateway_id AND upper_inf(o.valid)
                     AND part->>'address' = c.address)
  AND (d.id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM devices o WHERE o.gateway_id = c.gateway_id))
ORDER BY g.name, c.device, c.address
OFFSET %(offset)s
LIMIT %(limit)s
"""


async def list_candidates(
    connection: Connection,
    *,
    now: datetime,
    site_id: int | None = None,
    gateway: str | None = None,
    left: bool = False,
    offset: int = 0,
    limit: int = 1000,
) -> list[Candidate]:
    """Return what was seen lately and is not configured, by gateway, device and address.

    With `left` what was seen within `LEFT_WITHIN` and is not seen any more.
    """
    gone = now - SEEN_WITHIN
    span = (now - LEFT_WITHIN, gone) if left else (gone, now + LEFT_WITHIN)
    values = {"since": span[0], "until": span[1], "site_id": site_id, "gateway": gateway}
    values |= {"offset": offset, "limit": limit}
    async with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        await cursor.execute(_CANDIDATES, values)
        return await cursor.fetchall()
