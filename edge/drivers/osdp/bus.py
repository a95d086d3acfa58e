"""The thread that owns one serial line: one command at a time, one reader after the other.

It begins with `run` and ends soon after `stop`; what others want done in it they `order`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.decode import Frame, Frames, KeyUnfitError
from edge.drivers.osdp.line import Line, LineError, Wake
from edge.drivers.osdp.station import NotThereError, Station

T = TypeVar("T")

REPLY_S = 0.205
"""A reader begins its reply within 200 ms."""
IDLE_S = 0.005
REOPEN_S = 2.0
FOREIGN_S = 60.0
_NS = 1_000_000_000


class Bus:
    """One line and its readers."""

    def __init__(
        self,
        path: str,
        baud: int,
        stations: Sequence[Station],
        *,
        tell: Callable[[told.Happening], None],
        now_ns: Callable[[], int],
        behind: Callable[[], bool],
    ) -> None:
        """`behind` says whether nobody takes what is told: then the readers are not asked, and keep it."""
        self._path, self._baud = path, baud
        self._stations = stations
        self._tell = tell
        self._now_ns = now_ns
        self._behind = behind
        self._wake = Wake()
        self._orders: deque[tuple[Callable[[], None], Callable[[], bool]]] = deque()
        self._stopping = self._ended = False
        self._foreign_ns = 0

    # --- for other threads -----------------------------------------------------------------------

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping = True
        self._wake()

    def order(self, work: Callable[[], T]) -> Future[T]:
        """Have something short done by the thread; cancelled when the thread ends before."""
        future: Future[T] = Future()

        def do() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except (NotThereError, KeyUnfitError) as error:
                future.set_exception(error)
            except BaseException as error:
                future.set_exception(error)
                raise

        self._orders.append((do, future.cancel))
        if self._ended:
            future.cancel()
        self._wake()
        return future

    def close(self) -> None:
        """Give back what `run` needed; call after its end."""
        self._wake.close()

    # --- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        """Keep the readers' sessions until `stop`; a lost line is opened again and again."""
        reason = None
        try:
            while not self._stopping:
                try:
                    with Line(self._path, self._baud, self._wake) as line:
                        reason = None
                        self._tell(told.LineOpened(reader="", at_ns=self._now_ns()))
                        self._drive(line)
                except LineError as error:
                    for station in self._stations:
                        station.detach(str(error))
                    if str(error) != reason:
                        reason = str(error)
                        self._tell(told.LineLost(reader="", at_ns=self._now_ns(), reason=reason))
                    self._pause()
        finally:
            for station in self._stations:
                station.close()
            self._ended = True
            while self._orders:
                self._orders.popleft()[1]()

    def _drive(self, line: Line) -> None:
        frames = Frames()
        for station in self._stations:
            station.attach(line.write)
        while not self._stopping:
            self._obey()
            if self._behind():
                line.read(IDLE_S)
                continue
            if self._round(line, frames):
                continue
            for frame in frames.feed(line.read(IDLE_S)):
                self._stray(frame, b"")

    def _round(self, line: Line, frames: Frames) -> bool:
        """Let every reader have a turn; return whether there was anything to do."""
        busy = False
        for station in self._stations:
            if self._stopping:
                return False
            if station.step():
                busy = True
                self._hear(station, line, frames)
            if station.line_error is not None:
                raise station.line_error
        return busy

    def _hear(self, station: Station, line: Line, frames: Frames) -> None:
        """Wait for one reader's reply; nothing else is sent meanwhile."""
        frames.forget()
        skipped = frames.skipped
        end_ns = self._now_ns() + int(REPLY_S * _NS)
        while station.waiting and not self._stopping:
            left_ns = end_ns - self._now_ns()
            if left_ns <= 0:
                frames.forget()
                station.miss(frames.skipped - skipped)
                return
            for frame in frames.feed(line.read(left_ns / _NS)):
                if frame.reply and frame.address == station.address and station.waiting:
                    station.deliver(frame)
                else:
                    self._stray(frame, station.sent)

    def _stray(self, frame: Frame, sent: bytes) -> None:
        """A late reply is nothing; a command that is not ours (nor its echo) is told."""
        now = self._now_ns()
        if frame.reply or frame.raw == sent or now < self._foreign_ns:
            return
        self._foreign_ns = now + int(FOREIGN_S * _NS)
        self._tell(told.ForeignCommand(reader="", at_ns=now, address=frame.address))

    def _obey(self) -> None:
        while self._orders:
            self._orders.popleft()[0]()

    def _pause(self) -> None:
        end_ns = self._now_ns() + int(REOPEN_S * _NS)
        while not self._stopping and (left_ns := end_ns - self._now_ns()) > 0:
            self._obey()
            for station in self._stations:
                station.tick()
            self._wake.wait(min(left_ns / _NS, 0.5))
