"""Vehicles and their tracks for the map: runs of fixes, broken where evidence is missing. WGS-84 alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.store.connection import Connection
from cloud.store.points import get_point
from cloud.store.positions_read import FIX_MODES, Fix, LatestPosition, list_latest_positions, read_track
from cloud.web.figures import NONE, coordinate, grouped, milliseconds
from cloud.web.language import Language
from cloud.web.words import FIX_MODES as FIX_WORDS

TRACK = timedelta(hours=24)
TRACK_POINTS_MAX = 4000
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
        break_ms = max(BREAK_MS, BREAK_PERIODS * (point.period_ms or 0) if point else 0)
        step_ms = round((track.step_s or 0) * 1000)
        segments = split(track.fixes, break_ms=break_ms + 2 * step_ms)
        found.append(
            position_json(one, language)
            | {"due": point.period_ms if point else None}
            | {"title": one.site_title, "index": index, "break_ms": break_ms, "segments": segments}
        )
    return found


def split(fixes: Sequence[Fix], *, break_ms: int) -> list[list[list[float]]]:
    """Return runs of [longitude, latitude]; a report without a fix or a long silence ends a run."""
    runs: list[list[list[float]]] = []
    before: datetime | None = None
    for fix in fixes:
        at = lonlat(fix.longitude_e9, fix.latitude_e9) if fix.mode in FIX_MODES else None
        if at is None:
            before = None
            continue
        if before is None or (fix.observed_at - before) > timedelta(milliseconds=break_ms):
            runs.append([])
        runs[-1].append(at)
        before = fix.observed_at
    return runs


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
