"""What becomes of the state: only a proven entry moves people, and a restart forgets nothing that counts."""

import msgspec
import pytest

from rules.access import EMPTY, Reason, State
from rules.access.document import Attempts, Head, Person, Side, Span, Visit
from rules.access.passages import (
    Happened,
    Happening,
    after_decision,
    entered,
    forced,
    lock_down_ended,
    locked_down,
    not_entered,
    pardoned,
    placed,
    restarted,
    tidied,
)
from rules.access.state import EVERYWHERE, LockDown, Passing, Tries, Waiting
from rules.access.words import Escort, FactorKind, Passback, PersonKind
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, card, inside, pin, token

DRILL = LockDown(NOW, "hugo", "drill")


def moved(world: World, side: str, **fields: object) -> tuple[Happened, ...]:
    """Prove a passage, keep the state, and return what happened."""
    found = entered(world.state, world.snapshot(), side=side, at_ms=NOW, steady_ms=STEADY, **fields)
    world.state = found.state
    return found.happened


def test_grant_moves_nobody_until_the_entry_is_proven(world: World) -> None:
    world.present(card("anna"))
    assert world.state.inside == {}
    assert moved(world, "door-1/in") == (Happened(kind=Happening.ENTERED, zone="lab", person="anna"),)
    assert world.state.inside["anna"].zone == "lab"
    assert world.state.passing == {}


def test_grant_that_nobody_used_moves_nobody(world: World) -> None:
    world.present(card("anna"))
    found = not_entered(world.state, "door-1/in")
    assert found.happened == (Happened(kind=Happening.NO_ENTRY, person="anna"),)
    assert found.state == EMPTY
    assert not_entered(EMPTY, "door-1/in").happened == ()


def test_way_out_takes_people_out(world: World) -> None:
    world.live(inside={"anna": inside("lobby")})
    world.present(card("anna"), side="front/out")
    assert moved(world, "front/out") == (Happened(kind=Happening.LEFT, zone="lobby", person="anna"),)
    assert world.state.inside == {}


def test_everybody_who_was_let_pass_moves_unless_a_sensor_says_who(world: World) -> None:
    world.present(card("anna"))
    world.present(card("ben"), after_s=2)
    assert world.state.passing["door-1/in"] == Passing(("anna", "ben"), STEADY + 7000)
    moved(world, "door-1/in", people=("ben",))
    assert list(world.state.inside) == ["ben"]
    assert world.state.passing["door-1/in"].people == ("anna",)
    moved(world, "door-1/in")
    assert sorted(world.state.inside) == ["anna", "ben"]


def test_who_did_not_use_a_grant_is_not_moved_by_the_next_one(world: World) -> None:
    world.present(card("anna"))
    world.present(card("ben"), after_s=5)
    world.pass_through()
    assert list(world.state.inside) == ["ben"]


def test_passage_of_a_door_that_is_no_more_changes_nothing(world: World) -> None:
    world.present(card("anna"))
    assert (
        entered(world.state, world.snapshot(), side="gone/in", at_ms=NOW, steady_ms=STEADY).state
        == world.state
    )
    decision = world.decide()
    world.ask(side="gone/in")
    for snapshot in (None, world.snapshot()):
        assert after_decision(EMPTY, snapshot, request=world.request(), decision=decision) == EMPTY


def test_proof_without_a_grant_moves_nobody(world: World) -> None:
    assert moved(world, "door-1/in") == ()


def test_refusal_of_nobody_known_changes_nothing(world: World) -> None:
    world.present(card("nobody"))
    world.present(card("dora"))
    assert world.state == EMPTY


def test_leaving_one_behind_is_told(world: World) -> None:
    world.change("zones", "lab", min_people=2)
    world.live(inside={"anna": inside("lab"), "ben": inside("lab")})
    world.present(card("ben"), side="door-1/out")
    assert Happened(kind=Happening.TOO_FEW, zone="lab") in moved(world, "door-1/out")
    world.present(card("anna"), side="door-1/out")
    assert Happening.TOO_FEW not in [one.kind for one in moved(world, "door-1/out")]


