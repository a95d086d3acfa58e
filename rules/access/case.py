"""One request as the steps of its decision see it: what was looked up, and what they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rules.access.document import Approval, Credential, Person, Right, Visit, Zone
from rules.access.reasons import Note
from rules.access.request import EntryLock, Request
from rules.access.snapshot import Plan, Snapshot
from rules.access.state import EVERYWHERE, Inside, LockDown, State, Waiting
from rules.access.words import (
    Effect,
    OldRights,
    PersonKind,
    PersonState,
    Scope,
)

CLOCK_SLACK_MS = 300_000
"""A clock that shows an instant so much before the rights were issued is wrong."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What does not depend on who asks."""

    request: Request
    snapshot: Snapshot
    state: State
    plan: Plan

    def lock_down(self) -> tuple[str, LockDown] | None:
        """Return the lock-down that counts for this side, the widest first."""
        for scope in (EVERYWHERE, *(zone.id for zone in reversed(self.plan.around))):
            if scope in self.state.lock_downs:
                return scope, self.state.lock_downs[scope]
        return None

    def entry_lock(self) -> EntryLock | None:
        """Return what an interlock locks of this side, the first by name of the interlock."""
        zones = {zone.id for zone in self.plan.around}
        found = [
            lock
            for lock in self.request.situation.locks
            if (lock.scope is Scope.ZONE and lock.subject in zones)
            or (lock.scope is Scope.PORTAL and lock.subject == self.plan.portal.id)
        ]
        return min(found, key=lambda lock: (lock.interlock, lock.scope, lock.subject), default=None)

    def doubt(self) -> Note | None:
        """Return why the rights cannot be judged as usual: their age, or a time that is not known."""
        return doubt_of(self.snapshot, at_ms=self.request.at_ms, trusted=self.request.time_trusted)


def doubt_of(snapshot: Snapshot, *, at_ms: int, trusted: bool) -> Note | None:
    """Return why rights cannot be judged at an instant as usual: their age, or a time that is not known."""
    age_ms = at_ms - snapshot.document.issued_at_ms
    if not trusted or age_ms < -CLOCK_SLACK_MS:
        return Note.TIME_UNKNOWN
    return Note.RIGHTS_OLD if age_ms > snapshot.document.max_age_s * 1000 else None


def is_alive(snapshot: Snapshot, person: Person | None, at_ms: int) -> bool:
    """Whether somebody belongs to the organisation at an instant."""
    return person is not None and person.state is PersonState.ACTIVE and person.valid.covers(at_ms)


def location(snapshot: Snapshot, state: State, person: str, *, steady_ms: int) -> tuple[Zone, ...]:
    """Return where somebody is, inside out; nothing when outside, not known or, after a time, gone."""
    inside = state.inside.get(person)
    if inside is None or is_forgotten(snapshot, inside, steady_ms):
        return ()
    return snapshot.around(inside.zone)


def is_forgotten(snapshot: Snapshot, inside: Inside, steady_ms: int) -> bool:
    """Whether timed anti-passback takes somebody for gone."""
    forget_ms = snapshot.index.forget_ms.get(inside.zone)
    return forget_ms is not None and steady_ms - inside.steady_ms >= forget_ms


def people_in(snapshot: Snapshot, state: State, zone: str, *, steady_ms: int) -> list[str]:
    """Return who is in a zone, or in one within it, by id."""
    within = snapshot.index.within.get(zone, frozenset())
    return sorted(
        person
        for person, inside in state.inside.items()
        if inside.zone in within and not is_forgotten(snapshot, inside, steady_ms)
    )


def staff_in(snapshot: Snapshot, people: Sequence[str], at_ms: int) -> list[Person]:
    """Return those of some people who are staff and still belong here."""
    found = (snapshot.person(one) for one in people)
    return [
        person
        for person in found
        if person is not None and person.kind is PersonKind.STAFF and is_alive(snapshot, person, at_ms)
    ]


