"""Gateways and their ledger over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import not_found
from cloud.api.guard import needs
from cloud.api.services import After, Db, GatewayPath, Limit, Page, SiteId, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.ledger_read import EpochAccount, list_epochs
from cloud.store.sites import Gateway, get_gateway, list_gateways
from rules.permissions import Permission

router = APIRouter(prefix="/api/gateways", tags=["gateways"], route_class=StrictRoute)


@router.get("", response_model=Page[Gateway], summary="Gateways, with their site and whether they are online")
@needs(Permission.GATEWAYS_READ)
async def gateways(
    db: Db,
    site_id: SiteId,
    online: Annotated[bool | None, Query()] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List gateways by id."""
    found = await list_gateways(db, site_id=site_id, online=online, after=after, limit=limit + 1)
    return page(found, limit, lambda gateway: gateway.id)


@router.get("/{gateway}", response_model=Gateway, summary="One gateway")
@needs(Permission.GATEWAYS_READ)
async def gateway(db: Db, gateway: GatewayPath) -> Response:
    """Return one gateway."""
    return answer(await _existing(db, gateway))


@router.get(
    "/{gateway}/epochs",
    response_model=Page[EpochAccount],
    summary="The ledger: batches received, missing, tombstoned, waiting and quarantined in each epoch",
)
@needs(Permission.GATEWAYS_READ)
async def epochs(db: Db, gateway: GatewayPath, after: After = 0, limit: Limit = 100) -> Response:
    """List the epochs of a gateway, oldest first; `after` counts them."""
    await _existing(db, gateway)
    found = await list_epochs(db, gateway=gateway, offset=after, limit=limit + 1)
    return answer(Page(found[:limit], after + limit if len(found) > limit else None))


async def _existing(db: Db, name: str) -> Gateway:
    found = await get_gateway(db, name)
    if found is None:
        raise not_found("gateway", name, "gateway")
    return found
