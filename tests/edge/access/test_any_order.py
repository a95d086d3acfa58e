"""Whatever people, doors, interlocks and the disk do: no lock opens without leave, none stays open."""

import asyncio
import random
from pathlib import Path

import pytest

from rules.access.request import EntryLock
from rules.access.words import Scope
from tests.edge.access.house import House, World, run

LOCKED = EntryLock(Scope.PORTAL, "door-1", "il-1", "too warm")
LEAVE = ("access_granted", "exit_opened", "door_opened_by_command")


async def _step(house: House, chance: random.Random) -> None:
    match chance.randrange(9):
        case 0 | 1:
            await house.show(chance.choice(["anna", "ben", "carl", "dora", "vera", "nobody"]))
        case 2:
            await house.show(chance.choice(["anna", "ben"]), reader="back")
        case 3 | 4:
            house.contact(chance.choice([0, 1, None]))
        case 5:
            house.entry_locks[:] = [] if house.entry_locks else [LOCKED]
            house.others.tell()
        case 6:
            house.disk = chance.random() < 0.7
            house.commit_s = chance.choice([0.0, 0.01, 0.5])
        case 7:
            house.press()
        case _:
            await asyncio.sleep(chance.choice([0.2, 3, 8]))
    await asyncio.sleep(chance.choice([0, 0.02, 0.6]))


@pytest.mark.requirement("H-4.3.2b")
@pytest.mark.parametrize("seed", range(20))
def test_no_lock_opens_without_leave_on_the_disk_and_none_stays_open(seed: int, tmp_path: Path) -> None:
    def durable(_: str) -> bool:
        leave = [one for one in house.events[: house.on_disk] if one[0] in LEAVE]
        return len(leave) > len(openings())

    def openings() -> list[tuple[str, int, bool]]:
        return [one for one in house.device.written if one[:2] == ("gpio/lock", 1)]

    async def story() -> None:
        chance = random.Random(seed)
        house.device.durable = durable
        async with house.running():
            for _ in range(120):
                await _step(house, chance)
            assert openings(), "nothing was tried"
            assert all(on_disk for _, _, on_disk in openings())
            house.entry_locks[:] = [LOCKED]
            house.others.tell()
            await asyncio.sleep(60)
            assert not house.unlocked
            house.disk, house.commit_s = True, 0.0
            await house.show("anna")
            assert not house.unlocked, "its entry is locked"

    house = House(tmp_path, World())
    run(story())
