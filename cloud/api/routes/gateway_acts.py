"""What administrators do to gateways over HTTP: claim, approve, revoke, replace."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api import gateway_asking
from cloud.api.errors import NAME
from cloud.api.gateway_asking import Asking, conflict
from cloud.api.guard import needs
from cloud.api.services import ID_MAX, GatewayPath, Given
from cloud.api.strict import StrictRoute
from cloud.gateway_acts import CLAIM_HOURS, CLAIM_HOURS_MAX, ActRefusedError, Made, Replacement
from provisioning.claim import claim_uri
from rules.permissions import Permission

router = APIRouter(prefix="/api/gateways", tags=["gateways"], route_class=StrictRoute)

Hours = Annotated[int, Field(ge=1, le=CLAIM_HOURS_MAX, description="How long the code is good.")]
NewId = Annotated[str | None, Field(pattern=NAME, description="Id of the new gateway; made when left out.")]
Why = Annotated[str, Field(min_length=1, max_length=500, description="For the audit log.")]


class Body(BaseModel):
    """What is sent has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class NewClaim(Body):
    """A gateway to be claimed."""

    site_id: Annotated[int, Field(ge=1, le=ID_MAX, description="Id of the site that it will serve.")]
    gateway: NewId = None
    hours: Hours = CLAIM_HOURS


class Revocation(Body):
    """Why a gateway is refused for ever."""

    why: Why


class NewReplacement(Body):
    """Who stands in for a gateway, and why."""

    gateway: NewId = None
    hours: Hours = CLAIM_HOURS
    why: Why


class MadeClaim(BaseModel):
    """A claim with its code, which is told this once.

    `url`, `ca_sha256`, `gateway` and `code` are the claim file.
    """

    gateway: str
    url: str
    ca_sha256: str
    code: str
    uri: str
    """What its QR code holds."""
    expires_at: datetime


@router.post(
    "/claims",
    response_model=MadeClaim,
    status_code=201,
    summary="Claim a gateway for a site; the code is told this once",
)
@needs(Permission.GATEWAYS_MANAGE)
async def claim(request: Request, given: Given, sent: NewClaim) -> Response:
    """Register a gateway and make its claim; one that was made before and not used is void then."""
    asking = Asking(request, given.pool, given.now())
    try:
        made = await gateway_asking.claim(asking, sent.site_id, sent.gateway, hours=sent.hours)
    except ActRefusedError as error:
        raise conflict(error) from None
    return _made(made)


@router.post(
    "/{gateway}/approve", status_code=204, summary="Let a gateway back in that was away for very long"
)
@needs(Permission.GATEWAYS_MANAGE)
async def approve(request: Request, given: Given, gateway: GatewayPath) -> Response:
    """Let it have a certificate when it asks again."""
    try:
        await gateway_asking.approve(Asking(request, given.pool, given.now()), gateway)
    except ActRefusedError as error:
        raise conflict(error) from None
    return Response(status_code=204)


@router.post(
    "/{gateway}/revoke", status_code=204, summary="Refuse a gateway's keys and certificates, for ever"
)
@needs(Permission.GATEWAYS_MANAGE)
async def revoke(request: Request, given: Given, gateway: GatewayPath, sent: Revocation) -> Response:
    """Refuse it from now on; it cannot be undone."""
    try:
        await gateway_asking.revoke(Asking(request, given.pool, given.now()), gateway, why=sent.why)
    except ActRefusedError as error:
        raise conflict(error) from None
    return Response(status_code=204)


@router.post(
    "/{gateway}/replace",
    response_model=MadeClaim,
    status_code=201,
    summary="Claim a gateway that takes over what a broken one served; the code is told this once",
)
@needs(Permission.GATEWAYS_MANAGE)
async def replace(request: Request, given: Given, gateway: GatewayPath, sent: NewReplacement) -> Response:
    """Make the claim of who stands in; it takes over when it has enrolled."""
    wish = Replacement(gateway, sent.gateway, sent.why, sent.hours)
    try:
        made = await gateway_asking.replace(Asking(request, given.pool, given.now()), wish)
    except ActRefusedError as error:
        raise conflict(error) from None
    return _made(made)


def _made(made: Made) -> Response:
    claim = made.claim
    shown = MadeClaim(
        gateway=claim.gateway,
        url=claim.url,
        ca_sha256=claim.ca_sha256,
        code=claim.code,
        uri=claim_uri(claim),
        expires_at=made.expires_at,
    )
    return Response(
        shown.model_dump_json(), 201, media_type="application/json", headers={"Cache-Control": "no-store"}
    )
