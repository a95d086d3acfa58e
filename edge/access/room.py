"""Access at the gateway: rights that come in, doors, equipment, and what the hub is told of them.

It is a member of control (`edge.control.given.Member`); the commands of the hub reach it through
`edge.access.doing`. What is decided is in `rules.access`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from msgspec import structs

from edge.access.contacts import Points, pressed
from edge.access.equipment import EquipmentDesk
from edge.access.judge import Judge
from edge.access.memory import Memory
from edge.access.owning import Owned
from edge.access.portals import Portals, locked_by
from edge.access.rights import RightsDesk
from edge.access.showing import Showing
from edge.access.steady import Steady
from edge.control.given import Given, Member, Part, Seen
from edge.control.hearers import Hearers
from edge.control.line import Came
from edge.control.offers import NotDoneError, RefusedError
from edge.credential import Presented
from rules.access import EVERYWHERE, Called, Reason, State, roll_call, sentence
from rules.access.case import people_in
from rules.access.passages import lock_down_ended, locked_down, pardoned, placed, tidied
from rules.access.request import EntryLock, Job
from rules.access.state import Inside, LockDown
from rules.access.words import SideKind
from wire.control import ControlStatus, DocumentNow, InsideNow
from wire.messages import as_text
from wire.settings.portal import door_outputs
from wire.topics import Channel

LOOK_S = 1.0
KEEP_MS = 30_000
"""So often the steady clock is kept and what ran out is tidied away."""
ATTEMPTS = 3
"""So often a permit is written down that others overtake meanwhile."""
NOT_KEPT = "the disk takes nothing now, or too much else happened meanwhile"
OUTSIDE = "outside"
"""Of `place`: nowhere in here."""
LISTED_MAX = 256
INSIDE_MAX = 10_000
FAULTS_MAX = 100
SET_ASIDE = "journal.db.damaged-*"
"""A journal that was here before, in the gateway's folder."""
LOST_BY, LOST = "@gateway", "state lost"
"""Who locks down, and why, where it is not known any more what was locked down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What access asks of the others in control."""

    locks: Callable[[], Sequence[EntryLock]]
    """What tripped interlocks lock."""
    releases: Callable[[str], bool]
    """Whether the interlock that owns an output lets others set it."""
    held_zones: Callable[[], Mapping[str, Sequence[str]]]
    """Zone -> the interlocks that hold its work."""
    jobs: Callable[[], Sequence[Job]]
    hearers: Sequence[Hearers]
    """They tell when any of these is another one."""
    status_changed: Callable[[], None]
    """To be called when the hub should hear a new state."""


