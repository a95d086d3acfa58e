"""Second person, escort and visitors, occupancy: what others have to do with it."""

import pytest

from rules.access import Note, Reason
from rules.access.document import Right, Span, Visit
from rules.access.reasons import Step
from rules.access.request import EntryLock
from rules.access.state import Waiting
from rules.access.words import Effect, Escort, Outcome, PersonState, Scope
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, card, inside, token


@pytest.fixture
def pairs(world: World) -> World:
    """The laboratory takes two."""
    world.change("zones", "lab", min_people=2)
    return world


@pytest.mark.requirement("H-6.3.3b", "H-6.4.3c")
def test_two_people_come_in_together(pairs: World) -> None:
    first = pairs.present(card("anna"))
    assert (first.granted, first.reason) == (False, Reason.SECOND_PERSON_AWAITED)
    second = pairs.present(card("ben"), after_s=29)
    assert second.granted
    assert second.admits == ("ben", "anna")
    assert second.notes == (Note.TOGETHER,)
    pairs.pass_through(after_s=30)
    assert sorted(pairs.state.inside) == ["anna", "ben"]
    assert pairs.state.waiting == {}
    third = pairs.present(card("carl"), after_s=31)
    assert (third.granted, third.admits) == (True, ("carl",))


def test_who_asks_again_comes_in_with_whom_it_was_too_early_for_before(pairs: World) -> None:
    pairs.change("zones", "lab", min_people=3)
    assert not pairs.present(card("anna")).granted
    assert not pairs.present(card("ben"), after_s=1).granted
    pairs.change("zones", "lab", min_people=2)
    assert pairs.present(card("anna"), after_s=2).admits == ("anna", "ben")


def test_second_person_who_comes_too_late_is_the_first_one_again(pairs: World) -> None:
    pairs.present(card("anna"))
    late = pairs.present(card("ben"), after_s=30)
    assert late.reason is Reason.SECOND_PERSON_AWAITED
    assert pairs.present(card("anna"), after_s=31).granted


def test_same_person_is_no_second_person_with_another_card_either(pairs: World) -> None:
    assert pairs.present(card("ben")).reason is Reason.SECOND_PERSON_AWAITED
    assert pairs.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_SAME
    assert pairs.present(card("ben spare"), after_s=2).reason is Reason.SECOND_PERSON_SAME
    assert pairs.present(card("anna"), after_s=3).granted


def test_first_person_is_judged_again_when_the_second_comes(pairs: World) -> None:
    pairs.present(card("anna"))
    pairs.change("people", "anna", state=PersonState.REVOKED)
    assert pairs.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_AWAITED


def test_credential_that_now_belongs_to_another_does_not_wait_for_them(pairs: World) -> None:
    pairs.present(card("anna"))
    pairs.change("credentials", token("anna"), person="carl")
    assert pairs.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_AWAITED
    pairs.drop("credentials", token("anna"))
    assert pairs.present(card("carl"), after_s=2).admits == ("carl", "ben")


def test_who_waits_at_another_door_is_no_second_person(pairs: World) -> None:
    pairs.present(card("anna"), side="door-2/in")
    assert pairs.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_AWAITED


def test_visitor_is_no_second_person(pairs: World) -> None:
    pairs.change("visits", "v-1", escort=Escort.NONE)
    assert pairs.present(card("vera")).reason is Reason.SECOND_PERSON_AWAITED
    assert pairs.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_AWAITED
    both = pairs.present(card("anna"), after_s=2)
    assert both.admits == ("anna", "ben", "vera")


def test_three_come_in_where_three_are_asked_for(world: World) -> None:
    world.change("zones", "lab", min_people=3)
    assert not world.present(card("anna")).granted
    assert not world.present(card("ben"), after_s=1).granted
    assert world.present(card("carl"), after_s=2).admits == ("carl", "anna", "ben")


def test_no_more_are_let_in_than_it_takes(pairs: World) -> None:
    pairs.live(inside={"carl": inside("lab"), "hugo": inside("lab")})
    pairs.change("zones", "lab", min_people=4)
    assert not pairs.present(card("anna")).granted
    pairs.live(inside={**pairs.state.inside, "dora": inside("lab")})
    assert pairs.present(card("ben"), after_s=1).admits == ("ben",)


def test_pair_needs_room_for_two(pairs: World) -> None:
    pairs.change("zones", "lab", capacity=2)
    pairs.live(inside={"vera": inside("lab")})
    assert pairs.present(card("anna")).reason is Reason.SECOND_PERSON_AWAITED
    assert pairs.present(card("ben"), after_s=1).reason is Reason.OCCUPANCY


