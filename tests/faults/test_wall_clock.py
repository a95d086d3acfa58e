"""A stepped wall clock is one process's own and leaves monotonic time alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.faults.wall_clock import WallClock, find_library

PROGRAM = """
import select, sys, time
start, monotonic = time.time(), time.monotonic()
print("ready", flush=True)
sys.stdin.readline()
while abs(time.time() - start) < 60 and time.monotonic() - monotonic < 10:
    select.select([], [], [], 0.05)
print(time.time() - start, time.monotonic() - monotonic)
"""


def test_running_process_sees_its_wall_clock_step(tmp_path: Path) -> None:
    library = find_library()
    if library is None:
        pytest.fail("libfaketime is not installed: apt install faketime")
    clock = WallClock(library, tmp_path / "clock")
    clock.step(0)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        clock.step(-3600)
        process.stdin.write("\n")
        process.stdin.flush()
        wall, monotonic = map(float, process.stdout.readline().split())
    assert -3601 < wall < -3590
    assert 0 <= monotonic < 9
