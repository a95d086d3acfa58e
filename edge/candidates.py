"""Tells upward what is seen and not configured: a tag, a unit on a bus, a reader.

Each is told once, and again after a day, so that whoever provisions devices finds what is there. What is told
is bounded: a street full of phones must not fill a journal.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from edge.driver import Emitter
from wire.messages import TICKS_PER_S, Event, Scalar

AGAIN_TICKS = 86_400 * TICKS_PER_S
KEPT_MAX = 500
"""So many candidates are remembered; more than these are told at most `BURST_MAX` an hour."""
BURST_MAX = 60
HOUR_TICKS = 3600 * TICKS_PER_S


class Candidates:
    """What one driver has seen and does not know."""

    def __init__(self, *, device: str, now_tick: Callable[[], int]) -> None:
        """`device` is the driver's name in the settings. Made once for a driver, not anew in each run."""
        self._device = device
        self._now_tick = now_tick
        self._told: OrderedDict[str, int] = OrderedDict()
        self._hour: tuple[int, int] = (0, 0)

    async def seen(self, emit: Emitter, address: str, data: Mapping[str, Scalar]) -> None:
        """Tell an event `candidate_seen` about what answers at an address, unless it was told lately."""
        now = self._now_tick()
        told = self._told.get(address)
        if told is not None and now - told < AGAIN_TICKS:
            return
        if not self._room(now):
            return
        self._told[address] = now
        self._told.move_to_end(address)
        while len(self._told) > KEPT_MAX:
            self._told.popitem(last=False)
        event = Event("candidate_seen", address, now, {"device": self._device, **data})
        await emit.event(event)

    def _room(self, now: int) -> bool:
        hour, count = self._hour
        if now // HOUR_TICKS != hour:
            hour, count = now // HOUR_TICKS, 0
        self._hour = (hour, count + 1)
        return count < BURST_MAX
