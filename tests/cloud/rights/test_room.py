"""Real broker and database: rights go down, are acknowledged, and end at once when they are revoked."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiomqtt
import pytest

from cloud.rights.room import RightsRoom
from cloud.settings import HubSettings, broker_of_url
from cloud.store import control_status, shadow
from cloud.store.connection import open_connection
from cloud.supervisor import Health, end
from cloud.tools import Tools
from rules.access.document import AccessRights, Delta, Revocation
from rules.access.intake import Refused, receive
from rules.access.snapshot import Snapshot
from tests.cloud.rights.site import furnish, item, token
from wire import frame
from wire.control import ControlStatus, DocumentNow
from wire.shadow import Revision
from wire.topics import Channel, build

GATEWAY = "gateway-1"
SECONDS = 10.0


class Gateway:
    """Takes rights over with the code of the gateway, and says so as a gateway does."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._tick = 0
        self.snapshot: Snapshot | None = None
        self.revision = Revision()
        self.refused: list[str] = []
        self.kinds: list[type[Any]] = []
        self.answers = True
        self.news = asyncio.Event()

    async def hear(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            assert isinstance(payload, bytes)
            body = frame.decode(payload, bounds=frame.LARGE).body
            taken = receive(self.snapshot, body, gateway=GATEWAY, signed=lambda _: True)
            if isinstance(taken, Refused):
                self.refused.append(taken.refusal.value)
            else:
                self.snapshot = taken.snapshot
                last = [one.revision for one in taken.snapshot.revocations]
                self.revision = last[-1] if last else taken.snapshot.revision
                self.kinds.append(_kind(body))
            if self.answers:
                await self.say()
            self.news.set()

    async def say(self, revision: Revision | None = None) -> None:
        """Tell what is decided by; the time of it is the acknowledgement."""
        self._tick += 1
        said = DocumentNow(revision=revision or self.revision)
        status = ControlStatus(gateway=GATEWAY, boot=bytes(16), tick=self._tick, rights=said)
        async with open_connection(self._lab.dsn, "gateway") as connection:
            now = datetime.now(UTC)
            owner = await shadow.owner(connection, GATEWAY, now)
            assert owner is not None
            async with connection.transaction():
                await control_status.keep(connection, owner, status, received_at=now, heard_at=now)

    async def until(self, holds: Callable[[], bool]) -> None:
        end_at = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < end_at, (self.kinds, self.refused, self.revision)
            self.news.clear()
            try:
                async with asyncio.timeout(0.2):
                    await self.news.wait()
            except TimeoutError:
                continue


def _kind(body: bytes) -> type[Any]:
    names = {b"snapshot": AccessRights, b"delta": Delta, b"revocation": Revocation}
    return next(kind for name, kind in names.items() if body.startswith(b'{"type":"' + name))


Story = Callable[[Gateway], Awaitable[None]]


@pytest.fixture
def play(lab: Any, broker: Any, hub_identity: Any, gateway_identity: Any) -> Callable[[Story], None]:
    """Run a story with the room and a gateway that is connected."""
    identity = gateway_identity(GATEWAY)

    @asynccontextmanager
    async def running() -> AsyncIterator[Gateway]:
        settings = HubSettings(lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
        tools = Tools(settings, hub_identity, Health(), Random(1), lambda: datetime.now(UTC))
        gateway = Gateway(lab)
        async with (
            aiomqtt.Client(
                "127.0.0.1",
                broker.gateway_port,
                identifier=GATEWAY,
                tls_context=identity.tls_context(),
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            await client.publish(build(GATEWAY, Channel.DOWN_RIGHTS), b"", qos=1, retain=True)
            await client.subscribe(build(GATEWAY, Channel.DOWN_RIGHTS), qos=1)
            hearing = group.create_task(gateway.hear(client))
            room = group.create_task(RightsRoom(tools).run())
            try:
                yield gateway
            finally:
                await end([hearing, room])

    def run(story: Story) -> None:
        async def scene() -> None:
            async with running() as gateway:
                await story(gateway)

        asyncio.run(scene())

    return run


@pytest.fixture(autouse=True)
def _site(lab: Any) -> None:
    furnish(lab)
    item(lab, "right", "r-1", {"people": ["p1", "p2"], "zones": ["lobby", "room-2"]})


def acknowledged(lab: Any) -> tuple[int, int]:
    rows = lab.execute("SELECT incarnation, number FROM rights_honoured")
    return rows[0] if rows else (0, 0)


def test_right_reaches_the_gateway_and_its_revocation_follows_at_once(lab: Any, play: Any) -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        assert gateway.kinds == [AccessRights]
        lab.execute("UPDATE credentials SET state = 'lost' WHERE token = %s", token(1))
        await gateway.until(lambda: acknowledged(lab) == (0, 3))
        assert gateway.kinds == [AccessRights, Revocation, AccessRights]
        assert gateway.snapshot is not None
        assert [one.state.value for one in gateway.snapshot.document.credentials] == ["lost", "active"]
        assert gateway.refused == []

    play(story)
    rows = lab.execute("SELECT number, kind, honoured_at IS NOT NULL FROM rights_issued ORDER BY number")
    assert rows == [(1, "snapshot", True), (2, "revocation", True), (3, "delta", True)]
