"""Time found for boots, and what is lost for good: tombstones."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.store.connection import Connection

BRACKET = "bracket"
"""Source of a clock that was not found but bracketed: readings placed by it say so."""


@dataclass(frozen=True, slots=True)
class ClockRow:
    """`utc tick = monotonic tick + offset_ticks`, give or take `bound_ms`."""

    gateway_id: int
    organisation_id: int
    boot: bytes
    offset_ticks: int
    bound_ms: int
    source: str


@dataclass(frozen=True, slots=True)
class TombstoneRow:
    """A sealed batch that the gateway had to give up."""

    gateway_id: int
    organisation_id: int
    epoch: bytes
    seq: int
    hash: bytes
    reason: str


async def insert_found(connection: Connection, rows: Sequence[ClockRow]) -> None:
    """Keep found clocks; the same one again changes nothing."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO clocks_found (gateway_id, organisation_id, boot, offset_ticks, bound_ms, source)
            VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [(r.gateway_id, r.organisation_id, r.boot, r.offset_ticks, r.bound_ms, r.source) for r in rows],
        )


async def found(
    connection: Connection, boots: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], ClockRow]:
    """Return the clock of each (gateway, boot) that has one; the best found one, before a bracket."""
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (gateway_id, boot)
               gateway_id, organisation_id, boot, offset_ticks, bound_ms, source
          FROM clocks_found
         WHERE (gateway_id, boot) IN (SELECT * FROM unnest(%s::int[], %s::bytea[]))
         ORDER BY gateway_id, boot, source = %s, bound_ms, offset_ticks
        """,
        ([gateway for gateway, _ in boots], [boot for _, boot in boots], BRACKET),
    )
    rows = [ClockRow(*row) for row in await cursor.fetchall()]
    return {(row.gateway_id, row.boot): row for row in rows}


async def insert_tombstones(connection: Connection, rows: Sequence[TombstoneRow]) -> None:
    """Keep tombstones; the same one again changes nothing."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO tombstones (gateway_id, organisation_id, epoch, seq, hash, reason)
            VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [(r.gateway_id, r.organisation_id, r.epoch, r.seq, r.hash, r.reason) for r in rows],
        )
