"""Everything that is wrong with rights is named: where, what stands there, what was expected."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from rules.access.document import (
    Approval,
    Authorisation,
    Credential,
    Day,
    Equipment,
    Group,
    Head,
    Mantrap,
    Offset,
    Person,
    Portal,
    Right,
    Schedule,
    Side,
    Span,
    Visit,
    Window,
    Zone,
)
from rules.access.faults import faults_of
from rules.access.words import DayKind, DayName, Effect, FactorKind, Passback, PersonKind, SideKind, Subject
from tests.rules.access.world import NOW, World, token

AT = f"{datetime.fromtimestamp(NOW / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"

BACKWARDS = Span(NOW, NOW)
CASES: list[tuple[str, Callable[[World], object]]] = [
    (
        "offsets: [0, 0]: expected ascending instants",
        lambda world: world.scalars.update(offsets=(Offset(0, 1), Offset(0, 2))),
    ),
    (
        "calendar: 2026-02-30: expected a date that exists",
        lambda world: world.put(Day(date="2026-02-30", kind=DayKind.HOLIDAY)),
    ),
    (
        "calendar 2026-03-04: holiday: expected a day of the week for a make-up workday",
        lambda world: world.put(Day(date="2026-03-04", kind=DayKind.WORKDAY, like=DayName.HOLIDAY)),
    ),
    (
        "schedules work: 600 to 600: expected an end after its start, by a day at most",
        lambda world: world.put(Schedule(id="work", windows=(Window((DayName.MON,), 600, 600),))),
    ),
    (
        "schedules work: 600 to 2041: expected an end after its start, by a day at most",
        lambda world: world.put(Schedule(id="work", windows=(Window((DayName.MON,), 600, 2041),))),
    ),
    (
        f"people anna valid: {AT} to {AT}: expected an end after its start",
        lambda world: world.change("people", "anna", valid=BACKWARDS),
    ),
    (
        "people anna duress_pin: the PIN: expected another than the PIN",
        lambda world: world.change("people", "anna", duress_pin=token("pin anna")),
    ),
    (
        "people anna duress_pin: no PIN beside it: expected a PIN too",
        lambda world: world.change("people", "anna", pin=None),
    ),
    (
        "people vera escorts: a visitor: expected staff",
        lambda world: world.change("people", "vera", escorts=True),
    ),
    (
        f"credentials {token('anna')[:6]}… valid: {AT} to {AT}: expected an end after its start",
        lambda world: world.change("credentials", token("anna"), valid=BACKWARDS),
    ),
    (
        f"credentials {token('x')[:6]}… person: nobody: expected a person of this document",
        lambda world: world.put(Credential(token("x"), "nobody")),
    ),
    (
        f"credentials {token('x')[:6]}… kind: pin: expected a factor that identifies; PINs stand with people",
        lambda world: world.put(Credential(token("x"), "anna", FactorKind.PIN)),
    ),
    (
        f"authorisations a valid: {AT} to {AT}: expected an end after its start",
        lambda world: world.put(Authorisation("a", "anna", Subject.ACTIVITY, "weights", BACKWARDS)),
    ),
    (
        "authorisations a person: nobody: expected a person of this document",
        lambda world: world.put(Authorisation("a", "nobody", Subject.ACTIVITY, "weights")),
    ),
    (
        "zones lab parent: nowhere: expected a zone of this document",
        lambda world: world.change("zones", "lab", parent="nowhere"),
    ),
    (
        "zones lab parent: lab: expected no zone around itself",
        lambda world: world.change("zones", "lab", parent="dark-room"),
    ),
    (
        "zones lab capacity: 1: expected at least min_people, 2",
        lambda world: world.change("zones", "lab", capacity=1, min_people=2),
    ),
    (
        "zones lab forget_s: None: expected a time for timed anti-passback, and none else",
        lambda world: world.change("zones", "lab", passback=Passback.TIMED),
    ),
    (
        "zones lab forget_s: 60: expected a time for timed anti-passback, and none else",
        lambda world: world.change("zones", "lab", forget_s=60),
    ),
    (
        "zones lab heads: vera: expected the number of somebody of the staff",
        lambda world: world.change("zones", "lab", heads=(Head("vera"),)),
    ),
    (
        f"zones lab heads hugo: {AT} to {AT}: expected an end after its start",
        lambda world: world.change("zones", "lab", heads=(Head("hugo", BACKWARDS),)),
    ),
    (
        "portals front from_zone: street: expected a zone of this document",
        lambda world: world.change("portals", "front", from_zone="street"),
    ),
    (
        "portals back: outside: expected two different sides",
        lambda world: world.put(Portal(id="back", inward=Side(kind=SideKind.EXIT))),
    ),
    (
        "sides front/out: an entry to outside: expected an exit: the way out is free",
        lambda world: (
            world.change("portals", "front", outward=Side()),
            world.put(Portal(id="back", to_zone="lobby")),
        ),
    ),
    (
        "sides front/in identify: nothing: expected factors that identify, without pin",
        lambda world: world.change("portals", "front", inward=Side(identify=())),
    ),
    (
        "sides front/in identify: card, pin: expected factors that identify, without pin",
        lambda world: world.change(
            "portals", "front", inward=Side(identify=(FactorKind.CARD, FactorKind.PIN))
        ),
    ),
    (
        "zones dark-room: no way out: expected a portal with an exit side that leads out of it",
        lambda world: world.change("portals", "inner", outward=Side()),
    ),
    (
        "groups staff people: vera: expected the number of somebody of the staff",
        lambda world: world.put(Group(id="staff", people=("vera",))),
    ),
    (
        "mantraps m portals: door-9: expected a portal of this document",
        lambda world: world.put(Mantrap(id="m", portals=("door-1", "door-9"))),
    ),
    (
        "mantraps m portals: door-1, door-1: expected each once",
        lambda world: world.put(Mantrap(id="m", portals=("door-1", "door-1"))),
    ),
    (
        "equipment e zone: nowhere: expected a zone of this document",
        lambda world: world.put(Equipment(id="e", zone="nowhere", subject="balance")),
    ),
    (
        f"rights r-staff valid: {AT} to {AT}: expected an end after its start",
        lambda world: world.change("rights", "r-staff", valid=BACKWARDS),
    ),
    (
        "rights r-staff schedule: never: expected a schedule of this document",
        lambda world: world.change("rights", "r-staff", schedule="never"),
    ),
    (
        "rights r-staff approval: vera: expected the number of somebody of the staff",
        lambda world: world.change("rights", "r-staff", approval=Approval("vera", NOW)),
    ),
    (
        "rights r people: vera: expected the number of somebody of the staff",
        lambda world: world.put(Right(id="r", people=("vera",), zones=("lab",))),
    ),
    (
        "rights r people: nobody: expected a person of this document",
        lambda world: world.put(Right(id="r", effect=Effect.DENY, people=("nobody",), zones=("lab",))),
    ),
    (
        "rights r groups: g: expected a group of this document",
        lambda world: world.put(Right(id="r", groups=("g",), zones=("lab",))),
    ),
    (
        "rights r sides: door-9/in: expected a side of this document",
        lambda world: world.put(Right(id="r", people=("anna",), sides=("door-9/in",))),
    ),
    (
        "rights r sides: door-1/out: expected an entry side: an exit asks for no right",
        lambda world: world.put(Right(id="r", people=("anna",), sides=("door-1/out",))),
    ),
    (
        "rights r zones: nowhere: expected a zone of this document",
        lambda world: world.put(Right(id="r", people=("anna",), zones=("nowhere",))),
    ),
    (
        "rights r: nobody: expected people, groups or everyone",
        lambda world: world.put(Right(id="r", zones=("lab",))),
    ),
    (
        "rights r: nowhere: expected sides or zones",
        lambda world: world.put(Right(id="r", everyone=True)),
    ),
    (
        "visits v-1 host: vera: expected the number of somebody of the staff",
        lambda world: world.change("visits", "v-1", host="vera"),
    ),
    (
        "visits v-1 person: nobody: expected a person of this document",
        lambda world: world.change("visits", "v-1", person="nobody"),
    ),
    (
        "visits v-1 person: anna: expected a visitor",
        lambda world: world.change("visits", "v-1", person="anna"),
    ),
    (
        "visits v-1 zones: nowhere: expected a zone of this document",
        lambda world: world.change("visits", "v-1", zones=("nowhere",)),
    ),
    (
        "visits v-1 valid: no end: expected an instant at which it is over",
        lambda world: world.change("visits", "v-1", valid=Span(NOW, None)),
    ),
]


def test_base_has_no_fault() -> None:
    assert faults_of(World().document()) == []


@pytest.mark.parametrize(("text", "change"), CASES, ids=[text for text, _ in CASES])
def test_fault_is_named(text: str, change: Callable[[World], object]) -> None:
    world = World()
    change(world)
    assert text in [str(fault) for fault in faults_of(world.document())]


def test_what_stands_twice_is_named_before_anything_else() -> None:
    document = World().document()
    twice = (*document.zones, Zone(id="lab", parent="nowhere"))
    people = (*document.people, Person("anna", kind=PersonKind.VISITOR))
    broken = type(document)(
        **{name: getattr(document, name) for name in document.__struct_fields__}
        | {"zones": twice, "people": people}
    )
    assert [str(fault) for fault in faults_of(broken)] == [
        "people: anna: expected each once",
        "zones: lab: expected each once",
    ]


def test_zone_beneath_zones_that_lie_around_each_other_is_told_too() -> None:
    world = World()
    world.change("zones", "lab", parent="dark-room")
    world.put(Zone(id="nook", parent="lab"))
    assert "zones nook parent: lab: expected no zone around itself" in map(str, faults_of(world.document()))


def test_zone_without_any_door_is_no_trap() -> None:
    world = World()
    world.put(Zone(id="cupboard"))
    assert faults_of(world.document()) == []


def test_visit_may_name_zones_and_hosts_alone() -> None:
    world = World()
    world.put(Visit(id="v-2", person="vera", host="carl", zones=("lab",), valid=Span(None, NOW)))
    assert faults_of(world.document()) == []
