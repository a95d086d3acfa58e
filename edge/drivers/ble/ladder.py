"""The recovery ladder of a radio: which step comes next, and how long each is given. Pure.

Every step is tried once; when all have failed, an alarm is due and the ladder begins again.
"""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What can be done about a radio that hears nothing, the mildest first."""

    SCAN_RESTART = "scan_restart"
    POWER_CYCLE = "power_cycle"
    REENUMERATION = "reenumeration"
    SECOND_ADAPTER = "second_adapter"


@dataclass(frozen=True, slots=True)
class Timings:
    """Times of the radio in seconds."""

    call_s: float = 4.0
    """So long may BlueZ take to answer."""
    settle_s: float = 4.0
    """So long must a radio be given at least to hear somebody after a step."""
    power_off_s: float = 0.5
    usb_off_s: float = 1.0
    usb_back_s: float = 5.0
    """So long may an adapter take to be there again after it was put back on its USB."""
    pause_s: float = 0.5
    """Between two steps."""
    longest_pause_s: float = 8.0
    """Between two climbs, when all steps have failed."""
    alarm_s: float = 30.0
    """An alarm is due when every step was tried and so much time has passed."""
    probe_s: float = 30.0
    """So long does a probe listen for those who were not heard."""


class Ladder:
    """Where on the ladder a radio is."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._next = 0
        self.climbs = 0
        """How often every step was tried without success."""
        self.last: Step | None = None
        """The step that was tried last."""

    def up(self) -> Step | None:
        """Return the next step; None at the end, when an alarm is due and the ladder begins again."""
        steps = tuple(Step)
        if self._next == len(steps):
            self._next = 0
            self.climbs += 1
            return None
        self.last = steps[self._next]
        self._next += 1
        return self.last

    def pause_s(self) -> float:
        """Return how long to wait before the next step."""
        if self._next or not self.climbs:
            return self._timings.pause_s
        return float(min(self._timings.longest_pause_s, self._timings.pause_s * 2.0 ** min(self.climbs, 16)))

    def down(self) -> None:
        """Somebody was heard: everything is well again."""
        self._next = self.climbs = 0
        self.last = None


class Quiet:
    """How long silence is normal here, learned from the gaps between advertisements."""

    def __init__(self, patience_s: float, settle_s: float) -> None:
        """`patience_s` is how long nothing may be heard before the radio is suspected."""
        self._patience_s = patience_s
        self._settle_s = settle_s
        self._gap_s: float | None = None
        self._last_ns: int | None = None

    def heard(self, at_ns: int) -> None:
        """Somebody was heard."""
        if self._last_ns is not None:
            gap_s = (at_ns - self._last_ns) / 1e9
            self._gap_s = (
                gap_s if self._gap_s is None else max(gap_s, self._gap_s + (gap_s - self._gap_s) / 8)
            )
        self._last_ns = at_ns

    def broken(self) -> None:
        """A gap that belongs to a fault teaches nothing."""
        self._last_ns = None

    def allowed_s(self, *, recovering: bool) -> float:
        """Return how long nothing may be heard now."""
        if not recovering:
            return self._patience_s
        usual_s = 0.4 * self._patience_s if self._gap_s is None else 3 * self._gap_s
        return max(self._settle_s, min(self._patience_s, usual_s))
