"""One pairing as who asked for it sees it: waits for what the bus's thread tells, and says how it goes.

It opens and closes nothing; the time limit is the station's.
"""

import asyncio
from collections.abc import Callable

from edge.control.offers import NotDoneError
from edge.drivers.osdp import happenings as told

SAY_S = 5.0
"""How often it is said how it goes."""
PROVE_S = 20.0
"""So long may a paired reader take to its first session with its own key."""


class Pairing:
    """Made before the reader may be paired, so that it misses nothing."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._happened: asyncio.Queue[told.Happening | None] = asyncio.Queue()
        self._until_ns = 0
        self._paired = False

    def take(self, happening: told.Happening | None) -> None:
        """Take what the thread tells of the reader; None when the driver ends."""
        self._happened.put_nowait(happening)

    async def ended(self, say: Callable[[str], None], *, why: Callable[[], str]) -> None:
        """Return when the reader has a session with its own key; `NotDoneError`. `why` is there none yet?"""
        while True:
            try:
                async with asyncio.timeout(SAY_S):
                    happening = await self._happened.get()
            except TimeoutError:
                self._wait_on(say, why())
                continue
            if happening is None:
                raise NotDoneError("the driver ended, and with it the pairing")
            if self._heard(happening, say):
                return

    def _wait_on(self, say: Callable[[str], None], why: str) -> None:
        left_s = max(0, self._until_ns - self._now_ns()) // 1_000_000_000
        if not self._paired:
            say(f"not paired yet: {why}; {left_s // 60}:{left_s % 60:02d} left")
        elif left_s == 0:
            raise NotDoneError(f"paired, but no session with the new key within {PROVE_S:g} s: {why}")

    def _heard(self, happening: told.Happening, say: Callable[[str], None]) -> bool:
        """Whether that was the end."""
        if isinstance(happening, told.InstallOpened):
            self._until_ns = happening.until_ns
            minutes = (happening.until_ns - happening.at_ns) // 60_000_000_000
            say(f"the reader may be paired for {minutes} minutes: put it into its install mode")
        elif isinstance(happening, told.InstallClosed):
            if not happening.paired:
                raise NotDoneError(happening.reason)
            self._paired = True
            self._until_ns = happening.at_ns + int(PROVE_S * 1_000_000_000)
            say("the reader took its own key; from now on the default key is refused")
        elif self._paired and isinstance(happening, told.Online):
            say(f"secure session with the new key; {happening.identity}")
            return True
        return False
