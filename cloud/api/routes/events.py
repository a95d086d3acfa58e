"""Events over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cloud.api.errors import refused
from cloud.api.services import Db, During, GatewayName, Limit, Page, SiteId, Word, page
from cloud.api.strict import StrictRoute
from cloud.store.events_read import Event, list_events

router = APIRouter(prefix="/api/events", tags=["events"], route_class=StrictRoute)

KINDS = (
    "battery_low",
    "clock_agrees",
    "clock_disagrees",
    "clock_found",
    "clock_holdover",
    "events_lost",
    "gateway_offline",
    "gateway_online",
    "gateway_started",
    "gateway_stopped",
    "gateway_suspected_offline",
    "journal_damaged",
    "journal_epoch",
    "power_lost",
    "power_restored",
    "power_unknown",
)
"""What this version records; newer gateways may send more."""


@router.get("", response_model=Page[Event], summary="What happened")
async def events(
    db: Db,
    during: During,
    site_id: SiteId,
    gateway: GatewayName,
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
    if not found and kind is not None and kind not in KINDS:
        raise refused("kind", kind, f"one of {', '.join(KINDS)}, or another one of which there are events")
    return page(found, limit, lambda event: event.id)
