"""How long personal data are kept, and when sites are on duty, over HTTP."""

from datetime import time
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import retention_acts
from cloud.api.acting import acting
from cloud.api.guard import needs
from cloud.api.services import Db, Given, SitePath, answer
from cloud.api.strict import StrictRoute
from cloud.store.retention import Duty, Kept, list_duties, list_kept
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["retention"], route_class=StrictRoute)

OrganisationPath = Annotated[
    int, Path(alias="organisation", ge=1, le=32767, description="Id of an organisation.")
]
Words = Annotated[str, Field(max_length=500)]


class Days(BaseModel):
    """So long a class is kept from now on."""

    model_config = ConfigDict(extra="forbid")

    days: int
    why: Words


class Hours(BaseModel):
    """When a site is on duty, in its own time zone."""

    model_config = ConfigDict(extra="forbid")

    weekdays: Annotated[list[int], Field(max_length=7)]
    from_time: time
    to_time: time
    keep_off_duty: bool = False
    why: Words


@router.get("/retention", response_model=list[Kept], summary="How long each class of personal data is kept")
@needs(Permission.PEOPLE_READ)
async def kept(db: Db) -> Response:
    """List every class of each organisation."""
    return answer(await list_kept(db))


@router.put(
    "/retention/{organisation}/{class}",
    status_code=204,
    summary="Keep a class of personal data for so many days",
)
@needs(Permission.PEOPLE_MANAGE)
async def keep(
    request: Request,
    given: Given,
    organisation_id: OrganisationPath,
    kind: Annotated[Literal["access_events", "positions_off_duty", "pictures"], Path(alias="class")],
    sent: Days,
) -> Response:
    """Set the days of a class; what is older goes within minutes."""
    async with acting(request, given.pool, given.now()) as act:
        await retention_acts.set_days(act, organisation_id, kind, days=sent.days, why=sent.why)
    return Response(status_code=204)


@router.get("/duty-hours", response_model=list[Duty], summary="Sites that say when they are on duty")
@needs(Permission.PEOPLE_READ)
async def duties(db: Db) -> Response:
    """List sites with duty hours."""
    return answer(await list_duties(db))


@router.put(
    "/sites/{site}/duty-hours",
    status_code=204,
    summary="Say when a site is on duty; positions off duty are then not kept unless allowed",
)
@needs(Permission.PEOPLE_MANAGE)
async def declare(request: Request, given: Given, site_id: SitePath, sent: Hours) -> Response:
    """Declare a site's duty hours."""
    async with acting(request, given.pool, given.now()) as act:
        await retention_acts.set_duty(
            act,
            site_id,
            weekdays=sent.weekdays,
            from_time=sent.from_time.replace(tzinfo=None),
            to_time=sent.to_time.replace(tzinfo=None),
            keep_off_duty=sent.keep_off_duty,
            why=sent.why,
        )
    return Response(status_code=204)
