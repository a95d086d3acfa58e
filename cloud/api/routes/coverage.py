"""What watches each zone, over HTTP."""

from fastapi import APIRouter
from fastapi.responses import Response

from cloud.api.guard import needs
from cloud.api.services import After, Db, Given, Limit, Page, SiteId, page
from cloud.api.strict import StrictRoute
from cloud.store.coverage import ZoneCoverage, list_coverage
from rules.permissions import Permission

router = APIRouter(prefix="/api/coverage", tags=["zones"], route_class=StrictRoute)


@router.get("", response_model=Page[ZoneCoverage], summary="Zones, and what watches each of them now")
@needs(Permission.READINGS_READ)
async def coverage(
    db: Db,
    given: Given,
    site_id: SiteId,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List zones by id, with cameras, sensors, contacts and readers and what they are worth now."""
    found = await list_coverage(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda zone: zone.zone_id)
