"""What the steps about a person ask: factors, duress, rights, heads, jobs, anti-passback."""

from dataclasses import replace

import pytest

from rules.access import EVERYWHERE, Note, Reason, Step
from rules.access.authorisations import Standing, standing
from rules.access.document import Approval, Attempts, Authorisation, Credential, Head, Right, Side, Span
from rules.access.request import Factor
from rules.access.snapshot import Revoked
from rules.access.state import LockDown, Passing
from rules.access.words import (
    CredentialState,
    Effect,
    FactorKind,
    JobState,
    Outcome,
    Passback,
    Subject,
)
from tests.rules.access.world import (
    DAY_MS,
    HOUR_MS,
    KEY,
    NOW,
    STEADY,
    TOO_WARM,
    World,
    card,
    inside,
    job,
    outcomes,
    pin,
    token,
)

# --- factors ------------------------------------------------------------------------------------------


@pytest.fixture
def pinned(world: World) -> World:
    world.change("portals", "door-1", inward=Side(verify=(FactorKind.PIN,)))
    return world


def test_pin_of_the_same_person_opens(pinned: World) -> None:
    asked = pinned.present(card("anna"))
    assert (asked.reason, asked.awaits) == (Reason.FACTOR_AWAITED, FactorKind.PIN)
    decision = pinned.present(card("anna"), pin("anna"), after_s=1)
    assert (decision.granted, decision.duress) == (True, False)


def test_last_pin_that_was_shown_counts(pinned: World) -> None:
    assert pinned.present(card("anna"), pin("anna", "0"), pin("anna")).granted
    assert not pinned.present(card("anna"), pin("anna"), pin("anna", "0")).granted


def test_wrong_pins_lock_a_person_out_for_a_while_and_nobody_else(pinned: World) -> None:
    pinned.change("people", "ben", pin=token("pin ben"))
    for second in range(5):
        assert pinned.present(card("anna"), pin("anna", "0"), after_s=second).reason is Reason.FACTOR_WRONG
    assert pinned.present(card("anna"), pin("anna"), after_s=5).reason is Reason.ATTEMPTS
    assert pinned.present(card("ben"), pin("ben"), after_s=5).granted
    assert pinned.present(card("anna"), pin("anna"), after_s=303).reason is Reason.ATTEMPTS
    assert pinned.present(card("anna"), pin("anna"), after_s=304).granted


def test_wrong_pins_of_long_ago_do_not_add_up(pinned: World) -> None:
    for second in (0, 1, 2, 3, 300, 301):
        assert pinned.present(card("anna"), pin("anna", "0"), after_s=second).reason is Reason.FACTOR_WRONG
    assert pinned.present(card("anna"), pin("anna"), after_s=302).granted
    assert pinned.state.tries == {}


def test_lock_out_that_is_over_begins_to_count_anew(pinned: World) -> None:
    for second in (0, 1, 2, 3, 4, 290):
        pinned.present(card("anna"), pin("anna", "0"), after_s=second)
    pinned.change("portals", "door-1", attempts=pinned.parts["portals"]["front"].attempts)
    assert pinned.present(card("anna"), pin("anna", "0"), after_s=304).reason is Reason.FACTOR_WRONG
    assert pinned.state.tries["anna"].count == 1


def test_lock_out_that_is_over_within_its_window_begins_to_count_anew(pinned: World) -> None:
    pinned.change("portals", "door-1", attempts=Attempts(limit=2, window_s=3600, lockout_s=10))
    for second, reason in ((0, "FACTOR_WRONG"), (1, "FACTOR_WRONG"), (10, "ATTEMPTS"), (11, "FACTOR_WRONG")):
        assert pinned.present(card("anna"), pin("anna", "0"), after_s=second).reason is Reason[reason]
    assert (pinned.state.tries["anna"].count, pinned.state.tries["anna"].until_ms) == (1, 0)


