"""Events over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.services import Db, During, GatewayName, Limit, Page, SiteId, Word, page
from cloud.store.events_read import Event, list_events

router = APIRouter(prefix="/api/events", tags=["events"])


@router.get("", response_model=Page[Event], summary="What happened")
async def events(
    db: Db,
    during: During,
    site_id: SiteId = None,
    gateway: GatewayName = None,
    kind: Word = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List events of an interval, the last stored first."""
    found = await list_events(
        db,
        during.from_at,
        during.to_at,
        site_id=site_id,
        gateway=gateway,
        kind=kind,
        before=before,
        limit=limit + 1,
    )
    return page(found, limit, lambda event: event.id)
