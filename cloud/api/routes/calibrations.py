"""Calibrations of points over HTTP: what was entered, what is due, certificates."""

from datetime import UTC, date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.acting import acting
from cloud.api.errors import SHA256, ApiError, not_found
from cloud.api.guard import needs
from cloud.api.services import (
    ID_MAX,
    After,
    Db,
    Given,
    Limit,
    Moment,
    Page,
    PointPath,
    SiteId,
    answer,
    page,
)
from cloud.api.strict import StrictRoute
from cloud.calibration_acts import FILE_BYTES_MAX, bring_file, enter
from cloud.store.calibration_entries import (
    Calibration,
    NewCalibration,
    Standing,
    get_calibration,
    list_calibrations,
    list_standings,
    read_file,
)
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["calibrations"], route_class=StrictRoute)

Number = Annotated[Decimal, Field(allow_inf_nan=False)]
Words = Annotated[str, Field(max_length=500)]
CalibrationPath = Annotated[
    int, Path(alias="calibration", ge=1, le=ID_MAX, description="Id of a calibration.")
]
_ENDINGS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
_FILES: dict[str, Any] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _ENDINGS}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}
"""What a person brought is downloaded, and never shown or run as a page of the hub."""


class Entered(BaseModel):
    """A calibration to enter; numbers as text keep their digits."""

    model_config = ConfigDict(extra="forbid")

    from_at: Moment
    to_at: Moment | None = None
    indicated: Annotated[list[Number], Field(min_length=1, max_length=100)]
    correction: Annotated[list[Number], Field(min_length=1, max_length=100)]
    exponent: Annotated[int, Field(ge=-12, le=12)]
    expanded_uncertainty: Number
    coverage_factor: Number
    certificate: Words
    laboratory: Words
    calibrated_on: date
    due_on: date | None = None
    certificate_sha256: Annotated[str | None, Field(pattern=SHA256)] = None
    reason: Words


class Made(BaseModel):
    """What was entered."""

    id: int


class File(BaseModel):
    """A file that is kept."""

    sha256: str


@router.get(
    "/calibrations", response_model=Page[Calibration], summary="Calibrations of points, every revision"
)
@needs(Permission.READINGS_READ)
async def calibrations(
    db: Db,
    point_id: Annotated[
        int | None, Query(alias="point", ge=1, le=ID_MAX, description="Id of a point.")
    ] = None,
    at: Annotated[Moment | None, Query(description="Only those in force at this time.")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List revisions by id."""
    found = await list_calibrations(db, point_id=point_id, at=at, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.get(
    "/calibration-states", response_model=Page[Standing], summary="How each point stands, and what is due"
)
@needs(Permission.READINGS_READ)
async def standings(
    db: Db, given: Given, site_id: SiteId = None, after: After = 0, limit: Limit = 100
) -> Response:
    """List measured points by id."""
    found = await list_standings(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.point_id)


@router.get("/calibrations/{calibration}", response_model=Calibration, summary="One calibration")
@needs(Permission.READINGS_READ)
async def calibration(db: Db, calibration_id: CalibrationPath) -> Response:
    """Return one revision."""
    found = await get_calibration(db, calibration_id)
    if found is None:
        raise not_found("calibration", calibration_id, "calibration")
    return answer(found)


@router.get(
    "/calibrations/{calibration}/certificate",
    response_class=Response,
    responses={200: {"description": "The file as it was brought.", "content": _FILES}},
    summary="The file of a calibration's certificate",
)
@needs(Permission.READINGS_READ)
async def certificate(db: Db, calibration_id: CalibrationPath) -> Response:
    """Return the file as it was brought, to be saved."""
    found = await read_file(db, calibration_id)
    if found is None:
        raise not_found("calibration", calibration_id, "calibration with a certificate's file")
    content_type, body = found
    name = f'attachment; filename="certificate-{calibration_id}.{_ENDINGS[content_type]}"'
    return Response(body, media_type=content_type, headers={**_HEADERS, "Content-Disposition": name})


@router.post(
    "/points/{point}/certificates",
    response_model=File,
    status_code=201,
    summary="Bring the file of a certificate (PDF, PNG or JPEG, as the body)",
    max_body_size=FILE_BYTES_MAX,
)
@needs(Permission.CALIBRATIONS_WRITE)
async def bring(request: Request, given: Given, point_id: PointPath) -> Response:
    """Keep a file under its hash, to be named by a calibration."""
    body = await request.body()
    if not body:
        raise ApiError(415, "Unsupported media type", "The body is a PDF, a PNG or a JPEG.")
    async with acting(request, given.pool, given.now()) as act:
        sha256 = await bring_file(act, point_id, body)
    return Response(File(sha256=sha256).model_dump_json(), 201, media_type="application/json")


@router.post(
    "/points/{point}/calibrations",
    response_model=Made,
    status_code=201,
    summary="Enter a point's calibration",
)
@needs(Permission.CALIBRATIONS_WRITE)
async def enter_one(request: Request, given: Given, point_id: PointPath, sent: Entered) -> Response:
    """Enter a revision; earlier ones stay as they are, and count until it begins."""
    new = NewCalibration(
        from_at=sent.from_at.astimezone(UTC),
        to_at=None if sent.to_at is None else sent.to_at.astimezone(UTC),
        indicated=sent.indicated,
        correction=sent.correction,
        exponent=sent.exponent,
        expanded_uncertainty=sent.expanded_uncertainty,
        coverage_factor=sent.coverage_factor,
        certificate=sent.certificate,
        laboratory=sent.laboratory,
        calibrated_on=sent.calibrated_on,
        due_on=sent.due_on,
        certificate_sha256=sent.certificate_sha256,
        reason=sent.reason,
    )
    async with acting(request, given.pool, given.now()) as act:
        made = await enter(act, point_id, new)
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")
