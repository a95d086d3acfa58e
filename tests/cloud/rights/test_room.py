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

from cloud.mqtt import Mailbox, connect
from cloud.rights.room import RightsRoom
from cloud.settings import Broker, HubSettings, broker_of_url
from cloud.store import control_status, shadow
from cloud.store.connection import open_connection
from cloud.supervisor import Health, end
from cloud.tools import Tools
from rules.access.document import AccessRights, Delta, Revocation
from rules.access.intake import Refused, receive
from rules.access.snapshot import Snapshot
from tests.cloud.rights.laboratory import furnish, item, token
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
        now = datetime.now(UTC)
        said = DocumentNow(revision=revision or self.revision)
        status = ControlStatus(gateway=GATEWAY, boot=bytes(16), tick=self._tick, rights=said)
        async with open_connection(self._lab.dsn, "gateway") as connection:
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


async def forget(broker: Broker, identity: Any) -> None:
    """Have the broker keep nothing for the gateway."""
    async with connect(
        broker,
        identity.tls_context(),
        client_id=identity.client_id("forget"),
        filters=[],
        mailbox=Mailbox(1, 1),
        now=lambda: datetime.now(UTC),
    ) as (publisher, _):
        await publisher.publish_all([(build(GATEWAY, Channel.DOWN_RIGHTS), b"")], retain=True)


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
            await forget(settings.broker, hub_identity)
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


@pytest.mark.requirement("G-6.4b", "H-4.3.2b")
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


def test_restored_hub_goes_on_in_a_new_incarnation(lab: Any, play: Any) -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        gateway.answers = False
        await gateway.say(Revision(0, 77))
        await gateway.until(lambda: lab.execute("SELECT incarnation, number FROM rights_state") == [(1, 1)])
        await gateway.until(lambda: gateway.revision == Revision(1, 1))

    play(story)


def test_gateway_that_does_not_answer_finds_the_whole_rights_at_the_broker(lab: Any, play: Any) -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        item(lab, "right", "r-2", {"people": ["p2"], "zones": ["lobby"]})
        await gateway.until(
            lambda: gateway.snapshot is not None and len(gateway.snapshot.document.rights) == 2
        )
        assert lab.execute("SELECT kept_number FROM rights_state") == [(2,)]

    play(story)


def test_rights_that_contradict_themselves_are_told_and_not_sent(lab: Any, play: Any) -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        item(lab, "right", "r-2", {"groups": ["nobody"], "zones": ["lobby"]})
        await gateway.until(lambda: lab.execute("SELECT faults FROM rights_state")[0][0] != [])
        assert "a group of this document" in lab.execute("SELECT faults FROM rights_state")[0][0][0]
        lab.execute("UPDATE credentials SET state = 'stolen' WHERE token = %s", token(2))
        await gateway.until(lambda: Revocation in gateway.kinds)
        assert gateway.kinds == [AccessRights, Revocation]
        lab.execute("DELETE FROM access_items WHERE name = 'r-2'")
        await gateway.until(lambda: acknowledged(lab) == (0, 3))
        assert lab.execute("SELECT faults FROM rights_state") == [([],)]

    play(story)


def test_ends_are_told_while_rights_contradict_themselves(lab: Any, play: Any) -> None:
    item(lab, "right", "r-3", {"people": ["p1"], "zones": ["room-2"]})
    lab.execute("INSERT INTO people (organisation_id, number, name, kind) VALUES (1, 'V-1', 'G', 'visitor')")
    lab.execute(
        "INSERT INTO visits (organisation_id, site_id, person_id, host_id, zones, valid, escort,"
        " registered_by, registered_at) SELECT 1, 1, v.id, h.id, '{lobby}', tstzrange(now() - interval '1 h',"
        " now() + interval '1 day'), 'none', 'test', now() FROM people v, people h"
        " WHERE v.number = 'V-1' AND h.number = 'p1'"
    )

    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        item(lab, "right", "r-2", {"groups": ["nobody"], "zones": ["lobby"]})
        await gateway.until(lambda: lab.execute("SELECT faults FROM rights_state")[0][0] != [])
        lab.execute("DELETE FROM access_items WHERE name = 'r-3'")
        await gateway.until(lambda: acknowledged(lab) == (0, 2))
        lab.execute("UPDATE visits SET ended_at = now(), ended_why = 'gone'")
        await gateway.until(lambda: acknowledged(lab) == (0, 3))
        assert gateway.kinds == [AccessRights, Revocation, Revocation]
        assert gateway.snapshot is not None
        assert gateway.snapshot.revocations[-1].rights == ("r-3",)  # the last one says all that ended

    play(story)
    rows = lab.execute("SELECT ended -> 'rights', ended -> 'visits' FROM rights_issued WHERE number > 1")
    assert rows[0][0] == ["r-3"]
    assert len(rows[1][1]) == 1


def test_change_of_large_rights_goes_as_a_delta_to_what_the_gateway_has(lab: Any, play: Any) -> None:
    furnish(lab, people=1000)
    item(lab, "right", "r-1", {"everyone": True, "zones": ["lobby"]})

    async def story(gateway: Gateway) -> None:
        await gateway.until(lambda: acknowledged(lab) == (0, 1))
        lab.execute("UPDATE people SET name = 'Changed' WHERE number = 'p7'")
        await gateway.until(lambda: acknowledged(lab) == (0, 2))
        lab.execute("UPDATE credentials SET state = 'lost' WHERE token = %s", token(7))
        await gateway.until(lambda: acknowledged(lab) == (0, 4))
        assert gateway.kinds == [AccessRights, Delta, Revocation, Delta]
        assert gateway.refused == []

    play(story)
    assert lab.execute("SELECT kept_number FROM rights_state") == [(1,)]
