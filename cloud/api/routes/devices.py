"""Devices and candidates over HTTP."""

from fastapi import APIRouter
from fastapi.responses import Response

from cloud.api.guard import needs
from cloud.api.services import After, Db, GatewayName, Given, Limit, Page, SiteId, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.candidates import Candidate, list_candidates
from cloud.store.devices_read import Device, list_devices
from rules.permissions import Permission

router = APIRouter(prefix="/api/devices", tags=["devices"], route_class=StrictRoute)


@router.get("", response_model=Page[Device], summary="Devices of the gateways, and whether they work")
@needs(Permission.GATEWAYS_READ)
async def devices(
    db: Db,
    given: Given,
    site_id: SiteId,
    gateway: GatewayName,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List the devices that are set up now, by id."""
    found = await list_devices(
        db, now=given.now(), site_id=site_id, gateway=gateway, after=after, limit=limit + 1
    )
    return page(found, limit, lambda device: device.id)


@router.get(
    "/candidates",
    response_model=Page[Candidate],
    summary="What gateways see and are not set up for",
)
@needs(Permission.GATEWAYS_READ)
async def candidates(
    db: Db,
    given: Given,
    site_id: SiteId,
    gateway: GatewayName,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List what was seen within two days, by gateway, device and address; `after` counts them."""
    found = await list_candidates(
        db, now=given.now(), site_id=site_id, gateway=gateway, offset=after, limit=limit + 1
    )
    return answer(Page(found[:limit], after + limit if len(found) > limit else None))