def test_wrong_factors_at_a_door_that_soon_forgets_are_counted_at_one_that_does_not(pinned: World) -> None:
    day_s = 86_400
    pinned.change("portals", "door-1", attempts=Attempts(limit=5, window_s=day_s, lockout_s=day_s))
    pinned.change(
        "portals", "door-2", attempts=Attempts(limit=5, window_s=300), inward=Side(verify=(FactorKind.PIN,))
    )
    wrong = (card("anna"), pin("anna", "0"))
    for tried, side in enumerate(("door-1/in", "door-2/in", "door-2/in", "door-2/in", "door-1/in")):
        assert pinned.present(*wrong, side=side, after_s=360 * tried).reason is Reason.FACTOR_WRONG
    assert pinned.present(card("anna"), pin("anna"), after_s=360 * 4 + 1).reason is Reason.ATTEMPTS


@pytest.mark.requirement("G-6.4c")
def test_second_factor_of_another_kind_must_be_the_same_persons_and_alive(world: World) -> None:
    world.change("portals", "door-1", inward=Side(verify=(FactorKind.FACE,)))
    world.put(Credential(token("face anna"), "anna", FactorKind.FACE))
    world.put(Credential(token("face ben"), "ben", FactorKind.FACE))

    def face(one: str, key_id: str = "0123456789abcdef") -> Factor:
        return Factor(FactorKind.FACE, token(f"face {one}"), key_id)

    assert world.present(card("anna"), face("anna")).granted
    wrong = [
        face("ben"),
        face("nobody"),
        face("anna", "f" * 16),
        Factor(FactorKind.FACE, token("anna"), "0123456789abcdef"),
    ]
    for factor in wrong:
        assert world.present(card("anna"), factor, after_s=400).reason is Reason.FACTOR_WRONG
    for fields in ({"state": CredentialState.LOST}, {"valid": Span(None, NOW)}):
        world.change("credentials", token("face anna"), **fields)
        assert world.present(card("anna"), face("anna"), after_s=800).reason is Reason.FACTOR_WRONG


def test_duress_pin_opens_as_the_pin_does_and_tells_nobody_at_the_door(pinned: World) -> None:
    pinned.ask(factors=(card("anna"), pin("anna")))
    calm = pinned.explain()
    pinned.ask(factors=(card("anna"), pin("anna", "911")))
    forced = pinned.explain()
    assert forced.decision.duress
    assert not calm.decision.duress
    assert forced.findings == calm.findings
    assert (forced.decision.reason, forced.decision.open_s) == (Reason.GRANTED, calm.decision.open_s)


def test_duress_is_told_when_the_door_stays_shut_too(pinned: World) -> None:
    pinned.live(lock_downs={EVERYWHERE: LockDown(NOW, "hugo", "drill")})
    decision = pinned.present(card("anna"), pin("anna", "911"))
    assert (decision.reason, decision.duress) == (Reason.LOCK_DOWN, True)


def test_slow_person_has_the_door_for_longer(world: World) -> None:
    assert world.present(card("anna")).open_s == 5
    world.change("people", "anna", slow=True)
    assert world.present(card("anna")).open_s == 15


# --- rights, heads, jobs ------------------------------------------------------------------------------


def test_right_for_one_side_does_not_open_another(world: World) -> None:
    world.change("rights", "r-staff", zones=(), sides=("door-2/in",))
    assert world.present(card("anna"), side="door-2/in").rule == "right:r-staff"
    assert world.present(card("anna")).reason is Reason.NO_RIGHT


def test_deny_counts_in_its_schedule_and_span_alone(world: World) -> None:
    deny = Right(id="deny", effect=Effect.DENY, groups=("staff",), zones=("lab",), schedule="work")
    world.put(deny)
    assert world.present(card("anna")).rule == "right:deny"
    world.change("rights", "deny", valid=Span(None, NOW))
    assert world.present(card("anna")).granted


