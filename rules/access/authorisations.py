"""Whether somebody is authorised for something at an instant, and if not, how near it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from rules.access.reasons import Reason
from rules.access.snapshot import Snapshot
from rules.access.words import Subject

_RANKS = (Reason.AUTHORISATION_NOT_YET, Reason.AUTHORISATION_EXPIRED, Reason.NOT_AUTHORISED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether one is authorised (`reason` None), by what, for what."""

    reason: Reason | None
    subject: str = ""
    authorisation: str = ""


def standing(
    snapshot: Snapshot, person: str, *, kind: Subject, subjects: Iterable[str], at_ms: int
) -> Standing:
    """Return whether a person is authorised for at least one of some subjects."""
    wanted = sorted(subjects)
    best = Standing(Reason.NOT_AUTHORISED, ", ".join(wanted)[:200])
    for one in snapshot.index.authorisations.get(person, ()):
        if one.kind is not kind or one.subject not in wanted:
            continue
        if one.valid.covers(at_ms):
            return Standing(None, one.subject, one.id)
        reason = Reason.AUTHORISATION_NOT_YET if one.valid.before(at_ms) else Reason.AUTHORISATION_EXPIRED
        if best.reason is not None and _RANKS.index(reason) < _RANKS.index(best.reason):
            best = Standing(reason, one.subject, one.id)
    return best


def standing_in_all(snapshot: Snapshot, person: str, *, subjects: Iterable[str], at_ms: int) -> Standing:
    """Return whether a person is authorised for each of some activities."""
    for subject in sorted(subjects):
        found = standing(snapshot, person, kind=Subject.ACTIVITY, subjects=(subject,), at_ms=at_ms)
        if found.reason is not None:
            return found
    return Standing(None)
