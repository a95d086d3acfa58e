"""What people ask of an interlock: what is refused and why, and what it does (table "acts" of its page).

The conditions of an act are judged in the order of that table; the first that fails is the reason.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    BeginBypass,
    Enable,
    EndBypass,
    Moment,
    PassCheck,
    Reset,
    Right,
    Trip,
)
from rules.interlock.model import BYPASS_MAX_S, ticks
from rules.interlock.plan import Plan, Watched
from rules.interlock.reasons import Reason
from rules.interlock.state import (
    LATCHED,
    Acknowledged,
    Bypass,
    Change,
    ChangeKind,
    Phase,
    State,
    Stepped,
    Vote,
    Why,
)
from rules.interlock.status import unmet, unsettled
from rules.interlock.step import Changes, breach, readied, settle, step, trip

RIGHTS: dict[type[Asked], Right] = {
    Acknowledge: Right.ACKNOWLEDGE,
    Reset: Right.RESET,
    Enable: Right.ENABLE,
    BeginBypass: Right.BYPASS,
    EndBypass: Right.BYPASS,
    PassCheck: Right.CHECK,
}
"""What each act asks for; to trip asks for nothing."""


def act(state: State, plan: Plan, asked: Asked, *, at: Moment) -> Stepped:
    """Return the state after a person asked for something, and what changed; `refused` says why not."""
    passed = step(state, plan, at)
    state, changes = passed.state, list(passed.changes)
    reason = refusal(state, plan, asked)
    if reason is not None:
        kept = state.kept
        word = str(asked.__struct_config__.tag)
        changes.append(
            Change(ChangeKind.REFUSED, kept.at, kept.breach, by=asked.by.id, reason=reason, text=word)
        )
        return Stepped(state, tuple(changes))
    state = _done(state, plan, asked, changes=changes)
    state = settle(state, plan, state.kept.at, changes=changes)
    return Stepped(state, tuple(changes))


def refusal(state: State, plan: Plan, asked: Asked) -> Reason | None:
    """Return why an act would be refused at the state's own moment; None when it would not."""
    right = RIGHTS.get(type(asked))
    if right is not None and right not in asked.by.rights:
        return Reason.NO_RIGHT
    return next(_objections(state, plan, asked), None)


def _objections(state: State, plan: Plan, asked: Asked) -> Iterator[Reason]:
    kept = state.kept
    match asked:
        case Acknowledge():
            if state.phase not in LATCHED:
                yield Reason.NOT_TRIPPED
            if asked.breach != kept.breach:
                yield Reason.OTHER_BREACH
            if kept.acknowledged is not None:
                yield Reason.ALREADY_ACKNOWLEDGED
        case Reset():
            if state.phase not in LATCHED:
                yield Reason.NOT_TRIPPED
            if asked.breach != kept.breach:
                yield Reason.OTHER_BREACH
            yield from (one.reason for one in unmet(state, plan))
        case Enable():
            if state.phase is not Phase.RESET:
                yield Reason.NOT_RESET
            if asked.breach != kept.breach:
                yield Reason.OTHER_BREACH
            yield from (one.reason for one in unsettled(state, plan))
        case BeginBypass():
            yield from _against_bypass(state, plan, asked)
        case EndBypass():
            if all(bypass.cause != asked.cause for bypass in kept.bypasses):
                yield Reason.NOT_BYPASSED
        case PassCheck():
            if asked.cause not in kept.checks:
                yield Reason.NO_CHECK_DUE


def _against_bypass(state: State, plan: Plan, asked: BeginBypass) -> Iterator[Reason]:
    watched = _find(plan, asked.cause)
    if watched is None:
        yield Reason.UNKNOWN_CAUSE
    elif not watched.bypassable:
        yield Reason.NOT_BYPASSABLE
    if not asked.reason.strip():
        yield Reason.NO_REASON
    if asked.second is None or Right.BYPASS not in asked.second.rights:
        yield Reason.NO_SECOND_PERSON
    elif asked.second.id == asked.by.id:
        yield Reason.SAME_PERSON
    if not 0 < asked.seconds <= BYPASS_MAX_S:
        yield Reason.BAD_DURATION
    aside = {bypass.cause for bypass in state.kept.bypasses}
    if watched is not None and any(one.group == watched.group and one.name in aside for one in plan.watched):
        yield Reason.GROUP_BYPASSED


def _find(plan: Plan, cause: str) -> Watched | None:
    return next((watched for watched in plan.watched if watched.name == cause), None)


def _done(state: State, plan: Plan, asked: Asked, *, changes: Changes) -> State:
    kept, by = state.kept, asked.by.id
    change = Change(ChangeKind.ACKNOWLEDGED, kept.at, kept.breach, by=by)
    match asked:
        case Trip():
            return _asked_for(state, plan, asked, changes=changes)
        case BeginBypass():
            return _bypassed(state, asked, changes)
        case Acknowledge():
            change = replace(change, text=asked.comment)
            kept = replace(kept, acknowledged=Acknowledged(by, kept.at, asked.comment))
        case Reset():
            change = replace(change, kind=ChangeKind.RESET, text=asked.reason)
            kept = replace(kept, phase=Phase.RESET)
        case Enable():
            change = replace(change, kind=ChangeKind.ENABLED)
            kept = replace(kept, phase=Phase.HEALTHY, tripped_at=None, first_out=(), acknowledged=None)
            state = replace(state, fits=())
        case EndBypass():
            kind, reason = ChangeKind.BYPASS_ENDED, Reason.ENDED_BY_PERSON
            change = replace(change, kind=kind, causes=(asked.cause,), reason=reason)
            kept = replace(kept, bypasses=tuple(one for one in kept.bypasses if one.cause != asked.cause))
        case _:
            change = replace(change, kind=ChangeKind.CHECK_PASSED, causes=(asked.cause,), text=asked.record)
            kept = replace(kept, checks=tuple(name for name in kept.checks if name != asked.cause))
    changes.append(change)
    return replace(state, kept=kept)


def _asked_for(state: State, plan: Plan, asked: Trip, *, changes: Changes) -> State:
    before = len(changes)
    if state.phase in LATCHED:
        state = readied(breach(state, plan, [Why.ASKED], changes=changes), plan, changes)
    else:
        state = trip(state, plan, [Vote(Why.ASKED, state.kept.at.tick)], changes=changes)
    changes[before] = replace(changes[before], by=asked.by.id, text=asked.reason)
    return state


def _bypassed(state: State, asked: BeginBypass, changes: Changes) -> State:
    kept = state.kept
    length = ticks(asked.seconds)
    bypass = Bypass(
        asked.cause,
        by=asked.by.id,
        second="" if asked.second is None else asked.second.id,
        reason=asked.reason,
        until=kept.at.tick + length,
        until_utc=None if kept.at.utc is None else kept.at.utc + length,
    )
    changes.append(
        Change(
            ChangeKind.BYPASSED,
            kept.at,
            kept.breach,
            causes=(asked.cause,),
            by=asked.by.id,
            text=asked.reason,
        )
    )
    return replace(state, kept=replace(kept, bypasses=(*kept.bypasses, bypass)))
