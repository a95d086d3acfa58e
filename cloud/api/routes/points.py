"""Points over HTTP."""

from fastapi import APIRouter
from fastapi.responses import Response

from cloud.api.errors import not_found, refused
from cloud.api.guard import needs
from cloud.api.services import After, Db, Limit, Page, PointPath, SiteId, Text, Word, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.points import Point, get_point, list_points
from rules.permissions import Permission
from wire.quantities import QUANTITIES

router = APIRouter(prefix="/api/points", tags=["points"], route_class=StrictRoute)


@router.get("", response_model=Page[Point], summary="Points, with their newest declaration")
@needs(Permission.READINGS_READ)
async def points(
    db: Db,
    site_id: SiteId,
    name: Text = None,
    quantity: Word = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List points by id."""
    if quantity is not None and quantity not in QUANTITIES:
        raise refused("quantity", quantity, f"one of {', '.join(QUANTITIES)}")
    found = await list_points(db, site_id=site_id, name=name, quantity=quantity, after=after, limit=limit + 1)
    return page(found, limit, lambda point: point.id)


@router.get("/{point}", response_model=Point, summary="One point")
@needs(Permission.READINGS_READ)
async def point(db: Db, point_id: PointPath) -> Response:
    """Return one point."""
    return answer(await existing_point(db, point_id))


async def existing_point(db: Db, point_id: int) -> Point:
    """Return a point, or raise the 404 that names it."""
    found = await get_point(db, point_id)
    if found is None:
        raise not_found("point", point_id, "point")
    return found
