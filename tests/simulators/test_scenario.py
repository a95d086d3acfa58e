"""`heng simulate` starts everything of a scenario, obeys its control, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

import simulators.scenarios
from simulators.scenario import ScenarioError, load_scenario
from wire.settings.check import check
from wire.settings.gnss import GnssDevice
from wire.settings.modbus import ModbusDevice
from wire.settings.ups import UpsDevice


def test_demo_has_a_laboratory_a_mobile_laboratory_and_a_vehicle() -> None:
    scenario = load_scenario("demo")
    assert [(one.id, one.kind) for one in scenario.gateway] == [
        ("lab-1", "laboratory"),
        ("mobile-1", "mobile_lab"),
        ("vehicle-1", "vehicle"),
    ]
    assert [part.name for part in scenario.gateway[0].modbus] == ["room-1", "room-2", "plant"]


def test_demo_has_every_device_that_laboratories_mobile_ones_and_vehicles_have() -> None:
    lab, mobile, vehicle = load_scenario("demo").gateway
    assert [reader for line in lab.osdp for reader in line.readers] == lab.gpio[0].doors
    assert lab.gpio[0].doors == ["entrance", "archive", "between"]
    models = {unit.model for line in lab.modbus for unit in line.units if line.rtu}
    assert models == {"sim-air-conditioner", "sim-humidifier", "pzem-004t"}
    used = [unit.uses for line in lab.modbus for unit in line.units if unit.uses]
    assert used == [one.prefix for one in lab.instrument]
    assert lab.ble[0].rooms
    assert lab.camera
    assert lab.senml
    assert lab.terminal
    assert lab.sysfs
    assert mobile.ups
    assert mobile.gnss
    assert mobile.camera
    assert len(mobile.ble[0].badges) >= 3, "one is always heard while another is away"
    assert len(vehicle.ble[0].tags) >= 3
    assert vehicle.gpio[0].ignition == vehicle.gnss[0].name
    assert all(gateway.network for gateway in (lab, mobile, vehicle))


@pytest.mark.parametrize("text", ["", "title = 1", 'title = "x"\nextra = 1\n[[gateway]]\n', "not toml ["])
def test_broken_scenario_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match="broken"):
        load_scenario(str(file))
    with pytest.raises(ScenarioError):
        load_scenario("nowhere")


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@pytest.fixture
def simulate(folder: Path) -> Iterator[Callable[..., "tuple[subprocess.Popen[bytes], dict[str, Any]]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(scenario: str = "demo") -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        ports = folder / "ports.json"
        words = ["simulate", "--scenario", scenario, "--ports-file", str(ports)]
        words += ["--folder", str(folder / "run"), "--log-readings"]
        process = subprocess.Popen([sys.executable, "-m", "cli.main", *words])
        started.append(process)
        deadline = time.monotonic() + 30
        while not ports.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process, json.loads(ports.read_text())

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def ask(port: int, wish: object) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(json.dumps(wish).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_simulation_leaves_no_process_behind(number: signal.Signals, simulate: Any) -> None:
    process, ports = simulate()
    children = psutil.Process(process.pid).children(recursive=True)
    names = sorted(child.name() for child in children)
    assert names == [*["dbus-daemon"] * 3, "dummy-ups", "ffmpeg", "ffmpeg", "gpsd", "gpsd", "upsd"]
    for gateway in ports["gateways"].values():
        for device in gateway["device"]:
            if "port" in device:
                socket.create_connection(("127.0.0.1", device["port"]), timeout=5).close()
    assert ask(ports["control"], {"device": "lab-1/room-1", "unit": 2, "fault": "silence"}) == {"ok": True}
    assert ask(ports["control"], {"device": "mobile-1/power", "fault": "battery"}) == {"ok": True}
    assert ask(ports["control"], {"device": "vehicle-1/uplink", "fault": "first_down"}) == {"ok": True}
    assert ask(ports["control"], {"device": "lab-1/plant/3", "do": "use"}) == {"ok": True}
    assert ask(ports["control"], {"device": "lab-1/pins/archive", "do": "open"}) == {"ok": True}
    assert ask(ports["control"], {"device": "vehicle-1/manifest/balance-7", "do": "away"}) == {"ok": True}
    for wrong in (
        {"device": "nowhere", "fault": ""},
        {"device": "nowhere", "do": "card"},
        {"device": "lab-1/plant/3", "do": "card"},
        {"device": "lab-1/plant/3", "do": "use", "fault": ""},
        {"device": "lab-1/room-1", "unit": 9, "fault": ""},
        {"device": "vehicle-1/gnss", "fault": "battery"},
        ["not", "a", "wish"],
    ):
        assert ask(ports["control"], wrong)["ok"] is False
    os.kill(process.pid, number)
    assert process.wait(timeout=10) == (0 if number is signal.SIGTERM else -number)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_unknown_scenario_ends_with_2() -> None:
    words = [sys.executable, "-m", "cli.main", "simulate", "--scenario", "nowhere"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


@pytest.mark.slow
def test_recorded_scenario_gives_settings_that_a_gateway_takes(simulate: Any) -> None:
    process, ports = simulate("recorded")
    names = sorted(child.name() for child in psutil.Process(process.pid).children(recursive=True))
    assert names == ["dummy-ups", "dummy-ups", "gpsd", "gpsd", "gpsd", "gpsd", "upsd", "upsd"]
    gateways = ports["gateways"]
    for gateway in gateways.values():
        for table in gateway["device"]:
            kind: Any = {"gnss": GnssDevice, "ups": UpsDevice, "modbus": ModbusDevice}[table["driver"]]
            assert check(table, kind)[1] == []
    assert gateways["car-1"]["device"][0]["period_ms"] == 500
    control = ports["control"]
    assert ask(control, {"device": "mobile-1/power", "fault": "battery"}) == {"ok": True}
    assert ask(control, {"device": "car-1/gnss", "fault": "no_fix"}) == {"ok": True}
    refused = ask(control, {"device": "mobile-2/power", "fault": "battery"})
    assert refused["ok"] is False
    assert refused["error"] == (
        "fault battery: the recorded ups.status is 'OB DISCHRG'; expected OL without OB"
    )


def test_scenario_with_a_missing_log_ends_with_2_and_starts_nothing(tmp_path: Path) -> None:
    text = (Path(simulators.scenarios.__file__).parent / "recorded.toml").read_text(encoding="utf-8")
    file, ports = tmp_path / "own.toml", tmp_path / "ports.json"
    file.write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "cli.main", "simulate", "--scenario", str(file)]
    words += ["--ports-file", str(ports), "--folder", str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    missing = tmp_path / "../../tests/data/gnss/bt451.log"
    assert done.stderr == f"car-1/gnss: log: {missing} is no file; expected a log of NMEA 0183 sentences\n"
    assert not ports.exists()
    assert list((tmp_path / "run").iterdir()) == []
