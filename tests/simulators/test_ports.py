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
    tables = [
        {"driver": "modbus", "name": "room-1", "port": port},
        {"driver": "modbus-rtu", "name": "line", "path": "/dev/pts/3"},
    ]
    file.write_text(json.dumps({"control": port + 1, "pid": 7, "gateways": {"lab-1": {"device": tables}}}))
    return file


def test_ports_of_an_earlier_run_are_taken_again(tmp_path: Path) -> None:
    ports = Ports.kept_in(_written(tmp_path / "ports.json", 21_000))
    assert ports.of("lab-1/room-1") == 21_000
    assert ports.of(CONTROL) == 21_001
    assert 20_000 <= ports.of("lab-1/line") < 32_000


def test_ports_are_any_unless_they_are_kept(tmp_path: Path) -> None:
    assert Ports().of("lab-1/room-1") == 0
    assert Ports.kept_in(tmp_path / "ports.json").of("lab-1/room-1") > 0


def test_taken_port_is_named_with_its_device(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ports = replace(Ports.kept_in(_written(tmp_path / "ports.json", port)), wait_s=0.1)
        with pytest.raises(DaemonError, match=rf"port {port} of lab-1/room-1.*ports\.json"):
            asyncio.run(ports.check())


@pytest.mark.parametrize("text", ["", "[]", '{"control": 1}', '{"control": 1, "gateways": {"a": {}}}'])
def test_file_of_another_shape_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text(text)
    with pytest.raises(PortsFileError, match=r"ports\.json.*expected a ports file"):
        Ports.kept_in(file)
