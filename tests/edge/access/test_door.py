"""A contact that bounces behind a lock that fell forces no door; a door that stays open was forced."""

import asyncio
from pathlib import Path

import pytest

from edge.access.door import GRACE_MS, DoorState, Happening, fell, let, passing_of_time, shut, told
from rules.access.words import Contact
from tests.edge.access.house import House, World, run

pytestmark = pytest.mark.requirement("G-6.4b")
SETTLE = 500
CLOSED = DoorState(contact=Contact.CLOSED)


def says(door: DoorState, contact: Contact, at_ms: int, *, settle_ms: int = SETTLE):
    return told(door, contact, at_ms=at_ms, watched=True, settle_ms=settle_ms)


def behind_somebody() -> DoorState:
    """Return the door that somebody opened as they were let, and that was shut and barred at 2000."""
    door, happened = says(let(CLOSED, until_ms=6000, now_ms=1000), Contact.OPEN, 1500)
    assert happened == (Happening.OPENED,)
    door, happened = says(door, Contact.CLOSED, 2000)
    assert happened == (Happening.SHUT,)
    return shut(door)


def over(door: DoorState, now_ms: int):
    return passing_of_time(door, now_ms=now_ms, held_open_ms=30_000)


@pytest.mark.parametrize("opened", [2070, 2140, 2499])
def test_bounce_behind_a_shut_door_is_nothing_at_all(opened: int) -> None:
    door, happened = says(behind_somebody(), Contact.OPEN, opened)
    assert happened == ()
    assert over(door, 2499)[1] == ()
    door, happened = says(door, Contact.CLOSED, min(opened + 100, 2499))
    assert happened == (), "nobody is told of a door that was shut when nobody was told that it was open"
    assert not door.forced
    assert over(door, 99_000)[1] == ()


def test_door_that_is_still_open_when_its_contact_has_settled_was_forced_since_it_opened() -> None:
    door, _ = says(behind_somebody(), Contact.OPEN, 2140)
    assert door.due_ms == 2500
    door, happened = over(door, 2500)
    assert happened == (Happening.FORCED,)
    assert door.forced
    assert door.since_ms == 2140
    assert door.due_ms is None
    assert over(door, 2600)[1] == ()
    assert says(door, Contact.CLOSED, 2700)[1] == (Happening.SHUT,)


def test_door_that_is_shut_too_late_was_forced_although_nobody_looked_meanwhile() -> None:
    door, _ = says(behind_somebody(), Contact.OPEN, 2140)
    door, happened = says(door, Contact.CLOSED, 2501)
    assert happened == (Happening.FORCED, Happening.SHUT)
    assert not door.forced


def test_contact_that_is_lost_while_it_may_bounce_hides_no_force() -> None:
    door, _ = says(behind_somebody(), Contact.OPEN, 2140)
    door, happened = says(door, Contact.UNKNOWN, 2200)
    assert happened == (Happening.FORCED,)
    assert door.forced


def test_opening_beyond_the_settling_time_is_forced_at_once() -> None:
    assert says(behind_somebody(), Contact.OPEN, 2500)[1] == (Happening.FORCED,)
    door, _ = says(let(CLOSED, until_ms=6000, now_ms=1000), Contact.OPEN, 1500, settle_ms=0)
    door, _ = says(door, Contact.CLOSED, 2000, settle_ms=0)
    assert says(shut(door), Contact.OPEN, 2010, settle_ms=0)[1] == (Happening.FORCED,)
    assert says(CLOSED, Contact.OPEN, GRACE_MS + 1)[1] == (Happening.FORCED,), "nothing fell before"


def test_contact_that_is_heard_again_gives_no_time_to_force_the_door() -> None:
    door, _ = says(DoorState(), Contact.CLOSED, 2000)
    assert says(door, Contact.OPEN, 2100)[1] == (Happening.FORCED,)


def test_bounces_do_not_make_the_settling_time_longer() -> None:
    door = behind_somebody()
    for at in range(2100, 2500, 100):
        door, _ = says(door, Contact.OPEN, at)
        door, _ = says(door, Contact.CLOSED, at + 50)
    assert says(door, Contact.OPEN, 2500)[1] == (Happening.FORCED,)


def test_settling_begins_anew_when_the_lock_falls_behind_the_door_and_only_then() -> None:
    door = fell(behind_somebody(), at_ms=2400, settle_ms=SETTLE)
    bounced, happened = says(door, Contact.OPEN, 2600)
    assert happened == ()
    assert over(bounced, 2899)[1] == ()
    assert over(bounced, 2900)[1] == (Happening.FORCED,)
    again = fell(door, at_ms=5000, settle_ms=SETTLE)
    assert says(again, Contact.OPEN, 5100)[1] == (Happening.FORCED,), "no lock fell behind a door shut now"
    assert fell(CLOSED, at_ms=5000, settle_ms=SETTLE) == CLOSED


def test_door_that_is_open_when_its_lock_falls_is_waited_for_no_longer() -> None:
    door, _ = says(behind_somebody(), Contact.OPEN, 2140)
    assert over(fell(door, at_ms=2300, settle_ms=SETTLE), 2500)[1] == (Happening.FORCED,)


def test_who_is_let_in_while_the_contact_settles_opens_the_door() -> None:
    door = let(behind_somebody(), until_ms=7000, now_ms=2100)
    assert says(door, Contact.OPEN, 2300)[1] == (Happening.OPENED,)


def test_gateway_tells_no_force_of_a_bounce_and_tells_what_stays_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna")
            for contact in (1, 0):
                house.contact(contact)
            await asyncio.sleep(0.1)
            assert not house.unlocked
            house.contact(1)
            await asyncio.sleep(0.1)
            house.contact(0)
            await asyncio.sleep(3)
            assert house.told("door_forced", "door_shut", "access_no_entry") == []
            await house.show("ben")
            for contact in (1, 0):
                house.contact(contact)
            await asyncio.sleep(0.1)
            house.contact(1)
            assert house.told("door_forced") == []
            await asyncio.sleep(0.6)
            assert [one[1] for one in house.told("door_forced")] == ["door-1"]
            assert house.status().portals[0].forced
            house.contact(0)
            assert house.told("door_shut")[0][2]["forced"] is True

    run(story())
