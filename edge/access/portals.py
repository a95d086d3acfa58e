"""The doors of one gateway: who comes is judged, the lock opens, the contact proves who passed.

Presentations are judged in the loop as they come, so that nobody waits for another door. What a software
decides here is entry: the way out is mechanical, and no lock here may be the only one on it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from edge.access.door import GRACE_MS, DoorState, Happening, barred, fell, let, passing_of_time, shut, told
from edge.access.factors import Begun, Sequences
from edge.access.feedback import AGAIN, STUCK, feedback
from edge.access.judge import Judge
from edge.access.lock import LockKeeper, Opening
from edge.control.offers import Feedback
from edge.control.outputs import Outputs
from edge.credential import Presented
from rules.access import Decision, Factor, Reason, Snapshot
from rules.access.passages import entered, forced, not_entered
from rules.access.request import Door
from rules.access.state import EVERYWHERE
from rules.access.words import Contact, FactorKind, Lock, Scope
from wire.control import PortalNow
from wire.messages import TICK_MS, Scalar
from wire.settings.portal import PortalSettings

LATE_MS = 5000
"""What may have been shown so long before, while the gateway stood still, opens nothing."""
Show = Callable[[str, Feedback], None]
"""Show something at a reader (subject of its events)."""


@dataclass(slots=True)
class Portal:
    """One door as it stands."""

    settings: PortalSettings
    lock: LockKeeper | None
    door: DoorState = field(default_factory=DoorState)
    let_in: bool = False
    """Whether it was opened last for somebody who comes in and is no responder."""
    follows: bool = False
    """Whether somebody was let pass while it stood open: the lock then stays open for its whole time."""

    @property
    def name(self) -> str:
        """Name in the settings and in the rights."""
        return self.settings.name

    @property
    def settle_ms(self) -> int:
        """How long its contact may bounce."""
        return int(self.settings.contact_settle_s * 1000)

    @property
    def as_door(self) -> Door:
        """What a decision asks of it; without a lock of the gateway nothing is known of that."""
        return Door(self.door.contact, Lock.UNKNOWN if self.lock is None else self.lock.state)


class Portals:
    """All doors."""

    def __init__(
        self,
        settings: Sequence[PortalSettings],
        judge: Judge,
        *,
        outputs: Outputs,
        show: Show,
        changed: Callable[[], None],
    ) -> None:
        """`show` shows something at a reader, `changed` is told when a state is another one."""
        now_ms = judge.steady.now_ms
        self._judge = judge
        self._show = show
        self._changed = changed
        self._sequences = Sequences()
        self._portals = {
            one.name: Portal(
                one,
                LockKeeper(one, outputs, now_ms=now_ms, changed=partial(self._lock_changed, one.name))
                if one.lock_output
                else None,
            )
            for one in settings
        }
        self._readers = {
            reader: (portal, side)
            for portal in self._portals.values()
            for _, reader, side in portal.settings.readers()
        }
        self._of_side = {side: reader for reader, (_, side) in self._readers.items()}
        self._locked: dict[str, tuple[str, ...]] = {}

    @property
    def locks(self) -> Mapping[str, LockKeeper]:
        """Name of the portal -> its lock, of those that have one."""
        return {name: one.lock for name, one in self._portals.items() if one.lock is not None}

    @property
    def doors(self) -> dict[str, Door]:
        """What each door says of itself."""
        return {name: portal.as_door for name, portal in self._portals.items()}

    def now(self) -> Sequence[PortalNow]:
        """Return every door as it stands."""
        return [
            PortalNow(
                name=name,
                contact=portal.door.contact.value,
                lock=portal.as_door.lock.value,
                locked_by=self._locked_by(portal),
                forced=portal.door.forced,
                held=portal.door.held,
            )
            for name, portal in self._portals.items()
        ]

    # --- who comes ---------------------------------------------------------------------------------

    def presented(self, presented: Presented) -> None:
        """Judge a credential at one of the readers."""
        portal, side = self._readers.get(presented.reader, (None, ""))
        if portal is None or presented.credential.kind not in set(FactorKind):
            return
        if presented.doubt_ms is not None and presented.doubt_ms > LATE_MS:
            data: dict[str, Scalar] = {"between_ms": presented.doubt_ms, "reader": presented.reader}
            self._judge.tell("access_late", data, side)
            self._show(presented.reader, AGAIN)
            return
        rights = self._judge.rights
        factor = Factor(
            FactorKind(presented.credential.kind),
            presented.credential.token(rights.key),
            rights.key_id or "0" * 16,
        )
        factors, left = self._sequences.shown(side, factor, now_ms=self._judge.steady.now_ms())
        if left is not None:
            self._left(side, left)
        self._decide(portal, side, factors)

    def _decide(self, portal: Portal, side: str, factors: tuple[Factor, ...]) -> None:
        decision = self._judge.decide(side, factors)
        if decision.awaits is not None:
            until_ms = self._judge.steady.now_ms() + int(portal.settings.factor_s * 1000)
            self._sequences.awaits(side, Begun(factors, decision.awaits, until_ms))
        if decision.reason is not Reason.FACTOR_AWAITED:
            self._judge.told(decision, factors)
        if decision.granted:
            self._grant(portal, decision)
        else:
            self._show(self._of_side[side], feedback(decision))
        self._changed()

    def _left(self, side: str, begun: Begun) -> None:
        """Tell that somebody did not give the next factor; one that was wrong was told already."""
        if all(one.kind != begun.awaits for one in begun.factors[1:]):
            decision = self._judge.decide(side, begun.factors, timed_out=True)
            self._judge.told(decision, begun.factors)
            self._show(self._of_side[side], feedback(decision))

    def _grant(self, portal: Portal, decision: Decision) -> None:
        portal.let_in = decision.side.endswith("/in") and decision.reason is Reason.GRANTED
        person = decision.person or "somebody"
        self._open(
            portal,
            decision.open_s,
            by=f"access: {decision.side} {person}",
            opened=partial(self._opened, portal, decision),
        )

    def _opened(self, portal: Portal, decision: Decision, failure: str) -> None:
        """Tell the person how the opening ended, now that it did."""
        reader = self._of_side.get(decision.side)
        if not failure:
            if reader is not None:
                self._show(reader, feedback(decision))
            return
        portal.door = barred(portal.door)
        self._judge.tell("access_not_opened", {"reason": failure[:200]}, decision.side)
        self._judge.moved(not_entered(self._judge.memory.state, decision.side), decision.side)
        if reader is not None:
            self._show(reader, STUCK)

    def _open(self, portal: Portal, open_s: float, *, by: str, opened: Callable[[str], None]) -> None:
        now_ms = self._judge.steady.now_ms()
        until_ms = now_ms + int(open_s * 1000)
        was_open = portal.door.contact is Contact.OPEN
        portal.door = let(portal.door, until_ms=until_ms, now_ms=now_ms)
        if was_open:  # No edge will prove it: who may pass a door that stands open has passed.
            self._passed(portal, now_ms)
        portal.follows = was_open
        if portal.lock is None:
            opened("")
        else:
            portal.lock.open(Opening(until_ms, by, opened))

    def open(self, portal: Portal, open_s: float, *, by: str) -> "asyncio.Future[str]":
        """Open a door for nobody in particular; the result is why that was not done, or empty."""
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def opened(failure: str) -> None:
            if not done.done():
                done.set_result(failure)

        self._open(portal, open_s, by=by, opened=opened)
        return done

    def find(self, name: str) -> Portal | None:
        """Return a door by its name."""
        return self._portals.get(name)

    # --- what doors tell -----------------------------------------------------------------------------

    def said(self, point: str, contact: Contact, *, ticks_ago: int) -> None:
        """Take what a contact says."""
        portal = next((one for one in self._portals.values() if one.settings.contact_point == point), None)
        if portal is None:
            return
        at_ms = self._judge.steady.now_ms() - max(0, ticks_ago) * TICK_MS
        before = portal.door
        portal.door, happened = told(
            before, contact, at_ms=at_ms, watched=portal.settings.forced, settle_ms=portal.settle_ms
        )
        # What is forced only now that it is shut again was so until now.
        before = replace(before, forced=before.forced or Happening.FORCED in happened)
        for one in happened:
            self._happened(portal, one, before, at_ms=at_ms)
        if portal.door != before:
            self._changed()

    def output_is(self, output: str, count: int | None) -> None:
        """Take what a lock's output is, whoever set it."""
        for portal in self._portals.values():
            if portal.lock is not None and portal.settings.lock_output == output:
                portal.lock.is_now(count)

    def _happened(self, portal: Portal, happening: Happening, before: DoorState, *, at_ms: int) -> None:
        seconds = max(0, at_ms - before.since_ms) // 1000
        if happening is Happening.OPENED:
            self._passed(portal, at_ms)
        elif happening is Happening.FORCED:
            self._forced(portal)
        elif happening is Happening.HELD:
            self._judge.tell("door_held", {"seconds": seconds}, portal.name)
        else:
            if before.forced or before.held:
                data = {"forced": before.forced, "held": before.held}
                self._judge.tell("door_shut", {**data, "seconds": seconds}, portal.name)
            if portal.lock is not None and portal.settings.lock_mode == "hold" and not portal.follows:
                portal.door = shut(portal.door)
                portal.lock.shut()

    def _lock_changed(self, name: str) -> None:
        """Take that a lock is in another state: the contact may bounce when it fell."""
        portal = self._portals[name]
        if portal.as_door.lock is Lock.LOCKED:
            now_ms = self._judge.steady.now_ms()
            portal.door = fell(portal.door, at_ms=now_ms, settle_ms=portal.settle_ms)
        self._changed()

    def _passed(self, portal: Portal, at_ms: int) -> None:
        """Move everybody who was let pass here, in whichever direction."""
        snapshot, memory = self._judge.snapshot, self._judge.memory
        if snapshot is None:
            return
        utc_ms, _ = self._judge.utc()
        for side in (f"{portal.name}/in", f"{portal.name}/out"):
            passing = memory.state.passing.get(side)
            if passing is not None and at_ms <= passing.until_ms + GRACE_MS:
                moved = entered(memory.state, snapshot, side=side, at_ms=utc_ms, steady_ms=at_ms)
                self._judge.moved(moved, side)

    def _forced(self, portal: Portal) -> None:
        snapshot = self._judge.snapshot
        if snapshot is None or f"{portal.name}/in" not in snapshot.index.plans:
            self._judge.tell("door_forced", {}, portal.name)
            return
        utc_ms, _ = self._judge.utc()
        self._judge.moved(
            forced(self._judge.memory.state, snapshot, portal=portal.name, at_ms=utc_ms), portal.name
        )
        self.locks_changed()

    def pressed(self, point: str) -> None:
        """Open the door of an exit button: nothing is asked."""
        for portal in self._portals.values():
            if portal.settings.exit_button_point == point:
                portal.let_in = False
                side = f"{portal.name}/out"
                self._judge.tell("exit_opened", {"button": point}, side)
                self.open(portal, portal.settings.exit_open_s, by=f"access: exit button {point}")
                self._changed()

    # --- as time goes by ------------------------------------------------------------------------------

    @property
    def due_ms(self) -> int | None:
        """When `look` has something to do before its next second."""
        dues = [self._sequences.due_ms, *(one.door.due_ms for one in self._portals.values())]
        return min((one for one in dues if one is not None), default=None)

    def look(self) -> None:
        """Tell factors that were not given, passages that did not happen, doors that stand open."""
        now_ms = self._judge.steady.now_ms()
        for side, begun in self._sequences.over(now_ms):
            self._left(side, begun)
        for side, passing in list(self._judge.memory.state.passing.items()):
            if now_ms > passing.until_ms + GRACE_MS:
                self._nobody_came(side)
        for portal in self._portals.values():
            held_ms = int(portal.settings.held_open_s * 1000)
            before = portal.door
            portal.door, happened = passing_of_time(before, now_ms=now_ms, held_open_ms=held_ms)
            for one in happened:
                self._happened(portal, one, before, at_ms=now_ms)
                self._changed()

    def _nobody_came(self, side: str) -> None:
        """End a grant that nobody used; a door without a contact cannot tell whether somebody did."""
        portal = self._portals.get(side.rpartition("/")[0])
        moved = not_entered(self._judge.memory.state, side)
        if portal is None or portal.settings.contact_point is None or portal.door.contact is Contact.UNKNOWN:
            self._judge.memory.put(moved.state)
        else:
            self._judge.moved(moved, side)

    # --- what locks them ------------------------------------------------------------------------------

    def locks_changed(self) -> None:
        """Shut doors whose entry is locked now and was not before; who is let out, or responds, goes on."""
        for portal in self._portals.values():
            before, now = self._locked.get(portal.name, ()), self._locked_by(portal)
            self._locked[portal.name] = now
            if set(now) - set(before) and portal.let_in and portal.lock is not None:
                portal.let_in = False
                portal.door = barred(portal.door)
                portal.lock.shut()
        self._changed()

    def _locked_by(self, portal: Portal) -> tuple[str, ...]:
        return locked_by(self._judge, portal.name)


def locked_by(judge: Judge, portal: str) -> tuple[str, ...]:
    """Return what locks the entry of a portal: names of interlocks, and `lock_down`."""
    zones = _zones(judge.snapshot, portal)
    names = {
        lock.interlock
        for lock in judge.locks()
        if (lock.scope is Scope.PORTAL and lock.subject == portal)
        or (lock.scope is Scope.ZONE and lock.subject in zones)
    }
    down = {EVERYWHERE, *zones} & judge.memory.state.lock_downs.keys()
    return (*sorted(names), *(["lock_down"] if down else []))


def _zones(snapshot: Snapshot | None, portal: str) -> frozenset[str]:
    plan = None if snapshot is None else snapshot.index.plans.get(f"{portal}/in")
    return frozenset() if plan is None else frozenset(zone.id for zone in plan.around)
