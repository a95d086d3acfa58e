"""What each gateway is told of jobs and calibrations: the facts, and the document that was made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from cloud.store.ticks import tick_of_datetime
from rules.interlock.model import Calibration
from rules.jobs.model import Job
from rules.work import Work

AHEAD = timedelta(days=30)
"""Jobs that are planned further ahead are told later."""


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway and the site that it serves now."""

    gateway_id: int
    organisation_id: int
    gateway: str
    site_id: int


@dataclass(frozen=True, slots=True)
class Told:
    """A job of the site with what its method asks for."""

    job: Job
    people_min: int
    activities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The calibration in force of one channel, and the nodes of the one before."""

    channel: str
    indicated: tuple[Decimal, ...]
    correction: tuple[Decimal, ...]
    exponent: int
    expanded_uncertainty: Decimal
    calibrated_utc: int
    due_utc: int | None
    before: tuple[tuple[Decimal, ...], tuple[Decimal, ...], int] | None
    """Nodes, corrections and UTC tick of the calibration before."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a gateway is to know."""

    gateway_id: int
    organisation_id: int
    gateway: str
    incarnation: int
    number: int
    work: Work
    digest: str
    jobs: int
    left_out: int
    """Jobs that found no room in it, the ones planned last."""
    made_at: datetime


async def served(connection: Connection, at: datetime) -> list[Served]:
    """Return every gateway that serves a site and is not revoked."""
    cursor = await connection.execute(
        "SELECT g.id, g.organisation_id, g.name, b.site_id FROM gateways g"
        " JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %s::timestamptz"
        " WHERE g.revoked_at IS NULL ORDER BY g.id",
        (at,),
    )
    return [Served(*row) for row in await cursor.fetchall()]


async def jobs_told(connection: Connection, site_id: int, at: datetime) -> list[Told]:
    """Return the jobs of a site that are not finished: those under way first, then as they are planned."""
    cursor = await connection.execute(
        "SELECT j.document::text, l.people_min, l.activities FROM jobs j JOIN limit_sets l"
        " ON l.organisation_id = j.organisation_id AND l.method = j.document->>'method'"
        " AND l.version = (j.document->>'limits_version')::int"
        " WHERE j.site_id = %s AND j.state <> 'finished' AND (j.state <> 'planned' OR j.planned_from < %s)"
        " AND (j.state <> 'planned' OR j.planned_to > %s)"
        " ORDER BY j.state = 'planned', j.planned_from, j.id",
        (site_id, at + AHEAD, at - AHEAD),
    )
    rows = await cursor.fetchall()
    return [Told(msgspec.json.decode(row[0], type=Job), row[1], tuple(row[2])) for row in rows]


_CERTIFICATES = """
SELECT b.channel, c.indicated, c.correction, c.exponent, c.expanded_uncertainty,
       coalesce(c.calibrated_on::timestamp AT TIME ZONE s.time_zone, lower(c.entered_for), c.entered_at),
       (c.due_on + 1)::timestamp AT TIME ZONE s.time_zone,
       o.indicated, o.correction, o.calibrated_on::timestamp AT TIME ZONE s.time_zone
  FROM channel_bindings b
  JOIN points p ON p.id = b.point_id JOIN sites s ON s.id = p.site_id
  JOIN calibrations c ON c.point_id = p.id AND c.valid @> %(at)s::timestamptz
  LEFT JOIN LATERAL (SELECT indicated, correction, calibrated_on FROM calibrations e
                      WHERE e.point_id = p.id AND e.calibrated_on < c.calibrated_on
                      ORDER BY e.calibrated_on DESC, e.id DESC LIMIT 1) o ON true
 WHERE b.gateway_id = %(gateway)s AND b.valid @> %(at)s::timestamptz AND c.expanded_uncertainty IS NOT NULL
 ORDER BY b.channel
"""


async def certificates(connection: Connection, gateway_id: int, at: datetime) -> list[Certificate]:
    """Return the calibrations in force of what a gateway feeds; one without uncertainty guards nothing."""
    rows = await (await connection.execute(_CERTIFICATES, {"gateway": gateway_id, "at": at})).fetchall()
    return [_certificate(row) for row in rows]


def _certificate(row: Sequence[Any]) -> Certificate:
    channel, indicated, correction, exponent, uncertainty, calibrated, due, *before = row
    known = before[0] is not None and before[2] is not None
    return Certificate(
        channel,
        tuple(indicated),
        tuple(correction),
        exponent,
        uncertainty,
        tick_of_datetime(calibrated),
        None if due is None else tick_of_datetime(due),
        (tuple(before[0]), tuple(before[1]), tick_of_datetime(before[2])) if known else None,
    )


async def mark(connection: Connection) -> tuple[int, ...]:
    """Return what changes with every change of what gateways are told, time aside."""
    cursor = await connection.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM job_log), (SELECT coalesce(max(id), 0) FROM jobs),"
        " (SELECT coalesce(max(id), 0) FROM calibrations), (SELECT version FROM directory_version)"
    )
    row = await cursor.fetchone()
    assert row is not None
    return tuple(int(one) for one in row)


_DOCUMENTS = """
SELECT d.gateway_id, d.organisation_id, g.name, d.incarnation, d.number, d.document::text, d.digest, d.jobs,
       d.left_out, d.made_at
  FROM work_documents d JOIN gateways g ON g.id = d.gateway_id
 ORDER BY d.gateway_id
"""


async def documents(connection: Connection) -> list[Document]:
    """Return what every gateway is to know."""
    rows = await (await connection.execute(_DOCUMENTS)).fetchall()
    return [_document(row) for row in rows]


def _document(row: Sequence[Any]) -> Document:
    *place, incarnation, number, document, digest, jobs, left_out, made_at = row
    gateway_id, organisation_id, gateway = place
    work = msgspec.json.decode(document, type=Work)
    return Document(
        gateway_id=gateway_id,
        organisation_id=organisation_id,
        gateway=gateway,
        incarnation=incarnation,
        number=number,
        work=work,
        digest=digest,
        jobs=jobs,
        left_out=left_out,
        made_at=made_at,
    )


async def keep_document(connection: Connection, document: Document) -> None:
    """Keep a document in the place of the one before."""
    await connection.execute(
        "INSERT INTO work_documents AS d (gateway_id, organisation_id, incarnation, number, document, digest,"
        " jobs, left_out, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (gateway_id) DO UPDATE SET incarnation = excluded.incarnation,"
        " number = excluded.number, document = excluded.document, digest = excluded.digest,"
        " jobs = excluded.jobs, left_out = excluded.left_out, made_at = excluded.made_at"
        " WHERE (d.incarnation, d.number) < (excluded.incarnation, excluded.number)",
        (
            *(document.gateway_id, document.organisation_id, document.incarnation, document.number),
            *(Jsonb(msgspec.to_builtins(document.work)), document.digest),
            *(document.jobs, document.left_out, document.made_at),
        ),
    )


async def calibrations_told(connection: Connection, gateway_id: int) -> dict[str, Calibration]:
    """Return the calibrations by which a gateway judges, as it was told them last."""
    cursor = await connection.execute(
        "SELECT (document -> 'calibrations')::text FROM work_documents WHERE gateway_id = %s", (gateway_id,)
    )
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        return {}
    return msgspec.json.decode(row[0], type=dict[str, Calibration])
