"""Completeness over HTTP: expected = stored + explained + unexplained, point by point."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.guard import needs
from cloud.api.routes.points import existing_point
from cloud.api.services import ID_MAX, After, Db, During, Given, Limit, Page, SiteId, answer
from cloud.api.strict import StrictRoute
from cloud.store.completeness import Completeness, read_completeness
from cloud.store.points import list_points
from rules.permissions import Permission

router = APIRouter(prefix="/api/completeness", tags=["completeness"], route_class=StrictRoute)

SPAN_MAX = timedelta(days=31)


@router.get("", response_model=Page[Completeness], summary="What was due, stored, explained and unexplained")
@needs(Permission.READINGS_READ)
async def completeness(
    db: Db,
    given: Given,
    during: During,
    site_id: SiteId,
    point: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Id of a point.")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """Account for one point, or for points by id, over at most 31 days."""
    if during.to_at - during.from_at > SPAN_MAX:
        raise refused("from", during.from_at.isoformat(), f"at most {SPAN_MAX.days} days before to")
    if point is not None:
        points = [await existing_point(db, point)]
    else:
        points = await list_points(db, site_id=site_id, after=after, limit=limit + 1)
    now = given.now()
    found = [
        await read_completeness(db, one, during.from_at, during.to_at, now=now) for one in points[:limit]
    ]
    return answer(Page(found, found[-1].point_id if len(points) > limit else None))
