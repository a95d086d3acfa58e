"""Commands and receipts between the real room and a gateway on a real broker."""

import asyncio
import time
from typing import Any

import psycopg
import pytest

from cloud import command_acts
from cloud.command_acts import Wish
from tests.cloud.control.conftest import BOOT, NAME, ROOM, Scene, interlock, status
from wire.control import ReceiptState
from wire.shadow import Revision

pytestmark = pytest.mark.requirement("G-6.9d")
ACCEPTED, EXECUTED, REFUSED = ReceiptState.ACCEPTED, ReceiptState.EXECUTED, ReceiptState.REFUSED


async def ask(scene: Scene, viewer: Any, name: str, **arguments: Any) -> Any:
    async with scene.connection.transaction():
        act = scene.act(viewer)
        return await command_acts.ask(act, Wish(NAME, name, {"interlock": ROOM, **arguments}))


async def until_state(scene: Scene, command: Any, state: str) -> None:
    await scene.until(
        "SELECT 1 FROM commands WHERE id = %s AND outcome = %s", bytes.fromhex(command.id), state
    )


def test_state_is_kept_and_a_command_goes_down_and_its_receipts_come_up(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            await here.gateway.tell(status(interlock("tripped", breach=3)))
            await here.until("SELECT 1 FROM control_status WHERE heard_at = received_at")
            sent = await ask(here, people["li"], "interlock.acknowledge", breach=3)
            assert sent.state(here.now()) == "sent"
            came = await here.gateway.next()
            assert (came.name, came.by, came.fence) == ("interlock.acknowledge", "n-li", Revision(0, 1))
            assert "acknowledge" in came.rights
            assert (came.boot, came.id.hex()) == (BOOT, sent.id)
            assert came.not_after_ms - came.issued_at_ms == 30_000
            assert came.not_after_tick is not None
            assert 3990 < came.not_after_tick < 4500  # thirty seconds after tick 1000
            await here.gateway.answer(came, ACCEPTED)
            await until_state(here, sent, "accepted")
            await here.gateway.answer(came, EXECUTED, EXECUTED)
            await until_state(here, sent, "executed")
            rows = await here.until("SELECT state FROM command_receipts ORDER BY id")
            assert [state for (state,) in rows] == ["accepted", "executed"]

    asyncio.run(story())


def test_command_is_sent_again_with_the_same_bytes_until_a_receipt_comes(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            sent = await ask(here, people["li"], "interlock.trip")
            first = await here.gateway.next()
            again = await here.gateway.next()
            assert first == again
            await here.gateway.answer(again, EXECUTED)
            await until_state(here, sent, "executed")

    asyncio.run(story())


def test_receipts_in_any_order_come_to_the_same(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            sent = await ask(here, people["li"], "interlock.trip")
            came = await here.gateway.next()
            await here.gateway.answer(came, EXECUTED, ACCEPTED)
            await here.gateway.answer(came, REFUSED, reason="out_of_order")
            await here.until("SELECT 1 FROM command_receipts WHERE state = 'refused'")
            await until_state(here, sent, "executed")

    asyncio.run(story())


def test_receipt_of_the_journal_counts_without_a_copy(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            sent = await ask(here, people["li"], "interlock.trip")
            await here.gateway.next()
            here.lab.execute(
                "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
                " SELECT 1, id, 1, now(), 'command_receipt', name,"
                " jsonb_build_object('command', %s::text, 'state', 'executed', 'name', 'interlock.trip')"
                " FROM gateways WHERE name = %s",
                sent.id,
                NAME,
            )
            await until_state(here, sent, "executed")
            rows = await here.until("SELECT from_journal, data FROM command_receipts")
            assert rows == [(True, {})]

    asyncio.run(story())


def test_gateway_that_has_seen_more_begins_a_new_incarnation(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            await here.gateway.tell(status(interlock(), fence=Revision(2, 40)))
            await here.until("SELECT 1 FROM control_fences WHERE incarnation = 3 AND number = 0")
            await ask(here, people["li"], "interlock.trip")
            assert (await here.gateway.next()).fence == Revision(3, 1)

    asyncio.run(story())


def test_answer_for_a_command_that_was_never_sent_changes_nothing(scene: Any, people: Any) -> None:
    async def story() -> None:
        async with scene() as here:
            sent = await ask(here, people["li"], "interlock.trip")
            came = await here.gateway.next()
            stranger = type(came)(
                gateway=NAME,
                id=b"x" * 16,
                fence=came.fence,
                name="a.b",
                by="",
                issued_at_ms=0,
                not_after_ms=1,
            )
            await here.gateway.answer(stranger, EXECUTED)
            await here.gateway.answer(came, ACCEPTED)
            await until_state(here, sent, "accepted")
            assert len(await here.until("SELECT 1 FROM command_receipts")) == 1

    asyncio.run(story())


@pytest.mark.requirement("G-8a")
def test_command_wakes_the_room_and_is_not_waited_for(scene: Any, people: Any) -> None:
    """Asked, committed, published, answered twice, stored: sooner than anybody looks (0.5 s)."""

    async def story() -> list[float]:
        spent = []
        async with scene() as here:
            for _ in range(8):
                started = time.monotonic()
                sent = await ask(here, people["li"], "interlock.trip")
                await here.gateway.answer(await here.gateway.next(), ACCEPTED, EXECUTED)
                await until_state(here, sent, "executed")
                spent.append(time.monotonic() - started)
        return sorted(spent)

    spent = asyncio.run(story())
    assert spent[0] < 0.25, spent  # how long it takes is measured by `heng bench control`


def test_receipts_outlive_the_connection_on_which_they_were_to_be_kept(
    lab: Any, scene: Any, people: Any
) -> None:
    async def story() -> None:
        async with scene() as here, await psycopg.AsyncConnection.connect(lab.dsn) as owner:
            sent = await ask(here, people["li"], "interlock.trip")
            came = await here.gateway.next()
            await owner.execute("LOCK TABLE command_receipts IN ACCESS EXCLUSIVE MODE")
            await here.gateway.answer(came, EXECUTED)
            found = await here.until(
                "SELECT pid FROM pg_stat_activity"
                " WHERE application_name = 'heng control' AND wait_event_type = 'Lock'"
            )
            await here.connection.execute("SELECT pg_terminate_backend(%s)", found[0])
            await owner.rollback()
            await until_state(here, sent, "executed")

    asyncio.run(story())
