"""Sites over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import not_found
from cloud.api.guard import needs
from cloud.api.services import After, Db, Limit, Page, SitePath, Text, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.sites import Site, get_site, list_sites
from rules.permissions import Permission

router = APIRouter(prefix="/api/sites", tags=["sites"], route_class=StrictRoute)
Kind = Literal["laboratory", "mobile_lab", "vehicle"]


@router.get("", response_model=Page[Site], summary="Sites, with what is known of them now")
@needs(Permission.READINGS_READ)
async def sites(
    db: Db,
    organisation: Text = None,
    name: Text = None,
    kind: Annotated[Kind | None, Query()] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List sites by id."""
    found = await list_sites(
        db, organisation=organisation, name=name, kind=kind, after=after, limit=limit + 1
    )
    return page(found, limit, lambda site: site.id)


@router.get("/{site}", response_model=Site, summary="One site")
@needs(Permission.READINGS_READ)
async def site(db: Db, site_id: SitePath) -> Response:
    """Return one site."""
    found = await get_site(db, site_id)
    if found is None:
        raise not_found("site", site_id, "site")
    return answer(found)
