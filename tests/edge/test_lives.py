"""A gateway that its settings start again stays one process, and runs what was tried or what ran well."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cli.embedded.processes import free_port
from edge.shadow.book import Book, Standing, State, Trial
from provisioning.identity import GatewayIdentity
from wire.shadow import Revision, ShadowState

DOCUMENT = "[clock]\ndrift_ppm = 5.0\n[[device]]\ndriver = 'network'\nname = 'uplink'\n"
pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-4.3a")]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(30)
        yield line


@pytest.mark.parametrize("connected", [False, True])
def test_gateway_starts_again_in_one_process_and_settles(
    *,
    connected: bool,
    listening: socket.socket,
    tmp_path: Path,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    """With no broker a line that was there before is missed, and what ran before comes back."""
    identity = gateway_identity("starts-again")
    settings = tmp_path / "gateway.toml"
    settings.write_text(
        f"[gateway]\nid = '{identity.gateway}'\nidentity = '{identity.folder}'\nsettings_watch_s = 1\n"
        f"[uplink]\nhost = '127.0.0.1'\nport = {free_port()}\n"
        "[[device]]\ndriver = 'network'\nname = 'uplink'\n"
    )
    book = Book(tmp_path / "data")
    standing = Standing([], connected, [])
    book.write(State(trial=Trial(Revision(0, 1), DOCUMENT, "restart", 1, standing)))
    command = [sys.executable, "-m", "cli.main", "edge", "--settings", str(settings)]
    environ = {**os.environ, "NOTIFY_SOCKET": listening.getsockname()}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as process:
        starts = 2 if connected else 1
        said = [listening.recv(100) for _ in range(starts)]
        end = time.monotonic() + 30
        while book.read()[0].trial is not None and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        process.send_signal(signal.SIGTERM)
        said.append(listening.recv(100))
        assert process.wait(20) == 0, process.stderr and process.stderr.read()
    assert said == [b"READY=1"] * starts + [b"STOPPING=1"]
    state = book.read()[0]
    assert state.verdict is (ShadowState.ROLLED_BACK if connected else ShadowState.APPLIED)
    assert (state.running is None) == connected
