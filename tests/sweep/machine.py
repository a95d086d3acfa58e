"""Whether the machine itself held everything up: a thread that only sleeps is late then, too."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BEAT_S = 0.1


class Machine:
    """What a thread of its own saw of the machine's standstills."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._ended = threading.Event()

    def beat(self) -> None:
        """Sleep and look how long it was, until the end."""
        before = time.monotonic()
        while not self._ended.wait(BEAT_S):
            now = time.monotonic()
            self._late.append((now, now - before - BEAT_S))
            before = now

    def end(self) -> None:
        """Let `beat` return."""
        self._ended.set()

    def stood_still_s(self, since: float, to: float) -> float:
        """Return for how long altogether it stood still in a stretch of monotonic time."""
        return sum(late_s for at, late_s in self._late if since <= at <= to and late_s > BEAT_S)


@contextmanager
def watched() -> Iterator[Machine]:
    """Watch the machine while the context is open."""
    machine = Machine()
    thread = threading.Thread(target=machine.beat, name="machine")
    thread.start()
    try:
        yield machine
    finally:
        machine.end()
        thread.join()