class Access(Member):
    """Doors and equipment of one gateway."""

    def __init__(self, given: Given, around: Around) -> None:
        settings = given.settings
        self._given = given
        self._changed = around.status_changed
        self._locked_by_loss = False
        steady = Steady(
            boot=given.boot,
            now_tick=given.now_tick,
            utc_ms=given.utc_ms,
            remember=given.remember,
            recall=given.recall,
        )
        self.rights = RightsDesk(
            settings.gateway.id,
            given.folder,
            tell=given.tell,
            eager=bool(settings.portal or settings.equipment or settings.panel),
        )
        self.judge = Judge(
            rights=self.rights,
            memory=Memory(remember=given.remember, recall=given.recall, whole=given.kept_whole),
            steady=steady,
            tell=given.tell,
            locks=around.locks,
            jobs=around.jobs,
            doors=lambda: self.portals.doors,
        )
        if self.judge.memory.lost and settings.portal and self._had_state():
            lock_down = LockDown(self.judge.utc()[0], LOST_BY, LOST)
            self.judge.memory.put(locked_down(self.judge.memory.state, EVERYWHERE, lock_down))
            self._locked_by_loss = True
        self.judge.memory.begin()
        self._showing = Showing(settings.portal, settings.device, given.drivers)
        self.portals = Portals(
            settings.portal,
            self.judge,
            outputs=given.outputs,
            show=self._showing.show,
            changed=self._something_changed,
        )
        self._equipment = EquipmentDesk(
            settings.equipment,
            self.judge,
            outputs=given.outputs,
            releases=around.releases,
            held_zones=around.held_zones,
            changed=around.status_changed,
        )
        self._points = Points(
            [one.contact_point for one in settings.portal if one.contact_point is not None],
            [name for name, _ in door_outputs(settings.portal, settings.equipment)],
            points=given.points,
            layouts=given.layouts,
        )
        given.outputs.guard(Owned(dict(door_outputs(settings.portal, settings.equipment))))
        self._wake = asyncio.Event()
        self._begun = False
        self._permitting = asyncio.Lock()
        self._asked_down: Counter[str] = Counter()
        """Zone -> how often its lock-down was asked for."""
        for one in (*around.hearers, self.rights.changed):
            one.add(self._locks_changed)

    def _had_state(self) -> bool:
        """Whether this is more than a gateway that begins: what it knew may have been a lock-down."""
        if self.judge.memory.damaged or self.rights.were_kept:
            return True
        return any(self._given.folder.glob(SET_ASIDE))

    # --- what the gateway gives ------------------------------------------------------------------------

    @property
    def came(self) -> Mapping[Channel, Came]:
        """It takes rights."""
        return {Channel.DOWN_RIGHTS: self.rights.came}

    def spoiled(self, channel: Channel, reason: str) -> None:
        """Tell the hub that rights came which it did not sign, or not whole."""
        if channel is Channel.DOWN_RIGHTS:
            self.rights.spoiled(reason)

    def look(self, item: Seen) -> None:
        """Take what contacts, exit buttons and outputs say."""
        for said in self._points.look(item):
            if said.contact is not None:
                self.portals.said(said.point, said.contact, ticks_ago=self._given.now_tick() - said.tick)
            else:
                self.portals.output_is(said.point, said.count)
                self._equipment.output_is(said.point, said.count)
        if (button := pressed(item)) is not None:
            self.portals.pressed(button)

    def presented(self, presented: Presented) -> None:
        """Judge a credential."""
        self.portals.presented(presented)

    def parts(self) -> Mapping[str, Part]:
        """Return what is to be kept running."""
        parts: dict[str, Part] = {"access rights": self.rights.run}
        settings = self._given.settings
        if settings.portal or settings.equipment:
            parts["access"] = self._run
        if settings.equipment:
            parts["equipment"] = self._equipment.run
        for name, lock in self.portals.locks.items():
            parts[f"lock of {name}"] = lock.run
        for name, show in self._showing.parts().items():
            parts[f"feedback of {name}"] = show
        return parts

    def told(self, status: ControlStatus) -> ControlStatus:
        """Say which rights are in force, how doors stand, who is inside, what may work."""
        state = self.judge.memory.state
        inside = sorted(state.inside.items())[:INSIDE_MAX]
        return structs.replace(
            status,
            rights=self._rights_now(),
            portals=tuple(self.portals.now()),
            lock_downs=tuple(sorted(state.lock_downs))[:LISTED_MAX],
            inside=tuple(InsideNow(person=one, zone=at.zone, at_ms=at.at_ms) for one, at in inside),
            equipment=tuple(self._equipment.now()),
        )

    def _rights_now(self) -> DocumentNow:
        """Say too what the rights in force do not name although it is here."""
        now, settings, snapshot = self.rights.now(), self._given.settings, self.judge.snapshot
        if snapshot is None:
            return now
        doors = (one.name for one in settings.portal if f"{one.name}/in" not in snapshot.index.plans)
        pieces = (one.id for one in settings.equipment if one.id not in snapshot.index.equipment)
        unknown = [f"portal {name}: not in the rights: every card is refused there" for name in doors]
        unknown += [f"equipment {name}: not in the rights: it never works" for name in pieces]
        return structs.replace(now, faults=(*now.faults, *unknown)[:FAULTS_MAX]) if unknown else now

    # --- as time goes by -------------------------------------------------------------------------------

    async def _run(self) -> None:
        if not self._begun:
            self._begun = True
            if self.judge.memory.lost and self._given.settings.portal:
                self.judge.tell("access_state_lost", {}, self._given.settings.gateway.id)
                if self._locked_by_loss:
                    self.judge.tell_lock_down(EVERYWHERE, on=True)
        keep_ms = self.judge.steady.now_ms()
        while True:
            self._wake.clear()
            self.portals.look()
            self._equipment.ask()
            if self.judge.steady.now_ms() >= keep_ms:
                keep_ms = self.judge.steady.now_ms() + KEEP_MS
                self._tidy()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s()):
                    await self._wake.wait()

    def _wait_s(self) -> float:
        due_ms = self.portals.due_ms
        if due_ms is None:
            return LOOK_S
        return min(LOOK_S, max(0.01, (due_ms - self.judge.steady.now_ms()) / 1000))

    def _tidy(self) -> None:
        steady, memory, snapshot = self.judge.steady, self.judge.memory, self.judge.snapshot
        steady.keep()
        if snapshot is not None:
            memory.put(tidied(memory.state, snapshot, steady_ms=steady.now_ms()))

    def _something_changed(self) -> None:
        self._wake.set()
        self._changed()

    def _locks_changed(self) -> None:
        self.portals.locks_changed()
        self._equipment.ask()
        self._something_changed()

    # --- what people ask ---------------------------------------------------------------------------------

    async def open(self, portal: str, side: str, *, by: str) -> None:
        """Open a door for whoever stands there; `RefusedError` where its entry is locked, `NotDoneError`."""
        found = self.portals.find(portal)
        if found is None or found.lock is None:
            raise RefusedError(f"portal {portal}: expected one with a lock of this gateway")
        if side not in ("in", "out"):
            raise RefusedError(f"side {side}: expected in or out")
        plan = (
            None if self.judge.snapshot is None else self.judge.snapshot.index.plans.get(f"{portal}/{side}")
        )
        open_s = found.settings.exit_open_s if plan is None else float(plan.portal.open_s)
        is_exit = side == "out" if plan is None else plan.side.kind is SideKind.EXIT
        if not is_exit:
            self._check_entry(portal)
        found.let_in = not is_exit
        self.judge.tell("door_opened_by_command", {"by": by}, f"{portal}/{side}")
        failure = await self.portals.open(found, open_s, by=by)
        if failure:
            raise NotDoneError(f"portal {portal}: {failure}")

    def _check_entry(self, portal: str) -> None:
        names = locked_by(self.judge, portal)
        if not names:
            return
        down = names[-1] == "lock_down"
        reason = sentence(Reason.LOCK_DOWN if down else Reason.INTERLOCK, "en")
        raise RefusedError(f"portal {portal}: {reason} ({', '.join(names)})")

    async def lock_down(self, zone: str, *, by: str, reason: str) -> None:
        """Lock down a zone, or `*` for the whole site, at once; `RefusedError` for a zone nobody knows."""
        self._check_zone(zone)
        memory = self.judge.memory
        at_ms, _ = self.judge.utc()
        lock_down = LockDown(at_ms, as_text(by), as_text(reason))
        self._asked_down[zone] += 1
        if memory.put(locked_down(memory.state, zone, lock_down)):
            self.judge.tell_lock_down(zone, on=True)
        self._locks_changed()
        await self._given.settle()

    async def release(self, zone: str, *, by: str, reason: str) -> None:
        """End a lock-down once that is on the disk; `RefusedError` where there is none, `NotDoneError`."""
        memory = self.judge.memory
        if zone not in memory.state.lock_downs:
            known = ", ".join(sorted(memory.state.lock_downs)) or "there is none"
            raise RefusedError(f"zone {zone}: expected one that is locked down ({known})")
        self.judge.tell_lock_down(zone, on=False, by=as_text(by), reason=reason)
        asked = self._asked_down[zone]
        if not await self._permit(lambda state: self._released(state, zone, asked)):
            raise NotDoneError(f"zone {zone}: {NOT_KEPT}: it stays locked down")
        if zone in memory.state.lock_downs:
            raise NotDoneError(f"zone {zone}: it was locked down again meanwhile: it stays locked down")
        self._locks_changed()

    def _released(self, state: State, zone: str, asked: int) -> State:
        """Return the state without a lock-down, unless somebody asked for it again meanwhile."""
        return lock_down_ended(state, zone) if self._asked_down[zone] == asked else state

    async def _permit(self, change: Callable[[State], State]) -> bool:
        """Have a state count once it is on the disk; return whether it does.

        Whatever comes of it, the disk gets what counts, even with nobody waiting: who is stopped meanwhile
        leaves a commit behind that ends all the same.
        """
        memory = self.judge.memory
        async with self._permitting:
            try:
                for _ in range(ATTEMPTS):
                    proposed = change(memory.state)
                    memory.propose(proposed)
                    durable = await self._given.settle()
                    if not durable:
                        return False
                    if memory.proposed is proposed and change(memory.state) == proposed:
                        memory.put(proposed)
                        return True
                return False
            finally:
                if memory.proposed is not memory.state:
                    memory.propose(memory.state)

    async def place(self, person: str, zone: str, *, by: str) -> None:
        """Have somebody be in a zone, or `outside`; wrong factors of theirs are forgiven. `RefusedError`."""
        if zone != OUTSIDE:
            self._check_zone(zone)
        if zone == EVERYWHERE:
            raise RefusedError(f"zone {zone}: expected one zone, or {OUTSIDE}")
        memory, steady = self.judge.memory, self.judge.steady
        snapshot = self.judge.snapshot
        known = person in memory.state.inside or (
            snapshot is not None and snapshot.person(person) is not None
        )
        if not known:
            raise RefusedError(f"person {person}: expected the number of somebody whom the rights know")
        at_ms, _ = self.judge.utc()
        inside = None if zone == OUTSIDE else Inside(zone, at_ms, steady.now_ms())
        self.judge.tell("access_placed", {"person": person, "by": as_text(by)}, zone)
        if not await self._permit(lambda state: pardoned(placed(state, person, inside), person)):
            raise NotDoneError(f"person {person}: {NOT_KEPT}: they stay where they were")
        self._something_changed()

    def _check_zone(self, zone: str) -> None:
        snapshot = self.judge.snapshot
        zones = () if snapshot is None else tuple(snapshot.index.zones)
        if zone != EVERYWHERE and zone not in zones:
            raise RefusedError(f"zone {zone}: expected {EVERYWHERE} or one of {', '.join(zones) or 'none'}")

    def present(self, zone: str) -> bool | None:
        """Whether somebody is in a zone, or in one within it; None where no door can tell."""
        if not self._given.settings.portal:
            return None
        snapshot, state = self.judge.snapshot, self.judge.memory.state
        if snapshot is None:
            return any(inside.zone == zone for inside in state.inside.values())
        return bool(people_in(snapshot, state, zone, steady_ms=self.judge.steady.now_ms()))

    def roll_call(self) -> list[Called]:
        """Return everybody who came in and was not seen to leave."""
        return roll_call(self.judge.snapshot, self.judge.memory.state, steady_ms=self.judge.steady.now_ms())
