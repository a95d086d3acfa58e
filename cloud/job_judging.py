"""What holds a job and marks its readings, from what is stored: limits of its method, interlocks of its zone.

Everything is judged in event time and can be judged again whenever more is known: what is the same as before
changes nothing. Acts on jobs are those of `rules.jobs`; here is only what breaches there were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from cloud.store import jobs, jobs_evidence, jobs_interlocks
from cloud.store.connection import Connection
from cloud.store.control_status import KNOWN_FOR, Held, list_held
from cloud.store.jobs import KeptJob, at_tick
from cloud.store.jobs_evidence import Told, ZonePoint
from rules.access.words import JobState
from rules.alarm.model import Sample
from rules.interlock.model import EffectKind
from rules.jobs import acts
from rules.jobs.model import Cause, Entry, Job, Limit, Refused, hold_of
from wire.control import InterlockNow

LOOK_BACK = timedelta(days=30)
"""So long before its start a job is asked for breaches that still stood then."""
UNDERWAY = timedelta(seconds=15)
"""So long a reading may be on its way to the hub before nobody knows any more how things stand."""
_OPENS = frozenset({"interlock_tripped", "interlock_breached", "work_held"})
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch in which something is new."""

    from_at: datetime
    to_at: datetime


async def judge(
    connection: Connection, job_id: int, windows: Sequence[Window], *, now: datetime
) -> Job | None:
    """Judge one job anew and keep what follows; return it as it is then, None when there is no such job.

    Call it in a transaction: whoever acts on the job waits.
    """
    done, kept = await _judged(connection, job_id, windows, now=now, change=False)
    if not done:
        return None if kept is None else kept.job
    done, kept = await _judged(connection, job_id, windows, now=now, change=True)
    for job, entry in done:
        assert kept is not None
        await jobs.keep_job(connection, kept, job, entry)
    return done[-1][0] if done else None if kept is None else kept.job


async def _judged(
    connection: Connection, job_id: int, windows: Sequence[Window], *, now: datetime, change: bool
) -> tuple[list[tuple[Job, Entry]], KeptJob | None]:
    """Return what follows for a job, and the job; with `change` its row is held, which is seldom needed."""
    kept = await jobs.get_job(connection, job_id, change=change)
    if kept is None or kept.job.started_at is None:
        return [], kept
    causes = [
        *await interlock_causes(connection, kept, now=now),
        *await hub_causes(connection, kept, now=now),
        *await limit_causes(connection, kept, windows, now=now),
    ]
    return reconciled(kept.job, causes, now=jobs.now_tick(now)), kept


def reconciled(job: Job, causes: Iterable[Cause], *, now: int) -> list[tuple[Job, Entry]]:
    """Return the job after each act that these breaches ask for, with its line; empty when all is known."""
    done: list[tuple[Job, Entry]] = []
    for cause in sorted(causes, key=lambda one: (one.from_at, one.name)):
        outcome = _one(job, cause, now=now)
        if outcome is None or isinstance(outcome, Refused):
            continue
        job = outcome[0]
        done.append(outcome)
    return done


def _one(job: Job, cause: Cause, *, now: int) -> acts.Outcome | Refused | None:
    if job.state is JobState.PLANNED:
        return None
    if job.state is JobState.FINISHED and cause.to_at is None:
        assert job.finished_at is not None
        cause = replace(cause, to_at=max(job.finished_at, cause.from_at))
    held = hold_of(job) if job.state is JobState.HELD else None
    mine = next(
        (one for one in (held.causes if held else ()) if one.name == cause.name and one.to_at is None), None
    )
    if cause.to_at is None:
        if mine is not None and mine.from_at <= cause.from_at:
            return None
        return acts.hold(job, cause, now=now)
    if mine is not None and cause.from_at <= mine.from_at < cause.to_at:
        return acts.returned(job, cause.name, ended_at=cause.to_at, now=now)
    if _known(job, cause):
        return None
    return acts.mark(job, cause, now=now)


def _known(job: Job, cause: Cause) -> bool:
    """Whether its readings are marked already: by a hold for it, or because it was found before."""
    held = [one for hold in job.holds for one in hold.causes]
    within = any(
        one.name == cause.name and one.from_at == cause.from_at and one.to_at is not None for one in held
    )
    return within or cause in job.found_later


# --- interlocks -----------------------------------------------------------------------------------------


async def interlock_causes(connection: Connection, kept: KeptJob, *, now: datetime) -> list[Cause]:
    """Return breaches of the zone's interlocks at gateways that touch the job's time."""
    assert kept.job.started_at is not None
    started = at_tick(kept.job.started_at)
    held = await list_held(connection, now, site=kept.site_id)
    told = await jobs_evidence.read_breaches(
        connection,
        (kept.site_id, kept.job.zone),
        [(gateway.gateway_id, one.name) for gateway, one in holding(held, kept.job.zone)],
        from_at=started - LOOK_BACK,
        to_at=now + timedelta(days=1),
    )
    return [one for one in breaches(told) if one.to_at is None or one.to_at > kept.job.started_at]


def holding(held: Sequence[Held], zone: str) -> list[tuple[Held, InterlockNow]]:
    """Return the interlocks that hold the work of a zone when they trip, with their gateway."""
    return [
        (gateway, one)
        for gateway in held
        for one in gateway.status.interlocks
        if any(effect.kind == EffectKind.HOLD_WORK and effect.target == zone for effect in one.effects)
    ]


