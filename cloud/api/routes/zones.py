"""Zones and portals over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.guard import needs
from cloud.api.services import After, Db, Limit, Page, SiteId, page
from cloud.api.strict import StrictRoute
from cloud.store.zones import Zone, list_zones
from rules.permissions import Permission

router = APIRouter(prefix="/api/zones", tags=["zones"], route_class=StrictRoute)


@router.get("", response_model=Page[Zone], summary="Rooms, compartments and cabinets, with their doors")
@needs(Permission.READINGS_READ)
async def zones(
    db: Db,
    site_id: SiteId,
    retired: Annotated[bool, Query(description="Also those that no site file has any more.")] = False,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List zones by id."""
    found = await list_zones(db, site_id=site_id, retired=retired, after=after, limit=limit + 1)
    return page(found, limit, lambda zone: zone.id)
