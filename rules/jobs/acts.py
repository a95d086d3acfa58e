"""What can be done to a job; every function returns the job after it and a line of its log, or why not.

The tables are in docs/explanation/jobs.md: first who asks, then the state, then what else is needed.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from rules.access.words import JobState
from rules.jobs.check import job_faults
from rules.jobs.model import (
    Cause,
    Entry,
    Facts,
    Hold,
    Job,
    LimitSet,
    Reason,
    Refused,
    What,
    frame,
    hold_of,
)

Outcome = tuple[Job, Entry]

_P, _R, _H, _F = JobState
ALLOWED: Mapping[What, Mapping[JobState, JobState | Reason]] = {
    What.AMENDED: {
        _P: _P, _R: Reason.ALREADY_STARTED, _H: Reason.ALREADY_STARTED, _F: Reason.ALREADY_FINISHED
    },
    What.STARTED: {
        _P: _R, _R: Reason.ALREADY_STARTED, _H: Reason.ALREADY_STARTED, _F: Reason.ALREADY_FINISHED
    },
    What.HELD: {_P: Reason.NOT_STARTED, _R: _H, _H: _H, _F: Reason.ALREADY_FINISHED},
    What.RETURNED: {_P: Reason.NOT_STARTED, _R: Reason.NOT_HELD, _H: _H, _F: Reason.ALREADY_FINISHED},
    What.RELEASED: {_P: Reason.NOT_STARTED, _R: Reason.NOT_HELD, _H: _R, _F: Reason.ALREADY_FINISHED},
    What.FINISHED: {_P: Reason.NOT_STARTED, _R: _F, _H: _F, _F: Reason.ALREADY_FINISHED},
    What.MARKED: {_P: Reason.NOT_STARTED, _R: _R, _H: _H, _F: _F},
}  # fmt: skip
"""The state after an act, or why it is refused in this one."""


def amend(job: Job, changed: Job, limits: LimitSet, *, by: str, now: int) -> Outcome | Refused:
    """Replace the plan of a job that has not begun by that of `changed`; its id stays."""
    state = _state(job, What.AMENDED, by=by)
    if isinstance(state, Refused):
        return state
    plan = Job(
        id=job.id,
        method=changed.method,
        limits_version=changed.limits_version,
        people=changed.people,
        instruments=changed.instruments,
        zone=changed.zone,
        planned=changed.planned,
    )
    faults = job_faults(plan, limits)
    if faults:
        return Refused(Reason.FAULTY, tuple(fault.path for fault in faults))
    return _done(plan, What.AMENDED, now, by=by)


def start(job: Job, limits: LimitSet, facts: Facts, *, by: str, now: int) -> Outcome | Refused:
    """Begin the work, if people, authorisations, instruments and zone are what it needs."""
    state = _state(job, What.STARTED, by=by)
    if isinstance(state, Refused):
        return state
    faults = job_faults(job, limits)
    if faults:
        return Refused(Reason.FAULTY, tuple(fault.path for fault in faults))
    unfit = _unfit(job, limits, facts)
    if unfit is not None:
        return unfit
    job, entry = _done(replace(job, state=state), What.STARTED, now, by=by)
    return replace(job, started_at=entry.at), entry


def hold(job: Job, cause: Cause, *, now: int) -> Outcome | Refused:
    """Hold the work for a breach that stands. No person is needed, and nothing prevents it while it runs."""
    if cause.to_at is not None:
        return Refused(Reason.OVER, (cause.name,))
    state = _state(job, What.HELD)
    if isinstance(state, Refused):
        return state
    job, entry = _done(replace(job, state=state), What.HELD, now, text=cause.name)
    standing = hold_of(job)
    if standing is None:
        return replace(job, holds=(*job.holds, Hold(cause.from_at, entry.at, (cause,)))), entry
    if cause.name in standing.stands:
        known = next(one for one in standing.causes if one.name == cause.name and one.to_at is None)
        earlier = replace(known, from_at=min(known.from_at, cause.from_at))
        causes = tuple(earlier if one is known else one for one in standing.causes)
    else:
        causes = (*standing.causes, cause)
    from_at = min(standing.from_at, cause.from_at)
    return _held(job, replace(standing, causes=causes, from_at=from_at)), entry


def returned(job: Job, name: str, *, ended_at: int, now: int) -> Outcome | Refused:
    """Note that one cause of the hold has ended. The work stays held until a person releases it."""
    state = _state(job, What.RETURNED)
    if isinstance(state, Refused):
        return state
    standing = hold_of(job)
    if standing is None or name not in standing.stands:
        return Refused(Reason.UNKNOWN_CAUSE, (name,))
    causes = tuple(
        replace(one, to_at=max(ended_at, one.from_at)) if one.name == name and one.to_at is None else one
        for one in standing.causes
    )
    job, entry = _done(job, What.RETURNED, now, text=name)
    return _held(job, replace(standing, causes=causes)), entry


def release(
    job: Job, limits: LimitSet, facts: Facts, *, by: str, reason: str, permitted: bool, now: int
) -> Outcome | Refused:
    """Let held work go on: a person who may, with a reason, once every cause has ended."""
    state = _state(job, What.RELEASED, by=by, reason=reason)
    if isinstance(state, Refused):
        return state
    if not permitted:
        return Refused(Reason.NOT_PERMITTED, (by,))
    standing = hold_of(job)
    if standing is not None and standing.stands:
        return Refused(Reason.CAUSE_STANDS, standing.stands)
    unfit = _unfit(job, limits, facts)
    if unfit is not None:
        return unfit
    job, entry = _done(replace(job, state=state), What.RELEASED, now, by=by, text=reason)
    assert standing is not None
    return _held(job, replace(standing, released_at=entry.at, by=by, reason=reason)), entry


def finish(job: Job, *, by: str, reason: str = "", now: int) -> Outcome | Refused:
    """End the work. Held work can be ended too, with a reason; its hold stays unreleased in the record."""
    needed = reason if job.state is JobState.HELD else None
    state = _state(job, What.FINISHED, by=by, reason=needed)
    if isinstance(state, Refused):
        return state
    job, entry = _done(replace(job, state=state), What.FINISHED, now, by=by, text=reason)
    return replace(job, finished_at=entry.at), entry


def mark(job: Job, cause: Cause, *, now: int) -> Outcome | Refused:
    """Mark the readings inside a breach that was over when it became known, in a finished job too."""
    if cause.to_at is None:
        return Refused(Reason.STANDS, (cause.name,))
    state = _state(job, What.MARKED)
    if isinstance(state, Refused):
        return state
    whole = frame(job, cause.to_at)
    assert whole is not None
    if max(cause.from_at, whole.start) >= min(cause.to_at, whole.end):
        return Refused(Reason.OUTSIDE, (cause.name,))
    known = tuple(one for one in job.found_later if (one.name, one.from_at) != (cause.name, cause.from_at))
    found = sorted((*known, cause), key=lambda one: (one.from_at, one.name))
    return _done(replace(job, found_later=tuple(found)), What.MARKED, now, text=cause.name)


def _state(job: Job, what: What, *, by: str | None = None, reason: str | None = None) -> JobState | Refused:
    """Return the state after an act; a person and a reason are asked for where they are not None."""
    if by is not None and not by.strip():
        return Refused(Reason.NO_PERSON)
    state = ALLOWED[what][job.state]
    if isinstance(state, Reason):
        return Refused(state)
    if reason is not None and not reason.strip():
        return Refused(Reason.NO_REASON)
    return state


def _unfit(job: Job, limits: LimitSet, facts: Facts) -> Refused | None:
    """Return what is missing for work, None when nothing is."""
    here = _of(job.people, facts.present)
    if len(here) < limits.people_min:
        return Refused(Reason.TOO_FEW_PRESENT, _not_of(job.people, here))
    tried = (
        (Reason.NOT_AUTHORISED, _not_of(here, facts.authorised)),
        (Reason.INSTRUMENT_BLOCKED, _of(job.instruments, facts.blocked)),
        (Reason.ZONE_NOT_FIT, facts.unmet),
    )
    return next((Refused(reason, about) for reason, about in tried if about), None)


def _of(names: Iterable[str], among: Iterable[str]) -> tuple[str, ...]:
    known = set(among)
    return tuple(name for name in names if name in known)


def _not_of(names: Iterable[str], among: Iterable[str]) -> tuple[str, ...]:
    known = set(among)
    return tuple(name for name in names if name not in known)


def _held(job: Job, changed: Hold) -> Job:
    return replace(job, holds=(*job.holds[:-1], changed))


def _done(job: Job, what: What, now: int, *, by: str = "", text: str = "") -> Outcome:
    at = now if job.acted_at is None else max(now, job.acted_at)
    return replace(job, acted_at=at), Entry(what, job.id, at, by, text)
