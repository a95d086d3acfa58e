"""Who stands at the panel of a gateway: card and PIN, judged by the steps that a door asks. Pure.

The panel is a side of a portal that leads nowhere: credential, person, PIN and attempts are judged by
`rules.access` as at any door with a PIN. What somebody may do then is `rules.authority`.
"""

from dataclasses import replace

from msgspec import Struct, structs

from rules.access.case import Case, Scene, doubt_of
from rules.access.document import Portal, Side
from rules.access.passages import after_decision
from rules.access.person_steps import credential, factors, is_duress
from rules.access.reasons import Note, Reason, Step
from rules.access.request import Decision, Factor, Request
from rules.access.snapshot import Plan, Snapshot
from rules.access.state import EMPTY, State
from rules.access.words import FactorKind, Outcome

SIDE = "panel/in"
_PORTAL = Portal(id="panel", inward=Side(verify=(FactorKind.PIN,)))
_PLAN = Plan(SIDE, _PORTAL, _PORTAL.inward, None, None, ())


class Asker(Struct, frozen=True):
    """Who it is, or why nobody can say."""

    state: State
    """Wrong attempts, afterwards."""
    person: str | None = None
    """Also of one whose PIN was wrong."""
    reason: Reason | None = None
    """Why this person is not known to stand here; None: it is them."""
    duress: bool = False
    """Somebody is being forced. For the alarm alone: nothing at the panel may show it."""
    at_ms: int = 0
    """The instant by which authorisations are judged."""

    @property
    def known(self) -> bool:
        """Whether card and PIN are this person's."""
        return self.reason is None and self.person is not None


class Shown(Struct, frozen=True, kw_only=True):
    """What was shown, and when."""

    card: Factor
    pin: Factor
    utc_ms: int | None
    """None while time is not trusted."""
    steady_ms: int
    honour_old: bool = False
    """Whether rights past their age, or judged while nobody knows the time, count all the same."""


def identify(snapshot: Snapshot | None, state: State, shown: Shown) -> Asker:
    """Return who stands there by card and PIN, and how often it went wrong afterwards."""
    if snapshot is None:
        return Asker(state, reason=Reason.RIGHTS_MISSING)
    at_ms = snapshot.document.issued_at_ms if shown.utc_ms is None else shown.utc_ms
    request = Request(
        side=SIDE,
        factors=(shown.card, shown.pin),
        at_ms=at_ms,
        steady_ms=shown.steady_ms,
        time_trusted=shown.utc_ms is not None,
    )
    case = Case(Scene(request, snapshot, state, _PLAN), snapshot.credential(shown.card.token))
    reason, person = _reason(case, shown), case.person
    found = Asker(state, None if person is None else person.id, reason, is_duress(case), at_ms)
    return structs.replace(found, state=_counted(found, snapshot, request))


def _reason(case: Case, shown: Shown) -> Reason | None:
    doubt = doubt_of(case.scene.snapshot, at_ms=case.at_ms, trusted=shown.utc_ms is not None)
    if doubt is not None and not shown.honour_old:
        return Reason.TIME_UNKNOWN if doubt is Note.TIME_UNKNOWN else Reason.RIGHTS_OLD
    for step in (credential, factors):
        found = step(case)
        if found.outcome is Outcome.FAILED:
            return found.reason
    return None


def _counted(found: Asker, snapshot: Snapshot, request: Request) -> State:
    """Return the state with one more wrong attempt, or with none after a right one."""
    if found.known:
        assert found.person is not None
        tries = {person: one for person, one in found.state.tries.items() if person != found.person}
        return structs.replace(EMPTY, tries=tries)
    if found.reason is not Reason.FACTOR_WRONG:
        return found.state
    at_panel = replace(snapshot, index=replace(snapshot.index, plans={SIDE: _PLAN}))
    wrong = Decision(
        granted=False,
        reason=Reason.FACTOR_WRONG,
        step=Step.FACTORS,
        side=SIDE,
        at_ms=request.at_ms,
        person=found.person,
    )
    return after_decision(found.state, at_panel, request=request, decision=wrong)