@pytest.mark.requirement("G-9b")
@pytest.mark.parametrize(
    ("escort", "stays", "alone"),
    [
        (Escort.HOST, "carl", True),
        (Escort.ANY, "carl", False),
        (Escort.ANY, "anna", True),
        (Escort.NONE, "anna", False),
    ],
)
def test_visitor_whom_the_host_leaves_alone_is_told(
    world: World, escort: Escort, stays: str, alone: bool
) -> None:
    world.change("visits", "v-1", escort=escort)
    world.live(inside={"vera": inside("lab"), "ben": inside("lab"), stays: inside("lab")})
    world.present(card("ben"), side="door-1/out")
    told = Happened(kind=Happening.VISITOR_ALONE, zone="lab", person="vera")
    assert (told in moved(world, "door-1/out")) is alone


def test_visit_that_is_over_or_elsewhere_is_no_leave_to_be_alone(world: World) -> None:
    world.put(
        Visit(id="v-2", person="vera", host="ben", zones=("lab",), valid=Span(None, NOW), escort=Escort.NONE),
        Visit(
            id="v-3",
            person="vera",
            host="ben",
            zones=("lobby",),
            valid=Span(None, NOW + 1),
            escort=Escort.NONE,
        ),
    )
    world.live(inside={"vera": inside("lab"), "anna": inside("lab")})
    world.present(card("anna"), side="door-1/out")
    told = Happened(kind=Happening.VISITOR_ALONE, zone="lab", person="vera")
    assert told in moved(world, "door-1/out")


def test_visitor_whose_visit_is_over_is_alone_among_staff(world: World) -> None:
    world.put(Person("walt", kind=PersonKind.VISITOR))
    world.live(inside={"walt": inside("lab"), "of-yesterday": inside("lab")})
    world.present(card("ben"))
    told = [one.person for one in moved(world, "door-1/in") if one.kind is Happening.VISITOR_ALONE]
    assert told == ["walt"]


@pytest.mark.requirement("G-6.9b")
def test_forced_door_of_a_mobile_laboratory_locks_it_down(world: World) -> None:
    world.change("zones", "lab", heads=(Head("hugo"),))
    found = forced(world.state, world.snapshot(), portal="inner", at_ms=NOW)
    assert found.happened == (
        Happened(kind=Happening.FORCED),
        Happened(kind=Happening.UNAUTHORISED_ENTRY, zone="lab"),
    )
    world.state = found.state
    assert world.present(card("hugo")).reason is Reason.LOCK_DOWN
    assert forced(found.state, world.snapshot(), portal="door-1", at_ms=NOW + 1).state == found.state
    assert lock_down_ended(found.state, "lab") == EMPTY


def test_forced_door_elsewhere_is_told_and_locks_nothing(world: World) -> None:
    for portal in ("front", "gone"):
        found = forced(EMPTY, world.snapshot(), portal=portal, at_ms=NOW)
        assert found.happened == (Happened(kind=Happening.FORCED),)
        assert found.state == EMPTY


def test_lock_down_lasts_until_it_is_ended_and_keeps_who_began_it() -> None:
    state = locked_down(EMPTY, EVERYWHERE, DRILL)
    assert locked_down(state, EVERYWHERE, LockDown(NOW + 1, "ben", "other")) == state
    assert restarted(state) == state
    assert lock_down_ended(state, "lab") == state
    assert lock_down_ended(state, EVERYWHERE) == EMPTY


@pytest.mark.requirement("G-6.4b")
def test_restart_forgets_who_waits_and_nothing_else(world: World) -> None:
    state = State(
        inside={"anna": inside("lab")},
        tries={"ben": Tries(5, STEADY, STEADY + 300_000)},
        waiting={"door-1/in": (Waiting("carl", token("carl"), STEADY),)},
        passing={"door-2/in": Passing(("hugo",), STEADY + 5000)},
        lock_downs={"dark-room": DRILL},
    )
    world.state = msgspec.json.decode(msgspec.json.encode(restarted(state)), type=State)
    assert (world.state.waiting, world.state.passing) == ({}, {})
    world.change("zones", "lab", passback=Passback.HARD, capacity=1)
    assert world.present(card("anna")).reason is Reason.PASSBACK
    assert world.present(card("carl")).reason is Reason.OCCUPANCY
    assert world.present(card("carl"), side="inner/in").reason is Reason.LOCK_DOWN
    assert world.state.tries == state.tries


