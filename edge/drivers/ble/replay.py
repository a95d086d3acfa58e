"""The counter of an encrypted sensor: only a higher one is new, now and in every later run.

There is no tolerance for counters that go back. A change of the battery that lost the counter needs an
administrator, who raises `counter_reset` in the settings.
"""

import struct
from dataclasses import dataclass
from enum import Enum

from edge.driver import Emitter

_KEPT = struct.Struct(">IQ")
"""Number of the reset, and the lowest counter that is still new."""


class Verdict(Enum):
    """What a counter says about its advertisement."""

    NEW = "new"
    FIRST = "first"
    """Nothing is remembered: the first one is believed, and told."""
    REPEAT = "repeat"
    """The newest one, sent again."""
    BACK = "back"
    """An older one: a replay, or a sensor that lost its counter."""


@dataclass(frozen=True, slots=True)
class Reset:
    """An administrator's reset took effect; `lowest` is what had been expected at least."""

    number: int
    lowest: int


class Counter:
    """The counter of one sensor."""

    def __init__(self, emit: Emitter, key: str, reset: int) -> None:
        """`key` names what is remembered; `reset` is the setting `counter_reset`."""
        self._emit = emit
        self._key = key
        kept = emit.recall(key)
        number, lowest = _KEPT.unpack(kept) if kept is not None and len(kept) == _KEPT.size else (0, 0)
        self.reset: Reset | None = None
        """The reset that this start of the driver made."""
        if reset > number:
            if lowest:
                self.reset = Reset(reset, lowest)
            number, lowest = reset, 0
            emit.remember(key, _KEPT.pack(number, lowest))
        self._number, self.lowest = number, lowest

    def judge(self, counter: int) -> Verdict:
        """Return what a counter that was authenticated says."""
        if not self.lowest:
            return Verdict.FIRST
        if counter >= self.lowest:
            return Verdict.NEW
        return Verdict.REPEAT if counter == self.lowest - 1 else Verdict.BACK

    def accept(self, counter: int) -> None:
        """Remember a counter; call it after what the advertisement said was emitted."""
        self.lowest = counter + 1
        self._emit.remember(self._key, _KEPT.pack(self._number, self.lowest))
