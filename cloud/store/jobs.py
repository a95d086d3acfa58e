"""Jobs and limit sets as they are kept: the job as the rules know it, its log, and every version of a method.

Limit sets belong to an organisation, jobs to a site of it: who may see a job may see what it is done under.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, tick_of_datetime, us_of_tick
from rules.jobs.model import Entry, Job, Limit, LimitSet

_LOCK = 0x4A4F4253


@dataclass(frozen=True, slots=True)
class KeptLimits:
    """One version of a method's limit set."""

    organisation_id: int
    limits: LimitSet
    activities: tuple[str, ...]
    """All of which a job's people must be authorised for."""
    author: str
    reason: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class KeptJob:
    """One job with where it belongs."""

    id: int
    organisation_id: int
    site_id: int
    site: str
    site_title: str
    time_zone: str
    job: Job
    attested: tuple[str, ...] | None
    """Who was said to be there where nothing tells; None: the doors told it."""
    author: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class LogLine:
    """One act, as it was done."""

    id: int
    what: str
    at: datetime
    actor: str
    """Number of a person or login; empty: the hub by its rules."""
    text: str
    stored_at: datetime


def at_tick(tick: int) -> datetime:
    """Return the aware UTC time of a UTC tick."""
    return datetime_of_us(us_of_tick(tick))


def at_tick_or_none(tick: int | None) -> datetime | None:
    """Return the time of a tick, None for none."""
    return None if tick is None else at_tick(tick)


# --- limit sets ---------------------------------------------------------------------------------------

_LIMITS = """
SELECT organisation_id, method, version, limits::text, people_min, activities, author, reason, made_at
  FROM public.limit_sets
 WHERE organisation_id IN (SELECT id FROM organisations)
   AND (%(organisation)s::int IS NULL OR organisation_id = %(organisation)s)
   AND (%(method)s::text IS NULL OR method = %(method)s)
   AND (%(version)s::int IS NULL OR version = %(version)s)
 ORDER BY organisation_id, method, version DESC LIMIT %(limit)s
"""


async def list_limits(
    connection: Connection,
    *,
    organisation_id: int | None = None,
    method: str | None = None,
    version: int | None = None,
    limit: int = 1000,
) -> list[KeptLimits]:
    """Return limit sets by organisation and method, the newest version first."""
    given = {"organisation": organisation_id, "method": method, "version": version, "limit": limit}
    rows = await (await connection.execute(_LIMITS, given)).fetchall()
    return [_limits(row) for row in rows]


def _limits(row: Sequence[Any]) -> KeptLimits:
    organisation, method, version, limits, people_min, activities, author, reason, made_at = row
    known = LimitSet(method, version, msgspec.json.decode(limits, type=tuple[Limit, ...]), people_min)
    return KeptLimits(organisation, known, tuple(activities), author, reason, made_at)


async def limits_of(connection: Connection, kept: KeptJob) -> KeptLimits:
    """Return the limit set that a job names."""
    found = await list_limits(
        connection,
        organisation_id=kept.organisation_id,
        method=kept.job.method,
        version=kept.job.limits_version,
        limit=1,
    )
    return found[0]


async def add_limits(connection: Connection, kept: KeptLimits) -> None:
    """Keep a version; who adds one at the same time waits."""
    limits = kept.limits
    await connection.execute(
        "INSERT INTO public.limit_sets (organisation_id, method, version, limits, people_min, activities,"
        " author, reason, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(kept.organisation_id, limits.method, limits.version),
            Jsonb(msgspec.to_builtins(limits.limits)),
            *(limits.people_min, list(kept.activities), kept.author, kept.reason, kept.made_at),
        ),
    )


async def next_version(connection: Connection, organisation_id: int, method: str) -> int:
    """Return the number of a method's next version, and have others wait until this one is kept."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, organisation_id))
    cursor = await connection.execute(
        "SELECT coalesce(max(version), 0) + 1 FROM public.limit_sets"
        " WHERE organisation_id = %s AND method = %s",
        (organisation_id, method),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


# --- jobs ---------------------------------------------------------------------------------------------

_JOBS = """
SELECT j.id, j.organisation_id, j.site_id, s.name, s.title, s.time_zone, j.document::text, j.attested,
       j.author, j.made_at
  FROM jobs j JOIN sites s ON s.id = j.site_id
 WHERE (%(id)s::int IS NULL OR j.id = %(id)s)
   AND (%(site)s::int IS NULL OR j.site_id = %(site)s)
   AND (%(zone)s::text IS NULL OR j.zone = %(zone)s)
   AND (%(number)s::text IS NULL OR j.number = %(number)s)
   AND (%(state)s::text IS NULL OR j.state = %(state)s)
   AND (%(under_way)s IS NOT TRUE OR j.state IN ('running', 'held'))
   AND (%(before)s::int IS NULL OR j.id < %(before)s)
   AND (%(from_at)s::timestamptz IS NULL OR j.finished_at IS NULL OR j.finished_at >= %(from_at)s)
   AND (%(to_at)s::timestamptz IS NULL OR j.started_at <= %(to_at)s)
 ORDER BY j.id DESC LIMIT %(limit)s