def breaches(told: Iterable[Told]) -> list[Cause]:
    """Return each breach from its trip until the interlock was enabled again; events come in order."""
    found: list[Cause] = []
    opened: dict[str, int] = {}
    for one in told:
        name = f"interlock/{one.gateway}/{one.interlock}"
        if one.kind in _OPENS:
            opened.setdefault(name, one.tick)
        elif name in opened:
            found.append(Cause(name, opened.pop(name), one.tick))
    return [*found, *(Cause(name, tick) for name, tick in opened.items())]


async def hub_causes(connection: Connection, kept: KeptJob, *, now: datetime) -> list[Cause]:
    """Return what interlocks of the hub hold in the job's zone, and what they hold no more.

    One that nobody judges holds the work as well: what is not known is not fit. One that is of this zone no
    more ends its hold now.
    """
    held = hold_of(kept.job)
    stands = {one.name: one for one in (held.causes if held else ()) if one.to_at is None}
    found = []
    listed = await jobs_interlocks.holding(connection, kept.site, kept.job.zone, kept.organisation_id)
    for name in stands.keys() - {f"hub/{one.name}" for one in listed}:
        if name.startswith("hub/"):
            begun = stands[name].from_at
            found.append(Cause(name, begun, max(jobs.now_tick(now), begun + 1)))
    for one in listed:
        name = f"hub/{one.name}"
        if one.due_from is not None and now - one.due_from > KNOWN_FOR and not one.holds:
            found.append(Cause(name, jobs.now_tick(one.due_from)))
        elif one.holds and one.since is not None:
            found.append(Cause(name, jobs.now_tick(one.since)))
        elif not one.holds and name in stands:
            ended = stands[name].from_at + 1 if one.since is None else jobs.now_tick(one.since)
            found.append(Cause(name, stands[name].from_at, max(ended, stands[name].from_at + 1)))
    return found


# --- limits of the method -------------------------------------------------------------------------------


async def limit_causes(
    connection: Connection, kept: KeptJob, windows: Sequence[Window], *, now: datetime
) -> list[Cause]:
    """Return breaches of the method's limits, judged on calibrated readings, that touch these windows."""
    if not windows:
        return []
    limits = {one.quantity: one for one in (await jobs.limits_of(connection, kept)).limits.limits}
    points = await jobs_evidence.points_in(connection, kept.site_id, kept.job.zone)
    found: dict[tuple[str, int], Cause] = {}
    for point in points:
        limit = limits.get(point.quantity)
        if limit is None:
            continue
        for window in windows:
            for cause in await _breaches_in(connection, kept, point, limit=limit, window=window, now=now):
                found[cause.name, cause.from_at] = cause
    return list(found.values())


async def _breaches_in(
    connection: Connection, kept: KeptJob, point: ZonePoint, *, limit: Limit, window: Window, now: datetime
) -> list[Cause]:
    job = kept.job
    assert job.started_at is not None
    first = at_tick(job.started_at) - stands_for(point)
    last = now + timedelta(days=1) if job.finished_at is None else at_tick(job.finished_at)
    from_at, to_at = max(window.from_at, first), min(window.to_at, last)
    if from_at >= to_at:
        return []
    name = f"limit/{point.name}"
    onset = _standing_since(job, name, jobs.now_tick(from_at))
    if onset is None:
        onset = await _onset(connection, point.id, limit, at=from_at, bound=first)
    found: list[Cause] = []
    at = from_at
    while at < last:
        samples = await jobs_evidence.neighbours(
            connection, point.id, at, later=True, bound=last, limit=_CHUNK
        )
        for sample in samples:
            if sample.at >= jobs.now_tick(to_at) and onset is None:
                return found
            if sample.value is None:
                continue
            if not limit.admits(sample.value):
                onset = sample.at if onset is None else onset
            elif onset is not None:
                found.append(Cause(name, onset, sample.at))
                onset = None
        if len(samples) < _CHUNK:
            break
        at = at_tick(samples[-1].at + 1)
    return found if onset is None else [*found, Cause(name, onset)]


def stands_for(point: ZonePoint) -> timedelta:
    """Return how long a reading of a point stands; where it has no period, a day."""
    if point.period_ms is None:
        return timedelta(days=1)
    return timedelta(milliseconds=jobs_evidence.STALE_PERIODS * point.period_ms)


def counts_for(point: ZonePoint) -> timedelta:
    """Return how old the newest reading of a point may be when work begins or goes on.

    It stands for its periods at the device, and a thin or busy line may bring it so much later.
    """
    return stands_for(point) + UNDERWAY


def _standing_since(job: Job, name: str, tick: int) -> int | None:
    """Return the onset of a breach that holds the job and began before."""
    held = hold_of(job)
    found = [one.from_at for one in (held.causes if held else ()) if one.name == name and one.to_at is None]
    return found[0] if found and found[0] <= tick else None


async def _onset(
    connection: Connection, point_id: int, limit: Limit, *, at: datetime, bound: datetime
) -> int | None:
    """Return since when the value that stood at a time was out of limits without a break; None: it was in."""
    onset: int | None = None
    while at > bound:
        samples: Sequence[Sample] = await jobs_evidence.neighbours(
            connection, point_id, at, later=False, bound=bound, limit=_CHUNK
        )
        for sample in samples:
            if sample.value is None:
                continue
            if limit.admits(sample.value):
                return onset
            onset = sample.at
        if len(samples) < _CHUNK:
            break
        at = at_tick(samples[-1].at)
    return onset
