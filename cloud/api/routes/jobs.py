"""Jobs, methods with their limits, and records over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cloud import job_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError, Fault, not_found
from cloud.api.guard import needs
from cloud.api.routes.people import Body
from cloud.api.services import CSV, ID_MAX, Db, Given, Limit, Moment, Page, SiteId, answer, page
from cloud.api.strict import StrictRoute
from cloud.job_acts import JobRefusedError, NewLimits, Plan
from cloud.job_facts import TooLongError, record_of
from cloud.job_reasons import sentence
from cloud.job_view import (
    JobView,
    MethodView,
    RecordView,
    jobs_csv,
    record_csv,
    view_job,
    view_method,
    view_record,
)
from cloud.store import jobs
from cloud.store.connection import Connection
from cloud.store.jobs import KeptJob
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["jobs"], route_class=StrictRoute)

CSV_MAX = 10_000
JobPath = Annotated[int, Path(alias="job", ge=1, le=ID_MAX, description="Id of a job.")]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=100, default_factory=list)
]
Reason = Annotated[str, Field(max_length=500)]
State = Annotated[Literal["planned", "running", "held", "finished"] | None, Query(description="Only these.")]
_FILE = {"Cache-Control": "no-store"}


class LimitOf(Body):
    """Between what a quantity must stay; numbers as text keep their digits."""

    quantity: Annotated[str, Field(min_length=1, max_length=64)]
    low: Annotated[str, Field(max_length=40)] = ""
    high: Annotated[str, Field(max_length=40)] = ""


class Version(Body):
    """A version of a method to be kept."""

    organisation_id: Annotated[int, Field(ge=1, le=32767)]
    method: Word
    limits: Annotated[list[LimitOf], Field(max_length=50)]
    people_min: Annotated[int, Field(ge=1, le=100)] = 2
    activities: Annotated[list[Word], Field(max_length=50, default_factory=list)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Planned(Body):
    """A job as it is planned."""

    method: Word
    version: Annotated[int, Field(ge=1, le=ID_MAX)]
    zone: Annotated[str, Field(min_length=1, max_length=63)]
    people: Names
    instruments: Names
    from_at: Moment
    to_at: Moment


class NewJob(Planned):
    """A job to be planned."""

    site_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    number: Annotated[str, Field(min_length=1, max_length=64)]


class Started(Body):
    """Work that is to begin. Who is there counts only where no door tells it."""

    present: Names


class Released(Body):
    """Held work that is to go on."""

    reason: Reason
    present: Names


class Finished(Body):
    """Work that is to end; held work with a reason."""

    reason: Reason = ""


class Made(BaseModel):
    """What was made."""

    id: int


class Numbered(BaseModel):
    """The version that was kept."""

    version: int


@router.get("/methods", response_model=Page[MethodView], summary="Methods with every version of their limits")
@needs(Permission.JOBS_READ)
async def methods(db: Db, limit: Limit = 1000) -> Response:
    """List versions by method, the newest first."""
    found = await jobs.list_limits(db, limit=limit)
    return answer(Page([view_method(one) for one in found], None))


@router.post("/methods", response_model=Numbered, status_code=201, summary="Keep a method's next version")
@needs(Permission.JOBS_WRITE)
async def add_method(request: Request, given: Given, sent: Version) -> Response:
    """Keep limits as the next version; earlier ones stay as they are."""
    new = NewLimits(
        sent.method,
        [(one.quantity, one.low, one.high) for one in sent.limits],
        sent.people_min,
        sent.activities,
        sent.reason,
    )
    async with acting(request, given.pool, given.now()) as act:
        version = await job_acts.add_limits(act, sent.organisation_id, new)
    return Response(Numbered(version=version).model_dump_json(), 201, media_type="application/json")


@router.get("/jobs", response_model=Page[JobView], summary="Jobs, the last made first")
@needs(Permission.JOBS_READ)
async def list_jobs(
    db: Db,
    site_id: SiteId = None,
    state: State = None,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List jobs by id, downwards."""
    found = await jobs.list_jobs(db, site=site_id, state=state, before=before, limit=limit + 1)
    return page([view_job(one) for one in found], limit, lambda one: one.id)


@router.get("/jobs.csv", response_class=Response, responses=CSV, summary="Jobs as CSV, the last made first")
@needs(Permission.JOBS_READ)
async def jobs_file(db: Db, site_id: SiteId = None, state: State = None) -> Response:
    """Return at most 10,000 jobs."""
    found = await jobs.list_jobs(db, site=site_id, state=state, limit=CSV_MAX)
    headers = {**_FILE, "Content-Disposition": 'attachment; filename="jobs.csv"'}
    return Response(
        jobs_csv([view_job(one) for one in found]), media_type="text/csv; charset=utf-8", headers=headers
    )


