"""The steps that ask about others: how many are inside, the second person, the escort of a visitor."""

from collections.abc import Callable, Iterable, Sequence

from rules.access.case import Case, Company, staff_in
from rules.access.document import Person, Visit
from rules.access.findings import failed, not_needed, passed, waived
from rules.access.person_steps import authorisation, deny, known, passback, right, visits_of
from rules.access.reasons import Reason, Step
from rules.access.request import Finding
from rules.access.words import Escort, Outcome, PersonKind

JUDGED_AGAIN: tuple[Callable[[Case], Finding], ...] = (known, deny, right, authorisation, passback)
"""What somebody who waited has to pass again when the one they waited for comes."""


def company_of(case: Case) -> Company:
    """Return who may come along with the person of a case; looked up once."""
    if case.company is None:
        case.company = _gathered(case)
    return case.company


def _gathered(case: Case) -> Company:
    scene, person = case.scene, case.person
    company = Company()
    if person is None or case.responding:
        # Who waits is no responder: what is waived for one does not let others in.
        return company
    fit: list[str] = []
    for waiting in case.waiting:
        if waiting.person == person.id:
            company.again = person.kind is PersonKind.STAFF
            continue
        other = Case(scene, scene.snapshot.credential(waiting.token))
        if other.person is None or other.person.id != waiting.person or not _fit(other):
            continue
        if other.person.kind is PersonKind.STAFF:
            fit.append(other.person.id)
        else:
            company.visitors.append((other.person.id, visits_of(other)))
    if person.kind is PersonKind.STAFF:
        _pair(case, company, fit)
    return company


def _pair(case: Case, company: Company, fit: list[str]) -> None:
    """Take as many of those who wait as it needs, first those who need the least room."""
    zones = [zone.id for zone in case.scene.plan.around]
    there = [{*case.people_in(zone), *case.passing(zone)} for zone in zones]
    for one in sorted(fit, key=lambda one: (-sum(one in found for found in there), one)):
        if _short(case, company.staff) is None:
            break
        company.staff.append(one)


def _fit(case: Case) -> bool:
    return all(step(case).outcome is not Outcome.FAILED for step in JUDGED_AGAIN)


def _short(case: Case, others: Iterable[str]) -> str | None:
    """Return the first zone in which there would be too few entitled staff, the innermost first."""
    scene = case.scene
    coming = {*others, *([] if case.person is None else [case.person.id])}
    at_door = scene.state.passing.get(scene.plan.id)
    if case.person is not None and case.person.kind is PersonKind.VISITOR and at_door is not None:
        coming.update(at_door.people if at_door.until_ms > scene.request.steady_ms else ())
    for zone in scene.plan.around:
        if zone.min_people > 1:
            people = {*case.people_in(zone.id), *coming}
            if len(staff_in(scene.snapshot, sorted(people), case.at_ms)) < zone.min_people:
                return zone.id
    return None


def occupancy(case: Case) -> Finding:
    """Whether there is room for who asks, and for the staff who come along."""
    assert case.person is not None
    if all(zone.capacity is None for zone in case.scene.plan.around):
        return not_needed(Step.OCCUPANCY)
    full = _full(case, (case.person.id, *company_of(case).staff))
    if full is None:
        return passed(Step.OCCUPANCY, f"zone:{case.scene.plan.around[0].id}")
    if case.responding:
        return waived(Step.OCCUPANCY, f"zone:{full}")
    return failed(Reason.OCCUPANCY, f"zone:{full}")


def _full(case: Case, coming: tuple[str, ...]) -> str | None:
    """Return the first zone that would hold too many with these, the innermost first."""
    scene = case.scene
    for zone in scene.plan.around:
        if zone.capacity is None:
            continue
        inside = set(case.people_in(zone.id))
        # Who goes on within a zone takes no more room in it.
        if not inside.issuperset(coming) and len(inside.union(coming, case.passing(zone.id))) > zone.capacity:
            return zone.id
    return None


def company(case: Case) -> Finding:
    """Whether enough people come in together, and a visitor with an escort."""
    person, around = case.person, case.scene.plan.around
    assert person is not None
    visits = visits_of(case) if person.kind is PersonKind.VISITOR else []
    escorted = bool(visits) and not _unescorted(visits)
    if not escorted and all(zone.min_people == 1 for zone in around):
        return not_needed(Step.COMPANY)
    if case.responding:
        return waived(Step.COMPANY, f"zone:{around[0].id}")
    found = company_of(case)
    short = _short(case, found.staff)
    if short is not None:
        reason = Reason.SECOND_PERSON_SAME if found.again else Reason.SECOND_PERSON_AWAITED
        return failed(reason, f"zone:{short}")
    if escorted:
        return _escort(case, visits)
    return passed(Step.COMPANY, f"zone:{around[0].id}")


def _unescorted(visits: Sequence[Visit]) -> bool:
    return any(visit.escort is Escort.NONE for visit in visits)


def _escort(case: Case, visits: Sequence[Visit]) -> Finding:
    scene, rule = case.scene, f"visit:{visits[0].id}"
    at_door = scene.state.passing.get(scene.plan.id)
    recent = at_door.people if at_door is not None and at_door.until_ms > scene.request.steady_ms else ()
    with_them = staff_in(scene.snapshot, recent, case.at_ms)
    inside = staff_in(scene.snapshot, case.people_in(case.scene.plan.around[0].id), case.at_ms)
    if any(may_escort(one, visit) for one in (*with_them, *inside) for visit in visits):
        return passed(Step.COMPANY, rule)
    return failed(Reason.ESCORT_WRONG if with_them else Reason.ESCORT_AWAITED, rule, visits[0].host)


def may_escort(person: Person, visit: Visit) -> bool:
    """Whether somebody is the company that a visitor needs."""
    return person.id == visit.host or (visit.escort is Escort.ANY and person.escorts)


def admitted(case: Case) -> list[str]:
    """Return everybody whom a grant lets in: who asked, then who waited for them."""
    assert case.person is not None
    found = company_of(case)
    together = [case.person.id, *found.staff]
    snapshot, at_ms = case.scene.snapshot, case.at_ms
    if case.person.kind is PersonKind.VISITOR:
        return together
    for visitor, visits in found.visitors:
        staff = staff_in(snapshot, [*together, *case.people_in(case.scene.plan.around[0].id)], at_ms)
        free = _unescorted(visits) or any(may_escort(one, visit) for one in staff for visit in visits)
        if free and _full(case, (*together, visitor)) is None:
            together.append(visitor)
    return together
