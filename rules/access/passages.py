"""What becomes of the state: after a decision, after a proven entry, after a door was forced.

Only a proven entry moves a person. What proves one is the edge's business: an entry sensor where there is
one, else the contact of the door; it then says `entered`, or `not_entered` when the time to open ran out.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from msgspec import structs

from rules.access.case import people_in, staff_in
from rules.access.company_steps import may_escort
from rules.access.document import Zone
from rules.access.reasons import Reason
from rules.access.request import Decision, Request
from rules.access.snapshot import Plan, Snapshot
from rules.access.state import Inside, LockDown, Passing, State, Tries, Waiting
from rules.access.words import Escort, PersonKind
from wire.messages import Message

WAITS = frozenset(
    {Reason.SECOND_PERSON_AWAITED, Reason.SECOND_PERSON_SAME, Reason.ESCORT_AWAITED, Reason.ESCORT_WRONG}
)
"""With these somebody waits for another."""
FORGET_MS = 3_600_000
"""So long after its time to open a grant that nobody proved or ended is kept."""
TRIES_KEPT = 100
"""Of one person's wrong factors the newest; no door has a higher limit."""

V = TypeVar("V")


class Happening(StrEnum):
    """What else is to be recorded when people move."""

    ENTERED = "entered"
    LEFT = "left"
    TOO_FEW = "too_few"
    """A zone holds some people, and fewer entitled ones than it must."""
    VISITOR_ALONE = "visitor_alone"
    """A visitor is in a zone without anybody who may escort."""
    FORCED = "forced"
    """A door opened without a grant."""
    UNAUTHORISED_ENTRY = "unauthorised_entry"
    """The same where the head has to authorise every entry: the zone is locked down."""
    NO_ENTRY = "no_entry"
    """Somebody was let pass and did not."""


class Happened(Message, frozen=True, forbid_unknown_fields=True):
    """One of them."""

    kind: Happening
    zone: str | None = None
    """None: outside."""
    person: str | None = None


class Moved(Message, frozen=True, forbid_unknown_fields=True):
    """The state after, and what is to be recorded."""

    state: State
    happened: tuple[Happened, ...] = ()


def after_decision(state: State, snapshot: Snapshot | None, *, request: Request, decision: Decision) -> State:
    """Return the state after a decision: who was let pass, who waits, how often a factor was wrong."""
    plan = None if snapshot is None else snapshot.index.plans.get(request.side)
    if plan is None:
        return state
    now_ms, person = request.steady_ms, decision.person
    if decision.granted:
        return _let_pass(state, plan, decision, now_ms=now_ms)
    if person is None:
        return state
    if decision.reason is Reason.FACTOR_WRONG:
        return structs.replace(
            state, tries={**state.tries, person: _tried(state, plan, person, now_ms=now_ms)}
        )
    if decision.reason in WAITS and decision.token is not None:
        longest_ms = plan.portal.pair_s * 1000
        others = [
            one
            for one in state.waiting.get(plan.id, ())
            if one.person != person and now_ms - one.steady_ms < longest_ms
        ]
        waiting = (*others, Waiting(person, decision.token, now_ms))
        return structs.replace(state, waiting={**state.waiting, plan.id: waiting})
    return state


def _let_pass(state: State, plan: Plan, decision: Decision, *, now_ms: int) -> State:
    side = decision.side
    waiting = tuple(one for one in state.waiting.get(side, ()) if one.person not in decision.admits)
    before = state.passing.get(side, Passing((), 0))
    # Whose time to open is over did not pass; the next one's entry must not move them.
    people = [one for one in before.people if before.until_ms > now_ms and one not in decision.admits]
    until_ms = now_ms + decision.open_s * 1000
    passing = Passing((*people, *decision.admits), max(until_ms, before.until_ms))
    proven = not plan.is_exit and bool(plan.side.verify)
    return structs.replace(
        state,
        waiting=_with(state.waiting, side, waiting or None),
        passing={**state.passing, side: passing},
        # Only who proved the second factor: else a stolen card would begin to count anew at any other door.
        tries=_with(state.tries, decision.person or "", None) if proven else state.tries,
    )


def _tried(state: State, plan: Plan, person: str, *, now_ms: int) -> Tries:
    rules, last = plan.portal.attempts, state.tries.get(person)
    earlier = () if last is None or 0 < last.until_ms <= now_ms else last.all
    moments = (*earlier, now_ms)[-TRIES_KEPT:]
    count = sum(now_ms - one < rules.window_s * 1000 for one in moments)
    until_ms = now_ms + rules.lockout_s * 1000 if count >= rules.limit else 0
    return Tries(len(moments), moments[0], until_ms, moments)


def entered(
    state: State,
    snapshot: Snapshot,
    *,
    side: str,
    at_ms: int,
    steady_ms: int,
    people: Iterable[str] | None = None,
) -> Moved:
    """Return the state after a proven passage; everybody who was let pass moves, unless `people` says who."""
    plan, passing = snapshot.index.plans.get(side), state.passing.get(side)
    if plan is None:
        return Moved(state=state)
    granted = () if passing is None else passing.people
    moving = list(granted if people is None else people)
    inside = dict(state.inside)
    kind = Happening.LEFT if plan.to_zone is None else Happening.ENTERED
    happened = [Happened(kind=kind, zone=plan.to_zone or plan.from_zone, person=person) for person in moving]
    for person in moving:
        inside.pop(person, None)
        if plan.to_zone is not None:
            inside[person] = Inside(plan.to_zone, at_ms, steady_ms, side)
    rest = tuple(one for one in granted if one not in moving)
    left = Passing(rest, passing.until_ms) if passing is not None and rest else None
    after = structs.replace(state, inside=inside, passing=_with(state.passing, side, left))
    for zone in _touched(snapshot, plan):
        happened += _alone(after, snapshot, zone, at_ms=at_ms, steady_ms=steady_ms)
    return Moved(state=after, happened=tuple(happened))


