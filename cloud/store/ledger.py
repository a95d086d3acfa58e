"""The ledger: which batches of (gateway, epoch) are committed, and where each chain ends."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of one gateway: the highest number received, its hash, the newest reading.

    `whole` when no number up to the highest is missing; `closed` when two journals went on in it.
    """

    gateway_id: int
    epoch: bytes
    tip: int
    tip_hash: bytes | None
    last_us: int | None
    whole: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Received:
    """One batch to enter."""

    gateway_id: int
    organisation_id: int
    epoch: bytes
    seq: int
    hash: bytes
    last_us: int | None


async def lock_gateways(connection: Connection, gateway_ids: Sequence[int]) -> None:
    """Let no other transaction enter batches of these gateways until this one ends; always in id order."""
    await connection.execute(
        "SELECT 1 FROM gateways WHERE id = ANY(%s::int[]) ORDER BY id FOR NO KEY UPDATE", (list(gateway_ids),)
    )


async def epochs(connection: Connection, gateway_ids: Sequence[int]) -> list[EpochRow]:
    """Return all epochs of these gateways."""
    cursor = await connection.execute(
        """
        SELECT gateway_id, epoch, coalesce(upper(received) - 1, 0), tip_hash,
               (extract(epoch FROM last_at) * 1000000)::bigint - 946684800000000,
               received = int8multirange(int8range(1, upper(received))), closed_at IS NOT NULL
          FROM ledger WHERE gateway_id = ANY(%s::int[])
        """,
        (list(gateway_ids),),
    )
    return [EpochRow(*row) for row in await cursor.fetchall()]


async def enter(connection: Connection, batches: Sequence[Received]) -> None:
    """Add batches to what was received; a number that is there already changes nothing but `last_at`."""
    await connection.execute(
        """
        INSERT INTO ledger AS l (gateway_id, organisation_id, epoch, received, tip_hash, last_at)
        SELECT gateway_id, min(organisation_id), epoch,
               range_agg(int8range(seq, seq, '[]')),
               (array_agg(hash ORDER BY seq DESC, place))[1],
               timestamptz '2000-01-01Z' + max(last_us) * interval '1 microsecond'
          FROM unnest(%s::int[], %s::smallint[], %s::bytea[], %s::int8[], %s::bytea[], %s::int8[])
               WITH ORDINALITY AS b(gateway_id, organisation_id, epoch, seq, hash, last_us, place)
         GROUP BY gateway_id, epoch
         ORDER BY gateway_id, epoch
            ON CONFLICT (gateway_id, epoch) DO UPDATE
           SET received = l.received + excluded.received,
               tip_hash = CASE WHEN upper(excluded.received) > coalesce(upper(l.received), 0)
                               THEN excluded.tip_hash ELSE l.tip_hash END,
               last_at = greatest(l.last_at, excluded.last_at)
        """,
        (
            [b.gateway_id for b in batches],
            [b.organisation_id for b in batches],
            [b.epoch for b in batches],
            [b.seq for b in batches],
            [b.hash for b in batches],
            [b.last_us for b in batches],
        ),
    )


async def note_last(connection: Connection, *, gateway_id: int, epoch: bytes, last_us: int | None) -> None:
    """Raise the newest reading of an epoch, when batches of it were placed later than received."""
    await connection.execute(
        """
        UPDATE ledger SET last_at = greatest(last_at,
               timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond')
         WHERE gateway_id = %s AND epoch = %s
        """,
        (last_us, gateway_id, epoch),
    )


async def close(connection: Connection, gateway_id: int, epoch: bytes) -> None:
    """Mark an epoch in which two journals went on: its chain proves nothing any more."""
    await connection.execute(
        "UPDATE ledger SET closed_at = now() WHERE gateway_id = %s AND epoch = %s AND closed_at IS NULL",
        (gateway_id, epoch),
    )
