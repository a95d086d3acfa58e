"""A point with readings at 1 Hz for `heng bench storage`, written as the hub writes them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt

from cloud.store.connection import Connection
from cloud.store.readings_write import Readings, copy_bytes, copy_readings
from cloud.store.ticks import us_of_datetime
from wire.messages import Batch, Clock, Poll
from wire.status import ClockState

DAY_S = 86_400
BATCH = 100
TICK_US = 10_000
DEVICE_STEP = 10
"""Counts of 0.001 °C in a step of the device."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """Ids of what the readings belong to."""

    organisation_id: int
    gateway_id: int
    point_id: int


async def seed(db: Connection, begin: datetime) -> Seeded:
    """Declare one site, gateway and point, a reading due every second since `begin`."""
    organisation = await _id(db, "INSERT INTO organisations (name) VALUES ('bench') RETURNING id")
    site = await _id(
        db,
        "INSERT INTO sites (organisation_id, name, title, kind) VALUES (%s, 'bench', 'Bench', 'laboratory') "
        "RETURNING id",
        organisation,
    )
    gateway = await _id(
        db, "INSERT INTO gateways (organisation_id, name) VALUES (%s, 'bench') RETURNING id", organisation
    )
    point = await _id(
        db,
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind) "
        "VALUES (%s, %s, 'room/air/temperature', 'temperature', 'analog') RETURNING id",
        organisation,
        site,
    )
    await db.execute(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id) VALUES (%s, %s, %s)",
        (organisation, gateway, site),
    )
    await db.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms, valid) "
        "VALUES (%s, %s, -3, 1000, tstzrange(%s, NULL))",
        (organisation, point, begin),
    )
    await db.execute(
        "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id) "
        "VALUES (%s, %s, 'room/air/temperature', %s)",
        (organisation, gateway, point),
    )
    return Seeded(organisation, gateway, point)


async def write_day(
    db: Connection,
    seeded: Seeded,
    day: datetime,
    *,
    generator: np.random.Generator,
    jitter_ms: float,
    phase_ms: float,
    noise: float,
    bodies: bool,
) -> float:
    """Write a day of readings and a batch row for each hour, in one transaction.

    With `bodies`, write the day's batches of 100 with their bodies too and return their bytes per reading;
    else 0.
    """
    readings = _day(seeded, day, generator=generator, jitter_ms=jitter_ms, phase_ms=phase_ms, noise=noise)
    async with db.transaction():
        await copy_readings(db, copy_bytes(readings))
        hours = range(24)
        firsts = [day + timedelta(hours=hour) for hour in hours]
        lasts = [first + timedelta(hours=1) for first in firsts]
        await db.execute(_BATCHES, _batch_values(seeded, firsts, lasts))
    return await _bodies(db, seeded, readings, day=day) if bodies else 0.0


def _day(
    seeded: Seeded,
    day: datetime,
    *,
    generator: np.random.Generator,
    jitter_ms: float,
    phase_ms: float,
    noise: float,
) -> Readings:
    seconds = np.arange(DAY_S, dtype=np.int64)
    offset_ms = phase_ms + generator.normal(0.0, jitter_ms, DAY_S)
    observed = us_of_datetime(day) + seconds * 1_000_000 + np.floor(offset_ms / 10).astype(np.int64) * TICK_US
    slow = 20.0 + 1.5 * np.sin(2 * np.pi * seconds / DAY_S) + generator.normal(0.0, 0.3)
    celsius = slow + generator.normal(0.0, noise, DAY_S)
    raw = np.rint(celsius * 1000 / DEVICE_STEP).astype(np.int64) * DEVICE_STEP
    same = np.ones(DAY_S, dtype=np.int64)
    return Readings(observed, raw, same * seeded.point_id, same * seeded.organisation_id, same * 0)


_BATCHES = """
INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature, boot,
                     clock_state, clock_source, state, readings, first_at, last_at, received_at)
SELECT %(organisation_id)s, %(gateway_id)s, decode(repeat('ab', 16), 'hex'),
       extract(epoch FROM first_at)::bigint, decode(repeat('cd', 32), 'hex'), decode(repeat('ef', 32), 'hex'),
       decode(repeat('01', 8), 'hex'), decode(repeat('23', 64), 'hex'), decode(repeat('45', 16), 'hex'),
       'synchronised', 'system', 'placed', 3600, first_at, last_at, last_at
FROM unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[]) AS b (first_at, last_at)
"""
_BODIES = "INSERT INTO batch_bodies (batch_id, body) SELECT 0, body FROM unnest(%s::bytea[]) AS b (body)"
_BATCH_BYTES = "SELECT pg_total_relation_size('batches') + pg_total_relation_size('batch_bodies')"


def _batch_values(seeded: Seeded, firsts: list[datetime], lasts: list[datetime]) -> dict[str, object]:
    return {
        "organisation_id": seeded.organisation_id,
        "gateway_id": seeded.gateway_id,
        "firsts": firsts,
        "lasts": lasts,
    }


async def _bodies(db: Connection, seeded: Seeded, readings: Readings, *, day: datetime) -> float:
    """Write the day once more as batches of 100 readings and return the bytes that these take per reading.

    A batch holds ten polls of ten points, as of a room with ten sensors.
    """
    before = await _id(db, _BATCH_BYTES)
    steps = [day + timedelta(seconds=second) for second in range(0, DAY_S, BATCH)]
    async with db.transaction():
        ends = [step + timedelta(seconds=BATCH - 1) for step in steps]
        await db.execute(_BATCHES, _batch_values(seeded, steps, ends))
        counts = np.split(readings.raw, len(steps))
        await db.execute(_BODIES, ([_body(n + 1, part) for n, part in enumerate(counts)],))
    return (await _id(db, _BATCH_BYTES) - before) / DAY_S


def _body(seq: int, counts: npt.NDArray[np.int64]) -> bytes:
    rooms = counts.reshape(10, 10).tolist()
    polls = [Poll(layout="0badcafe", tick=100 * n, counts=[*room]) for n, room in enumerate(rooms)]
    batch = Batch(
        gateway="bench",
        epoch=bytes(16),
        seq=seq,
        previous=bytes(32),
        boot=bytes(16),
        clock=Clock(ClockState.SYNCHRONISED, 176_000_000_000, 20, "system"),
        base_tick=10_000_000 + seq,
        polls=polls,
    )
    return msgspec.json.encode(batch)


async def _id(db: Connection, statement: str, *values: object) -> int:
    row = await (await db.execute(statement.encode(), values)).fetchone()
    if row is None:
        raise LookupError(statement)
    return int(row[0])
