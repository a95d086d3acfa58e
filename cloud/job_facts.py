"""What is so at this instant, for acts on a job; and its record, computed from what is stored.

"Not known" is a state of its own: what no gateway says freshly is never taken for fit. Where no door tells
who is there, a person may say so by name, and the record keeps that apart.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.job_judging import counts_for, holding, stands_for
from cloud.store import jobs, jobs_evidence, jobs_interlocks
from cloud.store.connection import Connection
from cloud.store.control_status import KNOWN_FOR, Held, list_held
from cloud.store.jobs import KeptJob, KeptLimits, at_tick
from cloud.store.jobs_evidence import Passage, Way, ZonePoint
from rules.interlock.state import Phase
from rules.jobs.model import Facts, frame
from rules.jobs.record import Record, Series, Stay, record
from rules.jobs.spans import Span

READINGS_MAX = 400_000
STAYED = timedelta(days=3)
"""So long before the start entries are looked for."""
LOOKED_FOR = timedelta(days=1)
"""So far back a reading is looked for, to say how old the newest one is."""
AHEAD = timedelta(seconds=10)
"""A gateway's clock may be so much ahead of the hub's."""
NOT_KNOWN = " (not known)"


class TooLongError(Exception):
    """A record of so many readings is not computed; the text says the bound."""


@dataclass(frozen=True, slots=True)
class Newest:
    """Why a limit is not known to be kept."""

    age_s: float | None
    """Of the newest reading; None: there was none within a day."""
    most_s: float
    """How old it may be."""
    absent: bool
    """It is young enough and has no value, or the gateway told since that nothing comes."""


@dataclass(frozen=True, slots=True)
class Known:
    """Facts, and whether doors tell who is there."""

    facts: Facts
    doors: bool
    newest: Mapping[str, Newest] = field(default_factory=dict)
    """What of `facts.unmet` is not known for want of a reading -> what there is."""


async def facts_of(
    connection: Connection, kept: KeptJob, limits: KeptLimits, *, attested: Sequence[str] = (), now: datetime
) -> Known:
    """Return what counts when work begins or goes on; `attested` counts only where no door tells."""
    job = kept.job
    held = await list_held(connection, now, site=kept.site_id)
    doors = tells(await jobs_evidence.ways_into(connection, kept.site_id, job.zone), held)
    present = inside(held, job.zone, now) if doors else tuple(dict.fromkeys(attested))
    authorised = await jobs_evidence.authorised_for(
        connection, kept.organisation_id, job.people, activities=limits.activities, at=now
    )
    blocked = await jobs_evidence.overdue_instruments(connection, kept.site_id, job.instruments, at=now)
    unfit = await _unfit_limits(connection, kept, limits, now=now)
    unmet = [*unfit_interlocks(held, job.zone, now), *unfit]
    unmet += await unfit_hub(connection, kept, now=now)
    newest = {name: one for name, one in unfit.items() if one is not None}
    return Known(Facts(present, authorised, blocked, tuple(dict.fromkeys(unmet))), doors, newest)


def tells(ways: Sequence[Way], held: Sequence[Held]) -> bool:
    """Whether every way into a zone tells who goes through it, in both directions, to a gateway."""
    told = {portal.name for one in held for portal in one.status.portals}
    return bool(ways) and all(one.name in told and one.reads_in and one.reads_out for one in ways)


def inside(held: Sequence[Held], zone: str, now: datetime) -> tuple[str, ...]:
    """Return who is in a zone, as far as gateways that are heard say so."""
    there = (one for gateway in held if gateway.is_known(now) for one in gateway.status.inside)
    return tuple(dict.fromkeys(one.person for one in there if one.zone == zone))


def unfit_interlocks(held: Sequence[Held], zone: str, now: datetime) -> list[str]:
    """Return the interlocks that hold work in a zone and are not known to be healthy."""
    found = []
    for gateway, one in holding(held, zone):
        name = f"interlock/{gateway.gateway}/{one.name}"
        if not gateway.is_known(now):
            found.append(name + NOT_KNOWN)
        elif one.phase != Phase.HEALTHY:
            found.append(name)
    return found


async def unfit_hub(connection: Connection, kept: KeptJob, *, now: datetime) -> list[str]:
    """Return the interlocks of the hub that hold work in the zone and are not known to be healthy.

    One out of use is judged by nobody and holds nothing, however it stood when it was taken out of use.
    """
    found = []
    for one in await jobs_interlocks.holding(connection, kept.site, kept.job.zone, kept.organisation_id):
        if one.due_from is None:
            continue
        if not one.fit:
            found.append(f"hub/{one.name}")
        elif one.stood_at is None or now - one.stood_at > KNOWN_FOR:
            found.append(f"hub/{one.name}{NOT_KNOWN}")
    return found


async def _unfit_limits(
    connection: Connection, kept: KeptJob, limits: KeptLimits, *, now: datetime
) -> dict[str, Newest | None]:
    """Return points whose newest reading is out of the method's limits (None), or not good or too old."""
    found: dict[str, Newest | None] = {}
    known = {one.quantity: one for one in limits.limits.limits}
    for point in await jobs_evidence.points_in(connection, kept.site_id, kept.job.zone):
        limit = known.get(point.quantity)
        if limit is None:
            continue
        most = counts_for(point)
        samples = await jobs_evidence.neighbours(
            connection,
            point.id,
            now + AHEAD,
            later=False,
            bound=now - max(most, LOOKED_FOR),
            limit=1,
        )
        name = f"limit/{point.name}"
        if not samples:
            found[name + NOT_KNOWN] = Newest(None, most.total_seconds(), absent=False)
            continue
        value, read_at = samples[0].value, at_tick(samples[0].at)
        silent = await jobs_evidence.is_silent_since(connection, point.id, read_at)
        if value is None or silent or now - read_at > most:
            age_s = max(0.0, (now - read_at).total_seconds())
            found[name + NOT_KNOWN] = Newest(age_s, most.total_seconds(), absent=now - read_at <= most)
        elif not limit.admits(value):
            found[name] = None
    return found