def not_entered(state: State, side: str) -> Moved:
    """Return the state after the time to open ran out and nobody passed; nobody moves."""
    passing = state.passing.get(side)
    people = () if passing is None else passing.people
    happened = tuple(Happened(kind=Happening.NO_ENTRY, person=person) for person in people)
    return Moved(state=structs.replace(state, passing=_with(state.passing, side, None)), happened=happened)


def forced(state: State, snapshot: Snapshot, *, portal: str, at_ms: int) -> Moved:
    """Return the state after a door opened without a grant.

    Where a laboratory head has to authorise every entry, its zone is locked down until a person ends that.
    """
    plan = snapshot.index.plans.get(f"{portal}/in")
    touched = [] if plan is None else _touched(snapshot, plan)
    happened = [Happened(kind=Happening.FORCED)]
    lock_downs = dict(state.lock_downs)
    for zone in touched:
        if zone.heads:
            happened.append(Happened(kind=Happening.UNAUTHORISED_ENTRY, zone=zone.id))
            lock_downs.setdefault(zone.id, LockDown(at_ms, "", "entry without authorisation"))
    return Moved(state=structs.replace(state, lock_downs=lock_downs), happened=tuple(happened))


def locked_down(state: State, scope: str, lock_down: LockDown) -> State:
    """Return the state with a zone, or `EVERYWHERE`, locked down; one that was there stays."""
    return structs.replace(state, lock_downs={scope: lock_down, **state.lock_downs})


def lock_down_ended(state: State, scope: str) -> State:
    """Return the state without the lock-down of a scope."""
    return structs.replace(state, lock_downs=_with(state.lock_downs, scope, None))


def placed(state: State, person: str, inside: Inside | None) -> State:
    """Return the state with somebody where an authorised person says they are; None: outside.

    Where the place of somebody was recorded wrongly, this is how anti-passback is forgiven.
    """
    return structs.replace(state, inside=_with(state.inside, person, inside))


def pardoned(state: State, person: str) -> State:
    """Return the state in which somebody's wrong factors are forgotten."""
    return structs.replace(state, tries=_with(state.tries, person, None))


def restarted(state: State) -> State:
    """Return the state after a restart: doors are locked again and nobody waits; the rest is as it was."""
    return structs.replace(state, waiting={}, passing={})


def tidied(state: State, snapshot: Snapshot, *, steady_ms: int) -> State:
    """Return the state without what ran out and counts for nothing any more."""
    plans = snapshot.index.plans
    # A door may count wrong factors over days: what is forgotten earlier could be tried anew.
    counted_ms = 1000 * max((plan.portal.attempts.window_s for plan in plans.values()), default=0)
    waiting: dict[str, tuple[Waiting, ...]] = {}
    for side, found in state.waiting.items():
        longest_ms = plans[side].portal.pair_s * 1000 if side in plans else 0
        kept = tuple(one for one in found if steady_ms - one.steady_ms < longest_ms)
        if kept:
            waiting[side] = kept
    return structs.replace(
        state,
        waiting=waiting,
        passing={side: one for side, one in state.passing.items() if steady_ms < one.until_ms + FORGET_MS},
        tries={
            person: one
            for person, one in state.tries.items()
            if steady_ms < max(one.until_ms, max(one.all, default=0) + max(counted_ms, FORGET_MS))
        },
    )


def _touched(snapshot: Snapshot, plan: Plan) -> list[Zone]:
    """Return the zones on both sides of a portal, with those around them, each once."""
    start = snapshot.around(plan.from_zone)
    return list({zone.id: zone for zone in (*start, *plan.around)}.values())


def _alone(state: State, snapshot: Snapshot, zone: Zone, *, at_ms: int, steady_ms: int) -> list[Happened]:
    people = people_in(snapshot, state, zone.id, steady_ms=steady_ms)
    staff = staff_in(snapshot, people, at_ms)
    happened = []
    if people and len(staff) < zone.min_people and zone.min_people > 1:
        happened.append(Happened(kind=Happening.TOO_FEW, zone=zone.id))
    for person in people:
        known = snapshot.person(person)
        if known is None or known.kind is PersonKind.STAFF or state.inside[person].zone != zone.id:
            continue
        visits = [one for one in snapshot.visits(person) if zone.id in one.zones and one.valid.covers(at_ms)]
        if any(one.escort is Escort.NONE for one in visits):
            continue
        if not any(may_escort(one, visit) for one in staff for visit in visits):
            happened.append(Happened(kind=Happening.VISITOR_ALONE, zone=zone.id, person=person))
    return happened


def _with(values: Mapping[str, V], key: str, value: V | None) -> dict[str, V]:
    """Return the mapping with a key set, or (None) gone."""
    found = {name: one for name, one in values.items() if name != key}
    if value is not None:
        found[key] = value
    return found