def test_second_person_counts_in_the_zones_around(world: World) -> None:
    world.change("zones", "lab", min_people=2)
    world.change("zones", "dark-room", min_people=1)
    world.live(inside={"anna": inside("lab"), "ben": inside("dark-room")})
    assert world.present(card("anna"), side="inner/in").granted
    world.live(inside={"anna": inside("lab")}, passing={})
    alone = world.present(card("anna"), side="inner/in", after_s=10)
    assert (alone.reason, alone.rule) == (Reason.SECOND_PERSON_AWAITED, "zone:lab")


def test_somebody_who_was_suspended_inside_does_not_count(pairs: World) -> None:
    pairs.live(inside={"carl": inside("lab")})
    assert pairs.present(card("anna")).granted
    pairs.change("people", "carl", state=PersonState.SUSPENDED)
    pairs.live(passing={})
    assert pairs.present(card("anna"), after_s=10).reason is Reason.SECOND_PERSON_AWAITED


@pytest.mark.requirement("G-9b")
def test_visitor_waits_for_the_host_and_comes_in_with_them(world: World) -> None:
    waits = world.present(card("vera"))
    assert (waits.reason, waits.detail, waits.rule) == (Reason.ESCORT_AWAITED, "ben", "visit:v-1")
    both = world.present(card("ben"), after_s=5)
    assert both.admits == ("ben", "vera")
    world.pass_through(after_s=6)
    assert sorted(world.state.inside) == ["ben", "vera"]


@pytest.mark.requirement("G-9b")
def test_visitor_follows_the_host_who_was_just_let_in(world: World) -> None:
    world.present(card("ben"))
    assert world.present(card("vera"), after_s=4).granted
    world.live(passing={})
    world.present(card("ben"), after_s=10)
    assert world.present(card("vera"), after_s=15).reason is Reason.ESCORT_AWAITED


def test_visitor_comes_to_the_host_who_is_inside(world: World) -> None:
    world.live(inside={"ben": inside("dark-room")})
    assert world.present(card("vera")).granted


def test_colleague_is_no_host_and_lets_no_visitor_in(world: World) -> None:
    world.present(card("anna"))
    assert world.present(card("vera"), after_s=1).reason is Reason.ESCORT_WRONG
    assert world.present(card("carl"), after_s=2).admits == ("carl",)


def test_any_escort_may_come_along_where_the_visit_says_so(world: World) -> None:
    world.change("visits", "v-1", escort=Escort.ANY)
    world.present(card("anna"))
    assert world.present(card("vera"), after_s=1).reason is Reason.ESCORT_WRONG
    assert world.present(card("carl"), after_s=2).admits == ("carl", "vera")


def test_visitor_without_need_of_an_escort_comes_in_alone(world: World) -> None:
    world.change("visits", "v-1", escort=Escort.NONE)
    decision = world.present(card("vera"))
    assert (decision.granted, decision.rule) == (True, "visit:v-1")
    company = {one.step: one.outcome for one in world.explain().findings}[Step.COMPANY]
    assert company is Outcome.NOT_NEEDED


def test_visitor_for_whom_there_is_no_room_waits_and_the_host_goes_in(world: World) -> None:
    world.change("zones", "lab", capacity=1)
    world.present(card("vera"))
    decision = world.present(card("ben"), after_s=1)
    assert decision.admits == ("ben",)
    assert [one.person for one in world.state.waiting["door-1/in"]] == ["vera"]


def test_visitor_whose_visit_ended_while_waiting_does_not_come_along(world: World) -> None:
    world.change("visits", "v-1", valid=Span(NOW - HOUR_MS, NOW + 500))
    world.present(card("vera"))
    assert world.present(card("ben"), after_s=1).admits == ("ben",)


def test_one_of_several_visits_that_admits_is_enough(world: World) -> None:
    world.change("visits", "v-1", zones=("lobby",))
    world.put(Visit(id="v-2", person="vera", host="carl", zones=("lab",), valid=Span(None, NOW + HOUR_MS)))
    world.present(card("carl"))
    assert world.present(card("vera"), after_s=1).rule == "visit:v-2"


def test_visit_outside_its_schedule_is_refused(world: World) -> None:
    world.change("visits", "v-1", schedule="work", valid=Span(NOW, NOW + 100 * HOUR_MS))
    world.present(card("vera"))
    late_s = 9 * 3600
    assert world.present(card("vera"), after_s=late_s).reason is Reason.OUT_OF_SCHEDULE


def test_visitor_has_no_right_of_everyone(world: World) -> None:
    world.drop("visits", "v-1")
    world.put(Right(id="all", everyone=True, zones=("lab",)))
    world.change("rights", "r-staff", zones=("lobby",))
    assert world.present(card("anna")).rule == "right:all"
    assert world.present(card("vera")).reason is Reason.NO_VISIT
    world.put(Right(id="closed", effect=Effect.DENY, everyone=True, zones=("lab",)))
    assert world.present(card("vera")).reason is Reason.DENIED


