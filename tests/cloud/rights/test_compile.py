"""Rows become the rights of a gateway: what its site needs and nothing else; what makes no sense is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from cloud.rights_compile import Compiled, compile_rights, ended_between, same_rights
from cloud.store.rights_rows import (
    AuthorisationRow,
    CredentialRow,
    ItemRow,
    PersonRow,
    PortalRow,
    Rows,
    SiteRow,
    VisitRow,
)
from rules.access.decide import decide
from rules.access.document import AccessRights
from rules.access.request import Factor, Request
from rules.access.snapshot import digest_of, normalised, snapshot_of
from rules.access.state import EMPTY
from rules.access.words import CredentialState, FactorKind, PersonState
from wire import frame
from wire.codec import encode_body

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
KEY = "0123456789abcdef"
MS = round(NOW.timestamp() * 1000)


def person(n: int, **more: Any) -> PersonRow:
    nothing = dict.fromkeys(("left_at", "from_at", "to_at", "key_id", "pin", "duress_pin"))
    plain = {"id": n, "number": f"p{n}", "name": f"Person {n}", "kind": "staff"}
    return PersonRow(**{**nothing, **plain, "state": "active", "escorts": False, "slow": False, **more})


def card(number: int, **more: Any) -> CredentialRow:
    plain: dict[str, Any] = {"person_id": number, "kind": "card", "key_id": KEY, "token": f"{number:032x}"}
    return CredentialRow(**(plain | {"state": "active", "from_at": None, "to_at": None} | more))


def item(kind: str, name: str, body: dict[str, Any], *, site: int | None = 1) -> ItemRow:
    return ItemRow(kind, name, site, body)


def rows(*items: ItemRow, people: int | list[PersonRow] = 3, **more: Any) -> Rows:
    known = [person(n) for n in range(1, people + 1)] if isinstance(people, int) else people
    plain: dict[str, Any] = {
        "site": SiteRow(1, 1, "lab-1", "Asia/Shanghai"),
        "key_id": KEY,
        "items": list(items),
        "zones": ["lobby", "vault"],
        "portals": [PortalRow("front", None, "lobby"), PortalRow("inner", "lobby", "vault")],
        "people": known,
        "credentials": [card(one.id) for one in known],
    }
    return Rows(**(plain | more))


def made(given: Rows) -> AccessRights:
    found = compile_rights(given, "gw-1", now=NOW)
    assert found.rights is not None, found.faults
    return found.rights


def faults(given: Rows) -> Compiled:
    found = compile_rights(given, "gw-1", now=NOW)
    assert found.rights is None
    return found


RIGHT = item("right", "r-1", {"people": ["p1"], "zones": ["lobby"]})


def test_only_people_whom_the_site_needs_go_along() -> None:
    rights = made(rows(RIGHT, item("group", "g", {"people": ["p3"]}, site=None)))
    assert [one.id for one in rights.people] == ["p1"]
    assert [one.person for one in rights.credentials] == ["p1"]
    assert rights.groups == ()
    everyone = made(rows(item("right", "r-1", {"everyone": True, "zones": ["lobby"]})))
    assert [one.id for one in everyone.people] == ["p1", "p2", "p3"]


def test_card_of_another_key_is_not_sent() -> None:
    assert made(rows(RIGHT, credentials=[card(1, key_id="f" * 16)])).credentials == ()


def test_doors_are_asked_on_the_way_in_and_never_on_the_way_out() -> None:
    rights = made(rows(RIGHT, portals=[PortalRow("front", None, "lobby"), PortalRow("back", "vault", None)]))
    kinds = {one.id: (one.inward.kind.value, one.outward.kind.value) for one in rights.portals}
    assert kinds["front"] == ("entry", "exit")
    assert kinds["back"] == ("exit", "entry")


def test_item_of_the_site_stands_for_that_of_its_organisation() -> None:
    given = rows(
        item("schedule", "s", {"windows": [[["mon"], 0, 60]]}, site=None),
        item("schedule", "s", {"windows": [[["tue"], 0, 60]]}),
        item("right", "r-1", {"people": ["p1"], "zones": ["lobby"], "schedule": "s"}),
    )
    (schedule,) = made(given).schedules
    assert schedule.windows[0].days == ("tue",)


def test_offsets_reach_years_ahead_and_stay_the_same_within_a_year() -> None:
    given = rows(RIGHT, site=SiteRow(1, 1, "lab-1", "Europe/Berlin"))
    first = made(given)
    later = compile_rights(given, "gw-1", now=NOW + timedelta(days=90)).rights
    assert later is not None
    assert first.offsets == later.offsets
    assert len(first.offsets) > 10
    assert first.offsets[-1].from_ms > MS + 4 * 365 * 86_400_000
    assert same_rights(normalised(first), normalised(later))


def test_who_left_is_turned_away_and_who_will_leave_is_so_from_then_on() -> None:
    gone = person(1, left_at=NOW - timedelta(days=1))
    assert made(rows(RIGHT, people=[gone])).people[0].state is PersonState.LEFT
    going = person(1, left_at=NOW + timedelta(days=1), to_at=NOW + timedelta(days=9))
    (found,) = made(rows(RIGHT, people=[going])).people
    assert found.valid.to_ms == MS + 86_400_000


def test_visit_brings_visitor_host_and_card_along() -> None:
    visit = VisitRow(7, 2, 3, ["lobby"], NOW, NOW + timedelta(hours=1), "host", None, None)
    guest = person(2, number="V-000001", kind="visitor")
    rights = made(rows(people=[person(1), guest, person(3)], visits=[visit]))
    assert sorted(one.id for one in rights.people) == ["V-000001", "p3"]
    assert [one.id for one in rights.visits] == ["visit-7"]
    assert {one.person for one in rights.credentials} == {"V-000001", "p3"}


def visit_of(n: int, **more: Any) -> VisitRow:
    plain: dict[str, Any] = {"id": n, "person_id": 2, "host_id": 3, "zones": ["lobby"], "from_at": NOW}
    rest = {"to_at": NOW + timedelta(hours=1), "escort": "host", "approved_by": None, "approved_at": None}
    return VisitRow(**(plain | rest | more))


GUEST = person(2, number="V-000001", kind="visitor")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host_id": 4}, "visits visit-8 host: 工号001: expected staff with a number"),
        ({"host_id": 2}, "visits visit-8 host: V-000001: expected staff"),
        ({"person_id": 3}, "visits visit-8 person: p3: expected a visitor"),
        ({"zones": ["gone"]}, "visits visit-8 zones: gone: expected a zone"),
        ({"to_at": NOW + timedelta(microseconds=10)}, ""),
        ({"host_id": 99}, ""),
        ({"person_id": 99}, ""),
    ],
)
def test_visit_that_does_not_fit_is_left_out_and_hinders_nobody_else(
    wrong: dict[str, Any], said: str
) -> None:
    people = [person(1), GUEST, person(3), person(4, number="工号001")]
    found = compile_rights(
        rows(RIGHT, people=people, visits=[visit_of(7), visit_of(8, **wrong)]), "gw-1", now=NOW
    )
    assert found.rights is not None, found.faults
    assert [one.id for one in found.rights.visits] == ["visit-7"]
    assert [one.id for one in found.rights.rights] == ["r-1"]
    assert any(said in one for one in found.misfits) is bool(said)
    assert all(f"left out: {one}" in found.notes for one in found.misfits)


def test_visit_goes_on_where_one_of_its_zones_is_no_more() -> None:
    given = rows(people=[GUEST, person(3)], visits=[visit_of(7, zones=["lobby", "gone"])])
    (found,) = made(given).visits
    assert found.zones == ("lobby",)


def test_approval_by_somebody_who_cannot_be_sent_does_not_count() -> None:
    given = rows(
        people=[GUEST, person(3), person(4, number="工号001")],
        visits=[visit_of(7, approved_by=4, approved_at=NOW)],
    )
    (found,) = made(given).visits
    assert found.approval is None


def test_card_that_never_holds_and_one_of_nobody_are_left_out() -> None:
    never = card(1, token="f" * 32, from_at=NOW, to_at=NOW + timedelta(microseconds=10))
    found = compile_rights(rows(RIGHT, credentials=[card(1), never, card(77)]), "gw-1", now=NOW)
    assert found.rights is not None, found.faults
    assert [one.token for one in found.rights.credentials] == [f"{1:032x}"]
    assert "credentials ffffff… valid" in found.misfits[0]


def test_authorisation_of_nobody_is_left_out() -> None:
    given = [AuthorisationRow(1, 77, "activity", "mass", NOW, None)]
    assert made(rows(RIGHT, authorisations=given)).authorisations == ()


def test_member_whom_nobody_knows_is_left_out_of_a_group() -> None:
    given = rows(
        item("group", "g", {"people": ["p1", "ghost"]}),
        item("right", "r-1", {"groups": ["g"], "zones": ["lobby"]}),
        item("right", "r-2", {"effect": "deny", "groups": ["g"], "zones": ["vault"]}),
    )
    found = compile_rights(given, "gw-1", now=NOW)
    assert found.rights is not None, found.faults
    assert found.rights.groups[0].people == ("p1",)
    assert [one.id for one in found.rights.rights] == ["r-1", "r-2"]
    assert found.misfits == ("groups g people: ghost: expected the number of somebody of the staff",)


def test_visitor_in_a_group_is_a_fault_for_a_deny_may_rest_on_it() -> None:
    given = rows(
        item("group", "g", {"people": ["V-000001"]}),
        item("right", "r-2", {"effect": "deny", "groups": ["g"], "zones": ["vault"]}),
        people=[GUEST, person(3)],
        visits=[visit_of(7)],
    )
    assert "groups g people: V-000001" in faults(given).faults[0]


def test_who_leaves_before_they_begin_is_known_and_let_in_nowhere() -> None:
    soon, later = NOW + timedelta(days=1), NOW + timedelta(days=2)
    (found,) = made(rows(RIGHT, people=[person(1, left_at=soon, from_at=later)])).people
    assert found.state is PersonState.LEFT


def test_authorisation_that_was_withdrawn_ends_then() -> None:
    given = [AuthorisationRow(1, 1, "activity", "mass", NOW - timedelta(days=9), NOW + timedelta(days=1))]
    given += [AuthorisationRow(2, 2, "activity", "mass", NOW - timedelta(days=9), None)]
    (found,) = made(rows(RIGHT, authorisations=given)).authorisations
    assert (found.id, found.valid.to_ms) == ("1", MS + 86_400_000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (rows(RIGHT, key_id=None), "credential key"),
        (rows(RIGHT, site=SiteRow(1, 1, "lab-1", "Moon/Base")), "Moon/Base"),
        (rows(item("right", "r-1", {"people": ["p1"]})), "sides or zones"),
        (
            rows(item("right", "r-1", {"people": 5, "zones": ["lobby"]})),
            "right r-1 people: 5: expected a list",
        ),
        (rows(RIGHT, item("zone", "vault", {"passback": "timed"})), "a time for timed anti-passback"),
        (rows(RIGHT, item("mantrap", "m", {"portals": ["front", "moon"]})), "a portal of this document"),
    ],
)
def test_what_makes_no_sense_is_named_and_nothing_is_made(given: Rows, said: str) -> None:
    assert any(said in one for one in faults(given).faults)


def test_person_whose_number_cannot_be_sent_hinders_nobody_else() -> None:
    given = rows(
        item("right", "r-1", {"everyone": True, "zones": ["lobby"]}),
        people=[person(1), person(2, number="工号 2")],
    )
    found = compile_rights(given, "gw-1", now=NOW)
    assert found.rights is not None
    assert [one.id for one in found.rights.people] == ["p1"]
    assert "工号 2" in found.notes[0]


def test_what_ended_is_found_and_what_only_began_is_not() -> None:
    old = made(rows(item("right", "r-1", {"everyone": True, "zones": ["lobby"]}), RIGHT_2))
    gone = [card(1, state="lost"), card(2), card(3)]
    people = [person(1), person(2, state="suspended"), person(3), person(4)]
    new = made(
        rows(item("right", "r-1", {"everyone": True, "zones": ["lobby"]}), people=people, credentials=gone)
    )
    ended = ended_between(old, new, at_ms=MS)
    assert ended.credentials == (f"{1:032x}",)
    assert ended.people == ("p2",)
    assert ended.rights == ("r-2",)
    assert not ended_between(new, new, at_ms=MS)


RIGHT_2 = item("right", "r-2", {"people": ["p3"], "zones": ["vault"]})


def test_deny_that_is_taken_away_is_no_revocation() -> None:
    old = made(rows(item("right", "r-1", {"effect": "deny", "people": ["p1"], "zones": ["lobby"]})))
    new = made(rows(RIGHT))
    assert ended_between(old, new, at_ms=MS).rights == ()


@pytest.mark.requirement("G-6.4b")
def test_ten_thousand_people_and_a_thousand_rights_are_compiled_and_fit_into_a_frame() -> None:
    groups = [
        item("group", f"g{n}", {"people": [f"p{one}" for one in range(n * 10 + 1, n * 10 + 11)]})
        for n in range(1000)
    ]
    rights = [item("right", f"r{n}", {"groups": [f"g{n}"], "zones": ["lobby"]}) for n in range(1000)]
    document = normalised(made(rows(*groups, *rights, people=10_000)))
    assert len(document.people) == len(document.credentials) == 10_000
    packed = frame.encode("t", encode_body(document), _Signer(), bounds=frame.LARGE)
    assert len(packed) < frame.LARGE_FRAME_BYTES_MAX // 2
    changed = [
        msgspec.structs.replace(one, state=CredentialState.LOST) if one.person == "p77" else one
        for one in document.credentials
    ]
    other = msgspec.structs.replace(document, credentials=tuple(changed))
    assert ended_between(document, other, at_ms=MS).credentials == (f"{77:032x}",)
    assert digest_of(document) != digest_of(other)


class _Signer:
    key_id = bytes(8)

    def sign(self, _: bytes) -> bytes:
        return bytes(64)


def test_who_has_a_right_comes_in_by_what_was_compiled() -> None:
    snapshot = snapshot_of(msgspec.structs.replace(made(rows(RIGHT)), issued_at_ms=MS))
    factor = Factor(FactorKind.CARD, f"{1:032x}", KEY)
    for side, granted in (("front/in", True), ("inner/in", False), ("front/out", True)):
        request = Request(side=side, factors=(factor,), at_ms=MS, steady_ms=MS)
        assert decide(request, snapshot, EMPTY).granted is granted
