"""What came of control is taken in together: a commit for all receipts that wait, none lost by another."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest

from cloud import command_acts
from cloud.command_acts import Wish
from cloud.control.inbox import Inbox
from cloud.identity.acts import Act
from cloud.mqtt import Arrived
from cloud.settings import HubSettings, broker_of_url
from cloud.store import control_status, feed
from cloud.store.commands import Command
from cloud.store.connection import Connection, open_connection
from cloud.supervisor import Health
from cloud.tools import Tools
from tests.cloud.control.conftest import BOOT, NAME, ROOM
from wire import frame
from wire.codec import encode_body
from wire.control import Receipt, ReceiptState
from wire.topics import Channel, build

pytestmark = pytest.mark.requirement("G-6.9d")
TOPIC = build(NAME, Channel.UP_RESULT)
Take = Callable[[Inbox, Connection], Awaitable[None]]


@pytest.fixture
def inbox(lab: Any, people: Any, hub_identity: Any, _nothing_yet: None) -> Inbox:
    settings = HubSettings(lab.hub_dsn, broker_of_url("mqtts://127.0.0.1:1"), hub_identity.folder)
    return Inbox(Tools(settings, hub_identity, Health(), Random(1), now))


def now() -> datetime:
    return datetime.now(UTC)


async def asked(connection: Connection, viewer: Any) -> Command:
    async with connection.transaction():
        wish = Wish(NAME, "interlock.trip", {"interlock": ROOM})
        return await command_acts.ask(Act(connection, viewer, now()), wish)


def said(identity: Any, command: Command, state: ReceiptState, **more: Any) -> Arrived:
    told = Receipt(gateway=NAME, command=bytes.fromhex(command.id), state=state, boot=BOOT, tick=1, **more)
    return Arrived(TOPIC, frame.encode(TOPIC, encode_body(told), identity.signer), now())


def kept(lab: Any) -> list[str]:
    return [state for (state,) in lab.execute("SELECT state FROM command_receipts ORDER BY id")]


def test_receipts_that_wait_are_kept_by_one_commit(
    lab: Any, people: Any, gateway_identity: Any, inbox: Inbox
) -> None:
    identity = gateway_identity(NAME)

    async def story() -> int:
        async with open_connection(lab.hub_dsn, "test") as connection:
            command = await asked(connection, people["li"])
            inbox.add(
                [said(identity, command, one) for one in (ReceiptState.ACCEPTED, ReceiptState.EXECUTED)]
            )
            async with open_connection(lab.hub_dsn, "test") as listening:
                await feed.listen(listening, control_status.CHANNEL)
                await inbox.take_in(connection)
                woken = await feed.wake_ups(listening, 5)
                async with connection.transaction():
                    await control_status.wake(connection, -1)  # nothing else is to come before this
                while ("heng_control", "-1") not in woken:
                    woken += await feed.wake_ups(listening, 5)
        return len(woken) - 1

    assert asyncio.run(story()) == 1  # a transaction tells the same once
    assert kept(lab) == ["accepted", "executed"]


def test_receipt_that_cannot_be_kept_costs_no_other_one(
    lab: Any, people: Any, gateway_identity: Any, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    identity = gateway_identity(NAME)

    async def story() -> None:
        async with open_connection(lab.hub_dsn, "test") as connection:
            command = await asked(connection, people["li"])
            bad = said(identity, command, ReceiptState.REFUSED, reason="not-kept")
            good = [said(identity, command, one) for one in (ReceiptState.ACCEPTED, ReceiptState.EXECUTED)]
            inbox.add([good[0], bad, good[1]])
            await inbox.take_in(connection)
            await inbox.take_in(connection)

    lab.execute("ALTER TABLE command_receipts ADD CONSTRAINT here CHECK (reason <> 'not-kept')")
    try:
        asyncio.run(story())
    finally:
        lab.execute("ALTER TABLE command_receipts DROP CONSTRAINT here")
    assert kept(lab) == ["accepted", "executed"]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


def test_outage_loses_nothing_that_waits(lab: Any, people: Any, gateway_identity: Any, inbox: Inbox) -> None:
    identity = gateway_identity(NAME)

    async def story() -> None:
        async with open_connection(lab.hub_dsn, "test") as connection:
            command = await asked(connection, people["li"])
            inbox.add([said(identity, command, ReceiptState.ACCEPTED)])
            async with open_connection(lab.hub_dsn, "test") as broken:
                await inbox.take_in(broken)
                inbox.add([said(identity, command, ReceiptState.EXECUTED)])
                await broken.close()
                with pytest.raises(psycopg.OperationalError):
                    await inbox.take_in(broken)
            await inbox.take_in(connection)

    asyncio.run(story())
    assert kept(lab) == ["accepted", "executed"]
