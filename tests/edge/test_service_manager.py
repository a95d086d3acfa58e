"""The gateway under systemd: what it says, and that it is silent where nobody asked."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cli.embedded.processes import free_port
from edge.service_manager import ServiceManager
from provisioning.identity import GatewayIdentity


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(5)
        yield line


def test_it_says_ready_and_stopping(listening: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listening.getsockname()})
    manager.ready()
    manager.stopping()
    assert [listening.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]


def test_it_gives_signs_of_life_twice_in_each_period(listening: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "7"}
    manager = ServiceManager(environ, pid=7)
    assert manager.alive_every_s == pytest.approx(0.02)

    async def story() -> list[bytes]:
        async with asyncio.TaskGroup() as tasks:
            beat = tasks.create_task(manager.keep_alive())
            said = [await asyncio.to_thread(listening.recv, 100) for _ in range(3)]
            beat.cancel()
        return said

    assert asyncio.run(story()) == [b"WATCHDOG=1"] * 3


@pytest.mark.requirement("G-6.9c1")
def test_no_sign_of_life_is_given_for_what_does_not_turn(listening: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "20000"}
    manager = ServiceManager(environ)

    async def story() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(manager.keep_alive(lambda: False), 0.1)

    asyncio.run(story())
    manager.stopping()
    assert listening.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "40000"},
        {"NOTIFY_SOCKET": "@heng-nobody", "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "8"},
        {"NOTIFY_SOCKET": "@heng-nobody", "WATCHDOG_USEC": "soon"},
    ],
)
def test_no_sign_of_life_is_given_that_nobody_asked_this_process_for(environ: dict[str, str]) -> None:
    manager = ServiceManager(environ, pid=7)
    assert manager.alive_every_s is None
    asyncio.run(asyncio.wait_for(manager.keep_alive(), 5))


def test_a_manager_that_is_gone_is_no_reason_to_stop(tmp_path: Path) -> None:
    for address in (str(tmp_path / "nothing"), "@heng-nobody-listens-here"):
        ServiceManager({"NOTIFY_SOCKET": address}).ready()


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0heng-test-notify-abstract")
        line.settimeout(5)
        ServiceManager({"NOTIFY_SOCKET": "@heng-test-notify-abstract"}).ready()
        assert line.recv(100) == b"READY=1"


@pytest.mark.slow
def test_a_gateway_says_ready_gives_signs_of_life_and_says_that_it_stops(
    listening: socket.socket, tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    identity = gateway_identity("under-systemd")
    settings = tmp_path / "gateway.toml"
    settings.write_text(
        f"[gateway]\nid = '{identity.gateway}'\nidentity = '{identity.folder}'\n"
        f"[uplink]\nhost = '127.0.0.1'\nport = {free_port()}\n"
        "[[device]]\ndriver = 'network'\nname = 'uplink'\n"
    )
    environ = {**os.environ, "NOTIFY_SOCKET": listening.getsockname(), "WATCHDOG_USEC": "400000"}
    command = [sys.executable, "-m", "cli.main", "edge", "--settings", str(settings)]
    listening.settimeout(30)
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        said = [listening.recv(100) for _ in range(4)]
        process.terminate()
        while said[-1] != b"STOPPING=1":
            said.append(listening.recv(100))
        assert process.wait(10) == 0
    assert said.count(b"READY=1") == 1
    assert set(said) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}
