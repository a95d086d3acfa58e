"""A scenario with instruments and cameras can be read by the drivers that its tables are for."""

import asyncio
import time
from pathlib import Path

import pytest

from edge.assembly import build_driver
from edge.driver import Given
from simulators.running import Clocks, running
from simulators.scenario import CameraPart, GatewayPart, InstrumentPart, Scenario
from wire.settings.camera import CameraDevice
from wire.settings.check import check
from wire.settings.instrument import InstrumentDevice

KINDS: dict[str, type[InstrumentDevice | CameraDevice]] = {
    "instrument": InstrumentDevice,
    "camera": CameraDevice,
}


@pytest.mark.slow
def test_instruments_and_cameras_of_a_scenario_answer_their_drivers(tmp_path: Path) -> None:
    gateway = GatewayPart(
        id="lab-1",
        kind="laboratory",
        title="Laboratory",
        latitude=28.2,
        longitude=112.9,
        instrument=[
            InstrumentPart(name="meter", model="multimeter", room="room-1"),
            InstrumentPart(name="bath", model="bath", room="room-1"),
        ],
        camera=[CameraPart(name="camera"), CameraPart(name="other", stream="mjpeg")],
    )
    clocks = Clocks(monotonic_ns=time.monotonic_ns, utc_s=time.time)

    async def scenario() -> None:
        async with running(
            Scenario(title="x", gateway=[gateway]), seed=1, folder=tmp_path, clocks=clocks
        ) as state:
            tables = state.gateways["lab-1"]["device"]
            assert isinstance(tables, list)
            for table in tables:
                settings, faults = check(table, KINDS[table["driver"]])
                assert faults == []
                assert settings is not None
                lines = await build_driver(settings, Given(time.monotonic_ns, tmp_path / "data")).probe()
                assert all(line.ok for line in lines), lines
            state.switch("lab-1/meter", "stranger")
            state.switch("lab-1/camera", "freeze")
            with pytest.raises(ValueError, match="Invalid enum value"):
                state.switch("lab-1/bath", "nonsense")

    asyncio.run(scenario())
