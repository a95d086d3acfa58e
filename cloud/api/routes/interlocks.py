"""What gateways control by themselves, over HTTP: interlocks, doors and equipment as they stand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from cloud.api.errors import not_found
from cloud.api.guard import needs
from cloud.api.services import Db, GatewayName, GatewayPath, Given, Page, SiteId, answer
from cloud.api.strict import StrictRoute
from cloud.store import control_status
from cloud.store.control_status import Held
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["control"], route_class=StrictRoute)


@dataclass(frozen=True, slots=True)
class InterlockState:
    """One interlock as its gateway said it last."""

    gateway: str
    site: str | None
    known: bool
    """Whether this is how it stands now; false: the gateway was not heard, and nobody knows."""
    heard_at: datetime | None
    interlock: dict[str, Any]
    """As in `up/control` (`InterlockNow`)."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """Everything that a gateway controls by itself, as it said it last."""

    gateway: str
    site: str | None
    known: bool
    """Whether this is how it stands now; false: the gateway was not heard, and nobody knows."""
    received_at: datetime
    heard_at: datetime | None
    status: dict[str, Any]
    """As in `up/control` (`ControlStatus`)."""


@router.get(
    "/interlocks",
    response_model=Page[InterlockState],
    summary="Interlocks, with causes, votes, effects and what is missing before a reset",
)
@needs(Permission.CONTROL_READ)
async def interlocks(db: Db, given: Given, site_id: SiteId, gateway: GatewayName) -> Response:
    """List every interlock; all of them are in one answer."""
    now = given.now()
    held = await control_status.list_held(db, now, gateway=gateway, site=site_id)
    found = [
        InterlockState(one.gateway, one.site, one.is_known(now), one.heard_at, msgspec.to_builtins(interlock))
        for one in held
        for interlock in one.status.interlocks
    ]
    return answer(Page(found, None))


@router.get(
    "/gateways/{gateway}/control",
    response_model=ControlState,
    summary="What a gateway controls by itself, as it stands",
)
@needs(Permission.CONTROL_READ)
async def control(db: Db, given: Given, gateway: GatewayPath) -> Response:
    """Return the newest state that it told."""
    held = await control_status.get_held(db, gateway, given.now())
    if held is None:
        raise not_found("gateway", gateway, "gateway that told what it controls")
    return answer(_state(held, given.now()))


def _state(held: Held, now: datetime) -> ControlState:
    return ControlState(
        gateway=held.gateway,
        site=held.site,
        known=held.is_known(now),
        received_at=held.received_at,
        heard_at=held.heard_at,
        status=msgspec.to_builtins(held.status),
    )
