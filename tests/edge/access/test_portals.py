"""Who comes is judged on site; the lock opens only for what is on the disk, and only for its time."""

import asyncio
import re
from pathlib import Path

import pytest

from edge.control.offers import NotDoneError, RefusedError
from rules.access.document import Head, Mantrap, Side
from rules.access.request import EntryLock
from rules.access.words import FactorKind, Passback, Scope
from tests.edge.access.house import KEY, SETTINGS, House, World, card_of, pin_of, run
from tests.rules.access.world import NOW

LOCKED = EntryLock(Scope.ZONE, "lab", "il-1", "too warm")


@pytest.mark.requirement("G-6.4b")
def test_known_card_opens_the_door_once_that_is_on_the_disk(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna")
            assert house.unlocked
            (granted,) = house.told("access_granted")
            assert granted[1] == "door-1/in"
            assert granted[2] == {
                "reason": "granted",
                "step": "grant",
                "person": "anna",
                "token": card_of("anna").token(KEY),
                "admits": "anna",
                "rule": "right:r-staff",
                "revision": "1.1",
                "open_s": 5,
                "factors": "card",
            }
            assert [one for one in house.device.written if one[1] == 1] == [("gpio/lock", 1, True)]
            assert house.device.shown[-1] == ("front", "Please come in")

    run(story())


def test_only_who_went_through_is_inside_and_the_lock_shuts_behind_them(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna")
            assert house.inside == set(), "a grant moves nobody"
            house.contact(1)
            assert house.inside == {"anna"}
            assert house.told("access_passed")[0][1:] == (
                "door-1/in",
                {"person": "anna", "zone": "lab", "way": "entered"},
            )
            assert house.unlocked
            house.contact(0)
            await asyncio.sleep(0.1)
            assert not house.unlocked
            assert house.status().inside[0].zone == "lab"
            assert house.told("door_forced") == []
            await house.show("ben")
            await asyncio.sleep(7)
            assert not house.unlocked
            assert house.told("access_no_entry")[0][2] == {"person": "ben"}
            assert house.inside == {"anna"}

    run(story())


def test_refusal_says_why_and_opens_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("nobody")
            await house.show("dora")
            assert house.reasons() == ["credential_unknown", "no_right"]
            assert house.told("access_refused")[1][2]["person"] == "dora"
            assert [text for _, text in house.device.shown] == ["Not known", "No right to enter here"]
            assert all(value == 0 for _, value, _ in house.device.written)

    run(story())


def test_without_rights_nobody_comes_in(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path).running() as house:
            await house.show("anna")
            assert house.reasons() == ["rights_missing"]
            assert not house.unlocked

    run(story())


def test_full_disk_keeps_the_door_shut_and_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.disk = False
            await house.show("anna")
            assert not house.unlocked
            assert "the disk takes nothing now" in str(house.told("access_not_opened")[0][2]["reason"])
            assert house.device.shown[-1] == ("front", "Door cannot be opened now")
            house.contact(1)
            assert house.inside == set()
            assert house.told("door_forced"), "nobody was let in"

    run(story())


@pytest.mark.requirement("G-6.4b")
def test_card_then_pin_and_neither_alone(tmp_path: Path) -> None:
    async def story() -> None:
        world = World()
        world.change("portals", "door-1", inward=Side(verify=(FactorKind.PIN,)))
        async with House(tmp_path, world).running() as house:
            await house.show("anna")
            assert house.reasons() == []
            assert house.device.shown[-1] == ("front", "Please enter the PIN, then #")
            await house.present(pin_of("0000"))
            assert house.reasons() == ["factor_wrong"]
            await house.present(pin_of("1234"))
            assert house.reasons() == ["factor_wrong", "granted"]
            assert house.unlocked
            await asyncio.sleep(10)
            await house.show("anna")
            await asyncio.sleep(16)
            assert house.reasons()[-1] == "factor_timeout"
            await house.present(pin_of("1234"))
            assert house.reasons()[-1] == "factor_not_accepted"

    run(story())


def test_duress_looks_like_any_other_entry_at_the_door(tmp_path: Path) -> None:
    async def story() -> None:
        world = World()
        world.change("portals", "door-1", inward=Side(verify=(FactorKind.PIN,)))
        async with House(tmp_path, world).running() as house:
            await house.show("anna")
            await house.present(pin_of("4321"))
            assert house.unlocked
            assert house.device.shown[-1] == ("front", "Please come in")
            (granted,) = house.told("access_granted")
            assert (granted[2]["duress"], granted[2]["factors"]) == (True, "card, pin")

    run(story())


def test_card_that_waited_while_the_gateway_stood_still_opens_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna", doubt_ms=60_000)
            assert not house.unlocked
            assert house.reasons() == []
            assert house.told("access_late")[0][1:] == (
                "door-1/in",
                {"between_ms": 60_000, "reader": "door/front"},
            )
            assert house.device.shown[-1] == ("front", "Please show it again")
            await house.show("anna", doubt_ms=1_000)
            assert house.unlocked

    run(story())


@pytest.mark.requirement("G-6.9b")
def test_door_that_opens_by_itself_was_forced_and_may_lock_the_laboratory_down(tmp_path: Path) -> None:
    async def story() -> None:
        world = World()
        world.change("zones", "lab", heads=(Head("carl"),))
        async with House(tmp_path, world).running() as house:
            house.contact(1)
            assert [one[:2] for one in house.told("door_forced", "lock_down")] == [
                ("door_forced", "door-1"),
                ("lock_down", "lab"),
            ]
            now = house.status()
            assert now.portals[0].forced
            assert now.portals[0].locked_by == ("lock_down",)
            assert now.lock_downs == ("lab",)
            house.contact(0)
            assert house.told("door_shut")[0][2]["forced"] is True
            await house.show("carl")
            assert house.reasons() == ["lock_down"]

    run(story())


def test_door_that_stands_open_is_told_once_and_again_when_shut(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna")
            house.contact(1)
            await asyncio.sleep(60)
            assert len(house.told("door_held")) == 1
            assert house.status().portals[0].held
            house.contact(0)
            assert house.told("door_shut")[0][2]["held"] is True
            assert not house.status().portals[0].held

    run(story())


def test_contact_that_is_lost_proves_neither_passage_nor_force(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.contact(None)
            assert house.status().portals[0].contact == "unknown"
            house.contact(1)
            assert house.told("door_forced") == []
            house.contact(0)
            await house.show("anna")
            house.contact(None)
            house.contact(1)
            assert house.inside == set()

    run(story())


def test_exit_button_opens_without_asking_and_one_that_waited_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.press(late=True, between_ms=4000)
            house.press(away=True)
            await asyncio.sleep(0.1)
            assert not house.unlocked
            house.entry_locks.append(LOCKED)
            house.others.tell()
            house.press()
            await asyncio.sleep(0.1)
            assert house.unlocked, "a locked entry holds nobody in"
            house.contact(1)
            assert house.told("door_forced") == []
            house.contact(0)

    run(story())


@pytest.mark.requirement("H-4.3.2b")
def test_trip_shuts_the_door_on_who_was_let_in_but_not_on_a_responder(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.show("anna")
            assert house.unlocked
            house.entry_locks.append(LOCKED)
            house.others.tell()
            await asyncio.sleep(0.01)
            assert not house.unlocked
            await house.show("anna")
            assert house.reasons()[-1] == "interlock"
            assert house.device.shown[-1] == ("front", "too warm"), "the reader says why"
            await house.show("dora")
            assert house.reasons()[-1] == "granted_responder"
            house.others.tell()
            await asyncio.sleep(0.1)
            assert house.unlocked
            assert house.status().portals[0].locked_by == ("il-1",)

    run(story())


def test_trip_while_the_disk_still_writes_keeps_the_door_shut(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.commit_s = 1.0
            await house.show("anna")
            house.entry_locks.append(LOCKED)
            house.others.tell()
            await asyncio.sleep(3)
            assert all(value == 0 for _, value, _ in house.device.written)
            assert house.told("access_not_opened")

    run(story())


def test_who_is_inside_and_what_is_locked_down_outlasts_a_restart(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        async with house.running():
            await house.show("anna")
            house.contact(1)
            house.contact(0)
            await house.access.lock_down("dark-room", by="17", reason="light")

    async def after(house: House) -> None:
        async with house.running():
            assert house.inside == {"anna"}
            assert house.status().lock_downs == ("dark-room",)
            await house.show("anna")
            assert house.reasons() == ["passback"]

    world = World()
    world.change("zones", "lab", passback=Passback.HARD)
    first = House(tmp_path, world)
    run(before(first))
    run(after(House(tmp_path, world, kept=first.kept, boot=b"c" * 16)))


@pytest.mark.parametrize(("kept", "lost"), [(None, True), ({"access/state": b"{"}, True), ({}, False)])
def test_state_that_was_lost_is_told(kept: dict[str, bytes] | None, lost: bool, tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World(), kept=kept).running() as house:
            assert bool(house.told("access_state_lost")) is lost

    run(story())


def test_lock_down_counts_at_once_and_its_end_only_once_it_is_on_the_disk(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            access = house.access
            house.disk = False
            await access.lock_down("*", by="17", reason="fire drill")
            await house.show("anna")
            assert house.reasons() == ["lock_down"]
            with pytest.raises(NotDoneError, match="stays locked down"):
                await access.release("*", by="17", reason="over")
            assert house.status().lock_downs == ("*",)
            house.disk = True
            await access.release("*", by="17", reason="over")
            assert house.status().lock_downs == ()
            assert house.told("lock_down")[0][1:] == ("*", {"on": True, "by": "17", "reason": "fire drill"})
            with pytest.raises(RefusedError, match="expected one that is locked down"):
                await access.release("lab", by="17", reason="x")
            with pytest.raises(RefusedError, match="lab"):
                await access.lock_down("laboratory", by="17", reason="x")

    run(story())


def test_person_opens_a_door_from_afar_unless_its_entry_is_locked(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.open("door-1", "in", by="command: 17")
            assert house.unlocked
            house.contact(1)
            assert house.told("door_forced") == []
            house.contact(0)
            house.entry_locks.append(LOCKED)
            house.others.tell()
            with pytest.raises(RefusedError, match="an interlock has tripped"):
                await house.access.open("door-1", "in", by="command: 17")
            await house.access.open("door-1", "out", by="command: 17")
            assert house.unlocked
            for portal, side in (("door-9", "in"), ("door-1", "up")):
                with pytest.raises(RefusedError, match="expected"):
                    await house.access.open(portal, side, by="command: 17")

    run(story())


def test_person_is_placed_where_somebody_says_they_are(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.place("anna", "lab", by="17")
            assert [(one.person, one.zone) for one in house.access.roll_call()] == [("anna", "lab")]
            await house.access.place("anna", "outside", by="17")
            assert house.access.roll_call() == []
            house.disk = False
            with pytest.raises(NotDoneError, match="they stay where they were"):
                await house.access.place("anna", "lab", by="17")
            assert house.access.roll_call() == []
            for person, zone in (("zoe", "lab"), ("anna", "attic"), ("anna", "*")):
                with pytest.raises(RefusedError, match="expected"):
                    await house.access.place(person, zone, by="17")

    run(story())


def test_second_person_lets_both_in(tmp_path: Path) -> None:
    async def story() -> None:
        world = World()
        world.change("zones", "lab", min_people=2)
        async with House(tmp_path, world).running() as house:
            await house.show("anna")
            assert house.reasons() == ["second_person_awaited"]
            await house.show("ben")
            assert house.told("access_granted")[0][2]["admits"] == "ben, anna"
            house.contact(1)
            assert house.inside == {"anna", "ben"}
            house.contact(0)
            await house.show("anna", reader="back")
            house.contact(1)
            assert house.told("access_too_few")[0][1] == "lab"

    run(story())


def test_time_that_is_not_known_lets_nobody_in(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, World())
        house.utc = None
        async with house.running():
            await house.show("anna")
            assert house.reasons() == ["time_unknown"]
            house.utc = NOW
            await house.show("anna")
            assert house.unlocked

    run(story())


def test_lock_that_others_open_is_shown_as_open(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            assert house.status().portals[0].lock == "locked"
            house.switched("gpio/lock", 1)
            assert house.status().portals[0].lock == "unlocked"
            house.switched("gpio/lock", 0)
            assert house.status().portals[0].lock == "locked"

    run(story())


def test_two_doors_of_a_mantrap_never_open_together(tmp_path: Path) -> None:
    second = """
[[portal]]
name = "door-2"
reader_in = "door/back"
"""
    settings = SETTINGS.replace('reader_out = "door/back"', "") + second

    async def story() -> None:
        world = World()
        world.put(Mantrap(id="m-1", portals=("door-1", "door-2")))
        async with House(tmp_path, world, settings=settings).running() as house:
            await house.show("anna", reader="front")
            assert house.reasons() == ["mantrap_unknown"], "of a door without a contact nothing is known"
            house.contact(1)
            await house.show("anna", reader="back")
            assert house.reasons()[-1] == "mantrap_open"
            house.contact(0)
            await house.show("anna", reader="back")
            assert house.reasons()[-1] == "granted"

    run(story())


def test_grant_at_a_door_without_lock_and_contact_opens_and_moves_nothing(tmp_path: Path) -> None:
    settings = SETTINGS
    for line in ("lock_output", "contact_point", "exit_button_point"):
        settings = re.sub(rf"\n{line} = [^\n]*", "", settings)

    async def story() -> None:
        async with House(tmp_path, World(), settings=settings).running() as house:
            await house.show("anna")
            assert house.reasons() == ["granted"]
            assert house.device.shown[-1] == ("front", "Please come in")
            await asyncio.sleep(10)
            assert house.told("access_no_entry", "access_passed") == []
            assert house.inside == set()

    run(story())


def test_lock_that_does_not_move_is_told_to_who_stands_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.device.stuck = True
            await house.show("anna")
            await asyncio.sleep(2)
            assert house.told("access_not_opened")
            assert house.device.shown[-1] == ("front", "Door cannot be opened now")

    run(story())


def test_impulse_lets_the_lock_go_after_its_time(tmp_path: Path) -> None:
    settings = SETTINGS.replace('name = "door-1"', 'name = "door-1"\nlock_mode = "pulse"\nlock_pulse_s = 0.5')

    async def story() -> None:
        async with House(tmp_path, World(), settings=settings).running() as house:
            await house.show("anna")
            assert house.unlocked
            await asyncio.sleep(0.6)
            assert not house.unlocked
            await asyncio.sleep(2)
            house.contact(1)
            assert house.inside == {"anna"}, "who was let in still has time to open the door"

    run(story())


def test_nobody_else_opens_a_lock_whatever_they_may_set(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            for output, owner in (("gpio/lock", "portal door-1"), ("gpio/balance", "equipment balance-1")):
                with pytest.raises(NotDoneError, match=f"{output}: {owner} alone sets it"):
                    await house.outputs.set(output, 1, by="local")
                await house.outputs.set(output, 0, by="local")
            await house.show("anna")
            assert house.unlocked

    run(story())
