"""Stretches without readings, as gateways said them: opening and closing in any order give the same row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class GapRow:
    """One gap of one point; `key` is (point, boot, start, cause) as sent."""

    organisation_id: int
    point_id: int
    gateway_id: int
    key: str
    cause: str
    reason: str
    from_us: int | None
    to_us: int | None


async def upsert(connection: Connection, rows: Sequence[GapRow]) -> None:
    """Keep gaps. Of two words on the same gap the one that closes it (later) holds.

    It holds as a whole, start and end: each word is in the time of one clock.
    """
    if not rows:
        return
    # One statement: a gateway that starts again tells a gap of every point. Two words of one gap: as above.
    await connection.execute(
        """
        INSERT INTO gaps AS g (organisation_id, point_id, gateway_id, key, cause, reason, from_at, to_at)
        SELECT DISTINCT ON (point_id, key)
               organisation_id, point_id, gateway_id, key, cause, reason,
               timestamptz '2000-01-01Z' + from_us * interval '1 microsecond',
               timestamptz '2000-01-01Z' + to_us * interval '1 microsecond'
          FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                      %s::bigint[], %s::bigint[])
            AS told (organisation_id, point_id, gateway_id, key, cause, reason, from_us, to_us)
         ORDER BY point_id, key, to_us DESC NULLS LAST, from_us DESC NULLS LAST, reason DESC
            ON CONFLICT (point_id, key) DO UPDATE
           SET from_at = excluded.from_at, to_at = excluded.to_at, reason = excluded.reason,
               stored_at = now()
         WHERE (coalesce(excluded.to_at, '-infinity'), coalesce(excluded.from_at, '-infinity'),
                excluded.reason)
             > (coalesce(g.to_at, '-infinity'), coalesce(g.from_at, '-infinity'), g.reason)
        """,
        [[getattr(row, field.name) for row in rows] for field in fields(GapRow)],
    )
