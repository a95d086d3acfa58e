"""Stretches without readings, as gateways said them: opening and closing in any order give the same row."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO gaps AS g (organisation_id, point_id, gateway_id, key, cause, reason, from_at, to_at)
            VALUES (%s, %s, %s, %s, %s, %s,
                    timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond',
                    timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond')
                ON CONFLICT (point_id, key) DO UPDATE
               SET from_at = excluded.from_at, to_at = excluded.to_at, reason = excluded.reason,
                   stored_at = now()
             WHERE (coalesce(excluded.to_at, '-infinity'), coalesce(excluded.from_at, '-infinity'),
                    excluded.reason)
                 > (coalesce(g.to_at, '-infinity'), coalesce(g.from_at, '-infinity'), g.reason)
            """,
            [
                (r.organisation_id, r.point_id, r.gateway_id, r.key, r.cause, r.reason, r.from_us, r.to_us)
                for r in sorted(rows, key=lambda r: (r.point_id, r.key))
            ],
        )
