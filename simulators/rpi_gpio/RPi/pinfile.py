"""The pins as bytes of a file that the gateway and the board both map: they outlive either of them.

Byte 0 is the board's fault, byte 1 how slow it is (10 ms); then four bytes a pin: direction, the level
that is put out, what drives it from outside, pull.
"""

import mmap
from pathlib import Path

PINS = 28
NAME = "pins"
BOARD_SOCKET = "board.sock"
FREE, IN, OUT = 0, 1, 2
NOTHING = 2
"""Outside: nothing drives the pin, so that the pull decides."""
PULL_NONE, PULL_UP, PULL_DOWN = 0, 1, 2
FINE, GONE, DEAF = 0, 1, 2
END = b"\xff\xff"
"""What no edge is: an edge is the bytes of a pin and a level, in a named pipe of each library."""
_HEADER = 16
_SIZE = _HEADER + 4 * PINS
_DIRECTION, _OUTPUT, _OUTSIDE, _PULL = range(4)


class PinFile:
    """A mapped file of pins."""

    def __init__(self, folder: Path, *, make: bool = False) -> None:
        """Open it; `OSError` when it is not there and not to be made."""
        file = folder / NAME
        if make and not file.exists():
            file.write_bytes(bytes(_HEADER) + bytes((FREE, 0, NOTHING, PULL_NONE)) * PINS)
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _SIZE)

    def close(self) -> None:
        """Unmap it."""
        self._map.close()

    @property
    def fault(self) -> int:
        """FINE, GONE or DEAF."""
        return self._map[0]

    @fault.setter
    def fault(self, value: int) -> None:
        self._map[0] = value

    @property
    def slow_s(self) -> float:
        """How long each call takes."""
        return self._map[1] / 100

    @slow_s.setter
    def slow_s(self, seconds: float) -> None:
        self._map[1] = min(255, round(seconds * 100))

    def direction(self, pin: int) -> int:
        """FREE, IN or OUT."""
        return self._get(pin, _DIRECTION)

    def make_input(self, pin: int, pull: int) -> None:
        """Make it an input."""
        self._set(pin, _PULL, pull)
        self._set(pin, _DIRECTION, IN)

    def make_output(self, pin: int, level: int | None) -> None:
        """Make it an output with this level, or the one that it has."""
        self._set(pin, _OUTPUT, self.level(pin) if level is None else level)
        self._set(pin, _DIRECTION, OUT)

    def free(self, pin: int) -> None:
        """Make it what it was before."""
        self._set(pin, _PULL, PULL_NONE)
        self._set(pin, _DIRECTION, FREE)

    def put(self, pin: int, level: int) -> None:
        """Set what an output puts out."""
        self._set(pin, _OUTPUT, level)

    def drive(self, pin: int, level: int | None) -> None:
        """Set what drives it from outside, None for nothing."""
        self._set(pin, _OUTSIDE, NOTHING if level is None else level)

    def level(self, pin: int) -> int:
        """Return what anybody measures at the pin; one that nothing drives or pulls is low."""
        if self._get(pin, _DIRECTION) == OUT:
            return self._get(pin, _OUTPUT)
        outside = self._get(pin, _OUTSIDE)
        return int(self._get(pin, _PULL) == PULL_UP) if outside == NOTHING else outside

    def _get(self, pin: int, what: int) -> int:
        return self._map[_HEADER + 4 * pin + what]

    def _set(self, pin: int, what: int, value: int) -> None:
        self._map[_HEADER + 4 * pin + what] = value
