"""Tells the hub how control stands: soon after a change, and every ten seconds."""

import asyncio
from collections.abc import Sequence

from edge.control.given import Given, Member
from edge.control.line import ControlLine
from wire.control import ControlStatus

EVERY_S = 10.0
APART_S = 0.2


class StatusDesk:
    """Gathers what each member says of itself."""

    def __init__(self, given: Given, line: ControlLine) -> None:
        self._given = given
        self._line = line
        self._changed = asyncio.Event()
        self.members: Sequence[Member] = ()

    def changed(self) -> None:
        """The state is another one: the hub is told soon."""
        self._changed.set()

    def now(self) -> ControlStatus:
        """Return the state at this moment."""
        given = self._given
        status = ControlStatus(
            gateway=given.settings.gateway.id, boot=given.boot, tick=given.now_tick(), at_ms=given.utc_ms()
        )
        for member in self.members:
            status = member.told(status)
        return status

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self._changed.clear()
            self._line.tell(self.now())
            await asyncio.sleep(APART_S)
            try:
                async with asyncio.timeout(EVERY_S - APART_S):
                    await self._changed.wait()
            except TimeoutError:
                continue
