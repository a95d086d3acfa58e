"""When the gateway stood still, for what happened meanwhile and was read only afterwards.

A process that is stopped, suspended or starved reads what waited for it when it wakes, and takes the time of
waking for that of the happening. Whoever asks the clock first, in whatever thread, finds that the loop was
away; from then on it is known what cannot be told to the second. It knows no event and no device.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from edge.driver import MonotonicNs, ticks
from wire.messages import TICK_MS, TICKS_PER_S

BEAT_S = 0.5
"""How often the loop says that it runs."""
DOUBT_NS = 1_000_000_000
"""Longer than this not heard of, the loop stood still."""
AFTER_TICKS = 3 * TICKS_PER_S
"""So long after it runs again, what comes may have waited: sessions begin anew, queues are emptied."""
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Sleep:
    """The loop ran at `ran_ns`; at `woke_ns` the clock was read again, and at `up_ns` the loop ran again."""

    ran_ns: int
    woke_ns: int
    up_ns: int


class Wakes:
    """The clock that drivers are given: it notices when nobody could read it."""

    def __init__(self, clock: MonotonicNs) -> None:
        self._clock = clock
        self._ran_ns: int | None = None
        self._sleeps: deque[Sleep] = deque(maxlen=_KEPT)
        self._lock = Lock()

    def __call__(self) -> int:
        """Return monotonic nanoseconds; called in any thread."""
        now_ns = self._clock()
        self._look(now_ns)
        return now_ns

    def ran(self) -> None:
        """The loop runs; called in it every `BEAT_S`."""
        self._ran_ns = self()

    def _look(self, now_ns: int) -> None:
        ran_ns = self._ran_ns
        if ran_ns is None or now_ns - ran_ns <= DOUBT_NS:
            return
        with self._lock:
            woke_ns = now_ns
            if self._sleeps and self._sleeps[-1].ran_ns == ran_ns:
                woke_ns = self._sleeps.pop().woke_ns
            self._sleeps.append(Sleep(ran_ns, woke_ns, now_ns))

    def doubt_ms(self, tick: int) -> int | None:
        """Return how long before `tick`, read off this clock, something may have happened; None: at once.

        What bears a time from before the waking was dated by somebody who was awake.
        """
        with self._lock:
            return doubt_ms(self._sleeps, tick)


def doubt_ms(sleeps: Iterable[Sleep], tick: int) -> int | None:
    """Return the longest doubt that these sleeps cast on `tick`. Pure."""
    doubts = [
        (tick - ticks(sleep.ran_ns)) * TICK_MS
        for sleep in sleeps
        if ticks(sleep.woke_ns) <= tick <= ticks(sleep.up_ns) + AFTER_TICKS
    ]
    return max(doubts, default=None)
