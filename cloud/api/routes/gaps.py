"""Gaps over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.guard import needs
from cloud.api.routes.points import existing_point
from cloud.api.services import ID_MAX, After, Db, During, Given, Limit, Page, SiteId, page
from cloud.api.strict import StrictRoute
from cloud.store.gaps_read import Gap, list_gaps
from rules.permissions import Permission
from wire.status import GapCause

router = APIRouter(prefix="/api/gaps", tags=["gaps"], route_class=StrictRoute)


@router.get("", response_model=Page[Gap], summary="Stretches without readings, and why")
@needs(Permission.READINGS_READ)
async def gaps(
    db: Db,
    given: Given,
    during: During,
    site_id: SiteId,
    point: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Id of a point.")] = None,
    cause: Annotated[GapCause | None, Query()] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List gaps that touch the interval, by id; their ends are resolved against what is stored now."""
    if point is not None:
        await existing_point(db, point)
    found = await list_gaps(
        db,
        during.from_at,
        during.to_at,
        now=given.now(),
        point_id=point,
        site_id=site_id,
        cause=cause,
        after=after,
        limit=limit + 1,
    )
    return page(found, limit, lambda gap: gap.id)