def test_nearest_right_gives_the_reason(world: World) -> None:
    world.change("rights", "r-staff", valid=Span(None, NOW))
    world.put(Right(id="r-later", people=("anna",), zones=("lab",), valid=Span(NOW + 1, None)))
    assert world.present(card("anna")).reason is Reason.RIGHT_NOT_YET


def test_first_by_name_of_equally_near_rights_is_told(world: World) -> None:
    world.change("rights", "r-staff", valid=Span(None, NOW))
    for name in ("r-a", "r-b", "r-z"):
        world.put(Right(id=name, people=("anna",), zones=("lab",), valid=Span(None, NOW)))
    assert world.present(card("anna")).rule == "right:r-a"
    world.drop("rights", "r-a")
    world.change("rights", "r-b", people=("ben",))
    assert world.present(card("anna")).rule == "right:r-staff"


@pytest.fixture
def headed(world: World) -> World:
    """Hugo was head until a day ago, Carl is head since."""
    then = NOW - DAY_MS
    heads = (Head("hugo", Span(None, then)), Head("carl", Span(then, None)))
    world.change("zones", "lab", heads=heads)
    return world


@pytest.mark.requirement("G-6.9b")
@pytest.mark.parametrize(
    ("approval", "reason"),
    [
        (None, Reason.NOT_APPROVED),
        (Approval("ben", NOW), Reason.NOT_APPROVED),
        (Approval("hugo", NOW), Reason.NOT_APPROVED),
        (Approval("carl", NOW + 1), Reason.NOT_APPROVED),
        (Approval("carl", NOW), Reason.GRANTED),
        (Approval("hugo", NOW - 2 * DAY_MS), Reason.GRANTED),
    ],
)
def test_right_counts_only_when_somebody_approved_it_who_was_head_then(
    headed: World, approval: Approval | None, reason: Reason
) -> None:
    headed.change("rights", "r-staff", approval=approval)
    assert headed.present(card("anna")).reason is reason


@pytest.mark.requirement("G-6.9b")
def test_head_comes_in_by_their_own_right(headed: World) -> None:
    assert headed.present(card("carl")).granted
    assert headed.present(card("hugo")).reason is Reason.NOT_APPROVED


@pytest.mark.requirement("G-6.9b", "G-9b")
def test_visit_to_a_mobile_laboratory_is_approved_by_its_head(headed: World) -> None:
    headed.live(passing={"door-1/in": Passing(("ben",), STEADY + 1)})
    assert headed.present(card("vera")).reason is Reason.NOT_APPROVED
    headed.change("visits", "v-1", approval=Approval("carl", NOW - HOUR_MS))
    assert headed.present(card("vera")).granted


def test_responder_right_to_a_mobile_laboratory_is_approved_by_its_head(headed: World) -> None:
    headed.situation(locks=(TOO_WARM,))
    assert headed.present(card("dora")).reason is Reason.INTERLOCK
    headed.change("rights", "r-respond", approval=Approval("carl", NOW - HOUR_MS))
    assert headed.present(card("dora")).reason is Reason.GRANTED_RESPONDER


@pytest.mark.requirement("H-4.3.2b")
def test_one_of_the_activities_of_a_zone_is_enough(world: World) -> None:
    world.change("zones", "lab", activities=("lengths", "weights"))
    assert world.present(card("anna")).granted
    carl = world.present(card("carl"))
    assert (carl.reason, carl.detail) == (Reason.NOT_AUTHORISED, "lengths, weights")
    found = {one.step: one.rule for one in world.explain().findings}
    assert found[Step.AUTHORISATION] == "zone:lab"


