"""At the panel: card and PIN as at a door, and what somebody may ask of an interlock by authorisations."""

import pytest
from msgspec import structs

from rules.access import EMPTY, Reason, State
from rules.access.document import Attempts, Authorisation, Person, Span
from rules.access.snapshot import snapshot_of
from rules.access.words import CredentialState, PersonKind, PersonState, Subject
from rules.authority import rights_at, subject_of
from rules.interlock.inputs import Right
from rules.panel import Asker, Shown, identify
from tests.rules.access.world import HOUR_MS, NOW, STEADY, World, card, pin
from tests.rules.interlock.tables import table


def asked(world: World, state: State = EMPTY, **fields: object) -> Asker:
    shown = Shown(card=card("anna"), pin=pin("anna"), utc_ms=NOW, steady_ms=STEADY)
    return identify(world.snapshot(), state, structs.replace(shown, **fields))


def test_card_and_pin_of_one_person_tell_who_it_is() -> None:
    found = asked(World())
    assert (found.known, found.person, found.reason, found.duress) == (True, "anna", None, False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pin": pin("anna", "0")}, Reason.FACTOR_WRONG),
        ({"card": card("ben")}, Reason.FACTOR_NOT_SET),
        ({"card": card("nobody")}, Reason.CREDENTIAL_UNKNOWN),
        ({"card": structs.replace(card("anna"), key_id="f" * 16)}, Reason.KEY_OTHER),
        ({"card": pin("anna")}, Reason.FACTOR_NOT_ACCEPTED),
        ({"utc_ms": None}, Reason.TIME_UNKNOWN),
        ({"utc_ms": NOW + 8 * 24 * HOUR_MS}, Reason.RIGHTS_OLD),
        ({"utc_ms": NOW - 24 * HOUR_MS}, Reason.TIME_UNKNOWN),
    ],
)
def test_anything_else_tells_why_not(fields: dict[str, object], reason: Reason) -> None:
    found = asked(World(), **fields)
    assert (found.known, found.reason) == (False, reason)


def test_without_rights_nobody_is_known() -> None:
    shown = Shown(card=card("anna"), pin=pin("anna"), utc_ms=NOW, steady_ms=STEADY)
    assert identify(None, EMPTY, shown).reason is Reason.RIGHTS_MISSING


def test_old_rights_and_unknown_time_count_where_the_settings_say_so() -> None:
    assert asked(World(), utc_ms=None, honour_old=True).known
    assert asked(World(), utc_ms=NOW + 8 * 24 * HOUR_MS, honour_old=True).known


def test_blocked_card_and_person_who_left_are_told() -> None:
    world = World()
    world.change("credentials", card("anna").token, state=CredentialState.LOST)
    assert asked(world).reason is Reason.CREDENTIAL_LOST
    world = World()
    world.change("people", "anna", state=PersonState.LEFT)
    assert asked(world).reason is Reason.PERSON_LEFT


def test_duress_pin_is_right_and_marks_it() -> None:
    found = asked(World(), pin=pin("anna", "911"))
    assert (found.known, found.duress) == (True, True)


def test_too_many_wrong_pins_lock_one_person_out_for_a_while() -> None:
    world, state, limits = World(), EMPTY, Attempts()
    for _ in range(limits.limit):
        found = asked(world, state, pin=pin("anna", "0"))
        assert found.reason is Reason.FACTOR_WRONG
        state = found.state
    assert asked(world, state).reason is Reason.ATTEMPTS
    later = STEADY + limits.lockout_s * 1000
    assert asked(world, state, steady_ms=later).known
    assert asked(world, state, steady_ms=later).state.tries == {}


# --- what somebody may do -----------------------------------------------------------------------------


@pytest.mark.requirement("H-7.3.3.3")
@pytest.mark.parametrize("row", table("right", "every interlock", "the interlock room-2 alone"))
def test_authorisations_give_rights_as_the_page_says(row: dict[str, str]) -> None:
    right = Right(row["right"])
    subjects = row["every interlock"].strip("`"), row["the interlock room-2 alone"].strip("`")
    assert subjects == (subject_of(right), subject_of(right, "room-2"))
    for subject, elsewhere in zip(subjects, (True, False), strict=True):
        world = World()
        world.put(Authorisation("i-1", "anna", Subject.ACTIVITY, subject, Span(NOW, NOW + HOUR_MS)))
        snapshot = world.snapshot()
        assert rights_at(snapshot, "anna", "room-2", at_ms=NOW) == {right}
        assert rights_at(snapshot, "anna", "room-3", at_ms=NOW) == ({right} if elsewhere else set())
        assert rights_at(snapshot, "ben", "room-2", at_ms=NOW) == set()
        assert rights_at(snapshot, "anna", "room-2", at_ms=NOW + HOUR_MS) == set()
        assert rights_at(snapshot, "anna", "room-2", at_ms=NOW - 1) == set()


def test_table_of_rights_is_complete() -> None:
    rows = table("right", "every interlock", "the interlock room-2 alone")
    assert {row["right"] for row in rows} == {right.value for right in Right}


@pytest.mark.parametrize(
    "person",
    [
        Person("anna", state=PersonState.SUSPENDED),
        Person("anna", kind=PersonKind.VISITOR),
        Person("anna", valid=Span(None, NOW)),
    ],
)
def test_only_active_staff_ask_anything_of_an_interlock(person: Person) -> None:
    world = World()
    world.put(Authorisation("i-1", "anna", Subject.ACTIVITY, "interlock.reset"))
    world.change("people", "anna", state=person.state, kind=person.kind, valid=person.valid)
    # A visitor holds no authorisation in rights that are whole; the rule does not rely on it.
    assert rights_at(snapshot_of(world.document()), "anna", "room-2", at_ms=NOW) == set()
