"""The simulated interfaces of a gateway say what the network driver of a gateway understands."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edge.assembly import build_driver
from edge.driver import Given
from simulators.devices.network import Fault, Uplink
from simulators.running import Clocks, running
from simulators.scenario import Bearer, GatewayPart, NetworkPart, Scenario
from wire.settings.check import check
from wire.settings.network import NetworkDevice


def told(root: Path) -> str:
    settings, faults = check({"driver": "network", "name": "uplink", "root": str(root)}, NetworkDevice)
    assert settings is not None, faults
    (line,) = asyncio.run(build_driver(settings, Given(time.monotonic_ns)).probe())  # type: ignore[arg-type]
    return line.answer


@pytest.mark.parametrize(
    ("bearers", "fault", "answer"),
    [
        (["ethernet", "mobile"], "", "ethernet eth0"),
        (["ethernet", "mobile"], "first_down", "mobile wwan0"),
        (["mobile"], "", "mobile wwan0"),
        (["mobile"], "first_down", "none"),
        (["wifi", "mobile"], "all_down", "none"),
    ],
)
def test_next_bearer_takes_over(bearers: list[Bearer], fault: Fault, answer: str, tmp_path: Path) -> None:
    uplink = Uplink(tmp_path, bearers, "1/x", lambda: 1_789_000_000.0, fault=fault)
    uplink.update()
    assert told(tmp_path) == answer


def test_radio_has_a_level_and_bytes_grow(tmp_path: Path) -> None:
    now = [1_789_000_000.0]
    uplink = Uplink(tmp_path, ["wifi"], "1/x", lambda: now[0])
    uplink.update()
    assert told(tmp_path).startswith("wifi wlan0, -")
    file = tmp_path / "sys/class/net/wlan0/statistics/tx_bytes"
    before = int(file.read_text())
    now[0] += 1
    uplink.update()
    assert int(file.read_text()) > before


def test_interfaces_of_a_scenario_are_switched_by_name(tmp_path: Path) -> None:
    gateway = GatewayPart(
        id="van-1",
        kind="vehicle",
        title="Van",
        latitude=28.2,
        longitude=112.9,
        network=[NetworkPart(name="uplink", bearers=["wifi"])],
    )

    async def run() -> None:
        clocks = Clocks(time.monotonic_ns, time.time)
        async with running(
            Scenario(title="x", gateway=[gateway]), seed=1, folder=tmp_path, clocks=clocks
        ) as state:
            tables: Any = state.gateways["van-1"]["device"]
            assert check(tables[0], NetworkDevice)[1] == []
            state.switch("van-1/uplink", "first_down")
            uplink = state.devices["van-1/uplink"]
            assert isinstance(uplink, Uplink)
            assert uplink.fault == "first_down"

    asyncio.run(run())


def test_modem_of_a_scenario_is_found_on_the_bus_of_its_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = NetworkPart(name="uplink", bearers=["mobile"], modem=True, day_bytes=1_000_000)
    gateway = GatewayPart(
        id="van-1", kind="vehicle", title="Van", latitude=28.2, longitude=112.9, network=[part]
    )

    async def run() -> list[str]:
        clocks = Clocks(time.monotonic_ns, time.time)
        scenario = Scenario(title="x", gateway=[gateway])
        with TemporaryDirectory(prefix="heng-test-") as folder:
            async with running(scenario, seed=1, folder=Path(folder), clocks=clocks) as state:
                offered: Any = state.gateways["van-1"]
                settings, faults = check(offered["device"][0], NetworkDevice)
                assert settings is not None, faults
                assert settings.budget is not None
                for name, value in offered["environment"].items():
                    monkeypatch.setenv(name, value)
                driver = build_driver(settings, Given(time.monotonic_ns))
                found = [line.answer for line in await driver.probe()]
                state.switch("van-1/uplink/modem", "gone")
                return [*found, *(line.answer for line in await driver.probe())]

    link, modem, _, gone = asyncio.run(run())
    assert link == "mobile wwan0"
    assert modem == "connected, 4G, CHINA MOBILE"
    assert gone == "ModemManager shows no modem"
