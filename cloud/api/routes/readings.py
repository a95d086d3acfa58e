"""Readings of a point and newest readings over HTTP."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.guard import needs
from cloud.api.routes.points import existing_point
from cloud.api.services import After, Db, During, Given, Limit, MaxPoints, Page, PointId, SiteId, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.latest import Latest, list_latest
from cloud.store.points import Point
from cloud.store.readings import Series, read_series
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["readings"], route_class=StrictRoute)


@dataclass(frozen=True, slots=True)
class LastReading:
    """What a silent point gave last; it says nothing of now."""

    value: str | None
    raw: str | None
    word: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Newest:
    """A point now: `value`, `raw`, `word` and `status` are null while it is silent or gave nothing yet."""

    point: Point
    state: str
    """`live`; `absent` (no value); `silent` (three periods passed); `never` (nothing yet)."""
    observed_at: datetime | None
    value: str | None
    raw: str | None
    word: str | None
    status: str | None
    age_s: float | None
    last: LastReading | None
    """While silent: the last reading, `age_s` old."""


Resolution = Literal["auto", "raw", "1m", "1h"]


@router.get(
    "/readings",
    response_model=Series,
    summary="Readings of a point, as stored while they are few, in buckets when they are many",
)
@needs(Permission.READINGS_READ)
async def readings(
    db: Db,
    given: Given,
    point_id: PointId,
    during: During,
    resolution: Annotated[
        Resolution, Query(description="What to answer from; `auto` picks the finest that fits.")
    ] = "auto",
    max_points: MaxPoints = 2000,
    corrected: Annotated[bool, Query(description="Whether calibrations are applied.")] = True,
) -> Response:
    """Return at most `max_points` readings or buckets, extremes kept, and the gaps of the interval."""
    asked = await existing_point(db, point_id)
    if asked.quantity == "position":
        hint = f"a point that is no position; where it was is at /api/positions/{point_id}/track"
        raise refused("point", point_id, hint)
    series = await read_series(
        db,
        point_id,
        during.from_at,
        during.to_at,
        now=given.now(),
        resolution=resolution,
        max_points=max_points,
        corrected=corrected,
    )
    return answer(series)


@router.get("/latest", response_model=Page[Newest], summary="The newest reading of every point")
@needs(Permission.READINGS_READ)
async def latest(db: Db, given: Given, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List points by id with state, value, unit, status and age; positions are at /api/positions."""
    found: list[Latest] = []
    while len(found) <= limit:
        rows = await list_latest(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
        found += [one for one in rows if one.point.quantity != "position"]
        if len(rows) <= limit:
            break
        after = rows[-1].point.id
    return page([_newest(one) for one in found], limit, lambda row: row.point.id)


def _newest(latest: Latest) -> Newest:
    """Return a point as it is told: what is silent has a last reading, and no value now."""
    told = LastReading(latest.value, latest.raw, latest.word, latest.status)
    silent = latest.state == "silent"
    now = LastReading(None, None, None, None) if silent else told
    return Newest(
        point=latest.point,
        state=latest.state,
        observed_at=latest.observed_at,
        value=now.value,
        raw=now.raw,
        word=now.word,
        status=now.status,
        age_s=latest.age_s,
        last=told if silent else None,
    )
