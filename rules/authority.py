"""What a person may ask of an interlock, by their authorisations: decided alike at hub and gateway.

An authorisation of kind `activity` for `interlock.reset` gives the right to reset any interlock, one for
`interlock.reset:<name>` that to reset one. The same for `acknowledge`, `enable`, `bypass` and `check`. Pure.
"""

from collections.abc import Iterable

from rules.access.document import Authorisation
from rules.access.snapshot import Snapshot
from rules.access.words import PersonKind, PersonState, Subject
from rules.interlock.inputs import Right

PREFIX = "interlock."


def subject_of(right: Right, interlock: str = "") -> str:
    """Return the activity that gives a right at one interlock, or at every one."""
    return f"{PREFIX}{right.value}" + (f":{interlock}" if interlock else "")


def rights_given(authorisations: Iterable[Authorisation], interlock: str, *, at_ms: int) -> frozenset[Right]:
    """Return what a person's authorisations let them ask of an interlock at an instant."""
    held = {one.subject for one in authorisations if one.kind is Subject.ACTIVITY and one.valid.covers(at_ms)}
    return frozenset(right for right in Right if {subject_of(right), subject_of(right, interlock)} & held)


def is_staff(snapshot: Snapshot, person: str, *, at_ms: int) -> bool:
    """Whether somebody is active staff by these rights; nobody else asks anything of an interlock."""
    found = snapshot.person(person)
    return (
        found is not None
        and found.kind is PersonKind.STAFF
        and found.state is PersonState.ACTIVE
        and found.valid.covers(at_ms)
    )


def rights_at(snapshot: Snapshot, person: str, interlock: str, *, at_ms: int) -> frozenset[Right]:
    """Return what a person may ask of an interlock by these rights, at an instant."""
    if not is_staff(snapshot, person, at_ms=at_ms):
        return frozenset()
    return rights_given(snapshot.index.authorisations.get(person, ()), interlock, at_ms=at_ms)