# --- the record -----------------------------------------------------------------------------------------


async def record_of(
    connection: Connection, kept: KeptJob, limits: KeptLimits, *, now: datetime
) -> Record | None:
    """Return the record of a job up to its finish or up to now, None before it began; `TooLongError`."""
    whole = frame(kept.job, jobs.now_tick(now))
    if whole is None:
        return None
    start, end = at_tick(whole.start), at_tick(whole.end)
    points = await jobs_evidence.points_in(connection, kept.site_id, kept.job.zone)
    ids = [one.id for one in points]
    count = await jobs_evidence.count_readings(connection, ids, start, end, most=READINGS_MAX)
    if count >= READINGS_MAX:
        raise TooLongError(f"a record of {READINGS_MAX} readings and more is not computed on a page")
    series = [await _series(connection, point, start, end) for point in points]
    stays, blind = await _presence(connection, kept, whole, now=now)
    return await asyncio.to_thread(
        record, kept.job, limits.limits, series, stays=stays, blind=blind, until=whole.end
    )


async def _series(connection: Connection, point: ZonePoint, start: datetime, end: datetime) -> Series:
    samples = await jobs_evidence.read_samples(connection, point.id, start, end)
    places = [one.value.as_tuple().exponent for one in samples if one.value is not None]
    finest = min([point.exponent, *(place for place in places if isinstance(place, int))])
    hold = None if point.period_ms is None else stands_for(point) // timedelta(milliseconds=10)
    return Series(point.name, point.quantity, finest, hold, samples)


async def _presence(
    connection: Connection, kept: KeptJob, whole: Span, *, now: datetime
) -> tuple[list[Stay], list[Span]]:
    """Return who was in the zone when, and the stretches of which nothing says it."""
    ways = await jobs_evidence.ways_into(connection, kept.site_id, kept.job.zone)
    held = await list_held(connection, now, site=kept.site_id)
    if not tells(ways, held):
        return [], [whole]
    start, end = at_tick(whole.start), at_tick(whole.end)
    passages = await jobs_evidence.read_passages(
        connection, kept.site_id, kept.job.zone, from_at=start - STAYED, to_at=end
    )
    names = {one.name for one in ways}
    deciding = [one.gateway_id for one in held if names & {portal.name for portal in one.status.portals}]
    heard = await jobs_evidence.heard_until(connection, deciding)
    if heard is None:
        return stays_of(passages), [whole]
    blind = [Span(jobs.now_tick(heard), whole.end)] if heard + KNOWN_FOR < end else []
    return stays_of(passages), blind


def stays_of(passages: Sequence[Passage]) -> list[Stay]:
    """Return each stay from entry to exit; an exit without an entry proves that somebody was there before."""
    found: list[Stay] = []
    here: dict[str, int] = {}
    for one in passages:
        for person in one.people:
            if one.inward:
                here.setdefault(person, one.tick)
            elif person in here:
                found.append(Stay(person, here.pop(person), one.tick))
    return [*found, *(Stay(person, tick) for person, tick in here.items())]
