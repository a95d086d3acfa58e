"""A lock opens only while the grant lasts, and everybody who waits for it hears how that ended."""

import asyncio
from pathlib import Path

import pytest

from edge.access.lock import LATE, Opening
from edge.control.offers import NotDoneError
from edge.credential import Presented
from tests.edge.access.house import SETTINGS, House, World, card_of, run

PULSE = SETTINGS.replace("lock_output", 'lock_mode = "pulse"\nlock_output')
LOCK = ("gpio/lock", 1)


def opened(house: House) -> int:
    return [one[:2] for one in house.device.written].count(LOCK)


@pytest.mark.parametrize("settings", [SETTINGS, PULSE])
def test_door_stays_shut_when_the_disk_took_longer_than_the_grant_lasts(
    settings: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with House(tmp_path, World(), settings=settings).running() as house:
            house.commit_s = 60.0
            await house.show("anna")
            await asyncio.sleep(120)
            assert not opened(house)
            assert len(house.told("access_not_opened")) == 1
            house.commit_s = 0.01
            await house.show("anna")
            assert opened(house) == 1

    run(story())


def test_opening_that_waited_behind_another_one_until_it_was_late_opens_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.commit_s = 60.0
            first = asyncio.create_task(house.access.open("door-1", "in", by="17"))
            second = asyncio.create_task(house.access.open("door-1", "in", by="17"))
            results = await asyncio.gather(first, second, return_exceptions=True)
            assert all("the time to pass was over" in str(one) for one in results)
            assert not opened(house)

    run(story())


def test_lock_that_stops_answers_whoever_waits_and_opens_nothing_when_it_runs_again(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, World())
        lock = house.access.portals.locks["door-1"]
        running = asyncio.create_task(lock.run())
        await asyncio.sleep(2)
        house.commit_s = 1.0
        first = asyncio.create_task(house.access.open("door-1", "in", by="17"))
        second = asyncio.create_task(house.access.open("door-1", "in", by="17"))
        await asyncio.sleep(0.5)
        running.cancel()
        for one in (first, second):
            with pytest.raises(NotDoneError, match="was stopped"):
                await asyncio.wait_for(one, 2)
        running = asyncio.create_task(lock.run())
        await asyncio.sleep(2)
        assert not opened(house), "what waited before opens nothing now"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(story())


def test_card_that_comes_late_makes_no_impulse_longer(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World(), settings=PULSE).running() as house:
            lock = house.access.portals.locks["door-1"]
            await house.show("anna")
            said: list[str] = []
            await asyncio.sleep(0.6)
            lock.open(Opening(house.access.judge.steady.now_ms() - 1, "late", said.append))
            await asyncio.sleep(0.6)
            assert said == [LATE]
            assert not house.unlocked

    run(story())


def test_stop_while_the_lock_moves_leaves_it_locked(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, World())
        running = asyncio.create_task(house.access.portals.locks["door-1"].run())
        await asyncio.sleep(2)
        house.device.slow_s = 5.0
        house.access.presented(Presented("door/front", card_of("anna"), 0, None))
        await asyncio.sleep(1)
        assert house.unlocked
        running.cancel()
        house.device.slow_s = 0.0
        await asyncio.gather(running, return_exceptions=True)
        assert not house.unlocked

    run(story())
