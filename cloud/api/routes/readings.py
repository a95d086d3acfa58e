"""Readings of a point and newest readings over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.routes.points import existing_point
from cloud.api.services import After, Db, During, Given, Limit, MaxPoints, Page, PointId, SiteId, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.latest import Latest, list_latest
from cloud.store.readings import Series, read_series

router = APIRouter(prefix="/api", tags=["readings"], route_class=StrictRoute)

Resolution = Literal["auto", "raw", "1m", "1h"]


@router.get(
    "/readings",
    response_model=Series,
    summary="Readings of a point, as stored while they are few, in buckets when they are many",
)
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


@router.get("/latest", response_model=Page[Latest], summary="The newest reading of every point")
async def latest(db: Db, given: Given, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List points by id with value, unit, status and age."""
    found = await list_latest(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda row: row.point.id)
