"""Tells upward what is seen and not configured: a tag, a unit on a bus, a reader.

Each is told once, and again after a day, so that whoever provisions devices finds what is there. What is told
is bounded: a street full of phones must not fill a journal. What was told is kept over restarts as hashes; a
day is counted while the gateway runs.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b

from edge.driver import Emitter
from wire.messages import TICKS_PER_S, Event, Scalar

AGAIN_TICKS = 86_400 * TICKS_PER_S
KEPT_MAX = 500
"""So many candidates are remembered; more than these are told at most `BURST_MAX` an hour."""
BURST_MAX = 60
HOUR_TICKS = 3600 * TICKS_PER_S
_MEMORY = "candidates"
_ENTRY = struct.Struct(">8sI")
"""Hash of the address, and how many ticks ago it was told."""


class Candidates:
    """What one driver has seen and does not know."""

    def __init__(self, *, device: str, now_tick: Callable[[], int]) -> None:
        """`device` is the driver's name in the settings. Made once for a driver, not anew in each run."""
        self._device = device
        self._now_tick = now_tick
        self._told: OrderedDict[bytes, int] | None = None
        """When each was told, by hash; None before what was kept is known."""
        self._kept_at = 0
        self._hour: tuple[int, int] = (0, 0)

    async def seen(self, emit: Emitter, address: str, data: Mapping[str, Scalar]) -> None:
        """Tell an event `candidate_seen` about what answers at an address, unless it was told lately."""
        now = self._now_tick()
        if self._told is None:
            self._told, self._kept_at = _unpacked(emit.recall(_MEMORY) or b"", now), now
        key = blake2b(address.encode(), digest_size=8).digest()
        at = self._told.get(key)
        if at is not None and now - at < AGAIN_TICKS:
            if now - self._kept_at >= HOUR_TICKS:
                self._keep(emit, self._told, now)
            return
        if not self._room(now):
            return
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > KEPT_MAX:
            self._told.popitem(last=False)
        event = Event("candidate_seen", address, now, {"device": self._device, **data})
        await emit.event(event)
        self._keep(emit, self._told, now)

    def _keep(self, emit: Emitter, told: Mapping[bytes, int], now: int) -> None:
        self._kept_at = now
        emit.remember(
            _MEMORY, b"".join(_ENTRY.pack(key, min(now - at, AGAIN_TICKS)) for key, at in told.items())
        )

    def _room(self, now: int) -> bool:
        hour, count = self._hour
        if now // HOUR_TICKS != hour:
            hour, count = now // HOUR_TICKS, 0
        self._hour = (hour, count + 1)
        return count < BURST_MAX


def _unpacked(kept: bytes, now: int) -> OrderedDict[bytes, int]:
    """Return what was told, as if no time had passed since it was kept: nobody knows how much did."""
    if len(kept) % _ENTRY.size:
        return OrderedDict()
    entries = list(_ENTRY.iter_unpack(kept))[-KEPT_MAX:]
    return OrderedDict((key, now - ago) for key, ago in entries)
