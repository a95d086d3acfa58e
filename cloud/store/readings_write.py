"""Writes readings and positions: COPY for what is new for sure, row by row comparison for what may be there.

Both hand the newest value of each point to `latest`, where only what is newer wins. Times are PostgreSQL
microseconds; this module resolves nothing and converts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psycopg import sql

from cloud.store import binary
from cloud.store.connection import Connection

Int64s = npt.NDArray[np.int64]
ABSENT_FROM = 16
"""Statuses from here on have no value (`wire.status`)."""

_HEAD = [("fields", ">i2"), ("l0", ">i4"), ("observed", ">i8"), ("l1", ">i4")]
_TAIL = [
    ("l2", ">i4"),
    ("point", ">i4"),
    ("l3", ">i4"),
    ("organisation", ">i2"),
    ("l4", ">i4"),
    ("status", ">i2"),
]
_PRESENT = np.dtype([*_HEAD, ("raw", ">i8"), *_TAIL])
_ABSENT = np.dtype([*_HEAD, *_TAIL])


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of the same length; `raw` means nothing where `status` is `ABSENT_FROM` or above."""

    observed_us: Int64s
    raw: Int64s
    point_id: Int64s
    organisation_id: Int64s
    status: Int64s

    def __len__(self) -> int:
        return len(self.observed_us)

    def take(self, places: npt.NDArray[np.intp]) -> "Readings":
        """Return the readings at these places."""
        return Readings(
            self.observed_us[places],
            self.raw[places],
            self.point_id[places],
            self.organisation_id[places],
            self.status[places],
        )


def by_point_and_time(readings: Readings) -> Readings:
    """Return them in the order of the index, where neighbours are written together; equal ones once.

    Of one instant the absent ones come first, then the smaller ones: the order in which `latest` prefers.
    """
    ordered = readings.take(np.lexsort((readings.observed_us, readings.point_id)))
    same = (ordered.point_id[1:] == ordered.point_id[:-1]) & (
        ordered.observed_us[1:] == ordered.observed_us[:-1]
    )
    return _each_once(ordered) if same.any() else ordered


def _each_once(readings: Readings) -> Readings:
    present = readings.status < ABSENT_FROM
    keys = (
        readings.status,
        np.where(present, readings.raw, 0),
        present,
        readings.observed_us,
        readings.point_id,
    )
    order = np.lexsort(keys)
    differs = np.zeros(len(readings) - 1, dtype=bool)
    for key in keys:
        differs |= key[order][1:] != key[order][:-1]
    return readings.take(order[np.append([True], differs)])


def newest(ordered: Readings) -> Readings:
    """Return the last reading of each point of readings that are in index order."""
    if not len(ordered):
        return ordered
    last = np.flatnonzero(np.append(ordered.point_id[1:] != ordered.point_id[:-1], [True]))
    return ordered.take(last)


def copy_bytes(readings: Readings) -> bytes:
    """Return the readings as one binary COPY stream for `copy_readings`."""
    absent = readings.status >= ABSENT_FROM
    if not absent.any():
        rows = _packed(readings, _PRESENT)
    else:
        rows = _packed(readings.take(np.flatnonzero(~absent)), _PRESENT)
        rows += _packed(readings.take(np.flatnonzero(absent)), _ABSENT)
    return b"".join((binary.COPY_HEADER, rows, binary.COPY_TRAILER))


def _packed(readings: Readings, dtype: np.dtype[np.void]) -> bytes:
    rows = np.empty(len(readings), dtype=dtype)
    rows["fields"] = 5
    rows["l0"], rows["l2"], rows["l3"], rows["l4"] = 8, 4, 2, 2
    rows["observed"] = readings.observed_us
    rows["point"] = readings.point_id
    rows["organisation"] = readings.organisation_id
    rows["status"] = readings.status
    rows["l1"] = -1
    if dtype is _PRESENT:
        rows["l1"] = 8
        rows["raw"] = readings.raw
    return rows.tobytes()


async def copy_readings(connection: Connection, stream: bytes) -> None:
    """Insert what `copy_bytes` made."""
    async with connection.cursor().copy(
        "COPY readings (observed_at, raw, point_id, organisation_id, status) FROM STDIN (FORMAT binary)"
    ) as copy:
        await copy.write(stream)


