"""Every state that an interlock can reach, by inputs, acts and restarts, breadth first until none is new.

States are merged when nothing tells them apart but how long ago things were, beyond what any delay looks at.
Beside the machine runs a witness of its own: it knows the inputs and the acts, not the machine.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from msgspec import Struct
from msgspec.structs import replace

from rules.interlock.acts import act, refusal
from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    BeginBypass,
    Enable,
    EndBypass,
    Moment,
    Reading,
    Reset,
    Trip,
)
from rules.interlock.model import (
    HARD,
    RESUME_WITHIN_S,
    Cause,
    Effect,
    Group,
    InState,
    Interlock,
    Plant,
    Sensor,
    ticks,
)
from rules.interlock.plan import Plan, make_plan, point_of
from rules.interlock.reasons import Reason
from rules.interlock.restart import begin, restart
from rules.interlock.state import LATCHED, Phase, State, Stepped, decode_kept, encode_kept
from rules.interlock.step import step
from tests.rules.interlock.latch import LATCH, RESTART, Judge
from tests.rules.interlock.world import ANNE, BORIS, HOLD, NOBODY, UNREAD
from wire.status import PointKind

ON, OFF, STALE = 1, 1, 1
"""Ticks."""
FAR = ticks(RESUME_WITHIN_S) + 10
INSTANT = "a cause begins to vote at the instant of the trip"
Said = Literal["in", "out"]


class Witness(Struct, frozen=True):
    """What is true, as far as events show it."""

    said: tuple[tuple[str, Said, int, int], ...] = ()
    """For each cause: what was said last, for how many ticks now, and how long ago it was said."""
    acknowledged: bool = False
    """Since the latest breach."""
    reset: bool = False
    """By an authorised person, everything normal, after the acknowledgement."""
    bypasses: tuple[tuple[str, int], ...] = ()
    """True ticks that are left."""

    def passed(self, n: int) -> "Witness":
        said = tuple((name, what, since + n, ago + n) for name, what, since, ago in self.said)
        left = tuple((name, left - n) for name, left in self.bypasses if left > n)
        return replace(self, said=said, bypasses=left)

    def hears(self, name: str, what: Said) -> "Witness":
        before = {one[0]: one for one in self.said}
        same = name in before and before[name][1] == what and before[name][3] <= STALE
        since = before[name][2] if same else 0
        rest = tuple(one for one in self.said if one[0] != name)
        return replace(self, said=tuple(sorted((*rest, (name, what, since, 0)))))

    def normal(self, name: str, off: int, stale: int | None) -> bool:
        for one, what, since, ago in self.said:
            if one == name:
                return what == "in" and since >= off and (stale is None or ago <= stale)
        return False


class Node(Struct, frozen=True):
    state: State
    utc: int
    """What is true; the machine is told it only while it is `trusted`."""
    trusted: bool
    witness: Witness


class World:
    """One interlock, what can happen to it, and the machine's answer to each."""

    def __init__(self, rule: Interlock, sensors: dict[str, Sensor], *, off: int, stale: int | None) -> None:
        self.plan: Plan = make_plan(rule, Plant(sensors=sensors))
        self.off, self.stale = off, stale
        self.points = {one.name: point_of(one.condition) or "" for one in self.plan.watched}
        self.judge = Judge(self.plan)
        self.hard = rule.hard
        self.boots = 0
        self.bypass = 1 if stale is None else 2

    def start(self) -> Node:
        return Node(begin(self.plan, Moment("b", 0, 10**6)).state, 10**6, trusted=True, witness=Witness())

    # --- what can happen ------------------------------------------------------------------------------

    def next(self, node: Node) -> Iterator[Node]:
        yield self._wait(node)
        for cause in self.points:
            yield self._hear(node, cause, "in")
            yield self._hear(node, cause, "out")
        yield from self._acts(node)
        yield from self._restarts(node)
        if node.state.resume_until is not None:
            yield self._wait(node, node.state.resume_until - node.state.kept.at.tick - 1)
        if self.stale and not node.state.kept.bypasses:
            yield replace(node, trusted=not node.trusted)

    def _wait(self, node: Node, n: int = 1) -> Node:
        if n < 1:
            return node
        after = step(node.state, self.plan, self._at(node, n)).state
        if n == 1:
            self.judge.time(node.state, after)
        witness = node.witness.passed(n)
        return self._checked(node, replace(node, state=after, utc=node.utc + n, witness=witness))

    def _hear(self, node: Node, cause: str, said: Said) -> Node:
        node = self._wait(node)
        point, tick = self.points[cause], node.state.kept.at.tick
        what = Reading(point, tick, int(said == "out"))
        after = step(node.state, self.plan, self._at(node), inputs=[what]).state
        self.judge.time(node.state, after)
        return self._checked(node, replace(node, state=after, witness=node.witness.hears(cause, said)))

    def _acts(self, node: Node) -> Iterator[Node]:
        kept = node.state.kept
        for kind in (Acknowledge, Reset, Enable):
            self._refused(node, kind(by=NOBODY, breach=kept.breach), Reason.NO_RIGHT)
            if kept.phase in LATCHED or kept.phase is Phase.RESET:
                assert refusal(node.state, self.plan, kind(by=ANNE, breach=kept.breach - 1)) is not None
            yield self._ask(node, kind(by=ANNE, breach=kept.breach))
        yield self._ask(node, Trip(by=NOBODY))
        for cause in self.points:
            asked = BeginBypass(
                by=ANNE, cause=cause, second=BORIS, reason="repair", seconds=self.bypass / 100
            )
            yield self._ask(node, asked)
            yield self._ask(node, EndBypass(by=ANNE, cause=cause))

    def _restarts(self, node: Node) -> Iterator[Node]:
        kept = decode_kept(encode_kept(node.state.kept))
        node = replace(node, state=replace(node.state, kept=kept))
        boot, tick = kept.at.boot, kept.at.tick
        for away in (1, FAR):
            now = node.utc + away
            yield self._restart(node, Moment(boot, tick + away, now if node.trusted else None), away=away)
            yield self._restart(node, Moment(self._boot(), 0, now), away=away)
        yield self._restart(node, Moment(self._boot(), 0, None), away=1)

    def _boot(self) -> str:
        self.boots += 1
        return f"b{self.boots}"

    # --- what the machine makes of it -----------------------------------------------------------------

    def _at(self, node: Node, n: int = 0) -> Moment:
        kept = node.state.kept
        return Moment(kept.at.boot, kept.at.tick + n, node.utc + n if node.trusted else None)

    def _refused(self, node: Node, asked: Asked, reason: Reason) -> None:
        assert refusal(node.state, self.plan, asked) is reason

    def _ask(self, node: Node, asked: Asked) -> Node:
        stepped: Stepped = act(node.state, self.plan, asked, at=self._at(node))
        if stepped.refused is not None:
            self.judge.time(node.state, stepped.state)
            return self._checked(node, replace(node, state=stepped.state))
        witness = node.witness
        match asked:
            case Acknowledge():
                assert node.state.phase in LATCHED
                witness = replace(witness, acknowledged=True)
            case Reset():
                assert witness.acknowledged
                assert self._all_normal(node)
                witness = replace(witness, reset=True, acknowledged=False)
            case Enable():
                assert witness.reset
                assert self._all_normal(node)
                witness = replace(witness, reset=False)
            case BeginBypass(cause=cause):
                assert all(self._group(cause) != self._group(name) for name, _ in witness.bypasses)
                witness = replace(witness, bypasses=tuple(sorted((*witness.bypasses, (cause, self.bypass)))))
            case EndBypass(cause=cause):
                witness = replace(witness, bypasses=tuple(x for x in witness.bypasses if x[0] != cause))
            case _:
                pass
        self.judge.act(node.state, asked, stepped.state)
        enabled = isinstance(asked, Enable)
        return self._checked(node, replace(node, state=stepped.state, witness=witness), enabled=enabled)

    def _restart(self, node: Node, at: Moment, *, away: int) -> Node:
        kept = node.state.kept
        stepped = restart(kept, self.plan, at)
        since = None if kept.healthy_at is None else at.since(kept.healthy_at)
        goes_on = not self.hard and since is not None and since < ticks(RESUME_WITHIN_S)
        unlatched = kept.phase in (Phase.HEALTHY, Phase.STARTING)
        when = "restart, may go on" if goes_on and unlatched else "restart"
        self.judge.restart(node.state, stepped.state, when=when)
        witness = replace(node.witness.passed(away), said=())
        for bypass in stepped.state.kept.bypasses:
            assert at.boot == kept.at.boot or None not in (at.utc, bypass.until_utc)
        after = Node(stepped.state, node.utc + away, trusted=at.utc is not None, witness=witness)
        return self._checked(node, after, restarted=True)

    def _checked(self, before: Node, after: Node, *, enabled: bool = False, restarted: bool = False) -> Node:
        """Hold what may never be, and take a new breach to the witness."""
        state, witness = after.state, after.witness
        truly = dict(witness.bypasses)
        for bypass in state.kept.bypasses:
            assert truly.get(bypass.cause, 0) > 0, "a bypass outlived its expiry"
        if state.phase is Phase.HEALTHY and before.state.phase is not Phase.HEALTHY:
            assert enabled or before.state.phase is Phase.STARTING
            assert enabled or not self.hard
        if before.state.phase not in (Phase.HEALTHY, Phase.STARTING) and state.phase is Phase.STARTING:
            raise AssertionError("what was latched goes on by itself")
        assert state.safe is (state.phase is not Phase.HEALTHY)
        if state.kept.breach != before.state.kept.breach:
            witness = replace(witness, acknowledged=False, reset=False)
        if state.phase in LATCHED or restarted:
            witness = replace(witness, reset=False)
        gone = tuple(x for x in witness.bypasses if any(x[0] == one.cause for one in state.kept.bypasses))
        return replace(after, witness=replace(witness, bypasses=gone))

    def _all_normal(self, node: Node) -> bool:
        aside = {name for name, _ in node.witness.bypasses}
        return all(name in aside or node.witness.normal(name, self.off, self.stale) for name in self.points)

    def _group(self, cause: str) -> str:
        return next(watched.group for watched in self.plan.watched if watched.name == cause)


