"""What the steps about a place ask: lock-down, interlocks, age of rights, mantraps, the way out."""

import pytest

from rules.access import EVERYWHERE, Note, Reason, Step
from rules.access.document import Mantrap, Right, Side
from rules.access.request import Door, EntryLock
from rules.access.state import LockDown
from rules.access.words import (
    Contact,
    Effect,
    Lock,
    OldRights,
    Outcome,
    Passback,
    Scope,
)
from tests.rules.access.world import (
    DAY_MS,
    NOW,
    SHUT,
    TOO_WARM,
    World,
    card,
    inside,
    outcomes,
)

# --- lock-down, interlocks, age -----------------------------------------------------------------------


@pytest.mark.parametrize("scope", [EVERYWHERE, "lab", "dark-room"])
def test_lock_down_of_a_zone_counts_for_zones_within_it(world: World, scope: str) -> None:
    world.live(lock_downs={scope: LockDown(NOW, "hugo", "gas")})
    inner = world.present(card("anna"), side="inner/in")
    assert (inner.reason, inner.rule, inner.detail) == (Reason.LOCK_DOWN, f"lock_down:{scope}", "gas")
    assert world.present(card("anna")).granted == (scope == "dark-room")


def test_responder_right_admits_to_locked_entries_alone(world: World) -> None:
    assert world.present(card("dora")).reason is Reason.NO_RIGHT
    world.live(lock_downs={"lab": LockDown(NOW, "hugo", "gas")})
    decision = world.present(card("dora"))
    assert (decision.reason, decision.rule) == (Reason.GRANTED_RESPONDER, "right:r-respond")
    assert decision.notes == (Note.RESPONDER,)
    assert outcomes(world)[Step.LOCK_DOWN] is Outcome.WAIVED
    assert world.present(card("dora"), side="front/in").reason is Reason.NO_RIGHT


def test_responder_right_counts_in_its_schedule_and_is_beaten_by_a_deny(world: World) -> None:
    world.situation(locks=(TOO_WARM,))
    world.put(Right(id="deny", effect=Effect.DENY, people=("dora",), zones=("lab",)))
    assert world.present(card("dora")).reason is Reason.DENIED
    world.drop("rights", "deny")
    world.change("rights", "r-respond", schedule="work")
    assert world.present(card("dora"), after_s=12 * 3600).reason is Reason.INTERLOCK


@pytest.mark.parametrize(
    ("lock", "granted"),
    [
        (EntryLock(Scope.ZONE, "lab", "il", "x"), False),
        (EntryLock(Scope.PORTAL, "door-1", "il", "x"), False),
        (EntryLock(Scope.PORTAL, "door-2", "il", "x"), True),
        (EntryLock(Scope.ZONE, "dark-room", "il", "x"), True),
        (EntryLock(Scope.EQUIPMENT, "lab", "il", "x"), True),
    ],
)
def test_interlock_locks_the_entries_that_it_names(world: World, lock: EntryLock, granted: bool) -> None:
    world.situation(locks=(lock,))
    assert world.present(card("anna")).granted is granted


@pytest.mark.parametrize(
    ("policy", "anna", "dora"),
    [
        (OldRights.DENY, Reason.RIGHTS_OLD, Reason.RIGHTS_OLD),
        (OldRights.RESPONDERS, Reason.RIGHTS_OLD, Reason.GRANTED_RESPONDER),
        (OldRights.HONOUR, Reason.GRANTED, Reason.NO_RIGHT),
    ],
)
def test_each_portal_says_what_happens_past_the_age_limit(
    world: World, policy: OldRights, anna: Reason, dora: Reason
) -> None:
    world.change("portals", "door-1", when_old=policy)
    world.scalars.update(issued_at_ms=NOW - 7 * DAY_MS - 1)
    decision = world.present(card("anna"))
    assert decision.reason is anna
    assert decision.notes == ((Note.RIGHTS_OLD,) if decision.granted else ())
    assert world.present(card("dora")).reason is dora
    world.scalars.update(issued_at_ms=NOW - 7 * DAY_MS)
    assert world.present(card("anna")).notes == ()


