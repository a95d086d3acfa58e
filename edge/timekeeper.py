"""Keeps the gateway's clock going: asks the system, takes hints, tells what changed.

The arithmetic is in `edge.clock`. It never sets the system's clock.
"""

import asyncio
import ctypes
import logging
import struct
from collections.abc import Callable, Collection, Sequence

from edge.clock import ClockChange, ClockFace, Outcome, Rules, advance, hear, resumed
from edge.driver import TimeHint
from wire.messages import Clock
from wire.status import ClockState

LOG = logging.getLogger(__name__)
SYSTEM_EVERY_S = 8.0
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_TIMEX_BYTES = 256

SystemTime = Callable[[], TimeHint | None]


class Timekeeper:
    """The one owner of the clock."""

    def __init__(
        self,
        rules: Rules,
        *,
        sources: Collection[str],
        monotonic_ns: Callable[[], int],
        system: SystemTime,
    ) -> None:
        """`sources` are the ones believed; `system` gives a hint while the system's clock is synchronised."""
        self._rules = rules
        self._face = ClockFace(rules)
        self._sources = sources
        self._monotonic_ns = monotonic_ns
        self._system = system
        self.changes: list[ClockChange] = []
        """What happened since somebody looked; taken by the recorder."""

    @property
    def state(self) -> ClockState:
        """State of the clock."""
        return self._face.state

    def reading(self) -> Clock:
        """Return the clock of this moment."""
        now = self._monotonic_ns()
        self._take(advance(self._face, now))
        return self._face.reading(now)

    def utc_s(self) -> int | None:
        """Return UTC in seconds, None while it is not known."""
        if self._face.state is ClockState.UNSYNCHRONISED:
            return None
        return (self._monotonic_ns() + self._face.target_ns) // 1_000_000_000

    def resume(self, clock: Clock, at_ns: int) -> None:
        """Go on with the clock of an earlier run of this boot, if its source is still believed.

        Call it before the first hint.
        """
        if clock.source in self._sources:
            self._take((resumed(self._rules, clock, at_ns), ()))

    def hint(self, hint: TimeHint) -> None:
        """Take a hint of a source; those that are not believed are ignored."""
        if hint.source in self._sources:
            self._take(hear(self._face, hint))

    def ask_system(self) -> None:
        """Ask the system's clock once."""
        if "system" in self._sources and (hint := self._system()):
            self.hint(hint)

    async def run(self) -> None:
        """Ask the system now and then, until cancelled."""
        while True:
            self.ask_system()
            self.reading()
            await asyncio.sleep(SYSTEM_EVERY_S)

    def _take(self, outcome: Outcome) -> None:
        self._face, changes = outcome
        for change in changes:
            LOG.info("%s %s", change.kind, change.data)
        self.changes += changes

    def take_changes(self) -> Sequence[ClockChange]:
        """Return what happened since the last call."""
        changes, self.changes = self.changes, []
        return changes


def kernel_time(monotonic_ns: Callable[[], int], real_ns: Callable[[], int]) -> SystemTime:
    """Return a reader of the kernel's clock that is silent unless NTP or chrony keeps it synchronised.

    Source: adjtimex(2); `maxerror` is the kernel's own bound and grows while nobody confirms it.
    """
    adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex

    def read() -> TimeHint | None:
        timex = ctypes.create_string_buffer(_TIMEX_BYTES)
        state = adjtimex(timex)
        longs = struct.calcsize("l")
        max_error_us = struct.unpack_from("l", timex, 3 * longs)[0]
        status = struct.unpack_from("i", timex, 5 * longs)[0]
        if state in (-1, _TIME_ERROR) or status & _STA_UNSYNC:
            return None
        before = monotonic_ns()
        utc = real_ns()
        after = monotonic_ns()
        bound_ms = 1 + max_error_us // 1000 + (after - before) // 1_000_000
        return TimeHint("system", (before + after) // 2, utc, bound_ms)

    return read
