"""What happened while the gateway stood still is told with the doubt about its time, and nothing else is."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.embedded.processes import free_port
from edge.driver import ticks
from edge.journal.reader import Reader
from edge.local.asks import SOCKET_NAME
from edge.wakes import AFTER_TICKS, Wakes
from provisioning.identity import GatewayIdentity
from simulators.devices.gpio import running_board
from simulators.rpi_gpio import environment
from tests.edge.gateway_site import HEAD
from wire.messages import TICK_MS, Event

S = 1_000_000_000
SETTINGS = (
    HEAD
    + """[[device]]
driver = "gpio"
name = "door"
prefix = "lab"
input = [{{ name = "door", kind = "door_contact", pin = 17 }}]
"""
)


class Clock:
    def __init__(self) -> None:
        self.ns = 100 * S

    def __call__(self) -> int:
        return self.ns


def slept(seconds: float) -> tuple[Clock, Wakes]:
    """A clock that nobody could read for so long after the loop ran."""
    clock = Clock()
    wakes = Wakes(clock)
    wakes.ran()
    clock.ns += int(seconds * S)
    return clock, wakes


def test_what_is_read_on_waking_may_have_happened_since_the_loop_ran() -> None:
    _, wakes = slept(30)
    at = ticks(wakes())
    assert wakes.doubt_ms(at) == 30_000


def test_what_others_dated_while_the_loop_was_away_stands() -> None:
    _, wakes = slept(30)
    at = ticks(wakes())
    assert wakes.doubt_ms(at - 1) is None


def test_doubt_lasts_until_all_that_waited_can_have_come() -> None:
    clock, wakes = slept(30)
    woke = ticks(wakes())
    clock.ns += S // 2
    wakes.ran()
    up = ticks(clock.ns)
    assert wakes.doubt_ms(up + AFTER_TICKS) == (up + AFTER_TICKS - woke) * TICK_MS + 30_000
    assert wakes.doubt_ms(up + AFTER_TICKS + 1) is None


def test_thread_that_is_awake_first_does_not_hide_how_long_the_loop_was_away() -> None:
    clock, wakes = slept(2)
    woke = ticks(wakes())
    for _ in range(50):
        clock.ns += S // 10
        wakes()
    wakes.ran()
    assert wakes.doubt_ms(woke - 1) is None
    assert wakes.doubt_ms(ticks(clock.ns)) == 7_000


@given(st.lists(st.integers(1, S), min_size=1, max_size=50))
def test_loop_that_runs_every_second_casts_no_doubt(steps: list[int]) -> None:
    clock = Clock()
    wakes = Wakes(clock)
    for step in steps:
        wakes.ran()
        clock.ns += step
        assert wakes.doubt_ms(ticks(wakes())) is None


def events(file: Path) -> list[Event]:
    with Reader(file) as journal:
        return [event for row in journal.pending() if row is not None for event in row.group.events]


def stopped(pid: int) -> bool:
    """Whether no thread of a process runs any more: each is stopped by itself, a moment after the signal."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


async def _story(folder: Path, file: Path) -> None:
    async with running_board(folder) as board:
        board.drive(17, 0)
        gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "edge", "--settings", str(file)),
            env={**os.environ, **environment(folder)},
        )
        try:
            for _ in range(600):
                if (folder / "data" / SOCKET_NAME).is_socket() and board.pins.direction(17) == 1:
                    break
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            gateway.send_signal(signal.SIGSTOP)
            for _ in range(500):
                if stopped(gateway.pid):
                    break
                await asyncio.sleep(0.01)
            board.drive(17, 1)
            await asyncio.sleep(1.6)
            gateway.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.7)
            gateway.terminate()
            assert await asyncio.wait_for(gateway.wait(), 30) == 0
        finally:
            if gateway.returncode is None:
                gateway.kill()
                await gateway.wait()


@pytest.mark.slow
def test_door_that_opened_while_the_gateway_was_stopped_says_that_it_was_read_late(
    tmp_path: Path, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    """Only a process that is really stopped shows which of its threads wakes first."""
    identity, file = gateway_identity("wakes-late"), tmp_path / "gateway.toml"
    file.write_text(SETTINGS.format(gateway=identity.gateway, identity=identity.folder, broker=free_port()))
    asyncio.run(_story(tmp_path, file))
    told = {event.kind: event for event in events(tmp_path / "data" / "journal.db")}
    opened = told["door_opened"].data
    assert opened["late"] is True
    assert 1_600 <= int(str(opened["between_ms"])) < 10_000
    assert "late" not in told["gateway_started"].data
