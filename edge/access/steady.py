"""A clock that neither jumps nor goes back, over restarts too: what durations of access are counted by.

Within a boot it is the monotonic clock. Across boots the time without power counts as far as UTC was trusted
before and after; else it is left out: a lock-out of somebody then lasts longer, never shorter.
"""

import struct
from collections.abc import Callable

from wire.messages import TICK_MS

KEY = "access/steady"
_KEPT = struct.Struct(">16sqqq")
_UNKNOWN = -1


class Steady:
    """One gateway's; it begins with what an earlier run kept."""

    def __init__(
        self,
        *,
        boot: bytes,
        now_tick: Callable[[], int],
        utc_ms: Callable[[], int | None],
        remember: Callable[[str, bytes], None],
        recall: Callable[[str], bytes | None],
    ) -> None:
        """`now_tick` counts since the boot whose id is `boot`; `utc_ms` is UTC where it is trusted."""
        self._boot = boot
        self._now_tick = now_tick
        self._utc_ms = utc_ms
        self._remember = remember
        self._last_utc: tuple[int, int] | None = None
        """Steady time and UTC when it was trusted last."""
        self._ahead_ms = self._begun(recall(KEY))

    def _begun(self, kept: bytes | None) -> int:
        """Return by how much this clock is ahead of the monotonic one."""
        now_ms = self._now_tick() * TICK_MS
        if kept is None or len(kept) != _KEPT.size:
            return 0
        boot, tick, steady_ms, utc_ms = _KEPT.unpack(kept)
        if utc_ms != _UNKNOWN:
            self._last_utc = steady_ms, utc_ms
        if boot == self._boot:
            return int(max(steady_ms - tick * TICK_MS, steady_ms - now_ms))
        now_utc = self._utc_ms()
        if utc_ms != _UNKNOWN and now_utc is not None:
            return int(steady_ms + max(0, now_utc - utc_ms) - now_ms)
        return int(steady_ms)  # the new boot counts from its own beginning

    def now_ms(self) -> int:
        """Return steady milliseconds; only differences mean anything."""
        return max(0, self._now_tick() * TICK_MS + self._ahead_ms)

    def utc_ms(self) -> tuple[int, bool]:
        """Return UTC in ms and whether it is trusted; untrusted it goes on from when it last was, else 0."""
        now, steady_ms = self._utc_ms(), self.now_ms()
        if now is not None:
            self._last_utc = steady_ms, now
            return now, True
        if self._last_utc is None:
            return 0, False
        then, utc_ms = self._last_utc
        return max(0, utc_ms + steady_ms - then), False

    def keep(self) -> None:
        """Keep it; durable with the next commit."""
        now_utc = self._utc_ms()
        known = _UNKNOWN if now_utc is None else now_utc
        self._remember(KEY, _KEPT.pack(self._boot, self._now_tick(), self.now_ms(), known))
