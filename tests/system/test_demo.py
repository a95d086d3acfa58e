"""The demo as a person starts it: it works, leaves no process behind and continues with its data."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from cli.demo.accounts import ADMINISTRATOR, password_of
from cli.demo.web import Visitor, sign_in
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.processes import free_port

READY_S = 90
ENDED_S = 30
MARK = "HENG_TEST_MARK"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class Demo:
    """One `heng demo` and everything that descends from it, known by a mark in their environment."""

    process: subprocess.Popen[str]
    mark: str

    def until_open(self) -> str:
        """Wait for the line with the address, and return it."""
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            if "open http://127.0.0.1:" in line:
                return line.split()[1]
            said.append(line)
        pytest.fail(f"the demo ended with {self.process.wait()} before it was ready: {''.join(said)}")

    def processes(self) -> list[psutil.Process]:
        """Return whatever of it lives, wherever it hangs in the tree of processes."""
        return [process for process in psutil.process_iter() if _marked(process, self.mark)]

    def remains(self) -> list[str]:
        """Return what is still there after a while."""
        deadline = time.monotonic() + ENDED_S
        while (left := self.processes()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.2)
        return [" ".join(process.cmdline()) for process in left]


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def started(folder: Path, *words: str) -> Iterator[Demo]:
    """Run `heng demo` as a shell would; whatever is left of it at the end is killed."""
    mark = secrets.token_hex(8)
    command = [sys.executable, "-m", "cli.main", "demo", "--data", str(folder), "--port", str(free_port())]
    with subprocess.Popen(
        [*command, *words],
        env=os.environ | {MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        demo = Demo(process, mark)
        try:
            yield demo
        finally:
            for left in demo.processes():
                with suppress(psutil.NoSuchProcess):
                    left.kill()


@pytest.fixture(scope="module")
def demo_folder(service_folder: Path) -> Path:
    """One data folder for all runs of this module."""
    return service_folder / "demo"


def _checked(folder: Path) -> dict[str, dict[str, object]]:
    with started(folder, "--check", "--json") as demo:
        output, told = demo.process.communicate(timeout=500)
        assert demo.process.returncode == 0, output + told
        assert demo.remains() == []
    result = json.loads(output)
    assert result["ok"] is True
    assert [check for check in result["checks"] if not check["ok"]] == []
    return {check["name"]: check for check in result["checks"]}


@pytest.mark.requirement("G-5.1a", "G-5.1c", "G-6.10b2", "G-6.11b")
def test_demo_does_its_main_job_twice_with_the_same_data(demo_folder: Path) -> None:
    first = _checked(demo_folder)
    assert len(first) >= 18
    authority = (demo_folder / "ca" / "root-cert.pem").read_bytes()
    between = datetime.now(UTC)
    assert _checked(demo_folder).keys() == first.keys()
    assert (demo_folder / "ca" / "root-cert.pem").read_bytes() == authority
    assert asyncio.run(_stored_on_both_sides(demo_folder, between))


async def _stored_on_both_sides(folder: Path, at: datetime) -> bool:
    """Whether readings of the first and of the second run are in the one database."""
    async with (
        EmbeddedPostgres(folder / "postgres") as server,
        await psycopg.AsyncConnection.connect(server.hub_dsn) as connection,
    ):
        found = await connection.execute(
            "SELECT count(*) FILTER (WHERE observed_at < %s), count(*) FILTER (WHERE observed_at > %s)"
            " FROM readings",
            (at, at),
        )
        row = await found.fetchone()
    return row is not None and row[0] > 100 and row[1] > 100


def test_interrupt_stops_everything(demo_folder: Path) -> None:
    with started(demo_folder) as demo:
        demo.until_open()
        assert len(demo.processes()) > 7
        _assert_refused(demo_folder)
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(ENDED_S) == 0
        assert demo.remains() == []


def _assert_refused(folder: Path) -> None:
    """A second demo in the folder of a running one does not start."""
    with started(folder) as second:
        _, told = second.process.communicate(timeout=ENDED_S)
        assert second.process.returncode == 2
        assert "another demo uses this folder" in told


def test_killed_demo_takes_everything_with_it(demo_folder: Path) -> None:
    with started(demo_folder) as demo:
        demo.until_open()
        demo.process.kill()
        demo.process.wait(ENDED_S)
        assert demo.remains() == []


def _find(demo: Demo, *words: str) -> psutil.Process:
    """The process whose command line has all the words, as soon as there is one."""
    deadline = time.monotonic() + ENDED_S
    while time.monotonic() < deadline:
        for process in demo.processes():
            with suppress(psutil.NoSuchProcess):
                if all(word in " ".join(process.cmdline()) for word in words):
                    return process
        psutil.wait_procs([psutil.Process(demo.process.pid)], timeout=0.1)
    pytest.fail(f"no process of the demo is {words}")


def _is_another(demo: Demo, words: tuple[str, ...], pid: int) -> bool:
    return _find(demo, *words).pid != pid


PARTS = [
    (("edge", "gateways/vehicle-1"), "vehicle-1 was killed; starting it again"),
    (("cli.main", "hub"), "hub was killed; starting it again"),
    (("mosquitto", "-c"), "the broker was killed; starting it again"),
]


def test_killed_parts_are_started_again_and_sigterm_stops_everything(demo_folder: Path) -> None:
    with started(demo_folder) as demo:
        demo.until_open()
        assert demo.process.stderr is not None
        for words, said in PARTS:
            killed = _find(demo, *words)
            killed.kill()
            assert said in demo.process.stderr.readline()
            assert _until(partial(_is_another, demo, words, killed.pid))
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(ENDED_S) == 0
        assert demo.remains() == []


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + ENDED_S
    while not (held := holds()) and time.monotonic() < deadline:
        psutil.wait_procs([psutil.Process()], timeout=0.2)
    return held


def _silent_points(visitor: Visitor) -> int | None:
    """How many points have no reading of their last periods; None before there is one."""
    rows = asyncio.run(visitor.get("/api/latest?limit=1000")).json()["items"]
    return sum(row["state"] in ("silent", "never") for row in rows) if rows else None


def test_readings_come_back_after_the_simulated_devices_were_killed(demo_folder: Path) -> None:
    with started(demo_folder) as demo:
        port = urlsplit(demo.until_open()).port
        assert port is not None
        visitor = asyncio.run(sign_in(port, ADMINISTRATOR.login, password_of(demo_folder)))
        ports = demo_folder / "simulators" / "ports.json"
        assert _until(lambda: _silent_points(visitor) == 0)
        before = json.loads(ports.read_text())
        _find(demo, "simulate", "--scenario").kill()
        assert demo.process.stderr is not None
        assert "simulators was killed; starting it again" in demo.process.stderr.readline()
        assert _until(lambda: json.loads(ports.read_text())["pid"] != before["pid"])
        after = json.loads(ports.read_text())
        assert (after["gateways"], after["control"]) == (before["gateways"], before["control"])
        assert _until(lambda: _silent_points(visitor) == 0)
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(ENDED_S) == 0


def test_part_that_ends_by_itself_is_named_and_ends_the_demo(demo_folder: Path) -> None:
    with started(demo_folder) as demo:
        demo.until_open()
        _find(demo, "edge", "gateways/vehicle-1").terminate()
        _, told = demo.process.communicate(timeout=ENDED_S)
        assert demo.process.returncode == 1
        assert "vehicle-1 ended with" in told
        assert "its log is" in told
        assert demo.remains() == []
