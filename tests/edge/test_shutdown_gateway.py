"""A gateway beside a real NUT goes down by itself when the battery is low: told, sent, then the command."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.acker import Acker
from cli.embedded.mosquitto import EmbeddedMosquitto
from provisioning.identity import GatewayIdentity, HubIdentity
from simulators.devices.ups import Ups, nut_server

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9c3")]
SETTINGS = """
[gateway]
id = "{gateway}"
identity = "{identity}"
[uplink]
host = "localhost"
port = {broker}
[shutdown]
ups = "ups"
delay_s = 2
drain_s = 5
command = ["{python}", "-c", "import pathlib; pathlib.Path('{mark}').touch()"]
[[device]]
driver = "ups"
name = "ups"
port = {nut}
"""


async def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.05)


def test_low_battery_takes_the_gateway_down_with_everything_sent(
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    identity, mark, file = gateway_identity("goes-down"), tmp_path / "powered-off", tmp_path / "gateway.toml"

    async def story(acker: Acker, nut: Path) -> list[str]:
        ups = Ups(now_s=time.time)
        async with nut_server(ups, folder=nut) as port:
            file.write_text(
                SETTINGS.format(
                    gateway=identity.gateway,
                    identity=identity.folder,
                    broker=broker.gateway_port,
                    python=sys.executable,
                    mark=mark,
                    nut=port,
                )
            )
            words = [sys.executable, "-m", "cli.main", "edge", "--settings", str(file)]
            with (tmp_path / "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log)
            try:
                await until(lambda: any(arrival.batch.polls for arrival in acker.arrivals))
                ups.fault = "low"
                await asyncio.wait_for(process.wait(), 30)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        assert process.returncode == 0, (tmp_path / "log").read_text()
        await until(lambda: "gateway_stopped" in kinds(acker))
        return kinds(acker)

    with TemporaryDirectory(prefix="heng-test-") as nut, Acker(hub_identity, broker.hub_port) as acker:
        told = asyncio.run(story(acker, Path(nut)))
    assert mark.exists()
    wanted = ["power_lost", "battery_low", "shutdown_planned", "shutdown_started", "gateway_stopped"]
    assert [kind for kind in told if kind in wanted] == wanted


def kinds(acker: Acker) -> list[str]:
    batches = {(a.batch.epoch, a.batch.seq): a.batch for a in acker.arrivals}
    return [event.kind for _, batch in sorted(batches.items()) for event in batch.events]


@pytest.mark.parametrize("action", ["run", "check"])
def test_shutdown_for_a_ups_that_is_not_there_is_refused(
    action: str, tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity, file = gateway_identity("goes-down"), tmp_path / "gateway.toml"
    text = SETTINGS.format(
        gateway=identity.gateway, identity=identity.folder, broker=1, python="x", mark="y", nut=1
    )
    file.write_text(text.replace('ups = "ups"', 'ups = "usv"'))
    words = [sys.executable, "-m", "cli.main", "edge", action, "--settings", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "shutdown.ups: 'usv': expected the prefix of a UPS that feeds usv/power" in done.stderr
