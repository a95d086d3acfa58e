"""Which due readings a late one left out, and who is to blame: pure bookkeeping of ticks.

The rule of what counts as missing is that of the hub (`cloud/store/slots.py`): readings more than one and a
half periods apart miss at least one. The hub judges in UTC, where the clock may have been slewed between two
readings; so here a little less counts. A gap in which the hub misses nothing explains nothing and harms
nobody. It knows no journal and no device.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wire.messages import TICK_MS, TICKS_PER_S
from wire.status import GapCause

BEAT_TICKS = TICKS_PER_S
"""How often the gateway's own beat is due."""
BEAT_LATE_TICKS = TICKS_PER_S // 4
"""A beat later than this found the process stopped."""
AFTER_STALL_TICKS = 2 * TICKS_PER_S
"""A time-out so soon after a stall ran out because of it."""
SLEWED_TICKS = 1
"""So much further apart than the hub allows for may two readings that follow each other be in UTC: the clock
slews one tick a second (`edge.clock`), and on a busy machine some seconds lie between two batches."""
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one tick to another (absolute) nothing could be read, for this cause."""

    start: int
    end: int
    cause: GapCause
    reason: str


def some_missing(start: int, end: int, period_ms: int) -> bool:
    """Whether a reading was due between one at `start` and one at `end`, wherever the clock was slewed to."""
    slewed_ms = min(SLEWED_TICKS * TICK_MS, period_ms // 4)
    return 2 * ((end - start) * TICK_MS + slewed_ms) > 3 * period_ms


class Stalls:
    """The stretches in which the gateway itself stood still, found by a beat that comes late."""

    def __init__(self) -> None:
        self._beat: int | None = None
        self._found: deque[Stretch] = deque(maxlen=_KEPT)

    def beat(self, now: int) -> None:
        """The beat, due every `BEAT_TICKS`."""
        self.look(now)
        self._beat = now

    def look(self, now: int) -> None:
        """Look whether the beat is overdue; whatever runs first after a stall finds it."""
        if self._beat is None or now - self._beat <= BEAT_TICKS + BEAT_LATE_TICKS:
            return
        self._add(self._beat, now)
        self._beat = now

    def _add(self, start: int, end: int) -> None:
        if self._found and self._found[-1].end >= start:
            start = self._found.pop().start
        reason = "the gateway was stopped or overloaded"
        self._found.append(Stretch(start, end, GapCause.GATEWAY, reason))

    def within(self, start: int, end: int) -> list[Stretch]:
        """Return the parts of stalls that lie between two ticks."""
        return [
            Stretch(max(stall.start, start), min(stall.end, end), stall.cause, stall.reason)
            for stall in self._found
            if stall.start < end and start < stall.end
        ]

    def just_over(self, since: int, now: int) -> Stretch | None:
        """Return the stall that ended a moment ago, if it was one after `since`."""
        last = self._found[-1] if self._found else None
        return last if last and since < last.end and now - last.end <= AFTER_STALL_TICKS else None


def blame(stretch: Stretch, stalls: Iterable[Stretch], period_ms: int) -> Iterator[Stretch]:
    """Divide a stretch without readings, without a seam, between its own cause and the stalls in it.

    A piece beside a stall in which no reading was due belongs to the stall.
    """
    at = stretch.start
    held: Stretch | None = None
    for stall in stalls:
        if some_missing(at, stall.start, period_ms):
            if held:
                yield held
            yield Stretch(at, stall.start, stretch.cause, stretch.reason)
            held = stall
        else:
            held = Stretch(held.start if held else at, stall.end, stall.cause, stall.reason)
        at = stall.end
    if held is None:
        yield stretch
    elif some_missing(at, stretch.end, period_ms):
        yield held
        yield Stretch(at, stretch.end, stretch.cause, stretch.reason)
    else:
        yield Stretch(held.start, stretch.end, held.cause, held.reason)
