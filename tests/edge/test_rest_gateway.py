"""A real gateway that is killed and started again does not cut the rest of an air conditioner short."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.identity import GatewayIdentity
from simulators.climate import Room
from simulators.devices.modbus import Unit, modbus_server
from simulators.world import World
from tests.air_conditioner import PROFILE
from tests.edge.gateway_site import HEAD

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9d")]
NOON = 1_789_000_000.0
SETTINGS = (
    HEAD
    + """[[device]]
driver = "modbus"
name = "bus"
host = "127.0.0.1"
port = {port}
[[device.unit]]
address = 1
profile = "ac"
prefix = "room-1/ac"
[[device.unit.output]]
output = "on"
apart_s = 600
"""
    + PROFILE
)


async def set_to(file: Path, value: int) -> tuple[int, str]:
    words = ["edge", "set", "--settings", str(file), "--output", "room-1/ac/on", "--value", str(value)]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "cli.main", *words], stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, err.decode()


async def started(file: Path) -> asyncio.subprocess.Process:
    """Start a gateway and wait until it answers."""
    command = [sys.executable, "-m", "cli.main", "edge", "--settings", str(file)]
    with (file.parent / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    end = time.monotonic() + 30
    while not list((file.parent / "data").glob("*.sock")):
        assert time.monotonic() < end, (file.parent / "log").read_text()
        await asyncio.sleep(0.05)
    return process


def test_killed_gateway_lets_the_compressor_rest_on(
    tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity, file = gateway_identity("keeps-rests"), tmp_path / "gateway.toml"
    room = Room(World(7), "room")
    unit = Unit(1, "sim-air-conditioner", lambda name: room.value(name, NOON), told=room.tell)

    async def story() -> None:
        async with modbus_server([unit], now=lambda: (time.monotonic_ns(), int(NOON * 1000))) as (_, port):
            file.write_text(
                SETTINGS.format(gateway=identity.gateway, identity=identity.folder, broker=9, port=port)
            )
            process = await started(file)
            try:
                assert await set_to(file, 1) == (0, "")
                process.kill()
                await process.wait()
                for socket in (tmp_path / "data").glob("*.sock"):
                    socket.unlink()
                process = await started(file)
                code, said = await set_to(file, 0)
                assert code == 1
                assert "expected 600 s of rest" in said
                assert room.settings.ac_on == 1
            finally:
                process.kill()
                await process.wait()

    asyncio.run(story())