def _key(node: Node, delay: int, late: int) -> tuple[Any, ...]:
    """Return what tells two states apart; ages beyond every delay are one."""
    state, kept, now = node.state, node.state.kept, node.state.kept.at.tick

    def age(tick: int | None, most: int) -> int | None:
        return None if tick is None else min(now - tick, most)

    watches = tuple((w.state, age(w.since, delay), w.stale, age(w.fresh, late)) for w in state.watches)
    bypasses = tuple((one.cause, one.until - now, one.until_utc is None) for one in kept.bypasses)
    left = None if state.resume_until is None else min(state.resume_until - now, 3)
    instant = kept.tripped_at is not None and kept.tripped_at.tick == now
    then = kept.healthy_at if kept.phase in (Phase.HEALTHY, Phase.STARTING) else None
    healthy = None if then is None else (then.boot == kept.at.boot, then.utc is None)
    witness = node.witness
    said = tuple((n, what, min(since, delay), min(ago, late)) for n, what, since, ago in witness.said)
    seen = None if kept.utc_seen is None else kept.utc_seen > node.utc
    truth = (said, seen, witness.acknowledged, witness.reset, witness.bypasses)
    mine = (kept.phase, kept.acknowledged is not None, state.votes, instant, healthy)
    return mine, watches, bypasses, left, node.trusted, truth


