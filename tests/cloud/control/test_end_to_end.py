"""Real broker, hub and gateway: an interlock is let go from the hub, each step confirmed by a receipt."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.edge import Load, gateway_process, settings_text, simulated
from cloud.hub import ROOMS, run_hub
from cloud.settings import HubSettings, broker_of_url

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9d", "G-6.11")]
NAME = "locked-1"
LOAD = Load(units=1, points=2, interval_ms=200)
SECONDS = 30.0
RULE = """
[[interlock]]
name = "room"
[[interlock.group]]
name = "air"
[[interlock.group.cause]]
kind = "limit"
name = "hot"
point = "line-0/1/t0"
high = 200
guarded = false
[[interlock.effect]]
kind = "hold_work"
target = "room"
"""


class Desk:
    """A person at the hub's API."""

    def __init__(self, address: str) -> None:
        self.client = httpx.AsyncClient(base_url=address)

    async def interlock(self, *phases: str) -> dict[str, Any]:
        """Wait until the interlock is in one of these phases and known to be."""
        end = time.monotonic() + SECONDS
        while True:
            answer = await self.client.get("/api/interlocks")
            assert answer.status_code == 200, answer.text
            for one in answer.json()["items"]:
                if one["known"] and one["interlock"]["phase"] in phases:
                    assert isinstance(one["interlock"], dict)
                    return one["interlock"]
            assert time.monotonic() < end, answer.text
            await asyncio.sleep(0.1)

    async def ask(self, name: str, state: str = "executed", **arguments: Any) -> dict[str, Any]:
        """Ask, and wait for what becomes of it."""
        body = {"name": f"interlock.{name}", "arguments": {"interlock": "room", **arguments}}
        answer = await self.client.post(f"/api/gateways/{NAME}/commands", json=body)
        assert answer.status_code == 202, answer.text
        address = f"/api/commands/{answer.json()['command']['id']}"
        end = time.monotonic() + SECONDS
        while (told := (await self.client.get(address)).json())["state"] in ("sent", "accepted"):
            assert time.monotonic() < end, told
            await asyncio.sleep(0.05)
        assert told["state"] == state, told
        assert isinstance(told, dict)
        return told

    async def evidence(self, command: str) -> None:
        """Wait until the journal's receipt is here too."""
        end = time.monotonic() + SECONDS
        while True:
            told = (await self.client.get(f"/api/commands/{command}")).json()
            if any(one["from_journal"] and one["state"] == "executed" for one in told["receipts"]):
                return
            assert time.monotonic() < end, told
            await asyncio.sleep(0.1)


def test_interlock_is_let_go_from_the_hub_and_every_step_is_confirmed(
    lab: Any, broker: Any, hub_identity: Any, gateway_identity: Any, tmp_path: Path
) -> None:
    identity = gateway_identity(NAME)
    lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, %s)", NAME)
    lab.execute(
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id)"
        " SELECT 1, id, 1 FROM gateways WHERE name = %s",
        NAME,
    )
    file = tmp_path / "gateway.toml"

    async def story(desk: Desk) -> None:
        now = await desk.interlock("ready_to_reset")
        breach = now["breach"]
        assert [one["reason"] for one in now["unmet"]] == ["not_acknowledged"]
        await asyncio.sleep(1.2)  # a gateway that is new executes nothing that may be older than itself
        await desk.ask("acknowledge", breach=breach, comment="new here")
        await desk.ask("reset", breach=breach)
        now = await desk.interlock("reset")
        enabled = await desk.ask("enable", breach=now["breach"])
        assert (await desk.interlock("healthy"))["effects"][0]["safe"] is False
        await desk.ask("trip", reason="a drill")
        assert (await desk.interlock("tripped", "ready_to_reset"))["first_out"] == ["@asked"]
        await desk.evidence(enabled["command"]["id"])

    async def scene() -> None:
        stop = asyncio.Event()
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        settings = HubSettings(lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
        async with simulated(LOAD) as ports, asyncio.TaskGroup() as group:
            text = settings_text(NAME, broker.gateway_port, ports, load=LOAD)
            file.write_text(text.replace("[uplink]\n", f"identity = '{identity.folder}'\n[uplink]\n") + RULE)
            group.create_task(run_hub(settings, ROOMS, environment={}, stop=stop, ready=told.set_result))
            desk = Desk(await told)
            try:
                async with gateway_process(file, tmp_path / "gateway.log"):
                    await story(desk)
            finally:
                await desk.client.aclose()
                stop.set()

    asyncio.run(scene())
