"""Remote operation of instruments over HTTP: sessions, commands in them, transcripts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cloud import operation_acts
from cloud.api.acting import acting
from cloud.api.errors import NAME, ApiError, Fault, not_found
from cloud.api.guard import needs
from cloud.api.routes.people import Body
from cloud.api.services import ID_MAX, Db, Given, Limit, Page, answer, page
from cloud.api.strict import StrictRoute
from cloud.operation_acts import OperationRefusedError
from cloud.store import jobs_operation
from cloud.store.connection import Connection
from cloud.store.jobs_operation import Line, Operation, broken_at
from rules.permissions import Permission

router = APIRouter(prefix="/api/operations", tags=["operation"], route_class=StrictRoute)

OperationPath = Annotated[int, Path(alias="operation", ge=1, le=ID_MAX, description="Id of a session.")]
Value = Annotated[str, Field(max_length=200)]
ArgumentName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]


class NewOperation(Body):
    """A session that is to begin; the job runs and names the instrument."""

    job_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    gateway: Annotated[str, Field(pattern=NAME)]
    instrument: Annotated[str, Field(min_length=1, max_length=64)]


class Procedure(Body):
    """What the instrument is to do."""

    procedure: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: Annotated[dict[ArgumentName, Value], Field(max_length=20, default_factory=dict)]
    valid_s: Annotated[float, Field(ge=1, le=600)] = 30.0


class Noted(Body):
    """What the operator saw."""

    text: Annotated[str, Field(min_length=1, max_length=500)]


class Ended(Body):
    """Why a session is to end."""

    reason: Annotated[str, Field(max_length=500)] = ""


class Made(BaseModel):
    """What began."""

    id: int


class Sent(BaseModel):
    """The command that was asked for; `refused` says why it was not sent."""

    command: str
    refused: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session with every line of its transcript."""

    operation: Operation
    lines: list[Line]
    broken_at: int | None
    """The first line that is not as it was written; None: the chain of hashes is whole."""


@router.get("", response_model=Page[Operation], summary="Sessions of remote operation, the last begun first")
@needs(Permission.CONTROL_READ)
async def operations(
    db: Db,
    job_id: Annotated[int | None, Query(alias="job", ge=1, le=ID_MAX, description="Id of a job.")] = None,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List sessions by id, downwards."""
    found = await jobs_operation.list_operations(db, job=job_id, before=before, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.post("", response_model=Made, status_code=201, summary="Begin to operate an instrument from afar")
@needs(Permission.CONTROL_OPERATE)
async def begin(request: Request, given: Given, sent: NewOperation) -> Response:
    """Begin; 409 names the condition that does not hold."""
    async with refusing(), acting(request, given.pool, given.now()) as act:
        made = await operation_acts.begin(act, sent.job_id, gateway=sent.gateway, instrument=sent.instrument)
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")


@router.get("/{operation}", response_model=Transcript, summary="A session with its transcript")
@needs(Permission.CONTROL_READ)
async def operation(db: Db, operation_id: OperationPath) -> Response:
    """Return every line, and whether the chain of hashes is whole."""
    return answer(await transcript_of(db, operation_id))


@router.get(
    "/{operation}/transcript.json",
    response_class=Response,
    responses={
        200: {
            "description": "A file.",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
    summary="A transcript as a file, with its hashes",
)
@needs(Permission.CONTROL_READ)
async def transcript(db: Db, operation_id: OperationPath) -> Response:
    """Return the same, to be saved."""
    response = answer(await transcript_of(db, operation_id))
    response.headers["Content-Disposition"] = f'attachment; filename="operation-{operation_id}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post(
    "/{operation}/commands", response_model=Sent, status_code=202, summary="Have the instrument do something"
)
@needs(Permission.CONTROL_OPERATE)
async def run(request: Request, given: Given, operation_id: OperationPath, sent: Procedure) -> Response:
    """Ask for it; what became of it is told by receipts, which come into the transcript."""
    async with refusing(), acting(request, given.pool, given.now()) as act:
        command = await operation_acts.run(
            act, operation_id, sent.procedure, arguments=sent.arguments, valid_s=sent.valid_s
        )
    made = Sent(command=command.id, refused=command.refused)
    return Response(made.model_dump_json(), 202, media_type="application/json")


@router.post("/{operation}/notes", status_code=204, summary="Write a note into a transcript")
@needs(Permission.CONTROL_OPERATE)
async def note(request: Request, given: Given, operation_id: OperationPath, sent: Noted) -> Response:
    """Write down what the operator saw."""
    async with refusing(), acting(request, given.pool, given.now()) as act:
        await operation_acts.note(act, operation_id, sent.text)
    return Response(status_code=204)


@router.post("/{operation}/end", status_code=204, summary="End a session of remote operation")
@needs(Permission.CONTROL_OPERATE)
async def end(request: Request, given: Given, operation_id: OperationPath, sent: Ended) -> Response:
    """End it now."""
    async with refusing(), acting(request, given.pool, given.now()) as act:
        await operation_acts.end(act, operation_id, reason=sent.reason)
    return Response(status_code=204)


async def transcript_of(db: Connection, operation_id: int) -> Transcript:
    """Return a session with its transcript, or raise the answer that there is none."""
    found = await jobs_operation.get_operation(db, operation_id)
    if found is None:
        raise not_found("operation", operation_id, "session")
    lines = await jobs_operation.transcript(db, found.id)
    return Transcript(found, lines, broken_at(found.id, lines))


@asynccontextmanager
async def refusing() -> AsyncIterator[None]:
    """Answer a condition that does not hold with 409 and its word."""
    try:
        yield
    except OperationRefusedError as error:
        fault = Fault("operation", str(error), str(error.fall.reason))
        raise ApiError(409, "Refused", f"Not done: {error}.", faults=[fault]) from None