"""


async def list_jobs(connection: Connection, **given: object) -> list[KeptJob]:
    """Return jobs, the last made first.

    `site`, `zone`, `number`, `state` and `under_way` (running or held) narrow them; `before` is an id; with
    `from_at` and `to_at` those whose work touches this stretch; `limit` None: all of them.
    """
    names = ("id", "site", "zone", "number", "state", "under_way", "before", "from_at", "to_at")
    values = {**dict.fromkeys(names), "limit": 1000, **given}
    rows = await (await connection.execute(_JOBS, values)).fetchall()
    return [_job(row) for row in rows]


def _job(row: Sequence[Any]) -> KeptJob:
    number, organisation_id, site_id, site, site_title, time_zone, document, attested, author, made_at = row
    return KeptJob(
        id=number,
        organisation_id=organisation_id,
        site_id=site_id,
        site=site,
        site_title=site_title,
        time_zone=time_zone,
        job=msgspec.json.decode(document, type=Job),
        attested=None if attested is None else tuple(attested),
        author=author,
        made_at=made_at,
    )


async def get_job(connection: Connection, job_id: int, *, change: bool = False) -> KeptJob | None:
    """Return one job, or None; with `change` whoever else would change it waits."""
    if change:
        await connection.execute("SELECT 1 FROM jobs WHERE id = %s FOR UPDATE", (job_id,))
    found = await list_jobs(connection, id=job_id, limit=1)
    return found[0] if found else None


async def add_job(
    connection: Connection, place: tuple[int, int], job: Job, *, author: str, at: datetime
) -> int | None:
    """Keep a new job of (organisation, site) and return its id; None when its number is taken."""
    cursor = await connection.execute(
        "INSERT INTO public.jobs (organisation_id, site_id, number, zone, state, planned_from, planned_to,"
        " document, author, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (organisation_id, number) DO NOTHING RETURNING id",
        (*place, job.id, job.zone, job.state, *_planned(job), _document(job), author, at),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def keep_job(
    connection: Connection,
    kept: KeptJob,
    job: Job,
    entry: Entry,
    *,
    attested: Sequence[str] | None = None,
) -> None:
    """Keep what became of a job, with the line of its log; its row is held."""
    await connection.execute(
        "UPDATE jobs SET zone = %s, state = %s, planned_from = %s, planned_to = %s, started_at = %s,"
        " finished_at = %s, document = %s, attested = coalesce(%s, attested) WHERE id = %s",
        (
            *(job.zone, job.state, *_planned(job)),
            *(at_tick_or_none(job.started_at), at_tick_or_none(job.finished_at), _document(job)),
            *(None if attested is None else list(attested), kept.id),
        ),
    )
    await add_line(connection, kept, entry)


async def add_line(connection: Connection, kept: KeptJob, entry: Entry) -> None:
    """Add a line to a job's log."""
    await connection.execute(
        "INSERT INTO job_log (organisation_id, site_id, job_id, what, at, actor, text)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            *(kept.organisation_id, kept.site_id, kept.id),
            *(entry.what, at_tick(entry.at), entry.by, entry.text),
        ),
    )


async def read_log(connection: Connection, job_id: int, *, limit: int = 1000) -> list[LogLine]:
    """Return the lines of a job's log, the first first."""
    async with connection.cursor(row_factory=class_row(LogLine)) as cursor:
        await cursor.execute(
            "SELECT id, what, at, actor, text, stored_at FROM job_log WHERE job_id = %s ORDER BY id LIMIT %s",
            (job_id, limit),
        )
        return await cursor.fetchall()


def _planned(job: Job) -> tuple[datetime, datetime]:
    return at_tick(job.planned.start), at_tick(job.planned.end)


def _document(job: Job) -> Jsonb:
    return Jsonb(msgspec.to_builtins(job))


def now_tick(at: datetime) -> int:
    """Return the tick of the present; what it lies within counts."""
    return tick_of_datetime(at)


# --- the feed -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fed:
    """What was committed of one gateway between two positions of the feed, in event time."""

    gateway_id: int
    from_at: datetime
    to_at: datetime


_FED = """
SELECT gateway_id, min(first_at), max(last_at) FROM batches
 WHERE feed >= %(after)s::text::xid8 AND feed < %(head)s::text::xid8
   AND state = 'placed' AND first_at IS NOT NULL
 GROUP BY gateway_id
"""


async def fed_since(connection: Connection, after: int, head: int) -> list[Fed]:
    """Return what was committed from position `after` until before `head`, late or not."""
    rows = await (await connection.execute(_FED, {"after": str(after), "head": str(head)})).fetchall()
    return [Fed(row[0], row[1], row[2] + timedelta(milliseconds=10)) for row in rows]


async def feed_position(connection: Connection) -> int | None:
    """Return how far the feed was followed, None before the first time."""
    row = await (await connection.execute("SELECT position FROM job_feed")).fetchone()
    return None if row is None else int(row[0])


async def keep_feed_position(connection: Connection, position: int) -> None:
    """Keep how far the feed was followed."""
    await connection.execute(
        "INSERT INTO job_feed (position) VALUES (%s)"
        " ON CONFLICT (only_row) DO UPDATE SET position = excluded.position",
        (position,),
    )


async def sites_served(connection: Connection, gateway_id: int) -> list[int]:
    """Return the sites that a gateway serves or served, and those whose points it feeds."""
    cursor = await connection.execute(
        "SELECT site_id FROM gateway_bindings WHERE gateway_id = %(id)s UNION"
        " SELECT p.site_id FROM channel_bindings c JOIN points p ON p.id = c.point_id"
        " WHERE c.gateway_id = %(id)s",
        {"id": gateway_id},
    )
    return [int(row[0]) for row in await cursor.fetchall()]
