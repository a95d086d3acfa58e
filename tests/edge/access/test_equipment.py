"""Equipment works only while person, authorisation, job and interlock all hold, and stops at once."""

import asyncio
from pathlib import Path

import pytest

from rules.access.words import JobState
from tests.edge.access.house import House, World, run
from tests.rules.access.world import job

pytestmark = pytest.mark.requirement("G-6.4e")
BALANCE = "gpio/balance"


def released(house: House) -> bool:
    return house.device.values[BALANCE] == 1


async def enter(house: House, person: str) -> None:
    await house.show(person)
    house.contact(1)
    house.contact(0)
    await asyncio.sleep(2)


def test_equipment_works_while_person_authorisation_and_job_hold(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            assert house.status().equipment[0].reason == "no_job"
            house.jobs.append(job())
            await enter(house, "carl")
            assert house.status().equipment[0].reason == "nobody_present"
            assert not released(house)
            await enter(house, "anna")
            assert released(house)
            assert house.status().equipment[0].enabled
            assert [one for one in house.device.written if one[:2] == (BALANCE, 1)] == [(BALANCE, 1, True)]
            enabled = house.told("equipment_enabled")[0]
            assert enabled[1:] == ("balance-1", {"reason": "enabled", "rule": "job:j-1", "people": "anna"})
            house.jobs[0] = job(state=JobState.HELD)
            house.others.tell()
            await asyncio.sleep(0.01)
            assert not released(house), "a job that is held stops it at once"
            assert house.told("equipment_disabled")[-1][2]["reason"] == "job_held"

    run(story())


def test_last_person_who_leaves_stops_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.jobs.append(job())
            await enter(house, "anna")
            assert released(house)
            await house.show("anna", reader="back")
            house.contact(1)
            await asyncio.sleep(1.1)
            assert not released(house)

    run(story())


def test_interlock_that_owns_the_output_has_the_last_word(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, World())
        house.held.add(BALANCE)
        house.jobs.append(job())
        async with house.running():
            await enter(house, "anna")
            assert house.status().equipment[0].reason == "enabled"
            assert not house.status().equipment[0].enabled, "not shown as released"
            assert not released(house)
            house.held.clear()
            house.others.tell()
            await asyncio.sleep(0.1)
            assert released(house)
            house.held.add(BALANCE)
            house.others.tell()
            await asyncio.sleep(0.01)
            assert not released(house)

    run(story())


def test_job_that_is_held_while_the_disk_still_writes_releases_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.jobs.append(job())
            await house.show("anna")
            house.commit_s = 1.0
            house.contact(1)
            await asyncio.sleep(0.5)
            house.jobs.clear()
            house.others.tell()
            await asyncio.sleep(3)
            assert (BALANCE, 1) not in [one[:2] for one in house.device.written]

    run(story())


def test_gateway_that_ends_leaves_it_stopped(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.jobs.append(job())
        async with house.running():
            await enter(house, "anna")
            assert released(house)

    house = House(tmp_path, World())
    run(story(house))
    assert not released(house)
    assert not house.unlocked


def test_output_that_others_switch_on_is_taken_back_and_one_that_was_lost_comes_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.switched(BALANCE, 1)
            await asyncio.sleep(0.01)
            assert not released(house)
            house.jobs.append(job())
            await enter(house, "anna")
            house.switched(BALANCE, 0)
            assert not house.status().equipment[0].enabled
            await asyncio.sleep(0.1)
            assert released(house)
            assert house.status().equipment[0].enabled

    run(story())


def test_work_that_is_held_in_a_zone_stops_its_equipment_and_locks_no_door(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.jobs.append(job())
            await enter(house, "anna")
            assert released(house)
            house.held_zones["lab"] = ["ventilation"]
            house.others.tell()
            await asyncio.sleep(0.01)
            assert not released(house)
            equipment = house.status().equipment[0]
            assert (equipment.enabled, equipment.reason, equipment.rule) == (
                False,
                "interlock",
                "interlock:ventilation",
            )
            assert house.status().portals[0].locked_by == ()
            await house.show("ben")
            assert house.reasons()[-1] == "granted"
            house.held_zones.clear()
            house.others.tell()
            await asyncio.sleep(0.1)
            assert released(house)

    run(story())