def test_nearest_of_several_authorisations_gives_the_reason(world: World) -> None:
    world.change("zones", "lab", activities=("weights",))
    world.change("authorisations", "a-anna", valid=Span(None, NOW - 1))
    world.put(Authorisation("a-anna-2", "anna", Subject.ACTIVITY, "weights", Span(None, NOW)))
    assert world.present(card("anna")).reason is Reason.AUTHORISATION_EXPIRED
    assert standing(
        world.snapshot(), "anna", kind=Subject.ACTIVITY, subjects=("weights",), at_ms=NOW
    ) == Standing(Reason.AUTHORISATION_EXPIRED, "weights", "a-anna")
    world.put(Authorisation("a-anna-3", "anna", Subject.ACTIVITY, "weights", Span(NOW + 1, None)))
    assert world.present(card("anna")).reason is Reason.AUTHORISATION_NOT_YET
    world.put(Authorisation("a-anna-4", "anna", Subject.ACTIVITY, "weights", Span(None, NOW)))
    assert world.present(card("anna")).reason is Reason.AUTHORISATION_NOT_YET


def test_authorisation_is_asked_for_by_the_zone_around_too(world: World) -> None:
    world.change("zones", "lab", activities=("weights",))
    assert world.present(card("carl"), side="inner/in").reason is Reason.NOT_AUTHORISED
    assert world.present(card("anna"), side="inner/in").granted


def test_duress_is_seen_whatever_is_shown_after_the_pin(world: World) -> None:
    world.put(Credential(token("face anna"), "anna", kind=FactorKind.FACE))
    world.change("portals", "door-1", inward=Side(verify=(FactorKind.PIN, FactorKind.FACE)))
    face = Factor(FactorKind.FACE, token("face anna"), KEY)
    forced = world.present(card("anna"), pin("anna", "911"), face)
    assert (forced.granted, forced.duress) == (True, True)
    free = world.present(card("anna"), pin("anna"), face)
    assert (free.granted, free.duress) == (True, False)


def test_authorisation_for_equipment_is_none_for_an_activity(world: World) -> None:
    world.change("zones", "lab", activities=("balance",))
    assert world.present(card("anna")).reason is Reason.NOT_AUTHORISED


@pytest.mark.requirement("G-6.4e")
@pytest.mark.parametrize(
    ("state", "planned", "reason"),
    [
        (JobState.RUNNING, Span(), Reason.GRANTED),
        (JobState.HELD, Span(), Reason.GRANTED),
        (JobState.FINISHED, Span(), Reason.NO_JOB),
        (JobState.PLANNED, Span(NOW, NOW + 1), Reason.GRANTED),
        (JobState.PLANNED, Span(NOW + 1, None), Reason.NO_JOB),
    ],
)
def test_people_of_a_job_come_in_while_it_is_on(
    world: World, state: JobState, planned: Span, reason: Reason
) -> None:
    world.change("zones", "lab", job_only=True)
    world.situation(jobs=(job(state=state, planned=planned), job(id="j-2", zone="lobby")))
    assert world.present(card("anna")).reason is reason


def test_people_of_a_job_are_authorised_for_all_of_it(world: World) -> None:
    world.change("zones", "lab", job_only=True, activities=("weights",))
    both = job(activities=("weights", "lengths"))
    world.situation(jobs=(both,))
    refused = world.present(card("anna"))
    assert (refused.reason, refused.detail, refused.rule) == (Reason.NOT_AUTHORISED, "lengths", "job:j-1")
    world.situation(jobs=(both, job(id="j-2")))
    world.present(card("anna"))
    found = {one.step: one.rule for one in world.explain().findings}
    assert found[Step.AUTHORISATION] == "job:j-2"
    world.situation(jobs=(both, job(id="j-2", activities=("lengths",))))
    assert world.present(card("anna")).rule == "job:j-1"


# --- anti-passback ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "granted", "notes"),
    [
        (Passback.OFF, True, ()),
        (Passback.SOFT, True, (Note.PASSBACK,)),
        (Passback.HARD, False, ()),
    ],
)
def test_who_is_inside_does_not_come_in_again(
    world: World, mode: Passback, granted: bool, notes: tuple[Note, ...]
) -> None:
    world.change("zones", "lab", passback=mode)
    world.live(inside={"anna": inside("lab")})
    decision = world.present(card("anna"), side="door-2/in")
    assert (decision.granted, decision.notes) == (granted, notes)


