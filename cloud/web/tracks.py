"""Vehicles and their tracks for the map: runs of fixes, broken where evidence is missing. WGS-84 alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.store.calibration import Scales, load_scales
from cloud.store.connection import Connection
from cloud.store.points import get_point
from cloud.store.positions_read import (
    FIX_MODES,
    Fix,
    LatestPosition,
    Track,
    list_latest_positions,
    read_track,
)
from cloud.web.figures import NONE, coordinate, grouped, milliseconds
from cloud.web.language import Language
from cloud.web.words import FIX_MODES as FIX_WORDS

TRACK = timedelta(hours=24)
TRACK_POINTS_MAX = 4000
LOOKED_BACK_DAYS = 7
"""How far back the last known place of a vehicle without a fix is looked for."""
BREAK_PERIODS = 3
BREAK_MS = 30_000
"""Two fixes further apart than this, or than three periods of the point, are not joined by a line."""


async def vehicles(
    connection: Connection, language: Language, *, now: datetime, site_id: int | None = None
) -> list[dict[str, Any]]:
    """Return every vehicle with its newest fix and the track of its last 24 h, as JSON."""
    newest = await list_latest_positions(connection, now=now, site_id=site_id)
    found = []
    for index, one in enumerate(newest):
        point = await get_point(connection, one.point_id)
        track = await read_track(connection, one.point_id, now - TRACK, now, max_points=TRACK_POINTS_MAX)
        scales = await load_scales(connection, one.point_id, now - TRACK, now)
        due_ms = point.period_ms if point else None
        found.append(
            position_json(one, language)
            | {"due": due_ms, "title": one.site_title, "index": index, "break_ms": break_ms(due_ms)}
            | {"segments": split(track.fixes, scales, step_ms=round((track.step_s or 0) * 1000))}
            | {"last": await _last_place(connection, one, track, now=now)}
        )
    return found


def break_ms(period_ms: int | None) -> int:
    """Return how far apart two fixes may be and still be joined, where this period was declared."""
    return max(BREAK_MS, BREAK_PERIODS * (period_ms or 0))


async def _last_place(
    connection: Connection, newest: LatestPosition, track: Track, *, now: datetime
) -> dict[str, Any] | None:
    """Return where a point without a fix was last, and when; None while it has one or when nothing is known.

    Looked for in the track, else day by day before it.
    """
    if newest.mode in FIX_MODES and newest.latitude_e9 is not None:
        return None
    placed = _newest_fix(track.fixes)
    for day in range(1, LOOKED_BACK_DAYS):
        if placed is not None:
            break
        until = now - day * TRACK
        track = await read_track(
            connection, newest.point_id, until - TRACK, until, max_points=TRACK_POINTS_MAX
        )
        placed = _newest_fix(track.fixes)
    if placed is not None and track.step_s:
        # Of a reduced track only the first report of each stretch is here: the last one may be a bit newer.
        end = placed.observed_at + timedelta(seconds=track.step_s)
        fine = await read_track(connection, newest.point_id, placed.observed_at, end)
        placed = _newest_fix(fine.fixes) or placed
    if placed is None:
        return None
    return {"at": lonlat(placed.longitude_e9, placed.latitude_e9), "time": milliseconds(placed.observed_at)}


def _newest_fix(fixes: Sequence[Fix]) -> Fix | None:
    return next((fix for fix in reversed(fixes) if _placed(fix)), None)


def _placed(fix: Fix) -> list[float] | None:
    return lonlat(fix.longitude_e9, fix.latitude_e9) if fix.mode in FIX_MODES else None


def split(fixes: Sequence[Fix], scales: Scales, *, step_ms: int = 0) -> list[list[list[float]]]:
    """Return runs of [longitude, latitude]; a report without a fix or a long silence ends a run.

    What is long follows from the period declared when the silence began. `step_ms` is how far apart the
    reports of a reduced track are.
    """
    runs: list[list[list[float]]] = []
    before: datetime | None = None
    for fix in fixes:
        at = _placed(fix)
        if at is None:
            before = None
            continue
        if before is None or (fix.observed_at - before) > _longest(scales, before, step_ms):
            runs.append([])
        runs[-1].append(at)
        before = fix.observed_at
    return runs


def _longest(scales: Scales, at: datetime, step_ms: int) -> timedelta:
    scale = scales.at(at)
    return timedelta(milliseconds=break_ms(scale.period_ms if scale else None) + 2 * step_ms)


def position_json(position: LatestPosition, language: Language) -> dict[str, Any]:
    """Return a newest position with its words, as the map and the list beside it take it."""
    return {
        "point": position.point_id,
        "site": position.site,
        "at": lonlat(position.longitude_e9, position.latitude_e9),
        "mode": position.mode,
        "course": None if position.course_mdeg is None else position.course_mdeg / 1000,
        "time": milliseconds(position.observed_at),
        "words": position_words(position, language),
    }


def position_words(position: LatestPosition, language: Language) -> dict[str, str]:
    """Return a position in words; what was not measured is a dash."""
    latitude, longitude = position.latitude_e9, position.longitude_e9
    return {
        "latitude": NONE if latitude is None else coordinate(latitude, positive="N", negative="S"),
        "longitude": NONE if longitude is None else coordinate(longitude, positive="E", negative="W"),
        "speed": speed(position.speed_mm_s),
        "course": NONE if position.course_mdeg is None else f"{round(position.course_mdeg / 1000)}°",
        "fix": language.say(FIX_WORDS.get(position.mode, FIX_WORDS[0])),
    }


def speed(mm_s: int | None) -> str:
    """Return a speed in km/h with one place, exact from mm/s; a dash when it was not measured."""
    if mm_s is None:
        return NONE
    tenths = (mm_s * 36 + 500) // 1000
    return f"{grouped(tenths // 10)}.{tenths % 10} km/h"


def lonlat(longitude_e9: int | None, latitude_e9: int | None) -> list[float] | None:
    """Return [longitude, latitude] in degrees for drawing, or None."""
    if longitude_e9 is None or latitude_e9 is None:
        return None
    return [longitude_e9 / 1e9, latitude_e9 / 1e9]
