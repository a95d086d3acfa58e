"""What gateways are told of jobs and calibrations: compiled, numbered, committed, and published retained.

A gateway that honours what this hub never sent shows that the hub was restored from a backup: then what is to
be known there begins anew, in an incarnation that the gateway has not seen.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from itertools import pairwise

import msgspec

from cloud.store import control_status, jobs_work
from cloud.store.connection import Connection
from cloud.store.jobs import at_tick
from cloud.store.jobs_work import Certificate, Document, Served, Told
from rules.access.document import Span
from rules.access.request import Job
from rules.interlock.guard import TICKS_PER_DAY
from rules.interlock.model import Calibration
from rules.work import Work, encode_work
from wire.control import DocumentNow
from wire.frame import BODY_BYTES_MAX
from wire.shadow import COUNTER_MAX, Revision

_log = logging.getLogger(__name__)

JOBS_MAX = 1000
BYTES_MAX = BODY_BYTES_MAX * 3 // 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FINEST = Decimal(10) ** -9


async def compile_all(connection: Connection, now: datetime) -> list[Document]:
    """Bring every gateway's document up to date and return all that are in force."""
    before = {one.gateway_id: one for one in await jobs_work.documents(connection)}
    said = {one.gateway_id: one.status.work for one in await control_status.list_held(connection, now)}
    for gateway in await jobs_work.served(connection, now):
        known, told = before.get(gateway.gateway_id), said.get(gateway.gateway_id)
        made = await _compile(connection, gateway, known, told=told, now=now)
        if made is not None:
            async with connection.transaction():
                await jobs_work.keep_document(connection, made)
    return await jobs_work.documents(connection)


async def _compile(
    connection: Connection,
    gateway: Served,
    known: Document | None,
    *,
    told: DocumentNow | None,
    now: datetime,
) -> Document | None:
    """Return the next document of a gateway, None while the one in force says the same."""
    given = await jobs_work.jobs_told(connection, gateway.site_id, now)
    found = await jobs_work.certificates(connection, gateway.gateway_id, now)
    calibrations = {one.channel: calibration_of(one) for one in found}
    jobs = fitting([job_of(one) for one in given], calibrations)
    digest = hashlib.sha256(msgspec.json.encode((jobs, calibrations), order="sorted")).hexdigest()
    ours = None if known is None else Revision(known.incarnation, known.number)
    ahead = _ahead(known, told)
    if known is not None and known.digest == digest and ahead is None:
        return None
    revision = _next(ours, ahead)
    if ahead is not None:
        _log.warning(
            "jobs: %s honours work %s, which was not sent from here; incarnation %s begins",
            *(gateway.gateway, ahead, revision.incarnation),
        )
    work = Work(
        gateway=gateway.gateway,
        revision=revision,
        issued_at_ms=(now - _EPOCH) // timedelta(milliseconds=1),
        jobs=jobs,
        calibrations=calibrations,
    )
    return Document(
        gateway.gateway_id,
        gateway.organisation_id,
        gateway.gateway,
        revision.incarnation,
        revision.number,
        work,
        digest,
        len(jobs),
        len(given) - len(jobs),
        now,
    )


def _ahead(known: Document | None, told: DocumentNow | None) -> Revision | None:
    """Return what a gateway honours and this hub never sent: a later revision, or another of this number."""
    if told is None or told.revision is None:
        return None
    ours = None if known is None else Revision(known.incarnation, known.number)
    if known is None or ours is None or told.revision.order > ours.order:
        return told.revision
    other = bool(told.digest) and told.digest != hashlib.sha256(body_of(known)).hexdigest()
    return told.revision if told.revision == ours and other else None


def _next(ours: Revision | None, ahead: Revision | None) -> Revision:
    if ahead is not None:
        return Revision(min(ahead.incarnation + 1, COUNTER_MAX), 1)
    return Revision(0, 1) if ours is None else Revision(ours.incarnation, ours.number + 1)


def job_of(told: Told) -> Job:
    """Return a job as doors and equipment ask for it."""
    job = told.job
    return Job(
        id=job.id,
        zone=job.zone,
        state=job.state,
        people=job.people,
        activities=told.activities,
        equipment=job.instruments,
        planned=Span(_ms(job.planned.start), _ms(job.planned.end)),
        min_people=told.people_min,
    )


def fitting(jobs: Sequence[Job], calibrations: Mapping[str, Calibration]) -> tuple[Job, ...]:
    """Return the jobs that have room in a document, the first of them: what is under way comes first."""
    room = BYTES_MAX - len(msgspec.json.encode(calibrations))
    found: list[Job] = []
    for job in jobs[:JOBS_MAX]:
        room -= len(msgspec.json.encode(job)) + 1
        if room < 0:
            break
        found.append(job)
    return tuple(found)


def calibration_of(one: Certificate) -> Calibration:
    """Return a certificate as gateways judge by it; the drift is that against the certificate before."""
    return Calibration(
        indicated=one.indicated,
        correction=one.correction,
        exponent=one.exponent,
        expanded_uncertainty=one.expanded_uncertainty,
        calibrated_utc=one.calibrated_utc,
        due_utc=one.due_utc,
        drift_per_day=drift_of(one),
    )


def drift_of(one: Certificate) -> Decimal:
    """Return by how much a sensor moved in a day between two calibrations, at most; 0 when there was one."""
    if one.before is None:
        return Decimal(0)
    indicated, correction, calibrated_utc = one.before
    days = Decimal(max(1, (one.calibrated_utc - calibrated_utc) // TICKS_PER_DAY))
    places = {*one.indicated, *indicated}
    with localcontext() as context:
        context.prec = 50
        moved = max(
            abs(_at(one.indicated, one.correction, at) - _at(indicated, correction, at)) for at in places
        )
        return (moved / days).quantize(_FINEST, ROUND_CEILING).normalize()


def _at(indicated: Sequence[Decimal], correction: Sequence[Decimal], at: Decimal) -> Decimal:
    """Return a correction between the nodes, that of the last node outside of them."""
    if at <= indicated[0]:
        return correction[0]
    for (low, first), (high, second) in pairwise(zip(indicated, correction, strict=True)):
        if at <= high:
            return first + (second - first) * (at - low) / (high - low)
    return correction[-1]


def body_of(document: Document) -> bytes:
    """Return what is signed and published."""
    return encode_work(document.work)


def _ms(tick: int) -> int:
    return (at_tick(tick) - _EPOCH) // timedelta(milliseconds=1)
