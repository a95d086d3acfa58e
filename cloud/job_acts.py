"""What people do to jobs: limit sets, planning, starting, releasing, finishing. Checked, kept, audited.

`rules.jobs` decides; here is who asks and what is known. Pages, API and command line call these functions,
each inside one transaction. What holds a job comes from evidence (`cloud.job_judging`), never from here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.job_facts import Known, facts_of
from cloud.job_judging import Window, judge
from cloud.store import accounts, jobs, jobs_evidence, jobs_points
from cloud.store.jobs import KeptJob, KeptLimits, now_tick
from cloud.store.sites import Site, get_site
from cloud.store.zones import list_zones
from rules.jobs import acts
from rules.jobs.check import limit_faults
from rules.jobs.model import Entry, Job, Limit, LimitSet, Refused, frame
from rules.jobs.spans import Span
from rules.permissions import Permission

TEXT_MAX = 500
NAMES_MAX = 100
LIMITS_MAX = 50
_LATELY = timedelta(minutes=5)
"""What is judged again before a release; what is older was."""
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = "1 to 64 of A-Z, a-z, 0-9, '.', '_', '-', no sign first"


class JobRefusedError(Exception):
    """An act that the rules refuse: the reason's word, and what it fails at."""

    def __init__(self, refused: Refused) -> None:
        about = ", ".join(refused.about)
        super().__init__(f"{refused.reason}: {about}" if about else str(refused.reason))
        self.refused = refused


@dataclass(frozen=True, slots=True)
class NewLimits:
    """A version of a method to be kept; numbers as text keep their digits."""

    method: str
    limits: Sequence[tuple[str, str, str]]
    """(quantity, low, high); an empty bound is none."""
    people_min: int
    activities: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A job as it is planned."""

    number: str
    method: str
    version: int
    zone: str
    people: Sequence[str]
    """Numbers of people."""
    instruments: Sequence[str]
    """As the gateways and the equipment of the site call them."""
    from_at: datetime
    to_at: datetime


# --- limit sets ---------------------------------------------------------------------------------------


async def add_limits(act: Act, organisation_id: int, new: NewLimits) -> int:
    """Keep the next version of a method's limit set and return its number."""
    if organisation_id not in await accounts.all_organisations(act.connection):
        raise MissingError("organisation_id", organisation_id, "an existing organisation")
    act.need(Permission.JOBS_WRITE, organisation_id, thing="method")
    method, reason = _text("method", new.method, 100), _text("reason", new.reason, TEXT_MAX)
    if not 1 <= new.people_min <= NAMES_MAX:
        raise ActError("people_min", new.people_min, f"1 to {NAMES_MAX}")
    if len(new.limits) > LIMITS_MAX:
        raise ActError("limits", len(new.limits), f"at most {LIMITS_MAX}")
    limits = tuple(
        Limit(_text("limits.quantity", quantity, 64), _bound("limits.low", low), _bound("limits.high", high))
        for quantity, low, high in new.limits
    )
    activities = tuple(dict.fromkeys(_text("activities", one, 200) for one in new.activities))
    version = await jobs.next_version(act.connection, organisation_id, method)
    made = LimitSet(method, version, limits, new.people_min)
    for fault in limit_faults(made):
        raise ActError(fault.path, fault.value, fault.expectation)
    kept = KeptLimits(organisation_id, made, activities, act.viewer.login, reason, act.at)
    await jobs.add_limits(act.connection, kept)
    told = {
        "version": version,
        "limits": [[one.quantity, _shown(one.low), _shown(one.high)] for one in limits],
        "people_min": new.people_min,
        "activities": list(activities),
    }
    await act.note("method.add", f"method {method}", organisation_id=organisation_id, new=told, why=reason)
    return version


def _bound(field: str, text: str) -> Decimal | None:
    text = text.strip()
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ActError(field, text, "a number") from None
    if not found.is_finite() or abs(found) >= Decimal(10) ** 12:
        raise ActError(field, text, "a number below 1e12")
    return found


def _shown(bound: Decimal | None) -> str | None:
    return None if bound is None else str(bound)


# --- planning -----------------------------------------------------------------------------------------