def explore(world: World) -> int:
    """Go on until nothing new appears; return how many states there are."""
    start = world.start()
    delay, late = world.off + 1 if world.stale else 0, world.stale + 2 if world.stale else 0
    known, waiting = {_key(start, delay, late)}, deque([start])
    while waiting:
        for node in world.next(waiting.popleft()):
            key = _key(node, delay, late)
            if key not in known:
                known.add(key)
                waiting.append(node)
        assert len(known) < 100_000
    return len(known)


def one_cause(effect: Effect) -> World:
    sensor = Sensor(point="p", kind=PointKind.STATE)
    condition = InState(point="p", normal=(0,))
    times = {"on_delay_s": ON / 100, "off_delay_s": OFF / 100, "stale_after_s": STALE / 100}
    one = Cause(name="a", condition=condition, **times)
    rule = Interlock(name="i", groups=(Group(name="g", causes=(one,)),), effects=(effect,))
    return World(rule, {"p": sensor}, off=OFF, stale=STALE)


def voting() -> World:
    """Two causes, both of which are needed."""
    sensors = {point: Sensor(point=point, kind=PointKind.STATE) for point in "pq"}
    causes = tuple(
        Cause(name=name, condition=InState(point=point, normal=(0,)))
        for name, point in zip("ab", "pq", strict=True)
    )
    group = Group(name="g", causes=causes, needed=2)
    return World(Interlock(name="i", groups=(group,), effects=(UNREAD,)), sensors, off=0, stale=None)


@pytest.mark.requirement("H-7.3.1b", "G-6.4e", "H-7.3.3.3")
@pytest.mark.parametrize("effect", [UNREAD, HOLD], ids=lambda effect: effect.kind)
def test_no_way_leads_from_tripped_to_enabled_but_the_signed_one(effect: Effect) -> None:
    world = one_cause(effect)
    explored = explore(world)
    assert explored > 300
    hard = effect.kind in HARD
    assert any(row[0] == "starting" for row in world.judge.used) is not hard
    if not hard:
        signed = {(row["in"], row["when"]) for row in (*LATCH, *RESTART)}
        elsewhere = {"rule changed", "begins", "its time is over", INSTANT}
        left = {row for row in signed - world.judge.used if row[1] not in elsewhere}
        assert left == {("lost", "restart")}


@pytest.mark.requirement("H-7.3.1b")
def test_no_way_leads_there_by_votes_and_bypasses_either() -> None:
    world = voting()
    assert explore(world) > 300
    assert {("tripped", INSTANT), ("ready_to_reset", INSTANT)} <= world.judge.used
