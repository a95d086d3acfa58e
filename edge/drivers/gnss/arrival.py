"""When reports were made, as far as that can be told of those that waited to be read. Pure.

A report is read as soon as it comes, unless the gateway stood still meanwhile; then several are read at once,
and the distances between their own times say when each of them was made.
"""

from collections import deque

from wire.messages import TICK_MS

TICK_NS = TICK_MS * 1_000_000
MS_NS = 1_000_000
LATE_NS = 250 * MS_NS
"""Later than the quickest report lately: it waited. Receivers and serial lines differ by less."""
TOGETHER_NS = 50 * MS_NS
"""Reports that are read closer together than this waited together."""
WINDOW = 60


class Arrivals:
    """Of one connection."""

    def __init__(self) -> None:
        self._delays: deque[int] = deque(maxlen=WINDOW)
        """Monotonic time of reading minus the receiver's time."""
        self._read_ns: int | None = None
        self._waited = False
        self._last_ns: int | None = None

    def made_ns(self, time_ms: int | None, now_ns: int) -> int | None:
        """Return when a report that is read now was made (monotonic ns); no two have one tick.

        None: it waited, and without a time of its own nobody can say since when.
        """
        together = self._read_ns is not None and now_ns - self._read_ns < TOGETHER_NS
        made_ns = now_ns if time_ms is None else self._by_receiver(time_ms, now_ns, together=together)
        self._read_ns = now_ns
        last_ns = self._last_ns
        if last_ns is not None and made_ns // TICK_NS <= last_ns // TICK_NS:
            made_ns = (last_ns // TICK_NS + 1) * TICK_NS
            if time_ms is None or made_ns > now_ns + LATE_NS:
                return None
        self._last_ns = made_ns
        return made_ns

    def _by_receiver(self, time_ms: int, now_ns: int, *, together: bool) -> int:
        delay_ns = now_ns - time_ms * MS_NS
        usual_ns = min(self._delays, default=delay_ns)
        late = delay_ns - usual_ns > LATE_NS
        steps_back = self._last_ns is not None and time_ms * MS_NS + usual_ns <= self._last_ns
        if late and not steps_back and (together or not self._waited):
            self._waited = True
            return time_ms * MS_NS + usual_ns
        if late and not together:  # it goes on: not the gateway is late, the receiver's time stepped back
            self._delays.clear()
        self._waited = False
        self._delays.append(delay_ns)
        return now_ns
