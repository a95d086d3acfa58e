"""A small site to try decisions in: two laboratories behind a lobby, six people, a visitor.

Everything that a test changes it changes in a `World`; what a test does not name is as in the base, in which
Anna is admitted to the laboratory on a Wednesday morning.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from rules.access import (
    EMPTY,
    AccessRights,
    Decision,
    Explanation,
    Factor,
    Request,
    Situation,
    Snapshot,
    State,
    Step,
    decide,
    explain,
)
from rules.access.document import (
    Authorisation,
    Credential,
    Day,
    Equipment,
    Group,
    Item,
    Mantrap,
    Offset,
    Person,
    Portal,
    Right,
    Schedule,
    Span,
    Visit,
    Window,
    Zone,
    key_of,
)
from rules.access.faults import faults_of
from rules.access.passages import after_decision, entered
from rules.access.request import Door, EntryLock, Job
from rules.access.snapshot import snapshot_of
from rules.access.state import Inside
from rules.access.words import (
    Contact,
    DayName,
    Effect,
    FactorKind,
    JobState,
    Lock,
    Outcome,
    PersonKind,
    Scope,
    Subject,
)
from wire.shadow import Revision

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEY = "0123456789abcdef"
WORKDAYS = (DayName.MON, DayName.TUE, DayName.WED, DayName.THU, DayName.FRI)


def at(text: str, zone: ZoneInfo = SHANGHAI, *, fold: int = 0) -> int:
    """Return the UTC ms of a local date and time."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


NOW = at("2026-03-04T10:00:00")
"""A Wednesday."""
STEADY = 7 * DAY_MS
SHUT = Door(Contact.CLOSED, Lock.LOCKED)
TOO_WARM = EntryLock(Scope.ZONE, "lab", "il-1", "too warm")


