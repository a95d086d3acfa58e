"""What is watched: series with their rules, what they had come to each hour, what must be judged again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from rules.alarm.detect import Detector
from rules.alarm.model import Rule
from wire.messages import TICKS_PER_S

HOUR_TICKS = 3600 * TICKS_PER_S
KEPT_HOURS = 35 * 24
"""So far back late data find what was known then; older ones are judged from the beginning of the series."""

_detectors = msgspec.json.Decoder(tuple[Detector, ...])


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be watched now: a point, with the rules in force."""

    organisation_id: int
    site_id: int
    point_id: int
    point: str
    revision: int
    rules: tuple[Rule, ...]
    period_ms: int | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Series:
    """One row of `alarm_series`."""

    id: int
    organisation_id: int
    site_id: int
    point_id: int | None
    point: str
    part: str
    """`readings`, `calibration`, `tamper` or `event`."""
    revision: int
    rules: tuple[Rule, ...]
    hold_ticks: int | None
    grp: str
    from_tick: int


@dataclass(frozen=True, slots=True)
class Base:
    """What a series had come to at a time."""

    tick: int
    detectors: tuple[Detector, ...]


_WATCHES = """
SELECT p.organisation_id, p.site_id, p.id, p.name, r.id, r.rules, v.period_ms, a.applied_at
FROM alarm_applied a
JOIN points p ON p.id = a.point_id
JOIN LATERAL (SELECT id, rules FROM alarm_template_revisions
               WHERE template_id = a.template_id ORDER BY number DESC LIMIT 1) r ON true
LEFT JOIN LATERAL (SELECT period_ms FROM point_versions
                    WHERE point_id = p.id ORDER BY valid DESC LIMIT 1) v ON true
ORDER BY p.id
"""

_SERIES = """
SELECT id, organisation_id, site_id, point_id, point, part, revision, rules, hold_ticks, grp, from_tick
FROM alarm_series WHERE until_tick IS NULL ORDER BY id
"""


def rules_of(stored: object) -> tuple[Rule, ...]:
    """Return rules as they are stored, as JSON that was read."""
    return msgspec.convert(stored, tuple[Rule, ...], strict=False)


async def watches(connection: Connection) -> list[Watch]:
    """Return every point that a template watches."""
    cursor = await connection.execute(_WATCHES)
    return [
        Watch(body, site, id_, name, revision, rules_of(rules), period_ms, since)
        for body, site, id_, name, revision, rules, period_ms, since in await cursor.fetchall()
    ]


async def running(connection: Connection) -> list[Series]:
    """Return the series that are watched now."""
    cursor = await connection.execute(_SERIES)
    return [
        Series(id_, body, site, point_id, point, part, revision, rules_of(rules), hold, grp, begin_tick)
        for id_, body, site, point_id, point, part, revision, rules, hold, grp, begin_tick in (
            await cursor.fetchall()
        )
    ]


async def begin(connection: Connection, new: Series) -> Series:
    """Keep a series (its `id` is ignored) and return it with its id."""
    cursor = await connection.execute(
        "INSERT INTO alarm_series (organisation_id, site_id, point_id, point, part, revision, rules,"
        " hold_ticks, grp, from_tick) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            *(new.organisation_id, new.site_id, new.point_id, new.point, new.part, new.revision),
            Jsonb(msgspec.to_builtins(new.rules)),
            *(new.hold_ticks, new.grp, new.from_tick),
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    return Series(row[0], *(getattr(new, name) for name in Series.__slots__[1:]))


async def begin_earlier(connection: Connection, series_id: int, from_tick: int) -> None:
    """Note that a series begins at an earlier time than was known."""
    await connection.execute("UPDATE alarm_series SET from_tick = %s WHERE id = %s", (from_tick, series_id))


async def end(connection: Connection, series_id: int, at_tick: int) -> None:
    """Note that a series is watched no more from a time on."""
    await connection.execute("UPDATE alarm_series SET until_tick = %s WHERE id = %s", (at_tick, series_id))


async def bases(connection: Connection) -> dict[int, Base]:
    """Return series id -> the newest base, of the series that are watched now."""
    cursor = await connection.execute(
        "SELECT DISTINCT ON (b.series_id) b.series_id, b.base_tick, b.detectors::text FROM alarm_bases b"
        " JOIN alarm_series s ON s.id = b.series_id AND s.until_tick IS NULL"
        " ORDER BY b.series_id, b.hour DESC"
    )
    return {row[0]: Base(row[1], _detectors.decode(row[2])) for row in await cursor.fetchall()}


async def base_before(connection: Connection, series_id: int, tick: int) -> Base | None:
    """Return the newest base of a series that lies before a time."""
    cursor = await connection.execute(
        "SELECT base_tick, detectors::text FROM alarm_bases WHERE series_id = %s AND base_tick < %s"
        " ORDER BY hour DESC LIMIT 1",
        (series_id, tick),
    )
    row = await cursor.fetchone()
    return None if row is None else Base(row[0], _detectors.decode(row[1]))


async def keep_bases(connection: Connection, found: Sequence[tuple[Series, Base]]) -> None:
    """Keep what series have come to; one base an hour is kept, so far back as `KEPT_HOURS`."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO alarm_bases (series_id, organisation_id, hour, base_tick, detectors)"
            " VALUES (%s, %s, %s, %s, %s::jsonb) ON CONFLICT (series_id, hour) DO UPDATE"
            " SET base_tick = excluded.base_tick, detectors = excluded.detectors",
            [
                (
                    *(series.id, series.organisation_id, base.tick // HOUR_TICKS, base.tick),
                    msgspec.json.encode(base.detectors).decode(),
                )
                for series, base in found
            ],
        )


async def drop_bases(connection: Connection, series_id: int, after_tick: int) -> None:
    """Forget the bases of a series behind a time: what they were made from has changed."""
    await connection.execute(
        "DELETE FROM alarm_bases WHERE series_id = %s AND base_tick > %s", (series_id, after_tick)
    )


async def forget_bases(connection: Connection, now_tick: int) -> None:
    """Delete bases that are older than is kept."""
    await connection.execute(
        "DELETE FROM alarm_bases WHERE hour < %s", (now_tick // HOUR_TICKS - KEPT_HOURS,)
    )


async def mark_late(connection: Connection, found: Mapping[int, tuple[int, int]]) -> None:
    """Note series -> (organisation, tick) from which each has to be judged again."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO alarm_late AS l (series_id, organisation_id, from_tick) VALUES (%s, %s, %s)"
            " ON CONFLICT (series_id) DO UPDATE SET from_tick = least(l.from_tick, excluded.from_tick)",
            [(series, *rest) for series, rest in found.items()],
        )


async def late(connection: Connection) -> dict[int, int]:
    """Return series id -> the tick from which it has to be judged again."""
    cursor = await connection.execute("SELECT series_id, from_tick FROM alarm_late")
    return dict(await cursor.fetchall())


async def judged(connection: Connection, series_id: int) -> None:
    """Note that a series was judged again."""
    await connection.execute("DELETE FROM alarm_late WHERE series_id = %s", (series_id,))
