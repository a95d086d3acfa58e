"""Stored history of a gateway as its interlocks would have heard it; writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from rules.interlock.inputs import Happening, Lost, Reading
from rules.interlock.rehearse import Observation


@dataclass(frozen=True, slots=True)
class Fed:
    """Which point a channel fed, and until when."""

    channel: str
    point_id: int
    from_at: datetime
    to_at: datetime


_FED = """
SELECT channel, point_id, greatest(lower(valid), %(from)s), least(upper(valid), %(to)s)
  FROM channel_bindings
 WHERE gateway_id = %(gateway)s AND channel = ANY(%(channels)s)
   AND valid && tstzrange(%(from)s, %(to)s)
 ORDER BY channel, 3
"""


async def list_fed(
    connection: Connection, gateway_id: int, channels: Sequence[str], *, from_at: datetime, to_at: datetime
) -> list[Fed]:
    """Return which points the channels of a gateway fed in a stretch."""
    values = {"gateway": gateway_id, "channels": list(channels), "from": from_at, "to": to_at}
    return [Fed(*row) for row in await (await connection.execute(_FED, values)).fetchall()]


async def count(connection: Connection, fed: Sequence[Fed], *, most: int) -> int:
    """Return how many readings there are, `most` at the most."""
    total = 0
    for one in fed:
        cursor = await connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM readings WHERE point_id = %s AND observed_at >= %s"
            " AND observed_at < %s LIMIT %s) probe",
            (one.point_id, one.from_at, one.to_at, most - total),
        )
        row = await cursor.fetchone()
        total += 0 if row is None else int(row[0])
        if total >= most:
            return most
    return total


async def exponents(connection: Connection, fed: Sequence[Fed]) -> Mapping[str, set[int]]:
    """Return channel -> the exponents that its counts had."""
    found: dict[str, set[int]] = {}
    for one in fed:
        cursor = await connection.execute(
            "SELECT DISTINCT exponent FROM point_versions WHERE point_id = %s AND valid && tstzrange(%s, %s)",
            (one.point_id, one.from_at, one.to_at),
        )
        found.setdefault(one.channel, set()).update(row[0] for row in await cursor.fetchall())
    return found


async def history(
    connection: Connection,
    gateway_id: int,
    fed: Sequence[Fed],
    *,
    kinds: Sequence[str],
    from_at: datetime,
    to_at: datetime,
) -> list[Observation]:
    """Return what was observed from `from_at` until before `to_at`, in any order."""
    found: list[Observation] = []
    for one in fed:
        start, end = max(one.from_at, from_at), min(one.to_at, to_at)
        if start >= end:
            continue
        rows = await connection.execute(
            "SELECT observed_at, raw, status FROM readings"
            " WHERE point_id = %s AND observed_at >= %s AND observed_at < %s",
            (one.point_id, start, end),
        )
        async for at, raw, status in rows:
            tick = tick_of_datetime(at)
            found.append(Observation(tick, Reading(one.channel, tick, raw, status)))
        gaps = await connection.execute(
            "SELECT from_at, cause FROM gaps WHERE point_id = %s AND from_at >= %s AND from_at < %s",
            (one.point_id, start, end),
        )
        async for at, cause in gaps:
            found.append(Observation(tick_of_datetime(at), Lost(one.channel, cause)))
    if kinds:
        events = await connection.execute(
            "SELECT observed_at, kind, subject FROM events WHERE gateway_id = %s AND kind = ANY(%s)"
            " AND observed_at >= %s AND observed_at < %s",
            (gateway_id, list(kinds), from_at, to_at),
        )
        async for at, kind, subject in events:
            found.append(Observation(tick_of_datetime(at), Happening(kind, subject)))
    return found
