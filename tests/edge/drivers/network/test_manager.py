"""The driver beside a simulated ModemManager on a D-Bus of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.network.driver import NetworkDriver
from simulators.devices.bluez import message_bus
from simulators.devices.modem import Fault, Modem, Radio, modem_service
from tests.edge.drivers.network.test_driver import Kernel
from wire.settings.network import NetworkDevice
from wire.status import GapCause

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-5.2")]


@asynccontextmanager
async def beside(radio: Radio, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    with TemporaryDirectory(prefix="heng-test-") as folder:
        async with message_bus(Path(folder)) as address, modem_service(radio, address):
            patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            await asyncio.sleep(0.1)
            yield


def driver(root: Path, *, timeout_s: float = 5.0) -> NetworkDriver:
    kernel = Kernel(root)
    kernel.interface("wwan0", 0, 0, "DEVTYPE=wwan\n")
    settings = NetworkDevice(name="uplink", root=str(root), interval_ms=1000, modem=True)
    return NetworkDriver(settings, Given(time.monotonic_ns), modem_timeout_s=timeout_s)


def told(made: NetworkDriver, collector: Any) -> list[list[int | None]]:
    return [poll.counts for poll in collector.of(made.layouts[-1].id)]


def test_state_operator_and_levels_are_told_and_no_number_of_the_device(
    tmp_path: Path, collector: Any, run_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    radio = Radio()
    made = driver(tmp_path)

    async def story() -> None:
        async with beside(radio, monkeypatch):
            ended = await run_until(made, collector, lambda: len(told(made, collector)) >= 2)
            assert ended is None

    asyncio.run(story())
    first, second = told(made, collector)[:2]
    assert first == [11, 1, 4, 74, None, None, None]
    assert second == [11, 1, 4, 74, -970, -105, 124]
    (event,) = collector.events
    assert (event.kind, event.data) == (
        "operator_changed",
        {"operator": "CHINA MOBILE", "code": "46000", "before": ""},
    )
    assert "490154203237518" not in repr([*collector.events, *collector.polls, *collector.silences])


def test_operator_is_told_again_only_when_it_changes(
    tmp_path: Path, collector: Any, run_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    radio = Radio()

    async def story() -> None:
        async with beside(radio, monkeypatch):
            for operator in ("46000", "46000", "46001"):
                radio.modems[0] = replace(radio.modems[0], operator_code=operator, operator_name="")
                made, before = driver(tmp_path), len(collector.polls)
                await run_until(made, collector, lambda at=before: len(collector.polls) >= at + 2)

    asyncio.run(story())
    assert [(event.data["operator"], event.data["before"]) for event in collector.events] == [
        ("46000", ""),
        ("46001", "46000"),
    ]


def test_who_may_not_ask_for_levels_is_told_the_rest(
    tmp_path: Path, collector: Any, run_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    radio = Radio(may_setup=False)
    made = driver(tmp_path)

    async def story() -> None:
        async with beside(radio, monkeypatch):
            await run_until(made, collector, lambda: len(told(made, collector)) >= 2)

    asyncio.run(story())
    assert told(made, collector)[1] == [11, 1, 4, 74, None, None, None]
    assert collector.silences == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("gone", "ModemManager shows no modem"),
        ("no_service", "ModemManager is not there"),
        ("refused", "ModemManager says AccessDenied to GetManagedObjects"),
        ("garbage", "ModemManager: expected a list of modems"),
        ("silence", "ModemManager does not answer within 0.3 s"),
        ("slow", "ModemManager does not answer within 0.3 s"),
    ],
)
def test_modem_that_cannot_be_asked_is_silent_alone_and_comes_back(
    tmp_path: Path,
    collector: Any,
    run_until: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: Fault,
    reason: str,
) -> None:
    radio = Radio(fault=fault)
    made = driver(tmp_path, timeout_s=0.3)

    async def story() -> None:
        async with beside(radio, monkeypatch):
            await run_until(made, collector, lambda: len(collector.silences) >= 1)
            radio.switch("")
            await asyncio.sleep(1.1 if fault == "slow" else 0.1)
            await run_until(made, collector, lambda: told(made, collector))

    asyncio.run(story())
    names, cause, said = collector.silences[0]
    assert (cause, said) == (GapCause.RADIO, reason)
    assert all(name.startswith("uplink/modem/") for name in names)
    assert collector.of(made.layouts[0].id)


def test_machine_without_d_bus_is_said(
    tmp_path: Path, collector: Any, run_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    asyncio.run(run_until(driver(tmp_path), collector, lambda: collector.silences))
    assert collector.silences[0][2].startswith("cannot connect to D-Bus: ")


def test_modem_of_the_mobile_link_is_asked(
    tmp_path: Path, collector: Any, run_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    radio = Radio({0: Modem("wwan7", quality=1), 1: Modem("wwan0", quality=99)})
    made = driver(tmp_path)

    async def story() -> None:
        async with beside(radio, monkeypatch):
            await run_until(made, collector, lambda: told(made, collector))
            assert [line.answer for line in await made.probe()] == [
                "ethernet eth0",
                "connected, 4G, CHINA MOBILE, -97 dBm",
            ]
            radio.switch("gone")
            assert [line.ok for line in await made.probe()] == [True, False]

    asyncio.run(story())
    assert told(made, collector)[0][3] == 99
