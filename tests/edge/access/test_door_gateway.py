"""A real gateway with a reader, a lock and a door on its pins: cards open, also without a hub."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from benchmarks.acker import Acker
from cli.embedded.mosquitto import EmbeddedMosquitto
from edge.credential import FORMATS, KEY_FILE, Credential, frame_of
from provisioning.identity import GatewayIdentity, HubIdentity
from rules.access import AccessRights, Revocation
from rules.access.document import Credential as Known
from simulators.devices.gpio import Board, Relay, running_board
from simulators.rpi_gpio import environment
from tests.edge.access.house import KEY, World, known
from tests.edge.gateway_site import HEAD, until
from wire import frame
from wire.messages import Event
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


@dataclass
class Story:
    """One gateway, its board and its hub."""

    folder: Path
    identity: GatewayIdentity
    acker: Acker
    board: Board

    async def started(self) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cli.main", "edge", "--settings", str(self.folder / "gateway.toml")),
                env={**os.environ, **environment(self.folder)},
                stdout=log,
                stderr=log,
            )

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

    def events(self, kind: str) -> list[Event]:
        batches = {(one.batch.epoch, one.batch.seq): one.batch for one in list(self.acker.arrivals)}
        found = [event for _, batch in sorted(batches.items()) for event in batch.events]
        return [event for event in found if event.kind == kind]

    async def said(self, kind: str, count: int = 1) -> Event:
        await until(lambda: len(self.events(kind)) >= count)
        return self.events(kind)[count - 1]

    async def unlocked(self) -> None:
        await until(lambda: self.board.pins.level(LOCK) == 1)

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
    process = await story.started()
    try:
        await story.said("gateway_started")
        await asyncio.sleep(0.5)
        await story.show(ANNA)
        assert (await story.said("access_refused")).data["reason"] == "rights_missing"
        story.send(story.rights())
        await story.said("rights_taken")
        await story.show(ANNA)
        await story.unlocked()
        granted = await story.said("access_granted")
        assert (granted.subject, granted.data["person"]) == ("door-1/in", "anna")
        await story.walk()
        passed = await story.said("access_passed")
        assert (passed.data["person"], passed.data["zone"]) == ("anna", "lab")
        await until(lambda: board.pins.level(LOCK) == 0)

        story.revoke(ANNA)
        await story.said("rights_taken", 2)
        await story.show(ANNA)
        assert (await story.said("access_refused", 2)).data["reason"] == "credential_revoked"
        process.kill()
        await process.wait()

        settings = story.folder / "gateway.toml"
        settings.write_text(re.sub(r"port = \d+", "port = 9", settings.read_text()))
        process = await story.started()
        await until(lambda: (story.folder / "data" / "local.sock").exists())
        await asyncio.sleep(2.5)
        board.changes.clear()
        await story.show(ANNA)
        await asyncio.sleep(0.6)  # a frame ends with a silence
        await story.show(BEN)
        await story.unlocked()
        assert [level for pin, level in board.changes if pin == LOCK and level] == [1], "ben's alone"
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert board.pins.level(LOCK) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


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
    text = SETTINGS.format(gateway=identity.gateway, identity=identity.folder, broker=broker.gateway_port)
    (tmp_path / "gateway.toml").write_text(text)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / KEY_FILE).write_bytes(KEY)

    async def run() -> None:
        acker = await asyncio.to_thread(Acker(hub_identity, broker.hub_port).__enter__)
        try:
            async with running_board(tmp_path, [Relay(LOCK, CONTACT)]) as board:
                await _story(Story(tmp_path, identity, acker, board))
        finally:
            await asyncio.to_thread(acker.__exit__)

    asyncio.run(run())
