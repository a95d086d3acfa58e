"""Holds one output for the interlock that owns it: makes it safe, lets it go, and reads back what it is.

It decides nothing. Three loops, so that making safe waits neither for a slow answer nor for a release.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from edge.control.given import Part
from edge.control.outputs import OutputError, Outputs

LOG = logging.getLogger(__name__)
READ_EVERY_S = 0.2
SHARE = 4
"""The pause after a read-back is at least so many times as long as that took."""
AGAIN_S = 1.0
"""So long after it could not be made safe is that tried again."""
FIRST_AGAIN_S, FIRST_TRIES = 0.2, 25
"""The same after the start, while its driver may still be looking for the device; nothing is told of that."""
RELEASE_AGAIN_S, RELEASE_AGAIN_MAX_S = 5.0, 60.0
"""Each failed try is told: one that fails for ever is made less and less often."""
NOT_AS_TOLD = "it does not say that it is what it was told to be"

Said = Callable[[str, bool], None]
"""Told whether an output is what it was told to be."""


class Holder:
    """One output."""

    def __init__(
        self, outputs: Outputs, name: str, *, by: str, read_back: bool, sets: bool, said: Said
    ) -> None:
        """`sets`: released, it is switched on; else whoever may set it then does."""
        self.name = name
        self._outputs = outputs
        self._by = by
        self._read_back = read_back
        self._sets = sets
        self._said = said
        self._safe = True
        self._heard = False
        self._tries = 0
        """Since the start, as long as it could not be made safe."""
        self._failure = ""
        self._demanded = asyncio.Event()
        self._demanded.set()
        self._released = asyncio.Event()
        self.confirmed: bool | None = None
        """Whether the device says that it is what it has to be; None: it did not say."""

    def demand_safe(self) -> None:
        """Make it safe now."""
        self._safe, self.confirmed = True, None
        self._released.clear()
        self._demanded.set()

    def release(self) -> None:
        """Let it go; what permits that is durable."""
        self._safe, self.confirmed = False, None
        self._demanded.clear()
        self._released.set()

    @property
    def trouble(self) -> str:
        """Why it is not what it has to be, as far as that is known; empty: nothing says so."""
        if self._failure:
            return self._failure
        return f"{self.name}: {NOT_AS_TOLD}" if self.confirmed is False else ""

    def parts(self) -> Mapping[str, Part]:
        """Return what holds it until cancelled, each by itself: what ends one of them delays no other."""
        parts: dict[str, Part] = {"safe": self._keep_safe, "release": self._let_go}
        return {**parts, "read-back": self._watch} if self._read_back else parts

    async def make_safe(self) -> bool:
        """Write its safe value once; whether the device confirms it."""
        first = not self._heard and self._tries < FIRST_TRIES
        self._tries += 1
        try:
            await self._outputs.make_safe(
                self.name, by=self._by, confirm=self._read_back, tell_failure=not first
            )
        except OutputError as error:
            if not first and str(error) != self._failure:
                self._failure = str(error)
                LOG.error("%s: not made safe: %s", self.name, error)
            return False
        self._heard, self._failure = True, ""
        if self._read_back and self._safe:
            self.confirmed = True
        return True

    async def _keep_safe(self) -> None:
        if self._safe:
            self._demanded.set()  # One that ended before it was done begins anew.
        while True:
            await self._demanded.wait()
            self._demanded.clear()
            if self._safe and not await self.make_safe():
                first = not self._heard and self._tries < FIRST_TRIES
                await self._wait(self._demanded, FIRST_AGAIN_S if first else AGAIN_S)
                if self._safe:
                    self._demanded.set()

    async def _let_go(self) -> None:
        if not self._safe:
            self._released.set()
        again_s = RELEASE_AGAIN_S
        while True:
            await self._released.wait()
            self._released.clear()
            if not self._sets or self._safe:
                again_s = RELEASE_AGAIN_S
                continue
            try:
                output = self._outputs.output(self.name)
                on = output.high if output.safe == output.low else output.low
                await self._outputs.set(self.name, on, by=self._by, confirm=self._read_back)
            except OutputError as error:
                LOG.warning("%s: not released yet: %s", self.name, error)
                await self._wait(self._demanded, again_s)
                again_s = min(2 * again_s, RELEASE_AGAIN_MAX_S)
                if not self._safe:
                    self._released.set()
            else:
                again_s = RELEASE_AGAIN_S

    async def _watch(self) -> None:
        """Read it back; a slow bus more rarely, as long as it agrees: others want to be asked there too."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._judge(await self._outputs.read_back(self.name))
            took_s = loop.time() - began
            await asyncio.sleep(max(READ_EVERY_S, SHARE * took_s) if self.confirmed else READ_EVERY_S)

    def _judge(self, said: int | None) -> None:
        """Compare with what was demanded; until it is first heard, staleness alone speaks."""
        self._heard = self._heard or said is not None
        if not self._heard:
            return
        if self._safe:
            agrees = said is not None and said == self._outputs.output(self.name).safe
            if not agrees and self.confirmed:
                self._demanded.set()
        else:
            wanted = self._outputs.wanted(self.name)
            agrees = said is not None and wanted in (None, said)
        self.confirmed = agrees
        self._said(self.name, agrees)

    @staticmethod
    async def _wait(event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
