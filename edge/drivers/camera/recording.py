"""The rolling recording: segments whose names tell when they began, bounded by bytes and by age."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.driver import ticks
from edge.drivers.camera.decode import Closed, Segment, Timeline, segment_of
from wire.messages import TICK_MS, Clock

RECENT = 6
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Part:
    """A file of this run and which stretch of the stream it holds; `end_us` None while it grows."""

    file: Path
    start_us: int
    end_us: int | None


class Recording:
    """The segments of one camera."""

    def __init__(self, folder: Path, *, ending: str) -> None:
        self.folder = folder
        self._ending = ending
        self.active = False
        """Whether a stream is being recorded now."""
        self._run = 0
        self._next = Closed(-1, 0, 0)
        self._recent: deque[Part] = deque(maxlen=RECENT)
        self._files: deque[tuple[Path, int]] = deque()
        self._renamed: dict[Path, Path] = {}

    def begin(self, run: int) -> Path:
        """Start a run; return the pattern that ffmpeg names its files by. Raises `OSError`."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run = run
        self._next = Closed(-1, 0, 0)
        self._recent.clear()
        found = sorted(path for path in self.folder.iterdir() if path.is_file())
        self._files = deque((path, path.stat().st_size) for path in found)
        return self.folder / f"{run:06d}-%06d.part"

    def closed(self, segment: Closed) -> None:
        """Take note of a complete segment; it is to be named yet."""
        self._next = segment
        self._recent.append(Part(self.part(segment.number), segment.start_us, segment.end_us))

    def name(self, segment: Closed, timeline: Timeline, clock: Clock) -> Segment | None:
        """Give a complete segment its name; None when its file is not there."""
        part = self.part(segment.number)
        if not part.is_file() or not timeline.known:
            return None
        tick = ticks(timeline.ns(segment.start_us))
        utc_ms = None if clock.offset_ticks is None else (tick + clock.offset_ticks) * TICK_MS
        whole = Segment(
            self._run,
            segment.number,
            max(0, tick),
            utc_ms,
            max(0, segment.end_us - segment.start_us) // 1000,
            self._ending,
        )
        file = self.folder / whole.name
        part.rename(file)
        self._renamed[part] = file
        while len(self._renamed) > RECENT:
            self._renamed.pop(next(iter(self._renamed)))
        recent = [replace(one, file=file) if one.file == part else one for one in self._recent]
        self._recent = deque(recent, maxlen=RECENT)
        self._files.append((file, file.stat().st_size))
        return whole

    def holding(self, from_us: int, to_us: int) -> Iterator[Part]:
        """Give the files that hold a stretch of the stream, the one that still grows too."""
        for part in self._recent:
            if part.end_us is not None and part.start_us <= to_us and part.end_us >= from_us:
                yield part
        growing = Part(self.part(self._next.number + 1), self._next.end_us, None)
        if growing.start_us <= to_us and growing.file.is_file():
            yield growing

    def now_at(self, file: Path) -> Path:
        """Return where a file is that may have been completed since it was named."""
        return self._renamed.get(file, file)

    @staticmethod
    def still(parts: Iterable[Part]) -> bool:
        """Whether all files are where they were."""
        return all(part.file.is_file() for part in parts)

    @property
    def run(self) -> int:
        """The number of the run that records, or recorded last."""
        return self._run

    @property
    def growing(self) -> int:
        """The number of the segment that is not complete yet."""
        return self._next.number + 1

    def between(self, from_ms: int, to_ms: int) -> list[tuple[Path, Segment]]:
        """Return complete segments that hold any of a stretch (UTC, in ms), in order."""
        found: list[tuple[Path, Segment]] = []
        for path, _ in self._files:
            segment = segment_of(path.name)
            if segment is None or segment.utc_ms is None:
                continue
            if segment.utc_ms < to_ms and segment.utc_ms + segment.duration_ms > from_ms:
                found.append((path, segment))
        return found

    def complete_until(self) -> int | None:
        """Return the end (UTC, in ms) of the newest complete segment, if its time is known."""
        segment = segment_of(self._files[-1][0].name) if self._files else None
        return None if segment is None or segment.utc_ms is None else segment.utc_ms + segment.duration_ms

    def prune(self, *, bytes_max: int, age_max_h: float, utc_ms: int | None) -> tuple[int, int]:
        """Delete the oldest segments above the bounds; return how many and how many bytes.

        By age only what has a time, and only while the time is known: a clock that is wrong deletes nothing.
        """
        above = sum(size for _, size in self._files) - bytes_max
        count = gone = 0
        while len(self._files) > 1:
            path, size = self._files[0]
            if gone >= above and not _is_old(self._oldest_with_time(), age_max_h, utc_ms):
                break
            self._files.popleft()
            path.unlink(missing_ok=True)
            count, gone = count + 1, gone + size
        return count, gone

    def _oldest_with_time(self) -> Segment | None:
        """Return the first segment of which the time is known: what lies before it is older."""
        found = (segment_of(path.name) for path, _ in self._files)
        return next((one for one in found if one is not None and one.utc_ms is not None), None)

    def part(self, number: int) -> Path:
        """Return the file of a segment of this run that is not complete."""
        return self.folder / f"{self._run:06d}-{number:06d}.part"


def _is_old(segment: Segment | None, age_max_h: float, utc_ms: int | None) -> bool:
    if segment is None or segment.utc_ms is None or utc_ms is None:
        return False
    return utc_ms - (segment.utc_ms + segment.duration_ms) > age_max_h * _HOUR_MS
