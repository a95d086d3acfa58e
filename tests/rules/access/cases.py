"""For each reason code one thing that, done to a world in which Anna is admitted, leads to it."""

from collections.abc import Callable

from rules.access.document import Head, Mantrap, Right, Schedule, Side, Span, Window
from rules.access.reasons import Reason
from rules.access.request import Door, EntryLock, Factor
from rules.access.state import EVERYWHERE, LockDown, Passing, Tries, Waiting
from rules.access.words import (
    Contact,
    CredentialState,
    DayName,
    Effect,
    FactorKind,
    Lock,
    Passback,
    PersonState,
    Scope,
)
from tests.rules.access.world import (
    DAY_MS,
    HOUR_MS,
    NOW,
    STEADY,
    World,
    card,
    inside,
    job,
    pin,
    token,
)

Change = Callable[[World], None]
PAST, FUTURE = Span(None, NOW), Span(NOW + 1, None)
LOCK = EntryLock(Scope.ZONE, "lab", "il-1", "temperature 24.1 °C, limit 23.0 °C")
PIN_TOO = Side(verify=(FactorKind.PIN,))


def _credential(state: CredentialState) -> Change:
    return lambda world: world.change("credentials", token("anna"), state=state)


def _person(state: PersonState) -> Change:
    return lambda world: world.change("people", "anna", state=state)


def _visitor(world: World) -> None:
    """Vera comes with Ben, who was let in just before."""
    world.ask(factors=(card("vera"),))
    world.live(passing={"door-1/in": Passing(("ben",), STEADY + 1)})


def _visit(change: Change) -> Change:
    def both(world: World) -> None:
        _visitor(world)
        change(world)

    return both


def _pin(*shown: str) -> Change:
    def change(world: World) -> None:
        world.change("portals", "door-1", inward=PIN_TOO)
        world.ask(factors=(card("anna"), *(pin("anna", digits) for digits in shown)))

    return change


def _attempts(world: World) -> None:
    _pin("")(world)
    world.live(tries={"anna": Tries(5, STEADY - 1000, STEADY + 1)})


def _not_set(world: World) -> None:
    world.change("people", "anna", pin=None, duress_pin=None)
    _pin("")(world)


def _timeout(world: World) -> None:
    _pin()(world)
    world.ask(timed_out=True)


def _key_other(world: World) -> None:
    world.ask(factors=(Factor(FactorKind.CARD, token("anna"), "f" * 16),))


def _unassigned(world: World) -> None:
    world.change("credentials", token("anna"), person=None)


def _right(**fields: object) -> Change:
    return lambda world: world.change("rights", "r-staff", **fields)


def _weekend(world: World) -> None:
    world.put(Schedule(id="work", windows=(Window((DayName.SAT, DayName.SUN), 0, 1440),)))


def _activities(**fields: object) -> Change:
    def change(world: World) -> None:
        world.change("zones", "lab", activities=("weights",))
        world.change("authorisations", "a-anna", **fields)

    return change


def _job_only(*people: str) -> Change:
    def change(world: World) -> None:
        world.change("zones", "lab", job_only=True)
        world.situation(jobs=(job(people=people),) if people else ())

    return change


def _passback(world: World) -> None:
    world.change("zones", "lab", passback=Passback.HARD)
    world.live(inside={**world.state.inside, "anna": inside("lab")})


def _location(world: World) -> None:
    world.change("zones", "lobby", passback=Passback.HARD)


def _full(world: World) -> None:
    world.change("zones", "lab", capacity=2)
    world.live(inside={**world.state.inside, "vera": inside("lab"), "of-yesterday": inside("dark-room")})


def _alone(world: World) -> None:
    world.change("zones", "lab", min_people=2)


def _same(world: World) -> None:
    _alone(world)
    world.live(waiting={"door-1/in": (Waiting("anna", token("anna"), STEADY - 1000),)})


def _mantrap(door: Door) -> Change:
    def change(world: World) -> None:
        world.put(Mantrap(id="m-1", portals=("door-1", "door-2")))
        world.situation(doors={"door-2": door})

    return change


def _respond(world: World) -> None:
    world.ask(factors=(card("dora"),))
    world.situation(locks=(LOCK,))


def _deny(world: World) -> None:
    world.put(Right(id="r-deny", effect=Effect.DENY, people=("anna",), sides=("door-1/in",)))