_ROWS = sql.SQL(
    """
    SELECT point_id::int, organisation_id::smallint,
           timestamptz '2000-01-01Z' + us * interval '1 microsecond' AS observed_at,
           CASE WHEN status < 16 THEN raw END AS raw, status::smallint
      FROM unnest(%s, %s, %s, %s, %s) AS u(point_id, organisation_id, us, raw, status)
    """
)


def _parameters(readings: Readings) -> tuple[binary.Int8Array, ...]:
    return tuple(
        binary.int8_array(column)
        for column in (
            readings.point_id,
            readings.organisation_id,
            readings.observed_us,
            readings.raw,
            readings.status,
        )
    )


async def insert_missing(connection: Connection, readings: Readings) -> int:
    """Insert those readings that are not stored yet, equal in every column; return how many."""
    cursor = await connection.execute(
        sql.SQL(
            """
            INSERT INTO readings (point_id, organisation_id, observed_at, raw, status)
            SELECT DISTINCT n.* FROM ({}) n
             WHERE NOT EXISTS (
                   SELECT 1 FROM readings r
                    WHERE r.point_id = n.point_id AND r.observed_at = n.observed_at
                      AND r.raw IS NOT DISTINCT FROM n.raw AND r.status = n.status)
            """
        ).format(_ROWS),
        _parameters(readings),
    )
    return cursor.rowcount


async def update_latest(connection: Connection, readings: Readings) -> None:
    """Keep the newest reading of each point; `readings` has each point once, in id order."""
    await connection.execute(
        sql.SQL(
            """
            INSERT INTO latest AS l (point_id, organisation_id, observed_at, raw, status) {}
                ON CONFLICT (point_id) DO UPDATE
               SET observed_at = excluded.observed_at, raw = excluded.raw, status = excluded.status
             WHERE (excluded.observed_at, excluded.raw IS NOT NULL, coalesce(excluded.raw, 0),
                    excluded.status)
                 > (l.observed_at, l.raw IS NOT NULL, coalesce(l.raw, 0), l.status)
            """
        ).format(_ROWS),
        _parameters(readings),
    )


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One fix, in the units of the table."""

    observed_us: int
    point_id: int
    organisation_id: int
    mode: int
    latitude_e9: int | None
    longitude_e9: int | None
    altitude_mm: int | None
    speed_mm_s: int | None
    course_mdeg: int | None
    climb_mm_s: int | None
    error_horizontal_mm: int | None
    error_vertical_mm: int | None
    error_speed_mm_s: int | None
    satellites_used: int | None
    gnss_time_ms: int | None


_POSITION_COLUMNS = sql.SQL(
    "observed_at, point_id, organisation_id, mode, latitude_e9, longitude_e9, altitude_mm, speed_mm_s, "
    "course_mdeg, climb_mm_s, error_horizontal_mm, error_vertical_mm, error_speed_mm_s, satellites_used, "
    "gnss_time_ms"
)
_POSITION_ROW = sql.SQL(
    """
    SELECT timestamptz '2000-01-01Z' + %s::bigint * interval '1 microsecond' AS observed_at,
           %s::int AS point_id, %s::smallint AS organisation_id, %s::smallint AS mode,
           %s::bigint AS latitude_e9, %s::bigint AS longitude_e9, %s::bigint AS altitude_mm,
           %s::bigint AS speed_mm_s, %s::int AS course_mdeg, %s::bigint AS climb_mm_s,
           %s::bigint AS error_horizontal_mm, %s::bigint AS error_vertical_mm,
           %s::bigint AS error_speed_mm_s, %s::smallint AS satellites_used, %s::bigint AS gnss_time_ms
    """
)


def _position_values(row: PositionRow) -> tuple[int | None, ...]:
    return (
        row.observed_us,
        row.point_id,
        row.organisation_id,
        row.mode,
        row.latitude_e9,
        row.longitude_e9,
        row.altitude_mm,
        row.speed_mm_s,
        row.course_mdeg,
        row.climb_mm_s,
        row.error_horizontal_mm,
        row.error_vertical_mm,
        row.error_speed_mm_s,
        row.satellites_used,
        row.gnss_time_ms,
    )


async def copy_positions(connection: Connection, rows: Sequence[PositionRow]) -> None:
    """Insert fixes, equal ones once."""
    statement = sql.SQL("COPY positions ({}) FROM STDIN (FORMAT binary)").format(_POSITION_COLUMNS)
    async with connection.cursor().copy(statement) as copy:
        fields = map(_position_fields, dict.fromkeys(rows))
        await copy.write(b"".join((binary.COPY_HEADER, *fields, binary.COPY_TRAILER)))


def _position_fields(row: PositionRow) -> bytes:
    int8 = binary.int8
    return binary.row(
        int8(row.observed_us),
        binary.int4(row.point_id),
        binary.int2(row.organisation_id),
        binary.int2(row.mode),
        int8(row.latitude_e9),
        int8(row.longitude_e9),
        int8(row.altitude_mm),
        int8(row.speed_mm_s),
        binary.int4(row.course_mdeg),
        int8(row.climb_mm_s),
        int8(row.error_horizontal_mm),
        int8(row.error_vertical_mm),
        int8(row.error_speed_mm_s),
        binary.int2(row.satellites_used),
        int8(row.gnss_time_ms),
    )


async def insert_missing_positions(connection: Connection, rows: Sequence[PositionRow]) -> None:
    """Insert those fixes that are not stored yet, equal in every column."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql.SQL(
                """
                INSERT INTO positions ({}) SELECT n.* FROM ({}) n
                 WHERE NOT EXISTS (
                       SELECT 1 FROM positions p
                        WHERE p.point_id = n.point_id AND p.observed_at = n.observed_at
                          AND ({}) IS NOT DISTINCT FROM ({}))
                """
            ).format(_POSITION_COLUMNS, _POSITION_ROW, _of("p"), _of("n")),
            [_position_values(row) for row in rows],
        )