def token(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def card(person: str) -> Factor:
    return Factor(FactorKind.CARD, token(person), KEY)


def pin(person: str, digits: str = "") -> Factor:
    return Factor(FactorKind.PIN, token(f"pin {person}{digits}"), KEY)


def inside(zone: str, *, since_ms: int = HOUR_MS) -> Inside:
    return Inside(zone, NOW - since_ms, STEADY - since_ms, "door-1/in")


def _base() -> list[Item]:
    staff = ("anna", "ben", "carl", "dora", "hugo")
    holder = {"anna": Person("anna", "Anna Chen", pin=token("pin anna"), duress_pin=token("pin anna911"))}
    people = [holder.get(one, Person(one, one.title(), escorts=one == "carl")) for one in staff]
    return [
        *people,
        Person("vera", "Vera Guest", PersonKind.VISITOR),
        *(Credential(token(one), one) for one in (*staff, "vera")),
        Credential(token("ben spare"), "ben"),
        Group(id="staff", people=("anna", "ben", "carl", "hugo")),
        Schedule(id="work", windows=(Window(WORKDAYS, 8 * 60, 18 * 60),)),
        Zone(id="lobby"),
        Zone(id="lab"),
        Zone(id="dark-room", parent="lab"),
        Portal(id="front", to_zone="lobby"),
        Portal(id="door-1", from_zone="lobby", to_zone="lab"),
        Portal(id="door-2", from_zone="lobby", to_zone="lab"),
        Portal(id="inner", from_zone="lab", to_zone="dark-room"),
        Right(id="r-staff", groups=("staff",), zones=("lobby", "lab", "dark-room"), schedule="work"),
        Right(id="r-respond", effect=Effect.RESPOND, people=("dora",), zones=("lab",)),
        Visit(
            id="v-1",
            person="vera",
            host="ben",
            zones=("lobby", "lab"),
            valid=Span(NOW - HOUR_MS, NOW + HOUR_MS),
        ),
        *(Authorisation(f"a-{one}", one, Subject.ACTIVITY, "weights") for one in ("anna", "ben")),
        *(Authorisation(f"b-{one}", one, Subject.EQUIPMENT, "balance") for one in ("anna", "ben")),
        Equipment(id="balance-1", zone="lab", subject="balance"),
    ]


_LISTS: dict[type, str] = {
    Schedule: "schedules",
    Person: "people",
    Credential: "credentials",
    Group: "groups",
    Zone: "zones",
    Portal: "portals",
    Mantrap: "mantraps",
    Right: "rights",
    Visit: "visits",
    Authorisation: "authorisations",
    Equipment: "equipment",
    Day: "calendar",
}


@dataclass
class World:
    """Rights, a request and a state that can be changed piece by piece."""

    parts: dict[str, dict[str, Item]] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    state: State = EMPTY

    def __post_init__(self) -> None:
        self.put(*_base())

    def put(self, *items: Item) -> None:
        for item in items:
            self.parts.setdefault(_LISTS[type(item)], {})[key_of(item)] = item

    def change(self, name: str, key: str, **fields: Any) -> None:
        """Replace fields of one item."""
        self.parts[name][key] = msgspec.structs.replace(self.parts[name][key], **fields)

    def drop(self, name: str, key: str) -> None:
        del self.parts[name][key]

    def ask(self, **fields: Any) -> None:
        self.asked.update(fields)

    def situation(self, **fields: Any) -> None:
        before = self.asked.get("situation", Situation())
        self.asked["situation"] = msgspec.structs.replace(before, **fields)

    def live(self, **fields: Any) -> None:
        """Replace fields of the state."""
        self.state = msgspec.structs.replace(self.state, **fields)

    def document(self) -> AccessRights:
        values: dict[str, Any] = {
            "gateway": "gw-1",
            "revision": Revision(1, 1),
            "issued_at_ms": NOW - HOUR_MS,
            "max_age_s": 7 * 86_400,
            "key_id": KEY,
            "time_zone": "Asia/Shanghai",
            "offsets": (Offset(0, 8 * 3600),),
        }
        lists = {name: tuple(found.values()) for name, found in self.parts.items()}
        return AccessRights(**values | self.scalars | lists)

    def snapshot(self) -> Snapshot:
        document = self.document()
        assert faults_of(document) == []
        return snapshot_of(document)

    def request(self) -> Request:
        values: dict[str, Any] = {
            "side": "door-1/in",
            "factors": (card("anna"),),
            "at_ms": NOW,
            "steady_ms": STEADY,
        }
        return Request(**values | self.asked)

    def decide(self) -> Decision:
        return decide(self.request(), self.snapshot(), self.state)

    def explain(self) -> Explanation:
        return explain(self.request(), self.snapshot(), self.state)

    def present(self, *factors: Factor, side: str = "door-1/in", after_s: float = 0.0) -> Decision:
        """Decide on factors so many seconds after `NOW`, and take the decision into the state."""
        later_ms = round(after_s * 1000)
        self.ask(side=side, factors=factors, at_ms=NOW + later_ms, steady_ms=STEADY + later_ms)
        snapshot, request = self.snapshot(), self.request()
        decision = decide(request, snapshot, self.state)
        self.state = after_decision(self.state, snapshot, request=request, decision=decision)
        return decision

    def pass_through(self, side: str = "door-1/in", *, after_s: float = 0.0) -> None:
        """Prove the passage of everybody who was let pass."""
        later_ms = round(after_s * 1000)
        moved = entered(
            self.state, self.snapshot(), side=side, at_ms=NOW + later_ms, steady_ms=STEADY + later_ms
        )
        self.state = moved.state


def job(**fields: Any) -> Job:
    values: dict[str, Any] = {
        "id": "j-1",
        "zone": "lab",
        "state": JobState.RUNNING,
        "people": ("anna", "ben"),
        "activities": ("weights",),
        "equipment": ("balance-1",),
    }
    return Job(**values | fields)


def outcomes(world: World) -> dict[Step, Outcome]:
    """Return what became of each step."""
    return {one.step: one.outcome for one in world.explain().findings}