CASES: dict[Reason, Change] = {
    Reason.EXIT: lambda world: world.ask(side="door-1/out"),
    Reason.PORTAL_UNKNOWN: lambda world: world.ask(side="door-9/in"),
    Reason.OUT_OF_SERVICE: lambda world: world.change("portals", "door-1", in_service=False),
    Reason.LOCK_DOWN: lambda world: world.live(lock_downs={EVERYWHERE: LockDown(NOW, "hugo", "drill")}),
    Reason.INTERLOCK: lambda world: world.situation(locks=(LOCK,)),
    Reason.TIME_UNKNOWN: lambda world: world.ask(time_trusted=False),
    Reason.RIGHTS_OLD: lambda world: world.scalars.update(issued_at_ms=NOW - 8 * DAY_MS),
    Reason.KEY_OTHER: _key_other,
    Reason.FACTOR_NOT_ACCEPTED: lambda world: world.change(
        "portals", "door-1", inward=Side(identify=(FactorKind.FACE,))
    ),
    Reason.CREDENTIAL_UNKNOWN: lambda world: world.ask(factors=(card("nobody"),)),
    Reason.CREDENTIAL_REVOKED: _credential(CredentialState.REVOKED),
    Reason.CREDENTIAL_BLOCKED: _credential(CredentialState.BLOCKED),
    Reason.CREDENTIAL_LOST: _credential(CredentialState.LOST),
    Reason.CREDENTIAL_STOLEN: _credential(CredentialState.STOLEN),
    Reason.CREDENTIAL_DAMAGED: _credential(CredentialState.DAMAGED),
    Reason.CREDENTIAL_RETURNED: _credential(CredentialState.RETURNED),
    Reason.CREDENTIAL_UNASSIGNED: _unassigned,
    Reason.CREDENTIAL_NOT_YET: lambda world: world.change("credentials", token("anna"), valid=FUTURE),
    Reason.CREDENTIAL_EXPIRED: lambda world: world.change("credentials", token("anna"), valid=PAST),
    Reason.PERSON_REVOKED: _person(PersonState.REVOKED),
    Reason.PERSON_SUSPENDED: _person(PersonState.SUSPENDED),
    Reason.PERSON_LEFT: _person(PersonState.LEFT),
    Reason.PERSON_NOT_YET: lambda world: world.change("people", "anna", valid=FUTURE),
    Reason.PERSON_EXPIRED: lambda world: world.change("people", "anna", valid=PAST),
    Reason.ATTEMPTS: _attempts,
    Reason.FACTOR_NOT_SET: _not_set,
    Reason.FACTOR_WRONG: _pin("000"),
    Reason.FACTOR_TIMEOUT: _timeout,
    Reason.FACTOR_AWAITED: _pin(),
    Reason.DENIED: _deny,
    Reason.NOT_APPROVED: lambda world: world.change("zones", "lab", heads=(Head("hugo"),)),
    Reason.OUT_OF_SCHEDULE: _weekend,
    Reason.RIGHT_NOT_YET: _right(valid=FUTURE),
    Reason.RIGHT_EXPIRED: _right(valid=PAST),
    Reason.NO_RIGHT: _right(zones=("lobby",)),
    Reason.VISIT_WITHOUT_HOST: _visit(
        lambda world: world.change("people", "ben", state=PersonState.SUSPENDED)
    ),
    Reason.VISIT_NOT_YET: _visit(
        lambda world: world.change("visits", "v-1", valid=Span(NOW + 1, NOW + HOUR_MS))
    ),
    Reason.VISIT_OVER: _visit(lambda world: world.change("visits", "v-1", valid=PAST)),
    Reason.VISIT_ELSEWHERE: _visit(lambda world: world.change("visits", "v-1", zones=("lobby",))),
    Reason.NO_VISIT: _visit(lambda world: world.drop("visits", "v-1")),
    Reason.AUTHORISATION_NOT_YET: _activities(valid=FUTURE),
    Reason.AUTHORISATION_EXPIRED: _activities(valid=PAST),
    Reason.NOT_AUTHORISED: _activities(subject="lengths"),
    Reason.NO_JOB: _job_only(),
    Reason.NOT_ON_JOB: _job_only("ben"),
    Reason.PASSBACK: _passback,
    Reason.UNEXPECTED_LOCATION: _location,
    Reason.OCCUPANCY: _full,
    Reason.SECOND_PERSON_AWAITED: _alone,
    Reason.SECOND_PERSON_SAME: _same,
    Reason.ESCORT_AWAITED: _visit(lambda world: world.live(passing={})),
    Reason.ESCORT_WRONG: _visit(
        lambda world: world.live(passing={"door-1/in": Passing(("anna",), STEADY + 1)})
    ),
    Reason.MANTRAP_OPEN: _mantrap(Door(Contact.OPEN, Lock.LOCKED)),
    Reason.MANTRAP_UNKNOWN: _mantrap(Door(Contact.UNKNOWN, Lock.LOCKED)),
    Reason.GRANTED: lambda _: None,
    Reason.GRANTED_RESPONDER: _respond,
}
"""Every reason but `rights_missing`, which takes that there are no rights at all."""
