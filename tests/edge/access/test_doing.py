"""Commands of doors as they come from the hub."""

from pathlib import Path

from edge.access.doing import DoorDoer
from tests.edge.access.house import House, run
from tests.rules.access.world import NOW, World
from wire.control import Command
from wire.shadow import Revision


def command(name: str, **arguments: str) -> Command:
    return Command(
        gateway="gw-1",
        id=bytes(16),
        fence=Revision(1, 1),
        name=name,
        arguments=dict(arguments),
        by="17",
        rights=("place",),
        issued_at_ms=NOW,
        not_after_ms=NOW + 10_000,
    )


def test_person_who_is_placed_in_no_zone_is_outside(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            doer = DoorDoer(house.access)
            await doer.do(command("access.place", person="anna", zone="lab"))
            assert [(one.person, one.zone) for one in house.access.roll_call()] == [("anna", "lab")]
            await doer.do(command("access.place", person="anna", zone=""))
            assert house.access.roll_call() == []

    run(story())
