"""Asks the rules with what is known at this moment, and keeps what comes of it. It moves no lock.

What is told here is on the disk with the next commit; who opens something waits for that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from edge.access.memory import Memory
from edge.access.rights import RightsDesk
from edge.access.steady import Steady
from edge.control.given import Tell
from rules.access import (
    Decision,
    Enablement,
    Factor,
    Moment,
    Request,
    Situation,
    Snapshot,
    decide,
    enablement,
)
from rules.access.passages import Happened, Happening, Moved, after_decision
from rules.access.request import Door, EntryLock, Job
from wire.messages import Scalar

_DATA_MAX = 200
_KINDS: Mapping[Happening, str] = {
    Happening.ENTERED: "access_passed",
    Happening.LEFT: "access_passed",
    Happening.TOO_FEW: "access_too_few",
    Happening.VISITOR_ALONE: "access_visitor_alone",
    Happening.FORCED: "door_forced",
    Happening.UNAUTHORISED_ENTRY: "access_unauthorised_entry",
    Happening.NO_ENTRY: "access_no_entry",
}
_OF_ZONE = (Happening.TOO_FEW, Happening.VISITOR_ALONE, Happening.UNAUTHORISED_ENTRY)
"""These are about a zone, whatever door they came by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What decisions of one gateway are made of."""

    rights: RightsDesk
    memory: Memory
    steady: Steady
    tell: Tell
    locks: Callable[[], Sequence[EntryLock]]
    jobs: Callable[[], Sequence[Job]]
    doors: Callable[[], dict[str, Door]]

    @property
    def snapshot(self) -> Snapshot | None:
        """The rights in force."""
        return self.rights.snapshot

    def situation(self) -> Situation:
        """Return what interlocks, doors and jobs are like now."""
        return Situation(locks=tuple(self.locks()), doors=self.doors(), jobs=tuple(self.jobs()))

    def utc(self) -> tuple[int, bool]:
        """Return UTC in ms and whether it is trusted; not known at all, it is when the rights were issued."""
        at_ms, trusted = self.steady.utc_ms()
        if not at_ms and self.snapshot is not None:
            at_ms = self.snapshot.document.issued_at_ms
        return at_ms, trusted

    def decide(self, side: str, factors: tuple[Factor, ...], *, timed_out: bool = False) -> Decision:
        """Return the decision; the state goes on with it. Not told yet."""
        at_ms, trusted = self.utc()
        request = Request(
            side=side,
            factors=factors,
            at_ms=at_ms,
            steady_ms=self.steady.now_ms(),
            time_trusted=trusted,
            timed_out=timed_out,
            situation=self.situation(),
        )
        state = self.memory.state
        decision = decide(request, self.snapshot, state)
        self.memory.put(after_decision(state, self.snapshot, request=request, decision=decision))
        return decision

    def enablement(self, equipment: str, situation: Situation) -> Enablement:
        """Return whether a piece of equipment may work now."""
        at_ms, trusted = self.utc()
        moment = Moment(
            at_ms=at_ms, steady_ms=self.steady.now_ms(), time_trusted=trusted, situation=situation
        )
        return enablement(equipment, self.snapshot, self.memory.state, moment=moment)

    def told(self, decision: Decision, factors: Sequence[Factor]) -> None:
        """Tell a decision, and what was shown for it."""
        data = {**data_of(decision), "factors": ", ".join(one.kind.value for one in factors)}
        self.tell("access_granted" if decision.granted else "access_refused", data, decision.side)

    def moved(self, moved: Moved, subject: str) -> None:
        """Go on with what people did, and tell it."""
        before = self.memory.state
        self.memory.put(moved.state)
        for happened in moved.happened:
            about = happened.zone if happened.kind in _OF_ZONE and happened.zone is not None else subject
            self.tell(_KINDS[happened.kind], _data(happened), about)
        for zone in moved.state.lock_downs.keys() - before.lock_downs.keys():
            self.tell_lock_down(zone, on=True)

    def tell_lock_down(self, zone: str, *, on: bool, by: str = "", reason: str = "") -> None:
        """Tell that a zone, or `*`, is locked down, or not any more."""
        found = self.memory.state.lock_downs.get(zone)
        if on and found is not None:
            by, reason = found.by, found.reason
        self.tell("lock_down", {"on": on, "by": by, "reason": reason[:_DATA_MAX]}, zone)


def data_of(decision: Decision) -> dict[str, Scalar]:
    """Return a decision as its event carries it; what is not there is left out."""
    data: dict[str, Scalar] = {"reason": decision.reason.value, "step": decision.step.value}
    texts = {
        "person": decision.person or "",
        "token": decision.token or "",
        "rule": decision.rule,
        "detail": decision.detail,
        "notes": ", ".join(note.value for note in decision.notes),
        "admits": ", ".join(decision.admits),
    }
    data |= {name: text[:_DATA_MAX] for name, text in texts.items() if text}
    if decision.revision is not None:
        data["revision"] = f"{decision.revision.incarnation}.{decision.revision.number}"
    if decision.granted:
        data["open_s"] = decision.open_s
    if decision.duress:
        data["duress"] = True
    return data


def _data(happened: Happened) -> dict[str, Scalar]:
    found = structs.asdict(happened)
    data: dict[str, Scalar] = {name: found[name] for name in ("person", "zone") if found[name] is not None}
    if happened.kind in (Happening.ENTERED, Happening.LEFT):
        data["way"] = happened.kind.value
    return data