def test_violation_is_judged_on_a_proven_entry(world: World) -> None:
    world.change("zones", "lab", passback=Passback.HARD)
    assert world.present(card("anna")).granted
    assert world.present(card("anna"), after_s=2).granted
    world.pass_through(after_s=3)
    assert world.present(card("anna"), after_s=4).reason is Reason.PASSBACK
    world.present(card("anna"), side="door-1/out", after_s=5)
    world.pass_through("door-1/out", after_s=6)
    assert world.present(card("anna"), after_s=7).granted


def test_timed_anti_passback_forgets_after_its_time(world: World) -> None:
    world.change("zones", "lab", passback=Passback.TIMED, forget_s=3600)
    world.live(inside={"anna": inside("lab", since_ms=HOUR_MS - 1)})
    assert world.present(card("anna")).reason is Reason.PASSBACK
    world.live(inside={"anna": inside("lab", since_ms=HOUR_MS)})
    assert world.present(card("anna")).granted


def test_clock_that_goes_back_does_not_end_timed_anti_passback(world: World) -> None:
    world.change("zones", "lab", passback=Passback.TIMED, forget_s=3600)
    world.live(inside={"anna": inside("lab", since_ms=-DAY_MS)})
    assert world.present(card("anna")).reason is Reason.PASSBACK


def test_who_is_in_an_inner_room_is_in_the_rooms_around_it(world: World) -> None:
    world.change("zones", "lab", passback=Passback.HARD)
    world.live(inside={"anna": inside("dark-room")})
    assert world.present(card("anna")).reason is Reason.PASSBACK


@pytest.mark.parametrize(
    ("mode", "reason", "notes"),
    [
        (Passback.HARD, Reason.UNEXPECTED_LOCATION, ()),
        (Passback.SOFT, Reason.GRANTED, (Note.UNEXPECTED_LOCATION,)),
    ],
)
def test_nobody_goes_on_from_where_they_were_not_seen_to_come(
    world: World, mode: Passback, reason: Reason, notes: tuple[Note, ...]
) -> None:
    world.change("zones", "lab", passback=mode)
    decision = world.present(card("anna"), side="inner/in")
    assert (decision.reason, decision.notes) == (reason, notes)
    world.live(inside={"anna": inside("lab")})
    assert world.present(card("anna"), side="inner/in").notes == ()


def test_who_was_forgotten_after_a_time_may_go_on(world: World) -> None:
    world.change("zones", "lab", passback=Passback.TIMED, forget_s=60)
    assert world.present(card("anna"), side="inner/in").granted


def test_responder_comes_in_again_and_it_is_noted(world: World) -> None:
    world.change("zones", "lab", passback=Passback.HARD, activities=("weights",))
    world.live(inside={"dora": inside("lab")})
    world.situation(locks=(TOO_WARM,))
    decision = world.present(card("dora"))
    assert decision.reason is Reason.GRANTED_RESPONDER
    assert decision.notes == (Note.PASSBACK, Note.RESPONDER)
    assert outcomes(world)[Step.PASSBACK] is Outcome.WAIVED
    assert outcomes(world)[Step.AUTHORISATION] is Outcome.WAIVED


def test_right_that_denies_stays_even_where_a_revocation_names_it(world: World) -> None:
    world.put(Right(id="closed", effect=Effect.DENY, everyone=True, zones=("lab",)))
    snapshot = replace(world.snapshot(), revoked=Revoked(rights=frozenset({"closed", "r-staff"})))
    anna = snapshot.person("anna")
    assert anna is not None
    assert [one.id for one in snapshot.rights(anna, "door-1/in", Effect.DENY)] == ["closed"]
    assert snapshot.rights(anna, "door-1/in", Effect.ALLOW) == []
