"""A real gateway with a reader, a lock and a door on its pins: cards open, also without a hub."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cli.embedded.mosquitto import EmbeddedMosquitto
from edge.credential import FORMATS, KEY_FILE, Credential, frame_of
from provisioning.identity import GatewayIdentity, HubIdentity
from rules.access import AccessRights, Revocation
from rules.access.document import Credential as Known
from simulators.devices.gpio import Relay
from tests.edge.access.house import KEY, World, known
from tests.edge.board_site import AckedSite, acked, write_settings
from tests.edge.gateway_site import HEAD, until
from wire import frame
from wire.shadow import Revision
from wire.topics import Channel, build

D0, D1, DOOR, LOCK, CONTACT = 20, 21, 17, 4, 5
ANNA, BEN = 51603, 51604
SETTINGS = (
    HEAD
    + """[[portal]]
name = "door-1"
reader_in = "front"
lock_output = "gpio/lock"
contact_point = "gpio/door"
[[device]]
driver = "wiegand"
name = "reader"
prefix = "front"
d0_pin = 20
d1_pin = 21
silence_ms = 300
[[device]]
driver = "gpio"
name = "board"
input = [{{ name = "door", kind = "door_contact", pin = 17 }}]
output = [{{ name = "lock", kind = "relay", pin = 4, contact_pin = 5 }}]
"""
)


def token(number: int) -> str:
    return Credential("card", "h10301", str(number), 118).token(KEY)


class Story(AckedSite):
    """One gateway, its board and its hub."""

    def rights(self) -> AccessRights:
        world = World()
        world.change("rights", "r-staff", schedule=None)
        cards = (Known(token(ANNA), "anna"), Known(token(BEN), "ben"))
        return msgspec.structs.replace(
            known(world),
            gateway=self.identity.gateway,
            issued_at_ms=time.time_ns() // 1_000_000,
            credentials=cards,
        )

    def send(self, change: AccessRights | Revocation) -> None:
        topic = build(self.identity.gateway, Channel.DOWN_RIGHTS)
        body = msgspec.json.encode(change)
        self.acker.publish(topic, frame.encode(topic, body, self.acker.identity.signer, bounds=frame.LARGE))

    def revoke(self, number: int) -> None:
        self.send(
            Revocation(
                gateway=self.identity.gateway,
                revision=Revision(1, 2),
                issued_at_ms=time.time_ns() // 1_000_000,
                credentials=(token(number),),
            )
        )

    async def show(self, number: int) -> None:
        await self.board.send_card(D0, D1, f"{frame_of(FORMATS['h10301'], number, 118):026b}")

    async def show_until(self, number: int, what: Callable[[], object]) -> None:
        """Show a card until something is true: a busy machine may cut it, or listen late."""
        end = time.monotonic() + 60
        while not what():
            assert time.monotonic() < end, "did not come true in time"
            await self.show(number)
            with suppress(AssertionError):
                await until(what, 2.0)

    @property
    def unlocked(self) -> bool:
        return self.board.pins.level(LOCK) == 1

    def refused(self, reason: str) -> bool:
        return any(event.data["reason"] == reason for event in self.events("access_refused"))

    async def walk(self) -> None:
        """Open the door and shut it again, both seen."""
        before = len(self.events("door_closed"))
        self.board.drive(DOOR, 1)
        await self.said("door_opened", before + 1)
        self.board.drive(DOOR, 0)
        await self.said("door_closed", before + 1)


async def _story(story: Story) -> None:
    board = story.board
    for pin, level in ((D0, 1), (D1, 1), (DOOR, 0)):
        board.drive(pin, level)
    process = await story.heng()
    await story.show_until(ANNA, lambda: story.refused("rights_missing"))
    story.send(story.rights())
    await story.said("rights_taken")
    await story.show_until(ANNA, lambda: story.unlocked)
    await story.walk()
    granted, passed = await story.said("access_granted"), await story.said("access_passed")
    assert (granted.subject, granted.data["person"]) == ("door-1/in", "anna")
    assert (passed.data["person"], passed.data["zone"]) == ("anna", "lab")
    await until(lambda: not story.unlocked)

    story.revoke(ANNA)
    await story.said("rights_taken", 2)
    await story.show_until(ANNA, lambda: story.refused("credential_revoked"))
    process.kill()
    await process.wait()

    settings = story.folder / "gateway.toml"
    settings.write_text(re.sub(r"port = \d+", "port = 9", settings.read_text()))
    process = await story.heng()
    await story.show_until(BEN, lambda: story.unlocked)
    board.drive(DOOR, 1)
    await asyncio.sleep(0.2)
    board.drive(DOOR, 0)
    await until(lambda: not story.unlocked)
    board.changes.clear()
    await story.show(ANNA)
    await asyncio.sleep(1)
    assert (LOCK, 1) not in board.changes
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not story.unlocked


@pytest.mark.slow
@pytest.mark.requirement("G-6.4b", "H-4.3.2b")
def test_cards_open_a_door_by_rights_that_outlast_hub_and_process(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    """Only a gateway that is killed and begins anew without a broker shows what it has kept."""
    identity = gateway_identity("door-pins")
    write_settings(tmp_path, SETTINGS, identity, broker=broker.gateway_port)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / KEY_FILE).write_bytes(KEY)

    async def run() -> None:
        relays = [Relay(LOCK, CONTACT)]
        async with acked(Story, tmp_path, identity, hub=hub_identity, broker=broker, relays=relays) as story:
            await _story(story)

    asyncio.run(run())
