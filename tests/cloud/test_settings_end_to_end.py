"""Real broker, hub and gateway: settings saved at the hub run within seconds, broken ones go again."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.edge import Load, gateway_process, settings_text, simulated
from cli.embedded.processes import free_port
from cloud.hub import ROOMS, run_hub
from cloud.settings import HubSettings, broker_of_url

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-4.3a", "H-7.1c")]

NAME = "settings-1"
LOAD = Load(units=1, points=4, interval_ms=200)
WATCH_S = 4
SECONDS = 30.0


class Desk:
    """A person at the hub's API."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(base_url=address)
        self._path = f"/api/gateways/{NAME}/settings"

    async def state(self) -> dict[str, Any]:
        answer = await self._client.get(self._path)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    async def save(self, document: str, reason: str) -> int:
        based_on = (await self.state())["newest"]
        body = {"document": document, "based_on": based_on, "reason": reason}
        answer = await self._client.put(self._path, json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["number"])

    async def until(self, number: int, *states: str) -> dict[str, Any]:
        """Wait until the gateway says that revision `number` is in one of these states."""
        end = time.monotonic() + SECONDS
        while True:
            told = (await self.state())["reported"]
            if told is not None and (told["number"], told["state"]) in [(number, one) for one in states]:
                assert isinstance(told, dict)
                return told
            assert time.monotonic() < end, told
            await asyncio.sleep(0.1)

    async def stored(self, *kinds: str) -> None:
        """Wait until the hub has events of all these kinds; a busy machine sends them after the report."""
        end = time.monotonic() + SECONDS
        missing = set(kinds)
        while missing:
            query = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "limit": "1"}
            for kind in sorted(missing):
                answer = await self._client.get("/api/events", params={**query, "kind": kind})
                if answer.status_code == 200 and answer.json()["items"]:
                    missing.discard(kind)
            assert time.monotonic() < end, missing
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self._client.aclose()


def test_settings_reach_the_gateway_and_broken_ones_are_rolled_back(
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

    async def story(desk: Desk, port: int) -> None:
        async with gateway_process(file, tmp_path / "first.log"):
            await desk.until(0, "file")
            await asyncio.sleep(3)
            shown = (await desk.state())["document"]
            assert f"port = {port}" in shown
            assert "uplink" not in shown
            await _faster(desk, shown)
            await _broken(desk, shown)
            await _unknown_profile(desk, shown)
            number = await desk.save(shown.replace("interval_ms = 200", "interval_ms = 500"), "then killed")
            await desk.until(number, "trying")
            os.kill(_pid_of(tmp_path / "data"), signal.SIGKILL)
            await asyncio.sleep(1)

    async def killed(desk: Desk, port: int) -> None:
        with pytest.raises(RuntimeError, match="ended by itself"):
            await story(desk, port)
        async with gateway_process(file, tmp_path / "second.log"):
            number = (await desk.state())["newest"]
            told = await desk.until(number, "rolled_back")
            assert told["running_number"] == 2
            assert told["faults"][0][0] == "gateway"
            await desk.stored("settings_refused", "settings_kept", "settings_rolled_back")

    async def scene() -> None:
        stop = asyncio.Event()
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        settings = HubSettings(lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
        async with simulated(LOAD) as ports, asyncio.TaskGroup() as group:
            text = settings_text(NAME, broker.gateway_port, ports, load=LOAD)
            extra = f"identity = '{identity.folder}'\nsettings_watch_s = {WATCH_S}\n[uplink]\n"
            file.write_text(text.replace("[uplink]\n", extra))
            group.create_task(run_hub(settings, ROOMS, environment={}, stop=stop, ready=told.set_result))
            desk = Desk(await told)
            try:
                await killed(desk, ports[0])
            finally:
                await desk.close()
                stop.set()

    asyncio.run(scene())
    kinds = [kind for (kind,) in lab.execute("SELECT kind FROM events WHERE kind LIKE 'settings%%'")]
    assert {"settings_staged", "settings_applied", "settings_kept", "settings_refused"} <= set(kinds)
    assert kinds.count("settings_rolled_back") == 2


async def _faster(desk: Desk, shown: str) -> None:
    """Changed settings run within seconds, and stay."""
    started = time.monotonic()
    number = await desk.save(shown.replace("interval_ms = 200", "interval_ms = 250"), "a slower round")
    assert number == 2
    await desk.until(number, "trying", "applied")
    assert time.monotonic() - started < 5
    told = await desk.until(number, "applied")
    assert (told["running_number"], told["running_revision"], told["faults"]) == (2, 2, [])


async def _broken(desk: Desk, shown: str) -> None:
    """A line that leads nowhere is left again."""
    nowhere = re.sub(r"port = \d+", f"port = {free_port()}", shown)
    number = await desk.save(nowhere, "the converter has moved")
    told = await desk.until(number, "rolled_back")
    assert (told["running_number"], told["running_revision"]) == (2, 2)
    assert told["faults"][0][0] == "device line-0"


async def _unknown_profile(desk: Desk, shown: str) -> None:
    """What only the gateway can know is refused there, with the reason."""
    number = await desk.save(shown.replace('profile = "wide"', 'profile = "unheard-of"'), "a new device")
    told = await desk.until(number, "refused")
    assert told["running_number"] == 2
    assert told["faults"][0][0].startswith("device[0].unit[0].profile")


def _pid_of(data: Path) -> int:
    return int((data / "gateway.lock").read_text())
