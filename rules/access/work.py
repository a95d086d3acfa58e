"""Whether equipment may work: only while person, authorisation and job hold together.

The order of the steps is that of the table in `docs/explanation/access.md`; the first that fails gives the
reason. It is asked again whenever anything changes and at least every second: what does not hold any more
ends the permission.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from rules.access.authorisations import standing, standing_in_all
from rules.access.case import doubt_of, people_in, staff_in
from rules.access.document import Equipment
from rules.access.reasons import Note
from rules.access.request import Job, Situation
from rules.access.snapshot import Snapshot
from rules.access.state import State
from rules.access.words import JobState, Scope, Subject
from wire.messages import Message


class WorkReason(StrEnum):
    """Why equipment may work, or may not."""

    RIGHTS_MISSING = "rights_missing"
    EQUIPMENT_UNKNOWN = "equipment_unknown"
    TIME_UNKNOWN = "time_unknown"
    RIGHTS_OLD = "rights_old"
    INTERLOCK = "interlock"
    NO_JOB = "no_job"
    JOB_HELD = "job_held"
    JOB_NOT_RUNNING = "job_not_running"
    NOBODY_PRESENT = "nobody_present"
    NOT_AUTHORISED = "not_authorised"
    TOO_FEW = "too_few"
    ENABLED = "enabled"


class Enablement(Message, frozen=True, forbid_unknown_fields=True):
    """The answer."""

    enabled: bool
    reason: WorkReason
    rule: str = ""
    detail: str = ""
    people: tuple[str, ...] = ()
    """By whose presence and authorisation it is enabled."""


_DOUBTS: Mapping[Note, WorkReason] = MappingProxyType(
    {Note.TIME_UNKNOWN: WorkReason.TIME_UNKNOWN, Note.RIGHTS_OLD: WorkReason.RIGHTS_OLD}
)
_STATES: Mapping[JobState, WorkReason] = MappingProxyType(
    {
        JobState.HELD: WorkReason.JOB_HELD,
        JobState.PLANNED: WorkReason.JOB_NOT_RUNNING,
        JobState.FINISHED: WorkReason.JOB_NOT_RUNNING,
    }
)


class Moment(Message, frozen=True, forbid_unknown_fields=True):
    """An instant by both clocks, as in a `Request`, and what is known then."""

    at_ms: int
    steady_ms: int
    time_trusted: bool = True
    situation: Situation = Situation()


def enablement(equipment_id: str, snapshot: Snapshot | None, state: State, *, moment: Moment) -> Enablement:
    """Return whether a piece of equipment may work at this moment."""
    if snapshot is None:
        return _refused(WorkReason.RIGHTS_MISSING)
    equipment = snapshot.index.equipment.get(equipment_id)
    if equipment is None:
        return _refused(WorkReason.EQUIPMENT_UNKNOWN, f"equipment:{equipment_id}")
    doubt = doubt_of(snapshot, at_ms=moment.at_ms, trusted=moment.time_trusted)
    if doubt is not None:
        return _refused(_DOUBTS[doubt], f"equipment:{equipment_id}")
    zones = {zone.id for zone in snapshot.around(equipment.zone)}
    for lock in sorted(moment.situation.locks, key=lambda lock: (lock.interlock, lock.subject)):
        mine = lock.scope is Scope.EQUIPMENT and lock.subject == equipment_id
        if mine or (lock.scope is Scope.ZONE and lock.subject in zones):
            return _refused(WorkReason.INTERLOCK, f"interlock:{lock.interlock}", lock.reason)
    return _by_job(equipment, snapshot, state, moment=moment)


def _by_job(equipment: Equipment, snapshot: Snapshot, state: State, *, moment: Moment) -> Enablement:
    jobs = sorted(moment.situation.jobs, key=lambda job: job.id)
    mine = [job for job in jobs if equipment.id in job.equipment and job.zone == equipment.zone]
    running = [job for job in mine if job.state is JobState.RUNNING]
    if not mine:
        return _refused(WorkReason.NO_JOB, f"equipment:{equipment.id}")
    if not running:
        nearest = next((job for job in mine if job.state is JobState.HELD), mine[0])
        return _refused(_STATES[nearest.state], f"job:{nearest.id}")
    answers = [_by_people(job, equipment, snapshot, state=state, moment=moment) for job in running]
    return next((one for one in answers if one.enabled), answers[0])


def _by_people(
    job: Job, equipment: Equipment, snapshot: Snapshot, *, state: State, moment: Moment
) -> Enablement:
    rule = f"job:{job.id}"
    there = people_in(snapshot, state, equipment.zone, steady_ms=moment.steady_ms)
    present = [one.id for one in staff_in(snapshot, there, moment.at_ms) if one.id in job.people]
    if not present:
        return _refused(WorkReason.NOBODY_PRESENT, rule)
    fit = [one for one in present if _authorised(one, job, equipment, snapshot=snapshot, at_ms=moment.at_ms)]
    if not fit:
        return _refused(WorkReason.NOT_AUTHORISED, rule, ", ".join(present)[:200])
    if len(fit) < job.min_people:
        return _refused(WorkReason.TOO_FEW, rule, f"{len(fit)} of {job.min_people}")
    return Enablement(enabled=True, reason=WorkReason.ENABLED, rule=rule, people=tuple(fit))


def _authorised(person: str, job: Job, equipment: Equipment, *, snapshot: Snapshot, at_ms: int) -> bool:
    kind = standing(snapshot, person, kind=Subject.EQUIPMENT, subjects=(equipment.subject,), at_ms=at_ms)
    activities = standing_in_all(snapshot, person, subjects=job.activities, at_ms=at_ms)
    return kind.reason is None and activities.reason is None


def _refused(reason: WorkReason, rule: str = "", detail: str = "") -> Enablement:
    return Enablement(enabled=False, reason=reason, rule=rule, detail=detail)
