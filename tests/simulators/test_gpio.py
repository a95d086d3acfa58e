"""The simulated board behaves as pins do, and the module in front of it as RPi.GPIO does."""

import asyncio
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from simulators.devices.gpio import Board, Relay, running_board
from simulators.rpi_gpio import MODULES, environment
from simulators.rpi_gpio.RPi.pinfile import PinFile


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@pytest.fixture
def library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    given = environment(folder)
    monkeypatch.syspath_prepend(str(MODULES))
    monkeypatch.setenv("HENG_SIM_GPIO", given["HENG_SIM_GPIO"])
    return importlib.import_module("RPi.GPIO")


def run(folder: Path, play: Callable[[Board], Any], relays: list[Relay] | None = None) -> None:
    async def whole() -> None:
        async with running_board(folder, relays) as board:
            await play(board)

    asyncio.run(whole())


def test_inputs_follow_their_pull_until_something_drives_them(folder: Path, library: Any) -> None:
    async def play(board: Board) -> None:
        library.setmode(library.BCM)
        for pull, level in ((library.PUD_UP, 1), (library.PUD_DOWN, 0), (library.PUD_OFF, 0)):
            library.setup(4, library.IN, pull_up_down=pull)
            assert library.input(4) == level
            board.drive(4, 1 - level)
            assert library.input(4) == 1 - level
            board.drive(4, None)
        library.cleanup(4)

    run(folder, play)


def test_edges_come_in_order_in_one_thread_of_the_library(folder: Path, library: Any) -> None:
    async def play(board: Board) -> None:
        heard: list[int] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def callback(pin: int) -> None:
            heard.append(pin)
            if len(heard) == 40:
                loop.call_soon_threadsafe(done.set)

        library.setmode(library.BCM)
        for pin in (4, 5):
            library.setup(pin, library.IN, pull_up_down=library.PUD_UP)
            library.add_event_detect(pin, library.FALLING, callback=callback)
        for _ in range(20):
            for pin in (4, 5):
                board.drive(pin, 0)
                board.drive(pin, 1)
        async with asyncio.timeout(45):
            await done.wait()
        assert heard == [4, 5] * 20
        for pin in (4, 5):
            library.cleanup(pin)

    run(folder, play)


def test_mistakes_are_those_of_the_library(
    folder: Path, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(board: Board) -> None:
        with pytest.raises(ValueError, match="invalid mode"):
            library.setmode(library.BOARD)
        library.setmode(library.BCM)
        with pytest.raises(RuntimeError, match="must setup"):
            library.input(4)
        with pytest.raises(RuntimeError, match="not been set up as an OUTPUT"):
            library.output(4, 1)
        with pytest.raises(ValueError, match="channel sent is invalid"):
            library.input(99)
        library.setup(4, library.IN)
        library.add_event_detect(4, library.BOTH, callback=print)
        with pytest.raises(RuntimeError, match="Conflicting"):
            library.add_event_detect(4, library.BOTH, callback=print)
        library.cleanup(4)
        with pytest.raises(ValueError, match="not valid for outputs"):
            library.setup(4, library.OUT, pull_up_down=library.PUD_UP)
        with pytest.raises(ValueError, match="not valid for inputs"):
            library.setup(4, library.IN, initial=1)
        board.fault = "gone"
        with pytest.raises(RuntimeError, match="GPIO not allocated"):
            library.setup(4, library.IN)

    run(folder, play)
    monkeypatch.delenv("HENG_SIM_GPIO")
    with pytest.raises(RuntimeError, match="Raspberry Pi"):
        library.setmode(library.BCM)


def test_relay_has_a_contact_that_follows_or_does_not(folder: Path, library: Any) -> None:
    relay = Relay(5, 6, delay_s=0.0)

    async def play(board: Board) -> None:
        library.setmode(library.BCM)
        library.setup(6, library.IN, pull_up_down=library.PUD_UP)
        library.setup(5, library.OUT, initial=0)

        async def contact_after(level: int) -> int:
            library.output(5, level)
            await asyncio.sleep(0.05)
            found: int = library.input(6)
            return found

        assert [await contact_after(level) for level in (1, 0)] == [0, 1]
        relay.fault = "stuck"
        assert await contact_after(1) == 1
        relay.fault = ""
        assert await contact_after(1) == 0
        relay.fault = "welded"
        assert await contact_after(0) == 0
        assert board.changes[:3] == [(5, 0), (5, 1), (5, 0)]

    run(folder, play, [relay])


HOLD = """
import sys
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(5, GPIO.OUT, initial=1)
print("set", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_pins_keep_their_level_when_the_process_dies(folder: Path) -> None:
    pins = PinFile(folder, make=True)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, **environment(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"set\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert pins.level(5) == 1
    pins.close()

    async def play(board: Board) -> None:
        assert board.pins.level(5) == 1
        board.power_cycle()
        assert board.pins.level(5) == 0

    run(folder, play)
