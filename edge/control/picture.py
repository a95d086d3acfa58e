"""How an interlock stands, for the hub, the panel and the door. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from edge.control.runner import Runner
from rules.access.request import EntryLock
from rules.access.words import Scope
from rules.interlock.inputs import Moment, seconds
from rules.interlock.model import EffectKind, Sensor
from rules.interlock.plan import point_of
from rules.interlock.state import LATCHED, CauseState, Watch, Why
from rules.interlock.status import ballots, demands, unmet
from wire.control import LISTED_MAX, BypassNow, CauseNow, EffectNow, GroupNow, InterlockNow, UnmetNow, VoteNow
from wire.messages import TICK_MS, as_text
from wire.quantities import QUANTITIES

WHY: Mapping[str, str] = {
    Why.ASKED: "somebody tripped it",
    Why.NEW: "it is new here and was never enabled",
    Why.RESTART: "the gateway was started again",
    Why.STATE_LOST: "it started without a record of how it stood before",
    Why.RULE_CHANGED: "its rule was changed",
}
"""What stands first-out beside causes, in plain words."""


def picture(runner: Runner, now: Moment) -> InterlockNow:
    """Return an interlock as it stands."""
    state, plan, kept = runner.state, runner.plan, runner.state.kept
    return InterlockNow(
        name=runner.name,
        title=plan.rule.title,
        rule=plan.fingerprint,
        phase=str(state.phase),
        breach=kept.breach,
        tripped_at_ms=_utc_ms(kept.tripped_at, now),
        first_out=tuple(vote.cause for vote in kept.first_out)[:LISTED_MAX],
        first_votes=tuple(
            VoteNow(name=vote.cause, reason=vote.because, words=as_text(vote.words))
            for vote in kept.first_out
        )[:LISTED_MAX],
        acknowledged_by="" if kept.acknowledged is None else kept.acknowledged.by,
        causes=tuple(_causes(runner, now))[:LISTED_MAX],
        groups=tuple(
            GroupNow(name=one.group, needed=one.needed, of=one.of, votes=len(one.votes))
            for one in ballots(state, plan)
        )[:LISTED_MAX],
        effects=tuple(_effects(runner))[:LISTED_MAX],
        bypasses=tuple(
            BypassNow(
                cause=one.cause,
                by=one.by,
                second=one.second,
                reason=as_text(one.reason),
                remaining_s=seconds(max(0, one.until - now.tick)),
            )
            for one in kept.bypasses
        ),
        unmet=tuple(
            UnmetNow(
                reason=str(one.reason),
                cause=one.cause,
                remaining_s=one.remaining_s,
                words=as_text(one.words),
            )
            for one in unmet(state, plan)
        )[:LISTED_MAX],
        worst_s=runner.worst_s,
        breach_s=runner.breach_s,
    )


def locked(runner: Runner) -> Iterator[EntryLock]:
    """Yield what an interlock locks while it is not released."""
    if runner.released:
        return
    for portal in runner.targets(EffectKind.LOCK_ENTRY):
        yield EntryLock(
            scope=Scope.PORTAL, subject=portal, interlock=runner.name, reason=as_text(reason_words(runner))
        )


def reason_words(runner: Runner) -> str:
    """Return why an interlock is not released, for whoever stands before it."""
    title = runner.plan.rule.title or runner.name
    phase = runner.state.phase
    said = [vote.words or WHY.get(vote.cause, vote.cause) for vote in runner.state.kept.first_out]
    if phase not in LATCHED:
        said.append(str(phase).replace("_", " "))
    return f"{title}: {', '.join(said)}"


def _words(runner: Runner) -> Mapping[str, str]:
    outputs = {
        watched.name: f"output {watched.name.removeprefix('@output/')} is not what it was told to be"
        for watched in runner.plan.watched
        if watched.name.startswith("@output/")
    }
    return {**runner.words, **outputs}


def _causes(runner: Runner, now: Moment) -> Iterator[CauseNow]:
    words = _words(runner)
    aside = {bypass.cause for bypass in runner.state.kept.bypasses}
    for watched, watch in zip(runner.plan.watched, runner.state.watches, strict=True):
        unknown = watch.state is CauseState.UNKNOWN
        yield CauseNow(
            name=watched.name,
            group=watched.group,
            words=as_text(words.get(watched.name, "")),
            point=point_of(watched.condition) or "",
            state=str(watch.state),
            votes=watch.votes,
            bypassed=watched.name in aside,
            stale=watch.stale,
            since_s=None if unknown else seconds(max(0, now.tick - watch.since)),
            bypassable=watched.bypassable,
            check_due=watched.name in runner.state.kept.checks,
            value=_number(watch, watched.sensor),
            uncertainty="" if watch.uncertainty is None else _plain(watch.uncertainty, watched.sensor),
            verdict="" if watch.verdict is None else str(watch.verdict),
            said=as_text(watch.words),
        )


def _effects(runner: Runner) -> Iterator[EffectNow]:
    confirmed = {holder.name: holder.confirmed for holder in runner.holders}
    for demand in demands(runner.state, runner.plan):
        effect = demand.effect
        yield EffectNow(
            kind=str(effect.kind),
            target=effect.target,
            safe=not runner.released,
            confirmed=confirmed.get(effect.target) if effect.read_back else None,
        )


def _number(watch: Watch, sensor: Sensor | None) -> str:
    return "" if watch.value is None else _plain(watch.value, sensor)


def _plain(value: Decimal, sensor: Sensor | None) -> str:
    row = None if sensor is None else QUANTITIES.get(sensor.quantity)
    return f"{value:f} {row.unit if row is not None else ''}".rstrip()


def _utc_ms(at: Moment | None, now: Moment) -> int | None:
    if at is None:
        return None
    if at.utc is not None:
        return max(0, at.utc * TICK_MS)
    if at.boot == now.boot and now.utc is not None:
        return max(0, (now.utc - now.tick + at.tick) * TICK_MS)
    return None
