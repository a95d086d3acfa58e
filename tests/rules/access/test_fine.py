"""What only one choice tells apart: the nearest of several reasons, the first of several locks."""

from rules.access import Reason
from rules.access.document import Right, Schedule, Span, Visit, Zone
from rules.access.faults import faults_of
from rules.access.passages import Happening, entered
from rules.access.reasons import Step
from rules.access.request import EntryLock
from rules.access.words import Effect, Escort, Outcome, Passback, Scope
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, card, inside


def test_first_of_several_interlocks_by_name_is_told(world: World) -> None:
    locks = tuple(EntryLock(Scope.ZONE, "lab", name, "too warm") for name in ("il-b", "il-a", "il-c"))
    world.situation(locks=locks)
    assert world.decide().rule == "interlock:il-a"


def test_right_that_comes_nearest_gives_the_reason(world: World) -> None:
    world.drop("rights", "r-staff")
    over, early = Span(None, NOW), Span(NOW + HOUR_MS, None)
    world.put(Right(id="a-over", people=("anna",), zones=("lab",), valid=over))
    world.put(Right(id="b-early", people=("anna",), zones=("lab",), valid=early))
    assert world.decide().reason is Reason.RIGHT_NOT_YET


def test_visit_out_of_its_schedule_is_nearer_than_one_that_has_not_begun(world: World) -> None:
    world.drop("visits", "v-1")
    spans = {"a": Span(NOW + HOUR_MS, NOW + 2 * HOUR_MS), "b": Span(NOW - HOUR_MS, NOW + HOUR_MS)}
    for name, valid in spans.items():
        schedule = "never" if name == "b" else None
        world.put(Visit(id=name, person="vera", host="ben", zones=("lab",), valid=valid, schedule=schedule))
    world.put(Schedule(id="never", windows=()))
    world.ask(factors=(card("vera"),))
    assert world.decide().reason is Reason.OUT_OF_SCHEDULE


def test_schedule_of_a_visit_has_to_be_there(world: World) -> None:
    world.change("visits", "v-1", schedule="nowhere")
    assert any("v-1" in str(fault) for fault in faults_of(world.document()))


def test_who_waits_is_fit_only_if_every_step_lets_them_pass(world: World) -> None:
    world.change("zones", "lab", min_people=2)
    world.present(card("anna"))
    world.put(Right(id="z-deny", effect=Effect.DENY, people=("anna",), zones=("lab",)))
    assert world.present(card("ben"), after_s=1).reason is Reason.SECOND_PERSON_AWAITED


def test_who_is_on_the_way_into_an_inner_room_counts_for_the_outer_one(world: World) -> None:
    world.change("zones", "lab", capacity=1)
    world.put(Zone(id="dark-room", parent="lab"))
    assert world.present(card("anna"), side="inner/in").granted
    assert world.present(card("ben"), after_s=1).reason is Reason.OCCUPANCY


def test_one_host_of_several_is_company_enough(world: World) -> None:
    world.change("visits", "v-1", escort=Escort.HOST)
    for name in ("anna", "ben"):
        assert world.present(card(name)).granted
        world.pass_through()
    world.present(card("vera"))
    world.pass_through()
    assert "vera" in world.state.inside


def test_visitor_who_waits_comes_in_with_the_host_whoever_else_is_inside(world: World) -> None:
    world.live(inside={"carl": inside("lab")})
    world.change("visits", "v-1", escort=Escort.HOST)
    world.present(card("vera"))
    assert world.present(card("ben"), after_s=1).admits == ("ben", "vera")


def test_two_who_were_just_let_in_are_enough_for_a_visitor(world: World) -> None:
    world.change("zones", "lab", min_people=2)
    world.present(card("anna"))
    assert world.present(card("ben"), after_s=1).admits == ("ben", "anna")
    assert world.present(card("vera"), after_s=2).granted


def test_visitor_is_alone_without_the_host_whoever_else_is_there(world: World) -> None:
    world.live(inside={one: inside("lab") for one in ("anna", "ben", "vera")})
    assert world.present(card("ben"), side="door-1/out").granted
    moved = entered(world.state, world.snapshot(), side="door-1/out", at_ms=NOW, steady_ms=STEADY)
    assert [one.person for one in moved.happened if one.kind is Happening.VISITOR_ALONE] == ["vera"]


def test_passback_is_judged_where_a_zone_asks_for_it_and_only_there(world: World) -> None:
    def outcome() -> Outcome:
        return next(one.outcome for one in world.explain().findings if one.step is Step.PASSBACK)

    assert outcome() is Outcome.NOT_NEEDED
    world.change("zones", "lab", passback=Passback.HARD)
    assert outcome() is not Outcome.NOT_NEEDED


def test_interval_of_waiting_does_not_include_its_end(world: World) -> None:
    world.change("zones", "lab", min_people=3)
    world.present(card("anna"))
    world.present(card("ben"), after_s=30)
    assert [one.person for one in world.state.waiting["door-1/in"]] == ["ben"]
