"""Visits over HTTP: registered before they come, ended at any time."""

import csv
import io
from dataclasses import astuple, fields
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import visit_acts
from cloud.api.acting import acting
from cloud.api.guard import needs
from cloud.api.routes.audit import cell
from cloud.api.services import CSV, ID_MAX, Db, Given, Limit, Moment, Page, SiteId, page
from cloud.api.strict import StrictRoute
from cloud.store.visits import Visit, list_visits
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["visits"], route_class=StrictRoute)

Words = Annotated[str, Field(max_length=500)]
VisitPath = Annotated[int, Path(alias="visit", ge=1, le=ID_MAX, description="Id of a visit.")]
CSV_MAX = 10_000


class NewVisit(BaseModel):
    """A visit to register; zones by name, the host by staff number."""

    model_config = ConfigDict(extra="forbid")

    site_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    visitor: Words
    company: Words = ""
    purpose: Words = ""
    host: Words
    zones: Annotated[list[Words], Field(min_length=1, max_length=100)]
    from_at: Moment
    to_at: Moment
    escort: Literal["none", "host", "any"] = "host"


class Ending(BaseModel):
    """Why a visit is ended."""

    model_config = ConfigDict(extra="forbid")

    why: Words


class Made(BaseModel):
    """What was registered."""

    id: int


@router.get("/visits", response_model=Page[Visit], summary="Visitors who are expected, there, or were there")
@needs(Permission.ACCESS_READ)
async def visits(
    db: Db,
    given: Given,
    site_id: SiteId,
    still: Annotated[bool, Query(description="Only those that are not over.")] = False,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List visits, the last registered first."""
    open_at = given.now() if still else None
    found = await list_visits(db, site_id=site_id, open_at=open_at, before=before, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.post("/visits", response_model=Made, status_code=201, summary="Register a visit")
@needs(Permission.VISITS_MANAGE)
async def register(request: Request, given: Given, sent: NewVisit) -> Response:
    """Register a visitor who has not come yet."""
    wish = visit_acts.Wish(
        site_id=sent.site_id,
        visitor=sent.visitor,
        host=sent.host,
        zones=tuple(sent.zones),
        from_at=sent.from_at,
        to_at=sent.to_at,
        company=sent.company,
        purpose=sent.purpose,
        escort=sent.escort,
    )
    async with acting(request, given.pool, given.now()) as act:
        made = await visit_acts.register(act, wish)
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")


@router.post("/visits/{visit}/end", status_code=204, summary="End a visit at once")
@needs(Permission.VISITS_MANAGE)
async def end(request: Request, given: Given, visit_id: VisitPath, sent: Ending) -> Response:
    """End a visit; the visitor is turned away within a second."""
    async with acting(request, given.pool, given.now()) as act:
        await visit_acts.end(act, visit_id, why=sent.why)
    return Response(status_code=204)


@router.post(
    "/visits/{visit}/approval", status_code=204, summary="Approve a visit as the head of a laboratory"
)
@needs(Permission.ACCESS_READ)
async def approve(request: Request, given: Given, visit_id: VisitPath) -> Response:
    """Approve a visit; it counts from now on."""
    async with acting(request, given.pool, given.now()) as act:
        await visit_acts.approve(act, visit_id)
    return Response(status_code=204)


@router.get(
    "/visits.csv", response_class=Response, responses=CSV, summary="Visits as CSV, the last registered first"
)
@needs(Permission.ACCESS_READ)
async def export(db: Db, site_id: SiteId) -> Response:
    """Return at most 10,000 visits."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(Visit)])
    for one in await list_visits(db, site_id=site_id, limit=CSV_MAX):
        values = (" ".join(value) if isinstance(value, list) else value for value in astuple(one))
        writer.writerow([cell(value) for value in values])
    headers = {"Content-Disposition": 'attachment; filename="visits.csv"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
