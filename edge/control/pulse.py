"""Pulses the enable output while the control loop turns: a pulse relay or watchdog behind it drops out else.

The loop asks for each edge; without it none comes, and the pin keeps whatever level it had.
"""

import asyncio
import logging

from edge.control.outputs import OutputError, Outputs

LOG = logging.getLogger(__name__)


class Pulse:
    """One output."""

    def __init__(self, outputs: Outputs, name: str, pulse_ms: int) -> None:
        self.name = name
        self.every_s = pulse_ms / 1000
        self._outputs = outputs
        self._edge_at: float | None = None
        self._wanted = asyncio.Event()
        self._level = 0
        self._failure = ""

    def beat(self, now: float) -> None:
        """The control loop turned; `now` is monotonic seconds."""
        if self._edge_at is None or now >= self._edge_at:
            late = self._edge_at is None or now > self._edge_at + self.every_s
            self._edge_at = (now if late or self._edge_at is None else self._edge_at) + self.every_s
            self._wanted.set()

    def due_s(self, now: float) -> float:
        """Return in how many seconds the next edge is due."""
        return 0.0 if self._edge_at is None else max(0.0, self._edge_at - now)

    async def run(self) -> None:
        """Write the edges that were asked for, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._level = 1 - self._level
            try:
                await self._outputs.pulse(self.name, self._level)
            except OutputError as error:
                if str(error) != self._failure:
                    LOG.error("%s: no pulse: %s", self.name, error)
                self._failure = str(error)
            else:
                self._failure = ""

    async def end(self) -> None:
        """Leave it in its safe state."""
        try:
            await self._outputs.make_safe(self.name, by="control")
        except OutputError as error:
            LOG.error("%s: not made safe: %s", self.name, error)
