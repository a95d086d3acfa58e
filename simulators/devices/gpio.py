"""The far end of a gateway's pins: switches, relays with their contacts, and card readers on two wires.

The gateway sees them through the module in `simulators.rpi_gpio`. The pins lie in a file, so that they keep
their levels whoever ends.
"""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from simulators.rpi_gpio.RPi import pinfile

Fault = Literal["", "gone", "deaf", "slow"]
"""gone: every call fails; deaf: levels change without edges; slow: each call takes 100 ms."""
RelayFault = Literal["", "welded", "stuck"]
"""welded: its contact stays as it is; stuck: it never pulls in."""
_FAULTS = {"": pinfile.FINE, "gone": pinfile.GONE, "deaf": pinfile.DEAF, "slow": pinfile.FINE}
SLOW_S = 0.1


@dataclass(slots=True)
class Relay:
    """A relay on an output whose contact closes to ground, so that its pin is low while it is on."""

    pin: int
    contact_pin: int
    delay_s: float = 0.005
    fault: RelayFault = ""


@dataclass(slots=True)
class Board:
    """One board. Levels that are None are left to the pull."""

    folder: Path
    pins: pinfile.PinFile
    relays: list[Relay] = field(default_factory=list)
    changes: list[tuple[int, int]] = field(default_factory=list)
    """Every (pin, level) that the gateway put out."""
    asked: dict[str, asyncio.Event] = field(default_factory=dict)
    """Doors by name: whoever sets one has somebody walk through at once."""
    doing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """Doors that somebody opens from outside, one after the other."""
    _fault: Fault = ""

    @property
    def fault(self) -> Fault:
        """What is wrong with the board."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        self.pins.fault = _FAULTS[fault]
        self.pins.slow_s = SLOW_S if fault == "slow" else 0.0

    def drive(self, pin: int, level: int | None) -> None:
        """Change what drives a pin from outside; the gateway gets an edge if the level changes by it."""
        before = self.pins.level(pin)
        self.pins.drive(pin, level)
        after = self.pins.level(pin)
        if after != before and self._fault != "deaf":
            self._edge(pin, after)

    async def bounce(self, pin: int, level: int, *, edges: int = 7, gap_s: float = 0.001) -> None:
        """Close or open a real switch: the level comes and goes before it stays."""
        for count in range(edges):
            self.drive(pin, level if count % 2 == 0 else 1 - level)
            await asyncio.sleep(gap_s)
        self.drive(pin, level)

    async def chatter(self, pin: int, *, seed: int, seconds: float, gap_s: float = 0.004) -> int:
        """Rattle a pin for so long; return how many edges it had. It ends as it began."""
        rng = random.Random(seed)
        level, edges = self.pins.level(pin), 0
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end or edges % 2:
            level = 1 - level
            self.drive(pin, level)
            edges += 1
            await asyncio.sleep(gap_s * rng.uniform(0.5, 1.5))
        return edges

    async def send_card(self, d0_pin: int, d1_pin: int, bits: str, *, gap_s: float = 0.001) -> None:
        """Present a card to a Wiegand reader: a pulse on D0 for each 0, on D1 for each 1."""
        for bit in bits:
            pin = d1_pin if bit == "1" else d0_pin
            self.drive(pin, 0)
            self.drive(pin, 1)
            await asyncio.sleep(gap_s)

    def power_cycle(self) -> None:
        """Make every pin what it is after power comes: free and low."""
        for pin in range(pinfile.PINS):
            self.pins.put(pin, 0)
            self.pins.free(pin)

    def _edge(self, pin: int, level: int) -> None:
        for listener in self.folder.glob("edges-*"):
            with suppress(OSError):  # nobody reads there any more, or not fast enough: it is lost
                pipe = os.open(listener, os.O_WRONLY | os.O_NONBLOCK)
                try:
                    os.write(pipe, bytes((pin, level)))
                finally:
                    os.close(pipe)

    def heard(self, said: bytes, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Follow a pin that the gateway changed: its number, direction and level."""
        pin, direction, level = said
        if direction == pinfile.OUT:
            self.changes.append((pin, level))
        for relay in self.relays:
            if relay.pin == pin:
                later(relay.delay_s, partial(self._pull, relay))

    def _pull(self, relay: Relay) -> None:
        on = self.pins.direction(relay.pin) == pinfile.OUT and self.pins.level(relay.pin) == 1
        if relay.fault == "welded" or (relay.fault == "stuck" and on):
            return
        self.drive(relay.contact_pin, 0 if on else None)


@asynccontextmanager
async def running_board(folder: Path, relays: list[Relay] | None = None) -> AsyncIterator[Board]:
    """Play the board whose pins lie in `folder` while the context is open."""
    board = Board(folder, pinfile.PinFile(folder, make=True), relays or [])
    loop = asyncio.get_running_loop()
    own = folder / pinfile.BOARD_SOCKET
    own.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(own))
        hearing.settimeout(0)

        def hear() -> None:
            with suppress(BlockingIOError):
                while data := hearing.recv(16):
                    board.heard(data, loop.call_later)

        loop.add_reader(hearing, hear)
        try:
            yield board
        finally:
            loop.remove_reader(hearing)
            own.unlink(missing_ok=True)
            board.pins.close()