def test_person_can_be_placed_and_pardoned_by_hand(world: World) -> None:
    world.change("zones", "lab", passback=Passback.HARD)
    world.state = placed(EMPTY, "anna", inside("lab"))
    assert world.present(card("anna")).reason is Reason.PASSBACK
    world.state = placed(world.state, "anna", None)
    assert world.present(card("anna")).granted
    tried = State(tries={"anna": Tries(5, STEADY, STEADY + 1), "ben": Tries(1, STEADY)})
    assert pardoned(tried, "anna").tries == {"ben": Tries(1, STEADY)}


def test_what_ran_out_is_tidied_away_and_changes_no_decision(world: World) -> None:
    late = Waiting("ben", token("ben"), STEADY - 30_000)
    state = State(
        inside={"anna": inside("lab")},
        tries={
            "anna": Tries(5, STEADY - 2 * HOUR_MS, STEADY - 1),
            "ben": Tries(5, STEADY - 2 * HOUR_MS, STEADY + 1),
            "carl": Tries(1, STEADY - 1000),
        },
        waiting={
            "door-1/in": (late, Waiting("carl", token("carl"), STEADY)),
            "door-2/in": (late,),
            "gone/in": (Waiting("ben", token("ben"), STEADY),),
        },
        passing={
            "door-1/in": Passing(("ben",), STEADY - HOUR_MS),
            "door-2/in": Passing(("ben",), STEADY - HOUR_MS + 1),
        },
    )
    tidy = tidied(state, world.snapshot(), steady_ms=STEADY)
    assert tidy.inside == state.inside
    assert sorted(tidy.tries) == ["ben", "carl"]
    assert tidy.waiting == {"door-1/in": (Waiting("carl", token("carl"), STEADY),)}
    assert list(tidy.passing) == ["door-2/in"]
    world.state = state
    before = world.decide()
    world.state = tidy
    assert world.decide() == before


def test_zone_with_just_enough_people_has_not_too_few(world: World) -> None:
    world.change("zones", "lab", min_people=2)
    world.live(inside={one: inside("lab") for one in ("anna", "ben", "carl")})
    left = moved(world, "door-1/out", people=("carl",))
    assert [one.kind for one in left] == [Happening.ENTERED]
    left = moved(world, "door-1/out", people=("ben",))
    assert [one.kind for one in left] == [Happening.ENTERED, Happening.TOO_FEW]


def test_visitor_who_needs_nobody_hides_no_visitor_who_does(world: World) -> None:
    world.put(Person("alva", "Alva", PersonKind.VISITOR))
    whole = Span(None, NOW + HOUR_MS)
    world.put(Visit(id="v-0", person="alva", host="ben", zones=("lab",), valid=whole, escort=Escort.NONE))
    world.live(inside={one: inside("lab") for one in ("alva", "ben", "vera")})
    left = moved(world, "door-1/out", people=("ben",))
    alone = Happened(kind=Happening.VISITOR_ALONE, zone="lab", person="vera")
    assert left[1:] == (alone,)


def test_wrong_factors_are_kept_for_the_longest_window_in_which_a_door_counts_them(world: World) -> None:
    world.change("portals", "door-1", attempts=Attempts(limit=2, window_s=86_400))
    state = State(tries={"anna": Tries(1, STEADY)})
    day_ms = 24 * HOUR_MS
    assert tidied(state, world.snapshot(), steady_ms=STEADY + day_ms - 1).tries == state.tries
    assert tidied(state, world.snapshot(), steady_ms=STEADY + day_ms).tries == {}


def test_proof_of_the_second_factor_forgives_wrong_ones_of_that_person_alone(world: World) -> None:
    tries = {"anna": Tries(1, STEADY), "ben": Tries(1, STEADY)}
    world.change("portals", "door-1", inward=Side(verify=(FactorKind.PIN,)))
    world.live(tries=tries)
    world.present(card("anna"), side="door-2/in")
    world.present(card("anna"), side="door-1/out")
    world.present(card("anna"))
    assert world.state.tries == tries
    assert world.present(card("anna"), pin("anna")).granted
    assert list(world.state.tries) == ["ben"]