async def plan(act: Act, site_id: int, new: Plan) -> int:
    """Plan a job at a site and return its id."""
    site, organisation_id = await _site(act, site_id)
    job, limits = await _planned(act, (site, organisation_id), new)
    checked = acts.amend(job, job, limits.limits, by=_by(act), now=now_tick(act.at))
    if isinstance(checked, Refused):
        raise ActError(checked.about[0] if checked.about else "job", new.number, "a plan without faults")
    made = await jobs.add_job(
        act.connection, (organisation_id, site.id), job, author=act.viewer.login, at=act.at
    )
    if made is None:
        raise ActError("number", new.number, "a number that no other job has")
    await _note(act, "job.plan", organisation_id, number=job.id, new=_written(job))
    return made


async def amend(act: Act, job_id: int, new: Plan) -> None:
    """Change the plan of a job that has not begun; its number stays."""
    kept = await _job(act, job_id, Permission.JOBS_WRITE)
    site, organisation_id = await _site(act, kept.site_id)
    changed, limits = await _planned(act, (site, organisation_id), new)
    outcome = _done(
        acts.amend(kept.job, changed, limits.limits, by=await _person(act, kept), now=now_tick(act.at))
    )
    await jobs.keep_job(act.connection, kept, *outcome)
    old, planned = _written(kept.job), _written(outcome[0])
    await _note(act, "job.amend", organisation_id, number=kept.job.id, old=old, new=planned)


async def _planned(act: Act, place: tuple[Site, int], new: Plan) -> tuple[Job, KeptLimits]:
    site, organisation_id = place
    if not _NUMBER.fullmatch(new.number):
        raise ActError("number", new.number, _NAME)
    found = await jobs.list_limits(
        act.connection, organisation_id=organisation_id, method=new.method, version=new.version, limit=1
    )
    if not found:
        raise ActError("method", f"{new.method}, version {new.version}", "a method and version that is kept")
    zones = [one.name for one in await list_zones(act.connection, site_id=site.id)]
    if new.zone not in zones:
        raise ActError("zone", new.zone, f"a zone of the site: {', '.join(zones) or 'it has none'}")
    people, instruments = _names("people", new.people), _names("instruments", new.instruments)
    known = await jobs_evidence.known_people(act.connection, organisation_id, people)
    for one in people:
        if one not in known:
            raise ActError("people", one, "the number of a person of this organisation who has not left")
    if new.to_at <= new.from_at:
        raise ActError("to_at", new.to_at.isoformat(), f"a time after {new.from_at.isoformat()}")
    job = Job(
        id=new.number,
        method=new.method,
        limits_version=new.version,
        people=people,
        instruments=instruments,
        zone=new.zone,
        planned=Span(now_tick(new.from_at), now_tick(new.to_at)),
    )
    if len(people) < found[0].limits.people_min:
        raise ActError("people", ", ".join(people), f"at least {found[0].limits.people_min}")
    return job, found[0]


def _names(field: str, names: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(one.strip() for one in names if one.strip()))
    if len(found) > NAMES_MAX:
        raise ActError(field, len(found), f"at most {NAMES_MAX}")
    for one in found:
        if not _NUMBER.fullmatch(one):
            raise ActError(field, one, _NAME)
    return found


# --- what becomes of a job ----------------------------------------------------------------------------


async def start(act: Act, job_id: int, *, attested: Sequence[str] = ()) -> None:
    """Begin the work; `attested`: who is said to be there, where no door tells it."""
    kept = await _job(act, job_id, Permission.JOBS_WRITE)
    limits = await jobs.limits_of(act.connection, kept)
    known = await facts_of(act.connection, kept, limits, attested=_names("present", attested), now=act.at)
    outcome = _done(
        acts.start(kept.job, limits.limits, known.facts, by=await _person(act, kept), now=now_tick(act.at))
    )
    await _keep(act, kept, outcome, known=known, action="job.start")


async def release(act: Act, job_id: int, *, reason: str, attested: Sequence[str] = ()) -> None:
    """Let held work go on; refused while a cause stands or the zone is not known to be fit."""
    kept = await _job(act, job_id, Permission.JOBS_READ)
    # What was committed meanwhile counts: nobody releases over a breach that is stored already.
    await judge(act.connection, kept.id, [Window(*_lately(kept, act.at))], now=act.at)
    kept = await _job(act, job_id, Permission.JOBS_READ)
    limits = await jobs.limits_of(act.connection, kept)
    known = await facts_of(act.connection, kept, limits, attested=_names("present", attested), now=act.at)
    outcome = _done(
        acts.release(
            kept.job,
            limits.limits,
            known.facts,
            by=await _person(act, kept),
            reason=_text("reason", reason, TEXT_MAX, least=0),
            permitted=act.viewer.may(Permission.JOBS_RELEASE, kept.organisation_id, kept.site_id),
            now=now_tick(act.at),
        )
    )
    await _keep(act, kept, outcome, known=known, action="job.release", why=reason)


