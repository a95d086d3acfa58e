"""Imports of people, cards, points and instruments over HTTP: template, preview, apply, undo."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from cloud.api.acting import acting
from cloud.api.errors import ApiError, Fault, bad_input
from cloud.api.guard import needs
from cloud.api.services import ID_MAX, After, Db, Given, Limit, Page, answer, page
from cloud.api.strict import StrictRoute
from cloud.imports import service
from cloud.imports.service import FaultyError, Preview
from cloud.imports.sheets import template
from cloud.imports.undo import undo as undo_import
from cloud.imports.workbook import FILE_BYTES_MAX
from cloud.store.imports import ImportRun, list_runs
from rules.permissions import Permission

router = APIRouter(prefix="/api/imports", tags=["imports"], route_class=StrictRoute)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEMPLATE_HEADERS = {
    "Content-Disposition": 'attachment; filename="heng-import.xlsx"',
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
Organisation = Annotated[
    int, Query(alias="organisation", ge=1, le=32767, description="Id of the organisation.")
]
FileName = Annotated[str, Query(pattern=r"^[^\x00-\x1f]{1,200}$", description="What the file is called.")]
RunPath = Annotated[int, Path(alias="import", ge=1, le=ID_MAX, description="Id of an import.")]
FAULTS_TOLD = 100


@router.get("", response_model=Page[ImportRun], summary="Imports that were applied")
@needs(Permission.PEOPLE_MANAGE)
async def runs(db: Db, after: After = 0, limit: Limit = 100) -> Response:
    """List imports by id."""
    found = await list_runs(db, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.get(
    "/template",
    response_class=Response,
    responses={
        200: {
            "description": "A workbook with every sheet and heading.",
            "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    summary="A workbook to fill in",
)
@needs(Permission.PEOPLE_MANAGE)
async def empty() -> Response:
    """Return the template."""
    return Response(template(), media_type=XLSX, headers=TEMPLATE_HEADERS)


@router.post(
    "/preview",
    response_model=Preview,
    summary="What a workbook (the body) would add and change, and all of its faults; nothing is written",
    max_body_size=FILE_BYTES_MAX,
)
@needs(Permission.PEOPLE_MANAGE)
async def preview(request: Request, given: Given, organisation_id: Organisation) -> Response:
    """Return what a file would do."""
    body = await _body(request)
    async with acting(request, given.pool, given.now()) as act:
        return answer(await service.preview(act, organisation_id, body))


@router.post(
    "",
    response_model=Preview,
    summary="Apply a workbook (the body), all of it or nothing",
    max_body_size=FILE_BYTES_MAX,
)
@needs(Permission.PEOPLE_MANAGE)
async def apply(
    request: Request, given: Given, organisation_id: Organisation, name: FileName = "import.xlsx"
) -> Response:
    """Apply a file; with faults nothing is written, and the first 100 are told."""
    body = await _body(request)
    try:
        async with acting(request, given.pool, given.now()) as act:
            _, told = await service.apply(act, organisation_id, body, file_name=name)
    except FaultyError as error:
        faults = error.preview.faults[:FAULTS_TOLD]
        raise bad_input(
            [Fault(f"{one.sheet} {one.row} {one.column}".strip(), one.value, one.expected) for one in faults]
        ) from None
    return answer(told)


@router.post("/{import}/undo", status_code=204, summary="Undo the last import, when nothing changed since")
@needs(Permission.PEOPLE_MANAGE)
async def undo(request: Request, given: Given, run_id: RunPath) -> Response:
    """Take an import back."""
    async with acting(request, given.pool, given.now()) as act:
        await undo_import(act, run_id)
    return Response(status_code=204)


async def _body(request: Request) -> bytes:
    body = await request.body()
    if not body:
        raise ApiError(415, "Unsupported media type", "The body is an .xlsx workbook.")
    return body
