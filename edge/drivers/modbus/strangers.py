"""Asks now and then one address that is not configured, and tells who answers as a candidate."""

from collections.abc import Sequence
from itertools import cycle
from typing import Protocol

from edge.candidates import Candidates
from edge.driver import Emitter
from edge.drivers.modbus.bus import BusError, ConnectionLostError, RefusedError
from edge.drivers.modbus.frames import Question
from wire.messages import Scalar

ADDRESSES = range(1, 248)
HARMLESS = Question(3, 0, 1)
"""One holding register: whatever comes back, a refusal too, shows that a unit is there."""
PATIENCE_S = 0.2
ROOM_S = 0.3
"""So much of an interval has to be left."""


class Ask(Protocol):
    """Asks a unit, as `edge.drivers.modbus.bus.Bus.ask` does."""

    async def __call__(self, unit: int, question: Question, *, timeout_s: float) -> list[int]:
        """Return what was answered; a `BusError` else."""


class Strangers:
    """The units of one line that nobody configured."""

    def __init__(self, known: Sequence[int], *, every_s: float, device: str, candidates: Candidates) -> None:
        """`every_s` is how often one address is asked; 0 is never."""
        self._candidates = candidates
        self._strange = cycle([address for address in ADDRESSES if address not in known])
        self._every_ns = int(every_s * 1e9)
        self._device = device
        self._next_ns = 0

    def due(self, now_ns: int) -> bool:
        """Whether an address is to be asked now."""
        return self._every_ns > 0 and self._next_ns <= now_ns

    async def look(self, emit: Emitter, ask: Ask, now_ns: int) -> None:
        """Ask the next address; `ConnectionLostError` when the line is gone."""
        self._next_ns = now_ns + self._every_ns
        address = next(self._strange)
        try:
            await ask(address, HARMLESS, timeout_s=PATIENCE_S)
        except (RefusedError, ConnectionLostError) as error:
            if isinstance(error, ConnectionLostError):
                raise
        except BusError:
            return
        data: dict[str, Scalar] = {"kind": "modbus_unit", "address": address}
        await self._candidates.seen(emit, f"{self._device}/{address}", data)
