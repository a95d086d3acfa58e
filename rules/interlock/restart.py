"""How an interlock begins: new, after a restart, or when what was kept is lost (table "restart" of its page).

Nothing that sensors said before counts any more. What was latched stays latched.
"""

from msgspec.structs import replace

from rules.interlock import causes, fitness
from rules.interlock.inputs import Moment
from rules.interlock.model import RESUME_WITHIN_S, CheckDue, ticks
from rules.interlock.plan import Plan
from rules.interlock.reasons import Reason
from rules.interlock.state import (
    LATCHED,
    Bypass,
    Change,
    ChangeKind,
    Kept,
    KeptError,
    Phase,
    State,
    Stepped,
    Vote,
    Why,
    decode_kept,
)
from rules.interlock.step import Changes, settle, trip


def begin(plan: Plan, at: Moment, why: Why = Why.NEW) -> Stepped:
    """Return an interlock of which nothing is known: tripped, and every check is due."""
    checks = tuple(one.name for one in plan.watched if isinstance(one.condition, CheckDue))
    kept = Kept(plan.rule.name, plan.fingerprint, Phase.RESET, at, checks=checks)
    changes: Changes = []
    state = trip(_blank(kept, plan, at), plan, [Vote(why, at.tick)], changes=changes)
    return Stepped(settle(state, plan, at, changes=changes), tuple(changes))


def restore(data: bytes | None, plan: Plan, at: Moment) -> Stepped:
    """Return an interlock after a restart from what was kept; tripped for None or what cannot be read."""
    if data is None:
        return begin(plan, at, Why.STATE_LOST)
    try:
        kept = decode_kept(data)
    except KeptError:
        return begin(plan, at, Why.STATE_LOST)
    if kept.interlock != plan.rule.name:
        return begin(plan, at, Why.STATE_LOST)
    return restart(kept, plan, at)


def restart(kept: Kept, plan: Plan, at: Moment) -> Stepped:
    """Return an interlock after a restart of the process or of the machine, or with a changed rule."""
    changes: Changes = []
    same = kept.rule == plan.fingerprint
    bypasses = _bypasses(kept, at, changes, same=same)
    left = _left(kept, plan, at) if same else 0
    known = {one.name for one in plan.watched if isinstance(one.condition, CheckDue)}
    checks = tuple(name for name in kept.checks if name in known)
    new = tuple(sorted(known.difference(checks))) if not same else ()
    kept = replace(kept, rule=plan.fingerprint, at=at, bypasses=bypasses, checks=(*checks, *new))
    state = _blank(kept, plan, at)
    if kept.phase in LATCHED:
        state = replace(state, kept=replace(kept, phase=Phase.TRIPPED))
    elif left > 0:
        resume_until = at.tick + left
        state = replace(state, kept=replace(kept, phase=Phase.STARTING), resume_until=resume_until, fits=())
    else:
        why = Why.RESTART if same else Why.RULE_CHANGED
        state = trip(state, plan, [Vote(why, at.tick)], changes=changes)
    return Stepped(settle(state, plan, at, changes=changes), tuple(changes))


def _blank(kept: Kept, plan: Plan, at: Moment) -> State:
    watches = tuple(causes.begin(watched, at.tick) for watched in plan.watched)
    return State(kept, watches, fits=tuple(fitness.begin(one) for one in plan.fits))


def _left(kept: Kept, plan: Plan, at: Moment) -> int:
    """Return for how many ticks it may still go on by itself; 0 when it may not."""
    if plan.rule.hard or kept.phase not in (Phase.HEALTHY, Phase.STARTING) or kept.healthy_at is None:
        return 0
    away = at.since(kept.healthy_at)
    return 0 if away is None else max(0, ticks(RESUME_WITHIN_S) - away)


def _bypasses(kept: Kept, at: Moment, changes: Changes, *, same: bool) -> tuple[Bypass, ...]:
    """Return the bypasses that are certainly not over, counted in ticks of the running boot."""
    found: list[Bypass] = []
    for bypass in kept.bypasses:
        until = _until(bypass, kept, at) if same else None
        if until is not None and until > at.tick:
            found.append(replace(bypass, until=until))
            continue
        reason = Reason.EXPIRED if until is not None else Reason.TIME_UNKNOWN
        changes.append(
            Change(
                ChangeKind.BYPASS_ENDED,
                at,
                kept.breach,
                causes=(bypass.cause,),
                reason=reason if same else Reason.RULE_CHANGED,
            )
        )
    return tuple(found)


def _until(bypass: Bypass, kept: Kept, at: Moment) -> int | None:
    """Return the tick of this boot at which it ends, None when that cannot be known.

    Across boots UTC decides, and only where it was trusted on both sides and did not go back. Never is more
    left than there was when it was last written down.
    """
    if at.boot == kept.at.boot:
        return bypass.until if at.tick >= kept.at.tick else None
    if bypass.until_utc is None or at.utc is None or (kept.utc_seen is not None and at.utc < kept.utc_seen):
        return None
    return at.tick + min(bypass.until_utc - at.utc, bypass.until - kept.at.tick)


def replanned(state: State, before: Plan, plan: Plan) -> State:
    """Return the state where only what is known of the sensors changed, not the rule: nothing trips by it.

    Values of before and after a new correction are not compared: a rate of change and what has to be steady
    begin anew. `ValueError` when the rule is another one.
    """
    if before.fingerprint != plan.fingerprint:
        raise ValueError(f"rule {plan.fingerprint}: the state belongs to {before.fingerprint}")
    watches = tuple(
        watch if old.sensor == new.sensor else replace(watch, window=(), covered_from=None)
        for old, new, watch in zip(before.watched, plan.watched, state.watches, strict=True)
    )
    fits = tuple(
        fit if old.sensor == new.sensor else fitness.begin(new)
        for old, new, fit in zip(before.fits, plan.fits, state.fits, strict=False)
    )
    return replace(state, watches=watches, fits=fits)
