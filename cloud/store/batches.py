"""Batch rows and their bodies: what was received, as signed, and how far it is placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from cloud.store import binary
from cloud.store.connection import Connection

State = Literal["placed", "waiting", "quarantined", "conflict"]

_COLUMNS = sql.SQL(
    "id, organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature, boot, boot_number, "
    "clock_state, offset_ticks, bound_ms, clock_source, state, reason, readings, first_at, last_at, "
    "received_at"
)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch as entered; times in PostgreSQL microseconds, None where nothing is placed."""

    organisation_id: int
    gateway_id: int
    epoch: bytes
    seq: int
    hash: bytes
    previous: bytes
    key_id: bytes
    signature: bytes
    boot: bytes
    boot_number: int
    clock_state: str
    offset_ticks: int | None
    bound_ms: int | None
    clock_source: str
    state: State
    reason: str
    readings: int
    first_us: int | None
    last_us: int | None
    received_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A batch that was there already."""

    gateway_id: int
    epoch: bytes
    seq: int
    hash: bytes
    previous: bytes


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A batch that is kept but not placed."""

    id: int
    organisation_id: int
    gateway_id: int
    epoch: bytes
    seq: int
    boot: bytes
    state: State
    body: bytes
    clashes: bool
    """Its number came with another hash before it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What becomes known of a batch when it is placed later."""

    id: int
    state: State
    reason: str
    offset_ticks: int | None
    bound_ms: int | None
    clock_source: str
    first_us: int | None
    last_us: int | None


async def insert(connection: Connection, rows: Sequence[BatchRow]) -> None:
    """Enter batches and their bodies."""
    cursor = await connection.execute(
        "SELECT nextval('batches_id_seq') FROM generate_series(1, %s)", (len(rows),)
    )
    numbers = [int(number) for (number,) in await cursor.fetchall()]
    pairs = list(zip(numbers, rows, strict=True))
    statement = sql.SQL("COPY batches ({}) FROM STDIN (FORMAT binary)").format(_COLUMNS)
    await _copy(connection, statement, [_batch_fields(number, row) for number, row in pairs])
    await _copy(
        connection,
        sql.SQL("COPY batch_bodies (batch_id, body) FROM STDIN (FORMAT binary)"),
        [binary.row(binary.int8(number), binary.raw(row.body)) for number, row in pairs],
    )


def _batch_fields(number: int, row: BatchRow) -> bytes:
    int8, raw, text = binary.int8, binary.raw, binary.text
    return binary.row(
        int8(number),
        binary.int2(row.organisation_id),
        binary.int4(row.gateway_id),
        raw(row.epoch),
        int8(row.seq),
        raw(row.hash),
        raw(row.previous),
        raw(row.key_id),
        raw(row.signature),
        raw(row.boot),
        binary.int4(row.boot_number),
        text(row.clock_state),
        int8(row.offset_ticks),
        int8(row.bound_ms),
        text(row.clock_source),
        text(row.state),
        text(row.reason),
        binary.int4(row.readings),
        int8(row.first_us),
        int8(row.last_us),
        int8(row.received_us),
    )


async def _copy(connection: Connection, statement: sql.SQL | sql.Composed, rows: Sequence[bytes]) -> None:
    async with connection.cursor().copy(statement) as copy:
        await copy.write(b"".join((binary.COPY_HEADER, *rows, binary.COPY_TRAILER)))


async def known(connection: Connection, numbers: Sequence[tuple[int, bytes, int]]) -> list[KnownRow]:
    """Return the batches that are there under these (gateway, epoch, seq), in order of arrival."""
    cursor = await connection.execute(
        """
        SELECT b.gateway_id, b.epoch, b.seq, b.hash, b.previous
          FROM unnest(%s::int[], %s::bytea[], %s::int8[]) AS n(gateway_id, epoch, seq)
          JOIN batches b USING (gateway_id, epoch, seq) ORDER BY b.id
        """,
        ([n[0] for n in numbers], [n[1] for n in numbers], [n[2] for n in numbers]),
    )
    return [KnownRow(*row) for row in await cursor.fetchall()]


async def waiting(connection: Connection, boots: Sequence[tuple[int, bytes]], limit: int) -> list[OpenRow]:
    """Return batches of these (gateway, boot) that wait for time, in order of sealing, locked."""
    cursor = await connection.execute(
        _OPEN
        + sql.SQL(
            """
            WHERE b.state = 'waiting' AND (b.gateway_id, b.boot) IN
                  (SELECT * FROM unnest(%s::int[], %s::bytea[]))
            ORDER BY b.gateway_id, b.epoch, b.seq LIMIT %s FOR UPDATE OF b
            """
        ),
        ([gateway for gateway, _ in boots], [boot for _, boot in boots], limit),
    )
    return [OpenRow(*row) for row in await cursor.fetchall()]


async def quarantined(connection: Connection, after: int, limit: int) -> list[OpenRow]:
    """Return the next quarantined batches with an id above `after`."""
    cursor = await connection.execute(
        _OPEN + sql.SQL("WHERE b.state = 'quarantined' AND b.id > %s ORDER BY b.id LIMIT %s"), (after, limit)
    )
    return [OpenRow(*row) for row in await cursor.fetchall()]


async def still_open(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Return which of these batches are quarantined now, and lock them."""
    cursor = await connection.execute(
        "SELECT id FROM batches WHERE id = ANY(%s::int8[]) AND state = 'quarantined' ORDER BY id FOR UPDATE",
        (list(numbers),),
    )
    return {int(number) for (number,) in await cursor.fetchall()}


_OPEN = sql.SQL(
    """
    SELECT b.id, b.organisation_id, b.gateway_id, b.epoch, b.seq, b.boot, b.state, d.body,
           EXISTS (SELECT 1 FROM batches o
                    WHERE o.gateway_id = b.gateway_id AND o.epoch = b.epoch AND o.seq = b.seq AND o.id < b.id)
      FROM batches b JOIN batch_bodies d ON d.batch_id = b.id
    """
)


async def place(connection: Connection, placements: Sequence[Placement]) -> None:
    """Note what became known; readers of the feed see these batches again."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            UPDATE batches
               SET state = %s, reason = %s, offset_ticks = %s, bound_ms = %s, clock_source = %s,
                   first_at = timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond',
                   last_at = timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond',
                   feed = pg_current_xact_id()
             WHERE id = %s
            """,
            [
                (p.state, p.reason, p.offset_ticks, p.bound_ms, p.clock_source, p.first_us, p.last_us, p.id)
                for p in placements
            ],
        )


async def notify(connection: Connection) -> None:
    """Wake those who follow the feed, when this transaction commits."""
    await connection.execute("NOTIFY heng_feed")
