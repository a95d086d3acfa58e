"""How much gateways said waits with them: the newest word of each, as the hub kept it; writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud.store.connection import Connection

TOLD_WITHIN = timedelta(days=7)
"""A gateway tells it with every session, and when it has changed much."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway said of its journal."""

    told_at: datetime
    data: Mapping[str, Any]
    """`readings` and `batches`."""


_NEWEST = """
SELECT g.id, b.observed_at, b.data
FROM unnest(%(gateways)s::int[]) g(id)
CROSS JOIN LATERAL (
    SELECT e.observed_at, e.data FROM events e
     WHERE e.gateway_id = g.id AND e.observed_at > %(since)s AND e.kind = 'gateway_backlog'
     ORDER BY e.observed_at DESC, e.id DESC LIMIT 1) b
"""


async def newest_backlog(
    connection: Connection, gateway_ids: Sequence[int], *, since: datetime
) -> dict[int, Told]:
    """Return gateway id -> what it told last, of those that told anything since then."""
    cursor = await connection.execute(_NEWEST, {"gateways": list(gateway_ids), "since": since})
    return {row[0]: Told(row[1], row[2]) for row in await cursor.fetchall()}
