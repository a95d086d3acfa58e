"""Tells upward what is seen and not configured: a tag, a unit on a bus, a reader.

Each is told once, and again after a day, so that whoever provisions devices finds what is there. What is told
is bounded: a street full of phones must not fill a journal. What was told is kept over restarts, as hashes. A
day is counted by UTC where it is known, and by the time that the gateway ran.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from edge.driver import Emitter, Given, ticks
from wire.messages import TICKS_PER_S, Event, Scalar

AGAIN_TICKS = 86_400 * TICKS_PER_S
KEPT_MAX = 500
"""So many candidates are remembered; more than these are told at most `BURST_MAX` an hour."""
BURST_MAX = 60
HOUR_TICKS = 3600 * TICKS_PER_S
_MEMORY = "candidates"
_ENTRY = struct.Struct(">8sII")
"""Hash of the address, how many ticks ago it was told, and when by UTC (seconds, 0: not known)."""
_UTC_MAX = 2**32 - 1


@dataclass(slots=True)
class _Told:
    """When a candidate was told: by ticks, and by UTC in seconds (0: not known)."""

    tick: int
    utc_s: int


class Candidates:
    """What one driver has seen and does not know."""

    def __init__(
        self, *, device: str, now_tick: Callable[[], int], utc_s: Callable[[], int | None] = lambda: None
    ) -> None:
        """`device` is the driver's name in the settings. Made once for a driver, not anew in each run."""
        self._device = device
        self._now_tick = now_tick
        self._utc_s = utc_s
        self._told: OrderedDict[bytes, _Told] | None = None
        """When each was told, by hash; None before what was kept is known."""
        self._kept_at = 0
        self._hour: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, device: str, given: Given) -> "Candidates":
        """Return the candidates of the driver of this name."""

        def now_tick() -> int:
            return ticks(given.monotonic_ns())

        def utc_s() -> int | None:
            offset = given.clock().offset_ticks
            return None if offset is None else min(max(1, (now_tick() + offset) // TICKS_PER_S), _UTC_MAX)

        return cls(device=device, now_tick=now_tick, utc_s=utc_s)

    async def seen(self, emit: Emitter, address: str, data: Mapping[str, Scalar]) -> None:
        """Tell an event `candidate_seen` about what answers at an address, unless it was told lately."""
        now = self._now_tick()
        if self._told is None:
            self._told, self._kept_at = _unpacked(emit.recall(_MEMORY) or b"", now), now
        key = blake2b(address.encode(), digest_size=8).digest()
        told = self._told.get(key)
        if told and self._lately(told, now):
            if now - self._kept_at >= HOUR_TICKS:
                self._keep(emit, self._told, now)
            return
        if not self._room(now):
            return
        self._told[key] = _Told(now, self._utc_s() or 0)
        self._told.move_to_end(key)
        while len(self._told) > KEPT_MAX:
            self._told.popitem(last=False)
        event = Event("candidate_seen", address, now, {"device": self._device, **data})
        await emit.event(event)
        self._keep(emit, self._told, now)

    def _lately(self, told: _Told, now: int) -> bool:
        utc_s = self._utc_s()
        if utc_s is None:
            return now - told.tick < AGAIN_TICKS
        told.utc_s = told.utc_s or max(1, utc_s - (now - told.tick) // TICKS_PER_S)
        away_ticks = (utc_s - told.utc_s) * TICKS_PER_S
        return max(now - told.tick, away_ticks) < AGAIN_TICKS

    def _keep(self, emit: Emitter, told: Mapping[bytes, _Told], now: int) -> None:
        self._kept_at = now
        packed = [_ENTRY.pack(key, min(now - one.tick, AGAIN_TICKS), one.utc_s) for key, one in told.items()]
        emit.remember(_MEMORY, b"".join(packed))

    def _room(self, now: int) -> bool:
        hour, count = self._hour
        if now // HOUR_TICKS != hour:
            hour, count = now // HOUR_TICKS, 0
        self._hour = (hour, count + 1)
        return count < BURST_MAX


def _unpacked(kept: bytes, now: int) -> OrderedDict[bytes, _Told]:
    """Return what was told, by ticks as if no time had passed since it was kept."""
    if len(kept) % _ENTRY.size:
        return OrderedDict()
    entries = list(_ENTRY.iter_unpack(kept))[-KEPT_MAX:]
    return OrderedDict((key, _Told(now - ago, utc_s)) for key, ago, utc_s in entries)