def test_clock_before_the_issue_of_the_rights_is_a_time_that_is_not_known(world: World) -> None:
    world.scalars.update(issued_at_ms=NOW + 300_000)
    assert world.present(card("anna")).granted
    world.scalars.update(issued_at_ms=NOW + 300_001)
    assert world.present(card("anna")).reason is Reason.TIME_UNKNOWN
    world.change("portals", "door-1", when_old=OldRights.HONOUR)
    assert world.present(card("anna")).notes == (Note.TIME_UNKNOWN,)


# --- mantraps -----------------------------------------------------------------------------------------


@pytest.fixture
def trap(world: World) -> World:
    world.put(Mantrap(id="m-1", portals=("door-1", "door-2")))
    return world


@pytest.mark.parametrize(
    ("door", "reason"),
    [
        (SHUT, Reason.GRANTED),
        (Door(Contact.OPEN, Lock.LOCKED), Reason.MANTRAP_OPEN),
        (Door(Contact.CLOSED, Lock.UNLOCKED), Reason.MANTRAP_OPEN),
        (Door(Contact.UNKNOWN, Lock.LOCKED), Reason.MANTRAP_UNKNOWN),
        (Door(Contact.CLOSED, Lock.UNKNOWN), Reason.MANTRAP_UNKNOWN),
        (Door(Contact.UNKNOWN, Lock.UNLOCKED), Reason.MANTRAP_OPEN),
        (None, Reason.MANTRAP_UNKNOWN),
    ],
)
def test_one_door_of_a_mantrap_opens_while_the_other_is_known_to_be_shut(
    trap: World, door: Door | None, reason: Reason
) -> None:
    trap.situation(doors={} if door is None else {"door-2": door})
    decision = trap.present(card("anna"))
    assert decision.reason is reason
    assert decision.granted or (decision.rule, decision.detail) == ("mantrap:m-1", "door-2")


def test_door_that_was_just_granted_counts_as_open(trap: World) -> None:
    trap.situation(doors={"door-1": SHUT, "door-2": SHUT})
    assert trap.present(card("ben"), side="door-2/in").granted
    assert trap.present(card("anna"), after_s=4).reason is Reason.MANTRAP_OPEN
    assert trap.present(card("anna"), after_s=5).granted


def test_open_door_of_a_second_mantrap_counts_before_an_unknown_one(trap: World) -> None:
    trap.put(Mantrap(id="m-2", portals=("door-1", "front", "inner")))
    trap.situation(doors={"front": SHUT, "inner": Door(Contact.OPEN, Lock.LOCKED)})
    assert trap.present(card("anna")).rule == "mantrap:m-2"
    trap.situation(doors={"front": Door(), "inner": SHUT})
    assert trap.present(card("anna")).rule == "mantrap:m-1"


# --- the way out --------------------------------------------------------------------------------------


def test_way_out_is_free_for_everybody_and_says_who_left(world: World) -> None:
    world.live(inside={"anna": inside("lab")}, lock_downs={EVERYWHERE: LockDown(NOW, "hugo", "gas")})
    world.change("portals", "door-1", in_service=False)
    known = world.present(card("anna"), side="door-1/out")
    assert (known.granted, known.admits, known.notes) == (True, ("anna",), ())
    stranger = world.present(card("nobody"), side="door-1/out")
    assert (stranger.granted, stranger.admits, stranger.notes) == (True, (), (Note.NOBODY_KNOWN,))
    assert set(outcomes(world).values()) == {Outcome.PASSED, Outcome.NOT_NEEDED}
    assert world.present(card("anna"), side="front/out").granted


def test_who_leaves_without_having_come_is_noted(world: World) -> None:
    assert world.present(card("anna"), side="door-1/out").notes == ()
    world.change("zones", "lab", passback=Passback.SOFT)
    assert world.present(card("anna"), side="door-1/out").notes == (Note.UNEXPECTED_LOCATION,)
    world.live(inside={"anna": inside("dark-room")})
    assert world.present(card("anna"), side="door-1/out").notes == ()


def test_way_back_may_be_asked_for_where_there_is_another_way_out(world: World) -> None:
    world.change("portals", "door-2", outward=Side())
    world.change("rights", "r-staff", zones=("lab",))
    assert world.present(card("anna"), side="door-2/out").reason is Reason.NO_RIGHT
    assert world.present(card("anna"), side="door-1/out").granted
