"""The steps that ask about the place: lock-down, interlocks, age of the rights, doors of a mantrap."""

from rules.access.case import Case
from rules.access.findings import failed, not_needed, passed, waived
from rules.access.reasons import Note, Reason, Step
from rules.access.request import Door, Finding
from rules.access.words import Contact, Lock, OldRights


def portal(case: Case) -> Finding:
    """Whether the portal is in service."""
    asked = case.scene.plan.portal
    rule = f"portal:{asked.id}"
    return passed(Step.PORTAL, rule) if asked.in_service else failed(Reason.OUT_OF_SERVICE, rule)


def lock_down(case: Case) -> Finding:
    """Whether nobody is to come in but responders."""
    found = case.scene.lock_down()
    if found is None:
        return passed(Step.LOCK_DOWN)
    scope, locked = found
    rule = f"lock_down:{scope}"
    if case.responding:
        return waived(Step.LOCK_DOWN, rule, locked.reason)
    return failed(Reason.LOCK_DOWN, rule, locked.reason)


def interlock(case: Case) -> Finding:
    """Whether an interlock that tripped locks the entry."""
    lock = case.scene.entry_lock()
    if lock is None:
        return passed(Step.INTERLOCK)
    rule = f"interlock:{lock.interlock}"
    if case.responding:
        return waived(Step.INTERLOCK, rule, lock.reason)
    return failed(Reason.INTERLOCK, rule, lock.reason)


def rights(case: Case) -> Finding:
    """Whether the rights are young enough, and the time known, to go by them."""
    doubt = case.scene.doubt()
    if doubt is None:
        return passed(Step.RIGHTS)
    at_portal = case.scene.plan.portal
    rule = f"portal:{at_portal.id}"
    if at_portal.when_old is OldRights.HONOUR:
        return passed(Step.RIGHTS, rule, doubt)
    if at_portal.when_old is OldRights.RESPONDERS and case.responding:
        return waived(Step.RIGHTS, rule, doubt)
    reason = Reason.TIME_UNKNOWN if doubt is Note.TIME_UNKNOWN else Reason.RIGHTS_OLD
    return failed(reason, rule)


def mantrap(case: Case) -> Finding:
    """Whether every other door of each group is known to be shut and locked, and about to stay so."""
    scene = case.scene
    traps = scene.snapshot.index.mantraps.get(scene.plan.portal.id, ())
    if not traps:
        return not_needed(Step.MANTRAP)
    doors, now_ms = scene.request.situation.doors, scene.request.steady_ms
    opening = {side.rsplit("/", 1)[0] for side, one in scene.state.passing.items() if one.until_ms > now_ms}
    unknown: Finding | None = None
    for trap in traps:
        for other in trap.portals:
            if other == scene.plan.portal.id:
                continue
            door = doors.get(other, Door())
            if door.contact is Contact.OPEN or door.lock is Lock.UNLOCKED or other in opening:
                return failed(Reason.MANTRAP_OPEN, f"mantrap:{trap.id}", other)
            if unknown is None and (door.contact is Contact.UNKNOWN or door.lock is Lock.UNKNOWN):
                unknown = failed(Reason.MANTRAP_UNKNOWN, f"mantrap:{trap.id}", other)
    return unknown or passed(Step.MANTRAP, f"mantrap:{traps[0].id}")