async def finish(act: Act, job_id: int, *, reason: str = "") -> None:
    """End the work; held work with a reason."""
    kept = await _job(act, job_id, Permission.JOBS_WRITE)
    reason = _text("reason", reason, TEXT_MAX, least=0)
    outcome = _done(acts.finish(kept.job, by=await _person(act, kept), reason=reason, now=now_tick(act.at)))
    await jobs.keep_job(act.connection, kept, *outcome)
    await _note(act, "job.finish", kept.organisation_id, number=kept.job.id, why=reason)


def _lately(kept: KeptJob, now: datetime) -> tuple[datetime, datetime]:
    whole = frame(kept.job, now_tick(now))
    return (now, now) if whole is None else (max(jobs.at_tick(whole.start), now - _LATELY), now)


async def _keep(
    act: Act, kept: KeptJob, outcome: acts.Outcome, *, known: Known, action: str, why: str = ""
) -> None:
    job, entry = outcome
    attested = None if known.doors else known.facts.present
    await jobs.keep_job(act.connection, kept, job, entry, attested=attested)
    if attested is not None:
        text = f"present, as said: {', '.join(attested)}"
        await jobs.add_line(act.connection, kept, Entry(entry.what, job.id, entry.at, entry.by, text))
    new = {"present": list(known.facts.present), "told_by": "doors" if known.doors else "a person"}
    await _note(act, action, kept.organisation_id, number=job.id, new=new, why=why)


def _done(outcome: acts.Outcome | Refused) -> acts.Outcome:
    if isinstance(outcome, Refused):
        raise JobRefusedError(outcome)
    return outcome


async def _job(act: Act, job_id: int, permission: Permission) -> KeptJob:
    kept = await jobs.get_job(act.connection, job_id, change=True)
    if kept is None or not act.viewer.may(Permission.JOBS_READ, kept.organisation_id, kept.site_id):
        raise MissingError("job", job_id, "an existing job")
    if not act.viewer.may(permission, kept.organisation_id, kept.site_id):
        raise ForbiddenError("job", kept.job.id, f"the permission {permission} there")
    return kept


async def _site(act: Act, site_id: int) -> tuple[Site, int]:
    site = await get_site(act.connection, site_id)
    organisation_id = await jobs_points.organisation_of(act.connection, site_id)
    if site is None or organisation_id is None:
        raise MissingError("site", site_id, "an existing site")
    if not act.viewer.may(Permission.JOBS_WRITE, organisation_id, site_id):
        raise ForbiddenError("site", site.name, f"the permission {Permission.JOBS_WRITE} there")
    return site, organisation_id


def _by(act: Act) -> str:
    return act.viewer.login or act.viewer.kind


async def _person(act: Act, kept: KeptJob) -> str:
    """Return who acts: the number of a person of the job's organisation, else the login."""
    number = await jobs_evidence.person_of_account(
        act.connection, act.viewer.account_id, organisation_id=kept.organisation_id
    )
    return number or _by(act)


async def _note(
    act: Act,
    action: str,
    organisation_id: int,
    *,
    number: str,
    old: object = None,
    new: object = None,
    why: str = "",
) -> None:
    await act.note(action, f"job {number}", organisation_id=organisation_id, old=old, new=new, why=why)


def _written(job: Job) -> dict[str, object]:
    return {
        "method": job.method,
        "version": job.limits_version,
        "zone": job.zone,
        "people": list(job.people),
        "instruments": list(job.instruments),
        "planned": [jobs.at_tick(job.planned.start), jobs.at_tick(job.planned.end)],
    }


def _text(field: str, value: str, longest: int, *, least: int = 1) -> str:
    value = " ".join(value.split())
    if not least <= len(value) <= longest or "\0" in value:
        raise ActError(field, value, f"a text of {least} to {longest} characters")
    return value
