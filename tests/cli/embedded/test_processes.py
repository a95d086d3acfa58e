import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.embedded import processes
from cli.embedded.processes import Command, ProcessError
from cli.embedded.service_user import service_user

pytestmark = pytest.mark.slow

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
PARENT = """
import sys, time
from pathlib import Path
from cli.embedded import processes
child = processes.start(processes.Command(("sleep", "60"), Path(sys.argv[1])))
print(child.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def gone(pid: int) -> bool:
    async def ended() -> bool:
        return not alive(pid)

    return await processes.until(ended, timeout_s=30)


def python(text: str, log: Path) -> Command:
    return Command((sys.executable, "-c", text), log)


async def says(log: Path) -> str:
    """Return the first line of a log, once it is complete."""

    async def complete() -> bool:
        return "\n" in text_of(log)

    assert await processes.until(complete, timeout_s=30)
    return text_of(log).splitlines()[0]


def text_of(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def test_child_is_ended_in_good_order(tmp_path):
    async def scene():
        async with processes.running(Command(("sleep", "60"), tmp_path / "log")) as child:
            assert child.exit_code is None
            assert alive(child.pid)
        assert child.exit_code == -signal.SIGTERM

    asyncio.run(scene())


def test_child_that_will_not_end_is_killed(tmp_path):
    async def scene():
        child = processes.start(python(STUBBORN, tmp_path / "log"))
        await says(tmp_path / "log")
        assert await child.stop(timeout_s=0.2) == -signal.SIGKILL

    asyncio.run(scene())


def test_what_a_child_left_behind_is_ended(tmp_path):
    async def scene():
        child = processes.start(python(WITH_CHILD, tmp_path / "log"))
        left = int(await says(tmp_path / "log"))
        assert alive(left)
        await child.kill()
        assert await gone(left)

    asyncio.run(scene())


def test_child_does_not_survive_a_killed_parent(tmp_path):
    words = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    assert asyncio.run(gone(child))


def test_child_whose_parent_dies_before_it_has_begun_does_not_begin(tmp_path):
    late = tmp_path / "setpriv"
    late.write_text(f'#!/bin/sh\nsleep 0.3\nexec {shutil.which("setpriv")} "$@"\n')
    late.chmod(0o755)
    words = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}
    ) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    assert asyncio.run(gone(child))


def test_several_may_wait_for_one_child(tmp_path):
    async def scene():
        child = processes.start(Command(("sleep", "0.2"), tmp_path / "log"))
        assert await asyncio.gather(child.wait(), child.wait(), child.stop(timeout_s=5)) == [-15, -15, -15]
        assert await child.wait() == await child.kill() == -15

    asyncio.run(scene())


def test_child_outlives_the_loop_that_started_it(tmp_path):
    """Fixtures start a service in one event loop and stop it in another."""

    async def start():
        return processes.start(Command(("sleep", "60"), tmp_path / "log"))

    child = asyncio.run(start())
    assert alive(child.pid)
    assert asyncio.run(child.stop()) == -signal.SIGTERM


def test_missing_program_is_named(tmp_path):
    async def scene():
        with pytest.raises(ProcessError, match="no-such-program: ended with 127"):
            await processes.run(Command(("no-such-program",), tmp_path / "log"), timeout_s=5)

    asyncio.run(scene())


def test_failure_carries_the_end_of_the_log(tmp_path):
    async def scene():
        failing = python("import sys; sys.exit('the disk is full')", tmp_path / "log")
        with pytest.raises(ProcessError, match=r"(?s)ended with 1.*the disk is full"):
            await processes.run(failing, timeout_s=5)

    asyncio.run(scene())


def test_child_that_ends_before_it_is_ready_is_reported(tmp_path):
    async def scene():
        child = processes.start(python("raise SystemExit('no port')", tmp_path / "log"))

        async def never() -> bool:
            return False

        with pytest.raises(ProcessError, match=r"(?s)ended with 1.*no port"):
            await processes.until_ready(child, never, timeout_s=10)

    asyncio.run(scene())


def test_child_that_takes_too_long_is_reported(tmp_path):
    async def scene():
        async def never() -> bool:
            return False

        async with processes.running(Command(("sleep", "60"), tmp_path / "log")) as child:
            with pytest.raises(ProcessError, match=r"not ready after 0\.1 s"):
                await processes.until_ready(child, never, timeout_s=0.1)

    asyncio.run(scene())


def test_environment_and_folder_reach_the_child(tmp_path):
    async def scene():
        text = "import os; print(os.environ['HENG_X'], os.getcwd(), os.getsid(0) == os.getpid())"
        command = Command(
            (sys.executable, "-c", text), tmp_path / "log", environment={"HENG_X": "y"}, folder=tmp_path
        )
        await processes.run(command, timeout_s=10)
        assert (tmp_path / "log").read_text() == f"y {tmp_path} True\n"

    asyncio.run(scene())


def test_free_port_stays_clear_of_outgoing_connections():
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    for _ in range(50):
        assert not int(first) <= processes.free_port() <= int(last)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_service_user_has_no_rights_left(service_folder):
    async def scene():
        user = service_user(("no-such-user",), service_folder)
        log = service_folder / "user.log"
        await processes.run(Command(("cat", "/proc/self/status"), log, user=user), timeout_s=10)
        status = dict(line.split(":", 1) for line in log.read_text().splitlines() if ":" in line)
        assert set(status["Uid"].split()) == {str(user.user_id)} != {"0"}
        assert set(status["Gid"].split()) == {str(user.group_id)} != {"0"}
        assert status["Groups"].split() == []
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}

    asyncio.run(scene())
