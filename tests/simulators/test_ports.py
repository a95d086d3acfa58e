"""Simulated devices come back on the ports of their earlier run, or say which one they cannot have."""

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.ports import CONTROL, Ports, PortsFileError
from simulators.processes import DaemonError


def _written(file: Path, port: int) -> Path:
    told = {
        "listening": {"lab-1/room-1": port, CONTROL: port + 1},
        "posting": {"lab-1/doors": port + 2},
        "gateways": {},
    }
    file.write_text(json.dumps(told))
    return file


def test_ports_of_an_earlier_run_are_taken_again(tmp_path: Path) -> None:
    ports = Ports.kept_in(_written(tmp_path / "ports.json", 21_000))
    assert ports.of("lab-1/room-1") == 21_000
    assert ports.of(CONTROL) == 21_001
    assert 20_000 <= ports.of("lab-1/room-2") < 32_000
    assert ports.listening.keys() == {"lab-1/room-1", "lab-1/room-2", CONTROL}


def test_port_of_a_gateway_may_be_taken_by_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        port = gateway.getsockname()[1]
        ports = Ports.kept_in(_written(tmp_path / "ports.json", 21_000))
        ports = replace(ports, earlier={}, earlier_to={"lab-1/doors": port}, wait_s=0.1)
        asyncio.run(ports.check())
        assert ports.to("lab-1/doors") == port


def test_ports_are_any_unless_they_are_kept(tmp_path: Path) -> None:
    assert Ports().of("lab-1/room-1") == 0
    assert Ports.kept_in(tmp_path / "ports.json").of("lab-1/room-1") > 0


def test_taken_port_is_named_with_its_device(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ports = replace(Ports.kept_in(_written(tmp_path / "ports.json", port)), wait_s=0.1)
        with pytest.raises(DaemonError, match=rf"port {port} of lab-1/room-1.*ports\.json"):
            asyncio.run(ports.check())


@pytest.mark.parametrize("text", ["", "[]", '{"listening": 1}', '{"listening": {"lab-1/a": 0}}'])
def test_file_of_another_shape_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text(text)
    with pytest.raises(PortsFileError, match=r"ports\.json.*expected a ports file"):
        Ports.kept_in(file)