@dataclass(slots=True)
class Company:
    """Who waited and comes in together with who asks."""

    staff: list[str] = field(default_factory=list)
    """As many as it takes."""
    visitors: list[tuple[str, list[Visit]]] = field(default_factory=list)
    """With their visits; whether each is let in is seen last."""
    again: bool = False
    """The one who asks waits here already."""


class Case:
    """Who asks in a scene; what is costly to find is found once."""

    def __init__(self, scene: Scene, credential: Credential | None) -> None:
        self.scene = scene
        self.credential = credential
        self.company: Company | None = None
        self._schedules: dict[str | None, bool] = {}

    @cached_property
    def person(self) -> Person | None:
        """Whose credential it is."""
        if self.credential is None or self.credential.person is None:
            return None
        return self.scene.snapshot.person(self.credential.person)

    @property
    def at_ms(self) -> int:
        """UTC of the request."""
        return self.scene.request.at_ms

    def within(self, schedule: str | None) -> bool:
        """Whether a schedule holds now."""
        found = self._schedules.get(schedule)
        if found is None:
            found = self._schedules[schedule] = self.scene.snapshot.within(schedule, self.at_ms)
        return found

    def in_force(self, item: Right | Visit) -> bool:
        """Whether a right or visit holds now."""
        return self.within(item.schedule) and item.valid.covers(self.at_ms)

    def approved(self, item: Right | Visit) -> bool:
        """Whether every laboratory head who is asked here approved it, at a time when they were head."""
        return all(self._by_head(zone, item.approval) for zone in self.scene.plan.around if zone.heads)

    def _by_head(self, zone: Zone, approval: Approval | None) -> bool:
        person = self.person
        own = person is not None and any(
            head.person == person.id and head.valid.covers(self.at_ms) for head in zone.heads
        )
        given = (
            approval is not None
            and approval.at_ms <= self.at_ms
            and any(head.person == approval.by and head.valid.covers(approval.at_ms) for head in zone.heads)
        )
        return own or given

    def rights(self, effect: Effect) -> list[Right]:
        """Return the rights of this person at this side, whenever they hold."""
        if self.person is None:
            return []
        return self.scene.snapshot.rights(self.person, self.scene.plan.id, effect)

    @cached_property
    def responder_right(self) -> Right | None:
        """Return the right by which this person responds here, if any holds."""
        return next(
            (one for one in self.rights(Effect.RESPOND) if self.in_force(one) and self.approved(one)), None
        )

    @cached_property
    def responding(self) -> bool:
        """Whether this person comes as a responder: by a responder right, to an entry that is locked."""
        scene = self.scene
        old = scene.plan.portal.when_old is OldRights.RESPONDERS and scene.doubt() is not None
        locked = old or scene.lock_down() is not None or scene.entry_lock() is not None
        return locked and self.responder_right is not None

    @cached_property
    def waiting(self) -> list[Waiting]:
        """Others who wait at this side and whose time is not over, by id."""
        scene = self.scene
        longest_ms = scene.plan.portal.pair_s * 1000
        found = [
            one
            for one in scene.state.waiting.get(scene.plan.id, ())
            if scene.request.steady_ms - one.steady_ms < longest_ms
        ]
        return sorted(found, key=lambda one: one.person)

    def people_in(self, zone: str) -> list[str]:
        """Return who is in a zone, or in one within it, by id."""
        scene = self.scene
        return people_in(scene.snapshot, scene.state, zone, steady_ms=scene.request.steady_ms)

    def passing(self, zone: str) -> set[str]:
        """Return who was let into a zone, or one within it, and may still be on the way."""
        scene = self.scene
        found: set[str] = set()
        for side, one in scene.state.passing.items():
            plan = scene.snapshot.index.plans.get(side)
            due = one.until_ms > scene.request.steady_ms
            if due and plan is not None and any(around.id == zone for around in plan.around):
                found.update(one.people)
        return found
