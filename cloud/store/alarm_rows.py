"""The list of open alarms as people work it: stretches of one alarm are one row with their count and times.

What an acknowledgement takes together stands together; what is acknowledged already is a row of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloud.store.alarms_read import COLUMNS, Alarm, alarms_of
from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, tick_of_datetime, us_of_tick

TIMES_MAX = 50
"""Other stretches that a row names; what is beyond them is counted."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """When an alarm stood once more."""

    onset: datetime
    over: bool
    duration_s: float
    """Up to now while it is not over."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm of a point, as often as it stands or came back."""

    alarm: Alarm
    """The stretch that wants somebody most: one that stands, the most urgent, the newest."""
    times: int
    others: tuple[Stretch, ...]
    """The newest of the others first, at most `TIMES_MAX`."""


_ROWS = """
SELECT id, times FROM (
    SELECT id, acknowledged_at, cleared_at, priority, onset, count(*) OVER same AS times,
           row_number() OVER (same ORDER BY cleared_at IS NOT NULL, priority, onset DESC, id DESC) AS place
      FROM alarm_occurrences WHERE open AND (%(site)s::int IS NULL OR site_id = %(site)s)
    WINDOW same AS (PARTITION BY site_id, point, condition, acknowledged_at IS NULL)) o
WHERE place = 1
ORDER BY acknowledged_at IS NOT NULL, cleared_at IS NOT NULL, priority, onset DESC, id DESC
LIMIT %(limit)s OFFSET %(skip)s
"""
_SHOWN = COLUMNS + "WHERE o.id = ANY(%s::bigint[])"
_OTHERS = """
SELECT f.id, o.onset, o.returned_at FROM alarm_occurrences f
CROSS JOIN LATERAL (
    SELECT onset, returned_at FROM alarm_occurrences e
     WHERE e.open AND (e.site_id, e.point, e.condition) = (f.site_id, f.point, f.condition)
       AND (e.acknowledged_at IS NULL) = (f.acknowledged_at IS NULL) AND e.id <> f.id
     ORDER BY e.onset DESC, e.id DESC LIMIT %s) o
WHERE f.id = ANY(%s::bigint[]) ORDER BY f.id, o.onset DESC
"""


async def list_rows(
    connection: Connection, *, now: datetime, site_id: int | None = None, skip: int = 0, limit: int = 100
) -> list[Row]:
    """Return open alarms in the order in which they want somebody: what nobody has seen and stands first."""
    cursor = await connection.execute(_ROWS, {"site": site_id, "skip": skip, "limit": limit})
    times: dict[int, int] = dict(await cursor.fetchall())
    cursor = await connection.execute(_SHOWN, (list(times),))
    found = {one.id: one for one in await alarms_of(connection, await cursor.fetchall(), now)}
    others = await _others(connection, [number for number, count in times.items() if count > 1], now)
    return [Row(found[number], count, others.get(number, ())) for number, count in times.items()]


async def _others(
    connection: Connection, rows: list[int], now: datetime
) -> Mapping[int, tuple[Stretch, ...]]:
    cursor = await connection.execute(_OTHERS, (TIMES_MAX, rows))
    tick, found = tick_of_datetime(now), dict[int, tuple[Stretch, ...]]()
    async for number, onset, returned_at in cursor:
        over = returned_at is not None
        lasted = max((returned_at if over else tick) - onset, 0)
        one = Stretch(datetime_of_us(us_of_tick(onset)), over, lasted / 100)
        found[number] = (*found.get(number, ()), one)
    return found
