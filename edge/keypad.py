"""Collects the keys pressed at one reader into PINs; pure but for the time that it is given.

A PIN ends with `#` (enter). `*` (clear) and a pause drop what was entered.
"""

from enum import Enum

PIN_DIGITS_MIN = 3
PIN_DIGITS_MAX = 16


class Dropped(Enum):
    """Why keys came to no PIN."""

    TIMEOUT = "timeout"
    CLEARED = "cleared"
    LENGTH = "length"


class PinPad:
    """The keypad of one reader. Never shows what was pressed."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_ns = int(timeout_s * 1_000_000_000)
        self._keys = ""
        self._last_ns = 0

    @property
    def due_ns(self) -> int | None:
        """When what was pressed is dropped, None when nothing was."""
        return self._last_ns + self._timeout_ns if self._keys else None

    def expire(self, now_ns: int) -> Dropped | None:
        """Drop what is too old."""
        if self.due_ns is None or now_ns < self.due_ns:
            return None
        self._keys = ""
        return Dropped.TIMEOUT

    def press(self, keys: str, now_ns: int) -> list[str | Dropped]:
        """Take keys (`0`-`9`, `A`-`D`, `*`, `#`) and return what they complete: PINs, or why none."""
        expired = self.expire(now_ns)
        done: list[str | Dropped] = [] if expired is None else [expired]
        self._last_ns = now_ns
        for key in keys:
            if key == "#":
                if self._keys:
                    fits = PIN_DIGITS_MIN <= len(self._keys) <= PIN_DIGITS_MAX
                    done.append(self._keys if fits else Dropped.LENGTH)
                self._keys = ""
            elif key == "*":
                done += [Dropped.CLEARED] if self._keys else []
                self._keys = ""
            elif len(self._keys) <= PIN_DIGITS_MAX:
                self._keys += key
        return done

    def forget(self) -> None:
        """Drop everything without a word: the reader is gone."""
        self._keys = ""
