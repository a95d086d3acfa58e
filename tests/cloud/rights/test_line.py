"""What is sent to a gateway next: at once when rights changed, again when nothing is acknowledged."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cloud.rights.issue import Held
from cloud.rights.line import ACKNOWLEDGED_S, AGAIN_S, HEARD_S, KEPT_S, LARGE_BYTES, Line, Sending
from cloud.store.rights_issued import Served
from rules.access.document import AccessRights, Delta, Offset, Person, Revocation
from rules.access.snapshot import digest_of, normalised
from wire.control import DocumentNow
from wire.shadow import Revision

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def held(
    number: int, *, people: int = 1, incarnation: int = 0, name: str = "x", given: int | None = None
) -> Held:
    document = AccessRights(
        gateway="gw-1",
        revision=Revision(incarnation, number),
        issued_at_ms=1,
        max_age_s=100,
        key_id="0123456789abcdef",
        time_zone="UTC",
        offsets=(Offset(0, 0),),
        people=tuple(Person(f"p{n}", name if n == 0 else f"Person {n}") for n in range(people)),
    )
    document = normalised(document)
    return Held(document, digest_of(document), 0, number=number if given is None else given)


def line(*revisions: Held) -> Line:
    made = Line(Served(1, 1, "gw-1", 1))
    for one in revisions:
        made.hold(one)
    return made


def says(one: Line, number: int, *, at: float = 0.0, incarnation: int = 0, digest: str = "") -> None:
    one.hear(DocumentNow(revision=Revision(incarnation, number), digest=digest), at)


def sent(one: Line, now_s: float) -> Sending | None:
    found = one.next(now_s)
    if found is not None:
        one.sent(found, now_s)
    return found


MANY = 2000


def test_small_rights_go_whole_and_are_kept_by_the_broker() -> None:
    one = line(held(1))
    assert sent(one, 0.0) == Sending(held(1).document, retained=True)
    assert sent(one, 1.0) is None


def test_change_of_large_rights_goes_as_a_delta_to_what_is_acknowledged() -> None:
    one = line(held(1, people=MANY))
    assert one.size() > LARGE_BYTES
    sent(one, 0.0)
    says(one, 1)
    one.hold(held(2, people=MANY, name="y"))
    found = sent(one, 1.0)
    assert found is not None
    assert isinstance(found.message, Delta)
    assert (found.message.base, found.retained) == (Revision(0, 1), False)
    says(one, 2, at=2.0)
    assert sent(one, 3.0) is None
    kept = sent(one, KEPT_S + 1)
    assert kept is not None
    assert kept.retained


def test_delta_starts_from_the_document_although_a_revocation_is_acknowledged() -> None:
    one = line(held(1, people=MANY))
    sent(one, 0.0)
    one.hold(held(1, people=MANY, given=2))
    says(one, 2)
    one.hold(held(3, people=MANY, name="y"))
    found = sent(one, 1.0)
    assert found is not None
    assert isinstance(found.message, Delta)
    assert found.message.base == Revision(0, 1)


def test_rights_that_are_not_acknowledged_are_kept_by_the_broker() -> None:
    one = line(held(1, people=MANY))
    sent(one, 0.0)
    says(one, 1)
    one.hold(held(2, people=MANY, name="y"))
    sent(one, 1.0)
    assert sent(one, 1.0 + ACKNOWLEDGED_S / 2) is None
    found = sent(one, 1.0 + ACKNOWLEDGED_S)
    assert found is not None
    assert found.retained


def test_gateway_that_speaks_and_stays_behind_is_sent_them_again_and_a_silent_one_is_not() -> None:
    one = line(held(1), held(2))
    sent(one, 0.0)
    assert sent(one, AGAIN_S) is None
    says(one, 1, at=AGAIN_S)
    assert sent(one, AGAIN_S + 1) is not None


def test_new_connection_takes_nothing_for_sent() -> None:
    one = line(held(1))
    sent(one, 0.0)
    one.reconnected()
    assert sent(one, 1.0) is not None


def test_revocation_is_sent_again_until_the_gateway_knows_it() -> None:
    revocation = Revocation(gateway="gw-1", revision=Revision(0, 2), issued_at_ms=1, people=("p0",))
    one = line(held(1))
    one.hold(replace(held(1, given=2), revocation=revocation))
    says(one, 1)
    assert one.revoking(0.0) == revocation
    one.revoked(revocation, 0.0)
    assert one.revoking(ACKNOWLEDGED_S / 2) is None
    assert one.revoking(ACKNOWLEDGED_S) == revocation
    assert one.revoking(HEARD_S) is None  # to one that is silent it would pile up
    one.reconnected()
    assert one.revoking(HEARD_S) == revocation
    says(one, 2, at=HEARD_S)
    assert one.revoking(HEARD_S) is None


def test_base_that_is_not_at_hand_is_asked_for() -> None:
    one = line(held(9, people=MANY))
    says(one, 5)
    assert one.wants_base() == Revision(0, 5)
    one.base(Revision(0, 5), held(4, people=MANY, name="y").document)
    assert one.wants_base() is None
    found = sent(one, 0.0)
    assert found is not None
    assert isinstance(found.message, Delta)
    assert found.message.base == Revision(0, 4)


@pytest.mark.parametrize(
    ("said", "beyond"),
    [
        ({"number": 7}, True),
        ({"number": 1, "incarnation": 1}, True),
        ({"number": 3}, False),
        ({"number": 3, "digest": "0" * 64}, True),
        ({"number": 4}, False),
        ({"number": 0}, False),
    ],
)
def test_gateway_that_honours_more_than_is_known_shows_a_restored_hub(
    said: dict[str, Any], beyond: bool
) -> None:
    one = line(held(3, given=4))
    says(one, **said)
    assert (one.beyond is not None) is beyond


def test_held_digest_is_that_of_the_gateway() -> None:
    one = line(held(3))
    says(one, 3, digest=msgspec.convert(held(3).digest.hex(), str))
    assert one.beyond is None
    assert one.up_to_date
