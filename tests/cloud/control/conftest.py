"""The real control room on a real database and broker, and a gateway that answers commands as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from cloud.control.room import PARTS, ControlRoom
from cloud.identity.acts import Act
from cloud.identity.viewer import Origin, Viewer
from cloud.mqtt import Mailbox, Publisher, connect
from cloud.settings import Broker, HubSettings, broker_of_url
from cloud.store.connection import open_connection
from cloud.supervisor import Health
from cloud.tools import Tools
from edge.verified import signed_body
from rules.permissions import Grant, Rights, Role
from wire import frame
from wire.codec import decode_body, encode_body
from wire.control import (
    CauseNow,
    Command,
    ControlStatus,
    EffectNow,
    InterlockNow,
    Receipt,
    ReceiptState,
)
from wire.topics import Channel, build

BOOT = b"boot-of-gateway1"
NAME = "control-1"
ROOM = "room-2"


def interlock(phase: str = "healthy", *, breach: int = 0, power: bool = False, **more: Any) -> InterlockNow:
    """An interlock with two causes in one group."""
    given: dict[str, Any] = {
        "causes": (
            CauseNow(name="too-hot", group="climate", words="air above 24 °C", state="normal", value="23.1"),
            CauseNow(name="humid", group="climate", words="air above 60 %", state="normal", value="48"),
        ),
        "effects": (
            EffectNow(
                kind="isolate_power" if power else "lock_entry", target="room-2-door", safe=phase != "healthy"
            ),
        ),
        "worst_s": 31.5,
    }
    return InterlockNow(name=ROOM, title="Room 2", rule="r1", phase=phase, breach=breach, **(given | more))


def status(*interlocks: InterlockNow, tick: int = 1000, **more: Any) -> ControlStatus:
    """What the gateway says."""
    return ControlStatus(gateway=NAME, boot=BOOT, tick=tick, interlocks=interlocks, **more)


Answers = Callable[[Command], list[ReceiptState]]


@dataclass
class FarGateway:
    """A gateway that speaks real MQTT with its own certificate and key."""

    identity: Any
    publisher: Publisher
    mailbox: Mailbox
    heard: list[Command] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def tell(self, message: ControlStatus | Receipt) -> None:
        """Say something of control."""
        channel = Channel.UP_CONTROL if isinstance(message, ControlStatus) else Channel.UP_RESULT
        topic = build(NAME, channel)
        data = frame.encode(topic, encode_body(message), self.identity.signer)
        await self.publisher.publish_all([(topic, data)], retain=channel is Channel.UP_CONTROL)

    async def next(self) -> Command:
        """Wait for a command that the hub signed."""
        while not self.bodies:
            for one in await self.mailbox.take(100, 1_000_000):
                body = signed_body(one.topic, one.payload, identity=self.identity, word="down/command")
                self.bodies.append(body)
        self.heard.append(decode_body(self.bodies.pop(0), Command))
        return self.heard[-1]

    async def answer(self, command: Command, *states: ReceiptState, **more: Any) -> None:
        """Send receipts."""
        for state in states:
            await self.tell(Receipt(gateway=NAME, command=command.id, state=state, boot=BOOT, tick=1, **more))


@dataclass
class Scene:
    """A running room, a gateway beside it, and people who ask."""

    lab: Any
    gateway: FarGateway
    connection: Any
    now: Callable[[], datetime]

    def act(self, viewer: Viewer) -> Act:
        return Act(self.connection, viewer, self.now())

    async def until(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database until it has an answer."""
        async with asyncio.timeout(45):
            while True:
                cursor = await self.connection.execute(statement, values)
                if rows := await cursor.fetchall():
                    return list(rows)
                await asyncio.sleep(0.005)


@pytest.fixture(scope="module")
def people(lab: Any, gateway_identity: Any) -> dict[str, Viewer]:
    """A gateway with its key, and three people of safety; `wang` may bypass, `li` and `zhao` too."""
    identity = gateway_identity(NAME)
    lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, %s)", NAME)
    lab.execute(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id)"
        " SELECT 1, id, 1 FROM gateways WHERE name = %s",
        NAME,
    )
    lab.execute(
        "INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem, proof)"
        " SELECT %s, 1, id, %s, '', '' FROM gateways WHERE name = %s",
        identity.signer.key_id,
        identity.signer.public_key,
        NAME,
    )
    made = {}
    for login, activities in (("li", "all"), ("wang", "all"), ("zhao", "none")):
        ((person,),) = lab.execute(
            "INSERT INTO people (organisation_id, number, name) VALUES (1, %s, %s) RETURNING id",
            f"n-{login}",
            login,
        )
        ((account,),) = lab.execute(
            "INSERT INTO accounts (organisation_id, person_id, login) VALUES (1, %s, %s) RETURNING id",
            person,
            login,
        )
        lab.execute(
            "INSERT INTO role_grants (organisation_id, account_id, role) VALUES (1, %s, %s)",
            account,
            Role.SAFETY.value,
        )
        for right in ("acknowledge", "reset", "enable", "bypass", "check") if activities == "all" else ():
            lab.execute(
                "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
                " VALUES (1, %s, 'activity', %s, '[2020-01-01,)')",
                person,
                f"interlock.{right}:{ROOM}",
            )
        made[login] = Viewer(
            kind="account",
            login=login,
            origin=Origin("test"),
            account_id=account,
            organisation_id=1,
            rights=Rights(frozenset({Grant(Role.SAFETY, 1)})),
            organisations=frozenset({1}),
        )
    return made


@pytest.fixture
def _nothing_yet(lab: Any) -> None:
    for table in ("command_receipts", "commands", "control_status", "control_fences", "events"):
        lab.execute(f"DELETE FROM {table}")


@pytest.fixture
def scene(
    lab: Any, people: Any, broker: Any, hub_identity: Any, gateway_identity: Any, _nothing_yet: None
) -> Callable[[], Any]:
    """A function: opens a scene as an async context."""
    identity = gateway_identity(NAME)
    settings = HubSettings(lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Scene]:
        mailbox = Mailbox(1000, 1_000_000)
        tools = Tools(settings, hub_identity, Health(), Random(1), lambda: datetime.now(UTC))
        room = ControlRoom(tools)
        async with (
            connect(
                Broker("127.0.0.1", broker.gateway_port),
                identity.tls_context(),
                client_id=NAME,
                filters=[build(NAME, Channel.DOWN_COMMAND)],
                mailbox=mailbox,
                now=tools.now,
            ) as (publisher, _),
            open_connection(lab.hub_dsn, "test") as connection,
            asyncio.TaskGroup() as group,
        ):
            await publisher.publish_all([(build(NAME, Channel.UP_CONTROL), b"")], retain=True)
            task = group.create_task(room.run())
            async with asyncio.timeout(45):
                await _until_up(tools)
            yield Scene(lab, FarGateway(identity, publisher, mailbox), connection, tools.now)
            task.cancel()

    return opened


async def _until_up(tools: Tools) -> None:
    while True:
        if not tools.health.missing(PARTS):
            return
        await asyncio.sleep(0.01)