def test_zone_is_full_counting_who_is_in_zones_within_it(world: World) -> None:
    world.change("zones", "lab", capacity=2)
    world.live(inside={"carl": inside("dark-room"), "ben": inside("lab")})
    full = world.present(card("anna"))
    assert (full.reason, full.rule) == (Reason.OCCUPANCY, "zone:lab")
    assert world.present(card("ben"), side="inner/in").granted


def test_zone_around_is_full_although_the_inner_one_has_no_bound(world: World) -> None:
    world.change("zones", "lab", capacity=1)
    world.live(inside={"carl": inside("lab")})
    full = world.present(card("anna"), side="inner/in")
    assert (full.reason, full.rule) == (Reason.OCCUPANCY, "zone:lab")


def test_who_needs_the_least_room_is_taken_along(world: World) -> None:
    world.change("zones", "dark-room", min_people=2)
    world.change("zones", "lab", capacity=2)
    waiting = tuple(Waiting(one, token(one), STEADY) for one in ("ben", "carl"))
    world.live(inside={one: inside("lab") for one in ("anna", "carl")}, waiting={"inner/in": waiting})
    assert world.present(card("anna"), side="inner/in").admits == ("anna", "carl")


def test_door_stays_open_for_the_slowest_of_those_it_lets_in(pairs: World) -> None:
    pairs.change("people", "anna", slow=True)
    pairs.present(card("anna"))
    assert pairs.present(card("ben"), after_s=1).open_s == 15


def test_who_may_pass_no_more_counts_for_no_visitor(pairs: World) -> None:
    pairs.present(card("anna"))
    assert pairs.present(card("ben"), after_s=1).granted
    state = pairs.state
    assert pairs.present(card("vera"), after_s=5.999).granted
    pairs.state = state
    assert pairs.present(card("vera"), after_s=6).reason is Reason.SECOND_PERSON_AWAITED


def test_who_was_let_in_and_is_on_the_way_takes_room(world: World) -> None:
    world.change("zones", "lab", capacity=1)
    assert world.present(card("ben"), side="door-2/in").granted
    assert world.present(card("anna"), after_s=4).reason is Reason.OCCUPANCY
    assert world.present(card("anna"), after_s=5).granted
    again = world.present(card("anna"), after_s=6)
    assert again.granted


def test_responder_comes_in_alone_and_takes_nobody_along(pairs: World) -> None:
    pairs.change("zones", "lab", capacity=2)
    pairs.present(card("anna"))
    pairs.situation(locks=(EntryLock(Scope.ZONE, "lab", "il-1", "too warm"),))
    pairs.live(inside={"vera": inside("lab"), "carl": inside("lab")})
    decision = pairs.present(card("dora"), after_s=1)
    assert (decision.reason, decision.admits) == (Reason.GRANTED_RESPONDER, ("dora",))
    outcomes = {one.step: one.outcome for one in pairs.explain().findings}
    waived = {step for step, outcome in outcomes.items() if outcome is Outcome.WAIVED}
    assert waived == {Step.INTERLOCK, Step.OCCUPANCY, Step.COMPANY}


def test_host_of_any_visit_that_admits_is_an_escort(world: World) -> None:
    world.put(
        Visit(id="v-0", person="vera", host="carl", zones=("lab",), valid=Span(None, NOW + HOUR_MS)),
        Visit(id="v-9", person="vera", host="hugo", zones=("lab",), valid=Span(None, NOW + HOUR_MS)),
    )
    for host in ("carl", "ben", "hugo"):
        world.live(passing={}, waiting={})
        world.present(card(host))
        assert world.present(card("vera"), after_s=1).granted
    world.change("visits", "v-9", escort=Escort.NONE)
    world.live(passing={}, waiting={})
    assert world.present(card("vera")).granted


def test_visit_whose_host_left_lets_nobody_in_beside_another_one(world: World) -> None:
    world.change("visits", "v-1", escort=Escort.NONE)
    world.put(Visit(id="v-2", person="vera", host="carl", zones=("lab",), valid=Span(None, NOW + HOUR_MS)))
    world.change("people", "ben", state=PersonState.LEFT)
    waits = world.present(card("vera"))
    assert (waits.reason, waits.rule, waits.detail) == (Reason.ESCORT_AWAITED, "visit:v-2", "carl")


def test_visitor_who_shows_the_card_twice_still_waits_for_others(pairs: World) -> None:
    pairs.change("visits", "v-1", escort=Escort.NONE)
    for second in (0, 1):
        assert pairs.present(card("vera"), after_s=second).reason is Reason.SECOND_PERSON_AWAITED