@router.post("/jobs", response_model=Made, status_code=201, summary="Plan a job")
@needs(Permission.JOBS_WRITE)
async def plan(request: Request, given: Given, sent: NewJob) -> Response:
    """Plan a job under a version of a method."""
    async with acting(request, given.pool, given.now()) as act:
        made = await job_acts.plan(act, sent.site_id, _plan(sent.number, sent))
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")


@router.get("/jobs/{job}", response_model=JobView, summary="One job with its holds")
@needs(Permission.JOBS_READ)
async def job(db: Db, job_id: JobPath) -> Response:
    """Return one job."""
    return answer(view_job(await _existing(db, job_id)))


@router.put("/jobs/{job}", status_code=204, summary="Change the plan of a job that has not begun")
@needs(Permission.JOBS_WRITE)
async def amend(request: Request, given: Given, job_id: JobPath, sent: Planned) -> Response:
    """Replace the plan; the number stays."""
    async with _refusing(), acting(request, given.pool, given.now()) as act:
        kept = await jobs.get_job(act.connection, job_id)
        await job_acts.amend(act, job_id, _plan(kept.job.id if kept else "none", sent))
    return Response(status_code=204)


@router.post("/jobs/{job}/start", status_code=204, summary="Begin the work of a job")
@needs(Permission.JOBS_WRITE)
async def start(request: Request, given: Given, job_id: JobPath, sent: Started) -> Response:
    """Begin; 409 names the first thing that is missing."""
    async with _refusing(), acting(request, given.pool, given.now()) as act:
        await job_acts.start(act, job_id, attested=sent.present)
    return Response(status_code=204)


@router.post("/jobs/{job}/release", status_code=204, summary="Let held work go on, with a reason")
@needs(Permission.JOBS_RELEASE)
async def release(request: Request, given: Given, job_id: JobPath, sent: Released) -> Response:
    """Release; 409 while a cause stands or something is missing."""
    async with _refusing(), acting(request, given.pool, given.now()) as act:
        await job_acts.release(act, job_id, reason=sent.reason, attested=sent.present)
    return Response(status_code=204)


@router.post("/jobs/{job}/finish", status_code=204, summary="End the work of a job")
@needs(Permission.JOBS_WRITE)
async def finish(request: Request, given: Given, job_id: JobPath, sent: Finished) -> Response:
    """Finish; what is held keeps its hold for ever."""
    async with _refusing(), acting(request, given.pool, given.now()) as act:
        await job_acts.finish(act, job_id, reason=sent.reason)
    return Response(status_code=204)


@router.get(
    "/jobs/{job}/record",
    response_model=RecordView,
    summary="A job's record: environment, presence, gaps and holds, from what is stored",
)
@needs(Permission.JOBS_READ)
async def record(db: Db, given: Given, job_id: JobPath) -> Response:
    """Compute the record; late data give another one."""
    return answer(await _record(db, given, await _existing(db, job_id)))


@router.get("/jobs/{job}/record.csv", response_class=Response, responses=CSV, summary="A job's record as CSV")
@needs(Permission.JOBS_READ)
async def record_file(db: Db, given: Given, job_id: JobPath) -> Response:
    """Return the record with the job's log."""
    kept = await _existing(db, job_id)
    body = record_csv(await _record(db, given, kept), await jobs.read_log(db, kept.id))
    headers = {**_FILE, "Content-Disposition": f'attachment; filename="job-{kept.job.id}.csv"'}
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _record(db: Connection, given: Given, kept: KeptJob) -> RecordView:
    try:
        made = await record_of(db, kept, await jobs.limits_of(db, kept), now=given.now())
    except TooLongError as error:
        raise ApiError(422, "Too long", f"{error}.") from None
    if made is None:
        raise ApiError(409, "Not begun", "The job has not begun: there is no record of it.")
    return view_record(kept, made)


async def _existing(db: Connection, job_id: int) -> KeptJob:
    found = await jobs.get_job(db, job_id)
    if found is None:
        raise not_found("job", job_id, "job")
    return found


@asynccontextmanager
async def _refusing() -> AsyncIterator[None]:
    """Answer what the rules refuse with 409: a sentence for people, the word of the reason for programs."""
    try:
        yield
    except JobRefusedError as error:
        fault = Fault("job", str(error), str(error.refused.reason))
        raise ApiError(409, "Refused", f"Not done: {sentence(error.refused)}.", faults=[fault]) from None


def _plan(number: str, sent: Planned) -> Plan:
    span = sent.from_at.astimezone(UTC), sent.to_at.astimezone(UTC)
    return Plan(number, sent.method, sent.version, sent.zone, sent.people, sent.instruments, *span)
