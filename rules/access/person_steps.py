"""The steps that ask about the person: credential, factors, denies, right, authorisation, anti-passback."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rules.access.authorisations import standing, standing_in_all
from rules.access.case import Case, is_alive, location
from rules.access.document import Person, Right, Visit, Zone
from rules.access.findings import failed, not_needed, passed, waived
from rules.access.reasons import Reason, Step
from rules.access.request import Factor, Finding, Job
from rules.access.words import (
    CredentialState,
    Effect,
    FactorKind,
    JobState,
    Passback,
    PersonKind,
    PersonState,
    Subject,
)

_CREDENTIAL: Mapping[CredentialState, Reason] = MappingProxyType(
    {
        CredentialState.REVOKED: Reason.CREDENTIAL_REVOKED,
        CredentialState.BLOCKED: Reason.CREDENTIAL_BLOCKED,
        CredentialState.LOST: Reason.CREDENTIAL_LOST,
        CredentialState.STOLEN: Reason.CREDENTIAL_STOLEN,
        CredentialState.DAMAGED: Reason.CREDENTIAL_DAMAGED,
        CredentialState.RETURNED: Reason.CREDENTIAL_RETURNED,
    }
)
_PERSON: Mapping[PersonState, Reason] = MappingProxyType(
    {
        PersonState.REVOKED: Reason.PERSON_REVOKED,
        PersonState.SUSPENDED: Reason.PERSON_SUSPENDED,
        PersonState.LEFT: Reason.PERSON_LEFT,
    }
)
Fails = tuple[int, Reason]
"""How near something came to being good (lower is nearer), and why it was not."""
_FAR = 9


def credential(case: Case) -> Finding:
    """Whether what was shown is known, assigned and alive, and so is its person."""
    shown = case.scene.request.factors[0]
    if shown.key_id != case.scene.snapshot.document.key_id:
        return failed(Reason.KEY_OTHER)
    if shown.kind not in case.scene.plan.side.identify:
        return failed(Reason.FACTOR_NOT_ACCEPTED, f"portal:{case.scene.plan.portal.id}")
    return known(case)


def known(case: Case) -> Finding:
    """Whether a credential and its person are alive, however it was shown."""
    found = case.credential
    if found is None:
        return failed(Reason.CREDENTIAL_UNKNOWN)
    if found.state in _CREDENTIAL:
        return failed(_CREDENTIAL[found.state])
    if found.valid.before(case.at_ms):
        return failed(Reason.CREDENTIAL_NOT_YET)
    if found.valid.after(case.at_ms):
        return failed(Reason.CREDENTIAL_EXPIRED)
    person = case.person
    if person is None:
        return failed(Reason.CREDENTIAL_UNASSIGNED)
    rule = f"person:{person.id}"
    if person.state in _PERSON:
        return failed(_PERSON[person.state], rule)
    if person.valid.before(case.at_ms):
        return failed(Reason.PERSON_NOT_YET, rule)
    return (
        failed(Reason.PERSON_EXPIRED, rule)
        if person.valid.after(case.at_ms)
        else passed(Step.CREDENTIAL, rule)
    )


def factors(case: Case) -> Finding:
    """Whether everything that this side asks for was shown, and belongs to the same person."""
    person, request = case.person, case.scene.request
    assert person is not None
    rule = f"portal:{case.scene.plan.portal.id}"
    tries = case.scene.state.tries.get(person.id)
    if tries is not None and tries.until_ms > request.steady_ms:
        return failed(Reason.ATTEMPTS, rule)
    if not case.scene.plan.side.verify:
        return not_needed(Step.FACTORS)
    for kind in case.scene.plan.side.verify:
        if kind is FactorKind.PIN and person.pin is None:
            return failed(Reason.FACTOR_NOT_SET, rule, kind)
        shown = [factor for factor in request.factors[1:] if factor.kind is kind]
        if not shown:
            return failed(Reason.FACTOR_TIMEOUT if request.timed_out else Reason.FACTOR_AWAITED, rule, kind)
        if not _proves(case, person, shown[-1]):
            return failed(Reason.FACTOR_WRONG, rule, kind)
    return passed(Step.FACTORS, rule)


def is_duress(case: Case) -> bool:
    """Whether the PIN that was shown last is the one that somebody uses who is being forced."""
    shown = [factor.token for factor in case.scene.request.factors if factor.kind is FactorKind.PIN]
    person = case.person
    return bool(shown) and person is not None and shown[-1] == person.duress_pin


def _proves(case: Case, person: Person, factor: Factor) -> bool:
    if factor.key_id != case.scene.snapshot.document.key_id:
        return False
    if factor.kind is FactorKind.PIN:
        return factor.token in (person.pin, person.duress_pin)
    other = case.scene.snapshot.credential(factor.token)
    return (
        other is not None
        and other.kind is factor.kind
        and other.person == person.id
        and other.state is CredentialState.ACTIVE
        and other.valid.covers(case.at_ms)
    )


def deny(case: Case) -> Finding:
    """Whether a right forbids it, whatever others allow."""
    for one in case.rights(Effect.DENY):
        if case.in_force(one):
            return failed(Reason.DENIED, f"right:{one.id}")
    return passed(Step.DENY)


def right(case: Case) -> Finding:
    """Whether a right, or for a visitor a visit, admits to this side of the portal now."""
    person = case.person
    assert person is not None
    if case.responding and case.responder_right is not None:
        return passed(Step.RIGHT, f"right:{case.responder_right.id}")
    return _visit(case, person) if person.kind is PersonKind.VISITOR else _right(case)


def _right(case: Case) -> Finding:
    rights = case.rights(Effect.ALLOW)
    for one in rights:
        if case.in_force(one) and case.approved(one):
            return passed(Step.RIGHT, f"right:{one.id}")
    return _nearest("right", [(one.id, _right_fails(case, one)) for one in rights], Reason.NO_RIGHT)


def _right_fails(case: Case, one: Right) -> Fails:
    """Return how near a right that does not admit comes to it, and why it does not."""
    if one.valid.before(case.at_ms):
        return 2, Reason.RIGHT_NOT_YET
    if one.valid.after(case.at_ms):
        return 3, Reason.RIGHT_EXPIRED
    return (0, Reason.NOT_APPROVED) if case.within(one.schedule) else (1, Reason.OUT_OF_SCHEDULE)


def visits_of(case: Case) -> list[Visit]:
    """Return the visits by which a visitor may come in here now, by id."""
    assert case.person is not None
    snapshot, zone = case.scene.snapshot, case.scene.plan.to_zone
    return [
        one
        for one in snapshot.visits(case.person.id)
        if zone in one.zones
        and case.in_force(one)
        and case.approved(one)
        and is_alive(snapshot, snapshot.person(one.host), case.at_ms)
    ]


def _visit(case: Case, person: Person) -> Finding:
    good = visits_of(case)
    if good:
        return passed(Step.RIGHT, f"visit:{good[0].id}")
    visits = case.scene.snapshot.visits(person.id)
    return _nearest("visit", [(one.id, _visit_fails(case, one)) for one in visits], Reason.NO_VISIT)


def _visit_fails(case: Case, one: Visit) -> Fails:
    """Return how near a visit that does not admit comes to it, and why it does not."""
    if one.valid.before(case.at_ms):
        return 3, Reason.VISIT_NOT_YET
    if one.valid.after(case.at_ms):
        return 4, Reason.VISIT_OVER
    if case.scene.plan.to_zone not in one.zones:
        return 5, Reason.VISIT_ELSEWHERE
    if not case.within(one.schedule):
        return 2, Reason.OUT_OF_SCHEDULE
    return (0, Reason.VISIT_WITHOUT_HOST) if case.approved(one) else (1, Reason.NOT_APPROVED)


def _nearest(kind: str, found: Iterable[tuple[str, Fails]], nothing: Reason) -> Finding:
    """Refuse for what came nearest, of several for the first by id."""
    best: tuple[str, Fails] = ("", (_FAR, nothing))
    for one in found:
        if one[1][0] < best[1][0] or (one[1][0] == best[1][0] and one[0] < best[0]):
            best = one
    name, (_, reason) = best
    return failed(reason, f"{kind}:{name}" if name else "")


def authorisation(case: Case) -> Finding:
    """Whether the person is authorised for the work at hand: what the zone is for, and the job that is on."""
    person = case.person
    assert person is not None
    around = case.scene.plan.around
    if person.kind is PersonKind.VISITOR or not any(zone.activities or zone.job_only for zone in around):
        return not_needed(Step.AUTHORISATION)
    if case.responding:
        return waived(Step.AUTHORISATION, f"zone:{around[0].id}")
    rule = ""
    for zone in around:
        if zone.activities:
            stands = standing(
                case.scene.snapshot,
                person.id,
                kind=Subject.ACTIVITY,
                subjects=zone.activities,
                at_ms=case.at_ms,
            )
            if stands.reason is not None:
                return failed(stands.reason, f"zone:{zone.id}", stands.subject)
            rule = rule or f"authorisation:{stands.authorisation}"
        if zone.job_only:
            found = _job(case, person, zone)
            if found.reason is not None:
                return found
            rule = found.rule
    return passed(Step.AUTHORISATION, rule)


def _job(case: Case, person: Person, zone: Zone) -> Finding:
    jobs = sorted(case.scene.request.situation.jobs, key=lambda job: job.id)
    here = [job for job in jobs if job.zone == zone.id and is_on(job, case.at_ms)]
    if not here:
        return failed(Reason.NO_JOB, f"zone:{zone.id}")
    mine = [job for job in here if person.id in job.people]
    if not mine:
        return failed(Reason.NOT_ON_JOB, f"job:{here[0].id}")
    return _authorised_for(case, person, mine)


def _authorised_for(case: Case, person: Person, jobs: Sequence[Job]) -> Finding:
    first: Finding | None = None
    for job in jobs:
        stands = standing_in_all(case.scene.snapshot, person.id, subjects=job.activities, at_ms=case.at_ms)
        if stands.reason is None:
            return passed(Step.AUTHORISATION, f"job:{job.id}")
        first = first or failed(stands.reason, f"job:{job.id}", stands.subject)
    assert first is not None
    return first


def is_on(job: Job, at_ms: int) -> bool:
    """Whether people come in for a job: it runs, is held, or is planned for this time."""
    if job.state is JobState.PLANNED:
        return job.planned.covers(at_ms)
    return job.state is not JobState.FINISHED


def passback(case: Case) -> Finding:
    """Whether the person can be where they ask, by what was proven of them before."""
    scene, person = case.scene, case.person
    assert person is not None
    around, modes = scene.plan.around, _modes(case)
    if all(mode is Passback.OFF for mode, _ in modes):
        return not_needed(Step.PASSBACK)
    where = {
        zone.id
        for zone in location(scene.snapshot, scene.state, person.id, steady_ms=scene.request.steady_ms)
    }
    noted = ""
    for (mode, reason), wrong in zip(
        modes, (around[0].id in where, scene.plan.from_zone not in where), strict=True
    ):
        if mode is Passback.OFF or not wrong:
            continue
        rule = f"zone:{around[0].id if reason is Reason.PASSBACK else scene.plan.from_zone}"
        if mode is Passback.SOFT:
            noted = noted or reason
        elif case.responding:
            return waived(Step.PASSBACK, rule, reason)
        else:
            return failed(reason, rule)
    return passed(Step.PASSBACK, f"zone:{around[0].id}", noted)


def _modes(case: Case) -> tuple[tuple[Passback, Reason], tuple[Passback, Reason]]:
    """Return how strict it is about being inside already, and about not being where the portal leads from."""
    plan = case.scene.plan
    start = case.scene.snapshot.around(plan.from_zone)
    leaving = start[0].passback if start else Passback.OFF
    # Who counts as gone after a time may still be there: that is no reason to refuse the way on.
    leaving = Passback.OFF if leaving is Passback.TIMED else leaving
    return (plan.around[0].passback, Reason.PASSBACK), (leaving, Reason.UNEXPECTED_LOCATION)