async def update_latest_positions(connection: Connection, rows: Sequence[PositionRow]) -> None:
    """Keep the newest fix of each point."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            sql.SQL(
                """
                INSERT INTO latest_positions AS l (point_id, organisation_id, observed_at, mode, latitude_e9,
                                                   longitude_e9, speed_mm_s, course_mdeg)
                SELECT point_id, organisation_id, observed_at, mode, latitude_e9, longitude_e9, speed_mm_s,
                       course_mdeg FROM ({}) n
                    ON CONFLICT (point_id) DO UPDATE
                   SET observed_at = excluded.observed_at, mode = excluded.mode,
                       latitude_e9 = excluded.latitude_e9, longitude_e9 = excluded.longitude_e9,
                       speed_mm_s = excluded.speed_mm_s, course_mdeg = excluded.course_mdeg
                 WHERE ({}) > ({})
                """
            ).format(_POSITION_ROW, _rank_of("excluded"), _rank_of("l")),
            [_position_values(row) for row in _newest_positions(rows)],
        )


def _newest_positions(rows: Sequence[PositionRow]) -> list[PositionRow]:
    newest_of: dict[int, PositionRow] = {}
    for row in rows:
        held = newest_of.get(row.point_id)
        if held is None or _rank(row) > _rank(held):
            newest_of[row.point_id] = row
    return [newest_of[point_id] for point_id in sorted(newest_of)]


_LEAST = -(2**63)
_RANKED = ("latitude_e9", "longitude_e9", "speed_mm_s", "course_mdeg")


def _rank(row: PositionRow) -> tuple[int, ...]:
    """Return what decides which of two fixes is the newest: all that `latest_positions` keeps."""
    values = (row.latitude_e9, row.longitude_e9, row.speed_mm_s, row.course_mdeg)
    return row.observed_us, row.mode, *(_LEAST if value is None else value for value in values)


def _rank_of(table: str) -> sql.Composed:
    """Return the same in SQL."""
    name = sql.Identifier(table)
    ranked = (
        sql.SQL("coalesce({}.{}::bigint, {})").format(name, sql.Identifier(column), sql.Literal(_LEAST))
        for column in _RANKED
    )
    return sql.SQL(", ").join([sql.SQL("{0}.observed_at, {0}.mode").format(name), *ranked])


def _of(table: str) -> sql.Composed:
    """Return the columns of a fix, of this table."""
    names = _POSITION_COLUMNS.as_string().split(", ")
    return sql.SQL(", ").join(sql.Identifier(table, column) for column in names)
