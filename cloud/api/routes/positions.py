"""Positions over HTTP."""

from fastapi import APIRouter
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.guard import needs
from cloud.api.routes.points import existing_point
from cloud.api.services import (
    After,
    Db,
    During,
    Given,
    Limit,
    MaxPoints,
    Page,
    PointPath,
    SiteId,
    answer,
    page,
)
from cloud.api.strict import StrictRoute
from cloud.store.positions_read import LatestPosition, Track, list_latest_positions, read_track
from rules.permissions import Permission

router = APIRouter(prefix="/api/positions", tags=["positions"], route_class=StrictRoute)


@router.get("", response_model=Page[LatestPosition], summary="The newest position of everything that moves")
@needs(Permission.POSITIONS_READ)
async def positions(db: Db, given: Given, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List the newest positions by point id."""
    found = await list_latest_positions(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda row: row.point_id)


@router.get("/{point}/track", response_model=Track, summary="Where a point was")
@needs(Permission.POSITIONS_READ)
async def track(db: Db, point_id: PointPath, during: During, max_points: MaxPoints = 2000) -> Response:
    """Return position reports of an interval in order, at most `max_points`."""
    asked = await existing_point(db, point_id)
    if asked.quantity != "position":
        hint = f"a point that is a position; its readings are at /api/readings?point={point_id}"
        raise refused("point", point_id, hint)
    return answer(await read_track(db, point_id, during.from_at, during.to_at, max_points=max_points))
