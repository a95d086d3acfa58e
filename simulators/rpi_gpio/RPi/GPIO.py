# ruff: noqa: N999
"""The part of RPi.GPIO 0.7 that gateways use, on the pins of a simulated board.

Functions, errors and texts are those of the library that it stands in for: edges come in a thread of its
own, one for all pins and in order; pins keep their level when the process ends.
"""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from . import pinfile

BCM, BOARD = 11, 10
OUT, IN = 0, 1
LOW, HIGH = 0, 1
PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22
RISING, FALLING, BOTH = 31, 32, 33
VERSION = "0.7.2"

_PULLS = {PUD_OFF: pinfile.PULL_NONE, PUD_DOWN: pinfile.PULL_DOWN, PUD_UP: pinfile.PULL_UP}
_EDGES = {RISING: (1,), FALLING: (0,), BOTH: (0, 1)}
Callback = Callable[[int], None]


class _Thread:
    """The library's thread: listens for edges while any pin is watched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.watched: dict[int, tuple[int, Callback | None]] = {}
        self._pipe: int | None = None
        self._thread: threading.Thread | None = None
        self._name = folder / f"edges-{os.getpid()}-{id(self):x}"

    def add(self, pin: int, edge: int, callback: Callback | None) -> None:
        self.watched[pin] = (edge, callback)
        if self._pipe is None:
            self._name.unlink(missing_ok=True)
            os.mkfifo(self._name)
            # Open to write too, so that it has no end whoever opens and closes the other side.
            self._pipe = os.open(self._name, os.O_RDWR)
            self._thread = threading.Thread(target=self._listen, args=(self._pipe,), daemon=True)
            self._thread.start()

    def remove(self, pin: int) -> None:
        self.watched.pop(pin, None)
        if self.watched or self._pipe is None:
            return
        os.write(self._pipe, pinfile.END)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        os.close(self._pipe)
        self._pipe = self._thread = None
        self._name.unlink(missing_ok=True)

    def _listen(self, pipe: int) -> None:
        while (data := os.read(pipe, len(pinfile.END))) != pinfile.END:
            pin, level = data[0], data[1]
            edge, callback = self.watched.get(pin, (0, None))
            if callback is not None and level in _EDGES[edge]:
                callback(pin)


class _State:
    """What the library knows of its board."""

    pins: pinfile.PinFile | None = None
    folder = Path()
    thread: _Thread | None = None


def setwarnings(value: int) -> None:
    """Accept that nobody is warned."""


def setmode(mode: int) -> None:
    """Open the board."""
    if mode != BCM:
        raise ValueError("An invalid mode was passed to setmode()")
    folder = os.environ.get("HENG_SIM_GPIO", "")
    if not folder:
        raise RuntimeError("This module can only be run on a Raspberry Pi!")
    if _State.pins is None or _State.folder != Path(folder):
        if _State.pins is not None:
            _State.pins.close()
        _State.pins = pinfile.PinFile(Path(folder))
        _State.folder = Path(folder)
        _State.thread = _Thread(_State.folder)


def setup(channel: int, direction: int, *, pull_up_down: int = PUD_OFF, initial: int | None = None) -> None:
    """Make a pin an input or an output."""
    pins = _board(channel)
    if direction == OUT:
        if pull_up_down != PUD_OFF:
            raise ValueError("pull_up_down parameter is not valid for outputs")
        pins.make_output(channel, initial)
    else:
        if initial is not None:
            raise ValueError("initial parameter is not valid for inputs")
        pins.make_input(channel, _PULLS[pull_up_down])
    _tell(channel)


def input(channel: int) -> int:  # noqa: A001
    """Return a pin's level."""
    pins = _board(channel)
    if pins.direction(channel) == pinfile.FREE:
        raise RuntimeError("You must setup() the GPIO channel first")
    return pins.level(channel)


def output(channel: int, value: int) -> None:
    """Set an output's level."""
    pins = _board(channel)
    if pins.direction(channel) != pinfile.OUT:
        raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
    pins.put(channel, int(bool(value)))
    _tell(channel)


def add_event_detect(
    channel: int, edge: int, *, callback: Callback | None = None, bouncetime: int | None = None
) -> None:
    """Call back at each edge of an input; `bouncetime` is not simulated."""
    pins = _board(channel)
    assert _State.thread is not None
    if pins.direction(channel) != pinfile.IN:
        raise RuntimeError("You must setup() the GPIO channel as an input first")
    if edge not in _EDGES:
        raise ValueError("The edge must be set to RISING, FALLING or BOTH")
    if channel in _State.thread.watched:
        raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
    _State.thread.add(channel, edge, callback)


def remove_event_detect(channel: int) -> None:
    """Call back no more."""
    if _State.thread is not None:
        _State.thread.remove(channel)


def cleanup(channel: int) -> None:
    """Make a pin what it was before."""
    pins = _board(channel)
    remove_event_detect(channel)
    pins.free(channel)
    _tell(channel)


def _board(channel: int) -> pinfile.PinFile:
    if _State.pins is None:
        raise RuntimeError(
            "Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)"
        )
    if not 0 <= channel < pinfile.PINS:
        raise ValueError("The channel sent is invalid on a Raspberry Pi")
    if _State.pins.fault == pinfile.GONE:
        raise RuntimeError("GPIO not allocated")
    if _State.pins.slow_s:
        threading.Event().wait(_State.pins.slow_s)
    return _State.pins


def _tell(channel: int) -> None:
    """Let the board know what a pin is now; a board that nobody plays needs no word."""
    assert _State.pins is not None
    said = bytes((channel, _State.pins.direction(channel), _State.pins.level(channel)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.settimeout(0)
        try:
            own.sendto(said, str(_State.folder / pinfile.BOARD_SOCKET))
        except OSError:
            return
