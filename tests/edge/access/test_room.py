"""What doors run of, what they are asked by commands, and what a gateway without doors does not do."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from edge.access.doing import DoorDoer
from edge.access.rights import RightsDesk
from edge.control.offers import RefusedError
from edge.credential import KEY_FILE
from tests.edge.access.house import KEY, SETTINGS, House, World, known, run
from wire.control import Command
from wire.messages import Scalar
from wire.shadow import Revision
from wire.topics import Channel


def command(name: str, **arguments: Scalar) -> Command:
    return Command(
        gateway="gw-1",
        id=bytes(16),
        fence=Revision(1, 1),
        name=name,
        arguments=arguments,
        by="17",
        issued_at_ms=0,
        not_after_ms=1,
    )


def test_commands_open_lock_down_release_and_place(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            doer = DoorDoer(house.access)
            await doer.do(command("portal.open", portal="door-1", side="in"))
            assert house.unlocked
            assert house.told("door_opened_by_command")[0][2] == {"by": "command: 17"}
            await doer.do(command("access.lock_down", reason="drill"))
            assert house.status().lock_downs == ("*",)
            with pytest.raises(RefusedError, match="locked down"):
                await doer.do(command("portal.open", portal="door-1", side="in"))
            await doer.do(command("access.release", reason="over"))
            await doer.do(command("access.lock_down", reason="drill", zone="lab"))
            assert house.status().lock_downs == ("lab",)
            await doer.do(command("access.place", person="ben", zone="lab"))
            assert house.status().inside[0].person == "ben"

    run(story())


def test_gateway_without_doors_takes_rights_and_runs_nothing_else(tmp_path: Path) -> None:
    bare = re.sub(r"\[\[portal\]\].*(?=\[\[device\]\]\ndriver)", "", SETTINGS, flags=re.DOTALL)
    house = House(tmp_path, World(), settings=bare)
    assert list(house.access.parts()) == ["access rights"]
    assert list(house.access.came) == [Channel.DOWN_RIGHTS]
    assert house.status().portals == ()


def test_key_of_tokens_is_made_only_when_there_are_doors_or_rights(tmp_path: Path) -> None:
    changed = asyncio.Event()

    async def story() -> None:
        desk = RightsDesk("gw-1", tmp_path, tell=lambda *_: None, eager=False)
        desk.changed.add(changed.set)
        running = asyncio.create_task(desk.run())
        await asyncio.sleep(0.05)
        assert not await asyncio.to_thread((tmp_path / KEY_FILE).exists)
        await asyncio.to_thread((tmp_path / KEY_FILE).write_bytes, KEY)
        desk.came(msgspec.json.encode(known(World())))
        await changed.wait()
        assert desk.now().revision is not None
        running.cancel()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_door_and_equipment_that_the_rights_do_not_name_are_told(tmp_path: Path) -> None:
    assert House(tmp_path, World()).status().rights.faults == ()
    settings = SETTINGS.replace('"door-1"', '"door-9"').replace('"balance-1"', '"balance-9"')
    assert House(tmp_path, World(), settings=settings).status().rights.faults == (
        "portal door-9: not in the rights: every card is refused there",
        "equipment balance-9: not in the rights: it never works",
    )
