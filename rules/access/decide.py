"""The decision: every step in its order, the first that fails gives the reason.

`decide` stops there. `explain` goes on, so that somebody who was refused learns what else is missing. Both
come to the same decision. Neither changes anything: what becomes of the state says `rules.access.passages`.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import structs

from rules.access import company_steps, person_steps, place_steps
from rules.access.case import Case, Scene, location
from rules.access.findings import failed, not_judged, not_needed, passed
from rules.access.reasons import STEP_OF, Note, Reason, Step
from rules.access.request import Decision, Explanation, Finding, Request
from rules.access.snapshot import Snapshot
from rules.access.state import State
from rules.access.words import FactorKind, Outcome, Passback
from wire.shadow import Revision

_PLACE: tuple[Callable[[Case], Finding], ...] = (
    place_steps.portal,
    place_steps.lock_down,
    place_steps.interlock,
    place_steps.rights,
    person_steps.credential,
)
_PERSON: tuple[tuple[Step, Callable[[Case], Finding]], ...] = (
    (Step.FACTORS, person_steps.factors),
    (Step.DENY, person_steps.deny),
    (Step.RIGHT, person_steps.right),
    (Step.AUTHORISATION, person_steps.authorisation),
    (Step.PASSBACK, person_steps.passback),
    (Step.OCCUPANCY, company_steps.occupancy),
    (Step.COMPANY, company_steps.company),
)
_NOTED = frozenset({Step.RIGHTS, Step.PASSBACK})
"""Steps whose detail, where they let somebody pass, is a note."""


def decide(request: Request, snapshot: Snapshot | None, state: State) -> Decision:
    """Return whether a portal opens, and the one reason."""
    return _judged(request, snapshot, state, whole=False).decision


def explain(request: Request, snapshot: Snapshot | None, state: State) -> Explanation:
    """Return the same decision with every step: what it found, by which rule, and what was not needed."""
    return _judged(request, snapshot, state, whole=True)


def _judged(request: Request, snapshot: Snapshot | None, state: State, *, whole: bool) -> Explanation:
    plan = None if snapshot is None else snapshot.index.plans.get(request.side)
    if snapshot is None or plan is None:
        reason = Reason.RIGHTS_MISSING if snapshot is None else Reason.PORTAL_UNKNOWN
        found = failed(reason, f"portal:{request.side.rsplit('/', 1)[0]}")
        revision = None if snapshot is None else snapshot.revision
        return Explanation(
            decision=_refused(request, found, revision),
            findings=(found, *(not_judged(step) for step in Step if step is not Step.PORTAL)),
        )
    case = Case(Scene(request, snapshot, state, plan), snapshot.credential(request.factors[0].token))
    if plan.is_exit:
        return _way_out(case)
    findings: list[Finding] = []
    refusal: Finding | None = None
    for finding in _findings(case):
        findings.append(finding)
        if refusal is None and finding.outcome is Outcome.FAILED:
            refusal = finding
            if not whole:
                break
    if refusal is not None:
        findings.append(not_judged(Step.GRANT))
        return Explanation(decision=_refused_to(case, refusal), findings=tuple(findings))
    findings.append(passed(Step.GRANT))
    return Explanation(decision=_granted(case, findings), findings=tuple(findings))


def _findings(case: Case) -> Iterator[Finding]:
    for step in _PLACE:
        yield step(case)
    for name, step in _PERSON:
        yield not_judged(name) if case.person is None else step(case)
    yield place_steps.mantrap(case)


def _refused(request: Request, found: Finding, revision: Revision | None) -> Decision:
    assert found.reason is not None
    return Decision(
        granted=False,
        reason=found.reason,
        step=found.step,
        side=request.side,
        at_ms=request.at_ms,
        revision=revision,
        rule=found.rule,
        detail=found.detail,
    )


def _refused_to(case: Case, found: Finding) -> Decision:
    plain = _refused(case.scene.request, found, case.scene.snapshot.revision)
    awaited = found.reason in (Reason.FACTOR_AWAITED, Reason.FACTOR_WRONG, Reason.FACTOR_TIMEOUT)
    return structs.replace(
        plain,
        person=None if case.person is None else case.person.id,
        token=None if case.credential is None else case.credential.token,
        awaits=FactorKind(found.detail) if awaited else None,
        duress=person_steps.is_duress(case),
    )


def _granted(case: Case, findings: Sequence[Finding]) -> Decision:
    scene, person, credential = case.scene, case.person, case.credential
    assert person is not None
    assert credential is not None
    admits = company_steps.admitted(case)
    notes = [Note(one.detail) for one in findings if one.step in _NOTED and one.detail]
    notes += [Note.RESPONDER] if case.responding else []
    notes += [Note.TOGETHER] if len(admits) > 1 else []
    reason = Reason.GRANTED_RESPONDER if case.responding else Reason.GRANTED
    people = [scene.snapshot.person(one) for one in admits]
    slow = any(one is not None and one.slow for one in people)
    return Decision(
        granted=True,
        reason=reason,
        step=Step.GRANT,
        side=scene.plan.id,
        at_ms=case.at_ms,
        revision=scene.snapshot.revision,
        person=person.id,
        token=credential.token,
        rule=next(one.rule for one in findings if one.step is Step.RIGHT),
        admits=tuple(admits),
        notes=tuple(notes),
        open_s=scene.plan.portal.slow_open_s if slow else scene.plan.portal.open_s,
        duress=person_steps.is_duress(case),
    )


def _way_out(case: Case) -> Explanation:
    """Let somebody out. Nothing is asked; who it was is recorded as far as it is known."""
    scene, person = case.scene, case.person
    notes: list[Note] = []
    start = scene.snapshot.around(scene.plan.from_zone)
    if person is None:
        notes.append(Note.NOBODY_KNOWN)
    elif start and start[0].passback is not Passback.OFF:
        steady_ms = scene.request.steady_ms
        where = location(scene.snapshot, scene.state, person.id, steady_ms=steady_ms)
        notes += [] if start[0] in where else [Note.UNEXPECTED_LOCATION]
    portal = scene.plan.portal
    decision = Decision(
        granted=True,
        reason=Reason.EXIT,
        step=STEP_OF[Reason.EXIT],
        side=scene.plan.id,
        at_ms=case.at_ms,
        revision=scene.snapshot.revision,
        person=None if person is None else person.id,
        token=None if case.credential is None else case.credential.token,
        rule=f"portal:{portal.id}",
        admits=() if person is None else (person.id,),
        notes=tuple(notes),
        open_s=portal.slow_open_s if person is None or person.slow else portal.open_s,
        duress=person_steps.is_duress(case),
    )
    first = passed(Step.PORTAL, f"portal:{portal.id}")
    rest = [not_needed(step) for step in Step if step is not Step.PORTAL]
    return Explanation(decision=decision, findings=(first, *rest))
