"""Rights that come in are taken over whole or refused whole, and what was in force stays in force."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from rules.access import (
    AccessRights,
    Delta,
    Reason,
    Refusal,
    Refused,
    Revocation,
    Snapshot,
    Taken,
    decide,
    delta_between,
    kept,
    receive,
    restored,
    take,
)
from rules.access.document import Change, Group, Parts, Right
from rules.access.intake import BYTES_MAX
from rules.access.snapshot import digest_of, normalised, snapshot_of
from rules.access.words import CredentialState, Effect, PersonState
from tests.rules.access.world import NOW, World, card, token
from wire.shadow import Revision


def revision(number: int, incarnation: int = 1) -> Revision:
    return Revision(incarnation, number)


def rights(number: int = 1, world: World | None = None) -> AccessRights:
    return structs.replace((world or World()).document(), revision=revision(number))


FIRST = snapshot_of(rights(5))


def sent(change: Change, current: Snapshot | None = FIRST, *, good: bool = True) -> Taken | Refused:
    body = msgspec.json.encode(change)
    return receive(current, body, gateway="gw-1", signed=lambda data: good and data == body)


def taken(change: Change, current: Snapshot | None = FIRST) -> Snapshot:
    found = sent(change, current)
    assert isinstance(found, Taken), found
    assert found.changed
    return found.snapshot


def refused(change: Change, current: Snapshot | None = FIRST) -> tuple[Refusal, str]:
    found = sent(change, current)
    assert isinstance(found, Refused)
    assert found.revision == change.revision
    return found.refusal, str(found.faults[0])


def delta(new: AccessRights, **fields: object) -> Delta:
    made = delta_between(FIRST.document, new)
    assert made is not None
    return structs.replace(made, **fields)


def revocation(number: int, **fields: object) -> Revocation:
    return Revocation(gateway="gw-1", revision=revision(number), issued_at_ms=NOW, **fields)


# --- snapshots ----------------------------------------------------------------------------------------


def test_first_snapshot_is_taken_over() -> None:
    assert taken(rights(), None) == snapshot_of(rights())


@pytest.mark.parametrize(
    ("number", "incarnation"), [(6, 1), (1, 2)], ids=["next", "of a hub that was restored"]
)
def test_newer_snapshot_takes_the_place_of_the_older(number: int, incarnation: int) -> None:
    newer = structs.replace(rights(), revision=revision(number, incarnation))
    assert taken(newer).revision == newer.revision


def test_snapshot_that_is_older_is_refused() -> None:
    refusal, text = refused(rights(4))
    assert (refusal, text) == (Refusal.OLDER, "revision: 1.4: expected after 1.5")


def test_same_snapshot_again_changes_nothing_and_is_no_fault() -> None:
    found = sent(rights(5))
    assert isinstance(found, Taken)
    assert (found.changed, found.snapshot) == (False, FIRST)


def test_same_revision_with_other_rights_is_a_contradiction() -> None:
    refusal, text = refused(structs.replace(rights(5), rights=()))
    assert (refusal, text) == (
        Refusal.CONTRADICTORY,
        "revision: 1.5 with other rights: expected after 1.5",
    )


def test_snapshot_with_a_fault_is_refused_with_every_fault() -> None:
    world = World()
    world.put(Right(id="r-bad", people=("nobody",), zones=("nowhere",)))
    found = sent(structs.replace(rights(6), rights=tuple(world.parts["rights"].values())))
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.CONTRADICTORY
    assert [str(one) for one in found.faults] == [
        "rights r-bad people: nobody: expected the number of somebody of the staff",
        "rights r-bad zones: nowhere: expected a zone of this document",
    ]


def test_faults_that_are_told_are_bounded() -> None:
    many = tuple(Right(id=f"r-{place}", people=("nobody",), zones=("lab",)) for place in range(200))
    found = sent(structs.replace(rights(6), rights=many))
    assert isinstance(found, Refused)
    assert len(found.faults) == 100


@pytest.mark.parametrize("change", [rights(6), revocation(6), delta(rights(6))])
def test_rights_of_another_gateway_are_refused(change: Change) -> None:
    refusal, text = refused(structs.replace(change, gateway="gw-2"))
    assert (refusal, text) == (Refusal.OTHER_GATEWAY, "gateway: gw-2: expected gw-1")


@pytest.mark.parametrize("change", [rights(6), revocation(6), delta(rights(6))])
def test_what_is_not_signed_is_not_even_read(change: Change) -> None:
    found = sent(change, good=False)
    assert isinstance(found, Refused)
    assert (found.refusal, found.revision) == (Refusal.UNSIGNED, None)


def test_body_that_is_too_large_is_refused_before_its_signature_is_looked_at() -> None:
    def never(_: bytes) -> bool:
        raise AssertionError

    found = receive(FIRST, b" " * (BYTES_MAX + 1), gateway="gw-1", signed=never)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"type":"other"}',
        b"\xff",
        b"[" * 100_000,
        msgspec.json.encode(rights(6))[:-1] + b',"more":1}',
        msgspec.json.encode(rights(6)).replace(b'"gateway":"gw-1"', b'"gateway":"GW 1"'),
    ],
)
def test_malformed_body_is_refused(body: bytes) -> None:
    found = receive(FIRST, body, gateway="gw-1", signed=lambda _: True)
    assert isinstance(found, Refused)
    assert (found.refusal, len(found.faults)) == (Refusal.MALFORMED, 1)


@given(st.binary(max_size=60), st.integers(0, 10_000), st.integers(0, 20))
def test_damaged_body_never_raises(noise: bytes, place: int, length: int) -> None:
    whole = msgspec.json.encode(rights(6))
    body = whole[: place % len(whole)] + noise + whole[place % len(whole) + length :]
    receive(FIRST, body, gateway="gw-1", signed=lambda _: True)
    receive(FIRST, noise, gateway="gw-1", signed=lambda _: True)
    restored(body, gateway="gw-1")


# --- deltas -------------------------------------------------------------------------------------------


def changed_world() -> World:
    world = World()
    world.drop("rights", "r-respond")
    world.put(Group(id="guests", people=("hugo",)))
    world.change("people", "anna", state=PersonState.SUSPENDED)
    return world


def test_delta_makes_the_whole_snapshot() -> None:
    newer = rights(7, changed_world())
    made = delta(newer)
    assert [one.id for one in made.put.people] == ["anna"]
    assert made.drop == {"rights": ("r-respond",)}
    assert taken(made) == snapshot_of(newer)
    again = sent(made, taken(made))
    assert isinstance(again, Taken)
    assert not again.changed


def test_delta_without_a_change_makes_the_rights_younger() -> None:
    newer = structs.replace(rights(6), issued_at_ms=NOW)
    assert taken(delta(newer)).document.issued_at_ms == NOW


@pytest.mark.parametrize(
    "fields",
    [{"time_zone": "Europe/Berlin"}, {"key_id": "f" * 16}, {"max_age_s": 1}, {"gateway": "gw-2"}],
)
def test_some_changes_take_a_whole_snapshot(fields: dict[str, object]) -> None:
    assert delta_between(FIRST.document, structs.replace(rights(6), **fields)) is None


@pytest.mark.parametrize(
    ("fields", "refusal", "text"),
    [
        ({"revision": revision(5)}, Refusal.OLDER, "revision: 1.5: expected after 1.5"),
        ({"base": revision(4)}, Refusal.OTHER_BASE, "base: 1.4: expected 1.5, which is in force"),
        ({"drop": {"cats": ("a",)}}, Refusal.CONTRADICTORY, "drop: cats: expected one of calendar, "),
        ({"drop": {"rights": ("r-9",)}}, Refusal.CONTRADICTORY, "drop rights: r-9: expected one that is"),
        (
            {"put": Parts(groups=(Group(id="staff"),)), "drop": {"groups": ("staff",)}},
            Refusal.CONTRADICTORY,
            "drop groups: staff: expected not to be put as well",
        ),
        (
            {"put": Parts(groups=(Group(id="a"), Group(id="a")))},
            Refusal.CONTRADICTORY,
            "put groups: a: expected each once",
        ),
        (
            {"digest": bytes(32)},
            Refusal.CONTRADICTORY,
            f"digest: {'0' * 16}: expected that of what comes out",
        ),
    ],
)
def test_delta_that_does_not_fit_is_refused(fields: dict[str, object], refusal: Refusal, text: str) -> None:
    found = refused(delta(rights(6), **fields))
    assert found[0] is refusal
    assert found[1].startswith(text)


def test_delta_whose_outcome_has_a_fault_is_refused() -> None:
    broken = structs.replace(rights(6), groups=())
    refusal, text = refused(delta(broken))
    assert (refusal, text) == (
        Refusal.CONTRADICTORY,
        "rights r-staff groups: staff: expected a group of this document",
    )


@pytest.mark.parametrize("change", [delta(rights(6)), revocation(6)])
def test_without_a_snapshot_neither_delta_nor_revocation_is_taken(change: Change) -> None:
    refusal, text = refused(change, None)
    assert (refusal, text) == (Refusal.OTHER_BASE, "base: no rights here: expected a snapshot first")


# --- revocations --------------------------------------------------------------------------------------


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    ("fields", "who", "reason"),
    [
        ({"credentials": (token("anna"),)}, "anna", Reason.CREDENTIAL_REVOKED),
        ({"people": ("anna",)}, "anna", Reason.PERSON_REVOKED),
        ({"rights": ("r-staff",)}, "anna", Reason.NO_RIGHT),
        ({"visits": ("v-1",)}, "vera", Reason.NO_VISIT),
        ({"people": ("ben",)}, "vera", Reason.VISIT_WITHOUT_HOST),
    ],
)
def test_revocation_counts_at_once(fields: dict[str, object], who: str, reason: Reason) -> None:
    world = World()
    world.ask(factors=(card(who),))
    assert decide(world.request(), FIRST, world.state).reason is not reason
    after = taken(revocation(9, **fields))
    assert decide(world.request(), after, world.state).reason is reason
    assert after.revision == FIRST.revision


def test_revocations_come_in_any_order_and_more_than_once() -> None:
    first, second = revocation(7, people=("anna",)), revocation(8, credentials=(token("ben"),))
    one = taken(second, taken(first))
    assert one == taken(first, taken(second))
    again = sent(first, one)
    assert isinstance(again, Taken)
    assert (again.changed, again.snapshot) == (False, one)


def test_revocation_of_what_the_rights_already_contain_changes_nothing() -> None:
    found = sent(revocation(5, people=("anna",)))
    assert isinstance(found, Taken)
    assert (found.changed, found.snapshot) == (False, FIRST)


def test_revision_of_a_revocation_has_one_content() -> None:
    after = taken(revocation(7, people=("anna",)))
    refusal, text = refused(revocation(7, people=("ben",)), after)
    assert (refusal, text) == (
        Refusal.CONTRADICTORY,
        "revision: 1.7: expected one content for a revision",
    )


def test_right_that_denies_cannot_be_revoked() -> None:
    world = World()
    world.put(Right(id="r-deny", effect=Effect.DENY, people=("anna",), zones=("lab",)))
    current = snapshot_of(rights(5, world))
    refusal, text = refused(revocation(6, rights=("r-staff", "r-deny")), current)
    assert (refusal, text) == (Refusal.CONTRADICTORY, "rights: r-deny: expected no right that denies")


def test_revocation_stays_over_rights_that_are_older_and_ends_with_newer_ones() -> None:
    after = taken(revocation(8, people=("anna",)))
    older = taken(rights(7), after)
    found = older.person("anna")
    assert found is not None
    assert found.state is PersonState.REVOKED
    newer = taken(rights(8), older)
    assert newer == snapshot_of(rights(8))


# --- over a restart -----------------------------------------------------------------------------------


def test_what_is_in_force_outlasts_a_restart() -> None:
    after = taken(revocation(8, people=("anna",)), taken(revocation(9, credentials=(token("ben"),))))
    found = restored(kept(after), gateway="gw-1")
    assert isinstance(found, Taken)
    assert found.snapshot == after
    ben = found.snapshot.credential(token("ben"))
    assert ben is not None
    assert ben.state is CredentialState.REVOKED


def test_what_was_kept_is_checked_like_what_comes_in() -> None:
    for body, refusal in (
        (b"", Refusal.MALFORMED),
        (kept(FIRST).replace(b'"gateway":"gw-1"', b'"gateway":"gw-2"'), Refusal.OTHER_GATEWAY),
        (kept(FIRST).replace(b'"host":"ben"', b'"host":"bob"'), Refusal.CONTRADICTORY),
    ):
        found = restored(body, gateway="gw-1")
        assert isinstance(found, Refused)
        assert found.refusal is refusal


def test_take_asks_for_no_signature_and_checks_the_rest() -> None:
    assert isinstance(take(None, rights(), gateway="gw-1"), Taken)
    assert digest_of(normalised(rights())) == snapshot_of(rights()).digest
