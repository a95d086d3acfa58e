"""What was said to an instrument and what it answered, word for word, in append-only files of its own.

One file per session with the instrument, one JSON object a line. The hash of what stands in a file is known
at any moment, so that an event can fix it while the file still grows. Data files are named by their hash.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from edge.driver import ticks
from wire.messages import TICK_MS, Clock

FILE_BYTES_MAX = 8 * 1024 * 1024
"""A longer session goes on in the next file."""
FILES_MAX = 10_000
"""An instrument that is lost every minute leaves many small files; more than these are too many."""
Kind = Literal["command", "answer", "data", "note"]


class FilesError(Exception):
    """A file cannot be written; the text says why."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The first `bytes` bytes of a file have this SHA-256."""

    file: str
    bytes: int
    lines: int
    sha256: str


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `utc_ms` is left out while the time is not known; it is right within `bound_ms`."""

    tick: int
    """Monotonic, in steps of 10 ms, as in the readings."""
    utc_ms: int | None = None
    bound_ms: int | None = None
    kind: Kind
    text: str


class Transcript:
    """The file of one session."""

    def __init__(self, file: Path, *, monotonic_ns: Callable[[], int], clock: Callable[[], Clock]) -> None:
        """Raises `FilesError`; never writes into a file that exists."""
        self.name = file.name
        self._monotonic_ns = monotonic_ns
        self._clock = clock
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._lines = 0
        self._output = _create(file)

    @property
    def full(self) -> bool:
        """Whether the session should go on in another file."""
        return self._bytes >= FILE_BYTES_MAX

    def write(self, kind: Kind, text: str) -> None:
        """Append one line; `FilesError`."""
        tick = ticks(self._monotonic_ns())
        clock = self._clock()
        known = clock.offset_ticks is not None
        line = Line(
            tick=tick,
            utc_ms=(tick + clock.offset_ticks) * TICK_MS if clock.offset_ticks is not None else None,
            bound_ms=clock.bound_ms if known else None,
            kind=kind,
            text=text,
        )
        data = msgspec.json.encode(line) + b"\n"
        try:
            self._output.write(data)
        except OSError as error:
            raise FilesError(f"transcript {self.name}: {error.strerror}") from None
        self._hash.update(data)
        self._bytes += len(data)
        self._lines += 1

    def seal(self) -> Seal:
        """Put what is written on the disk and return its hash; `FilesError`."""
        try:
            os.fdatasync(self._output.fileno())
        except OSError as error:
            raise FilesError(f"transcript {self.name}: {error.strerror}") from None
        return Seal(self.name, self._bytes, self._lines, self._hash.hexdigest())

    def close(self) -> None:
        """Close the file."""
        self._output.close()


class Files:
    """Everything that one instrument leaves on the disk, bounded by bytes."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        """`folder` is the device's own."""
        self._transcripts = folder / "transcripts"
        self._data = folder / "data"
        self._bytes_max = bytes_max

    def next_transcript(self, after: int) -> tuple[Path, int]:
        """Return the path of the next session's file and its number; `FilesError`."""
        try:
            for folder in (self._transcripts, self._data):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            numbers = [int(path.stem) for path in self._transcripts.glob("[0-9]*.jsonl")]
        except OSError as error:
            raise FilesError(f"{self._transcripts}: {error.strerror}") from None
        number = max([after, *numbers]) + 1
        return self._transcripts / f"{number:08d}.jsonl", number

    def found(self, name: str) -> Seal | None:
        """Return the hash of a transcript that was left behind; None when it is not there."""
        file = self._transcripts / name
        if not file.is_file():
            return None
        content = file.read_bytes()
        return Seal(name, len(content), content.count(b"\n"), hashlib.sha256(content).hexdigest())

    def keep(self, data: bytes, ending: str) -> Seal:
        """Write a data file that is named by its hash, and put it on the disk; `FilesError`."""
        digest = hashlib.sha256(data).hexdigest()
        file = self._data / f"{digest}.{ending}"
        try:
            if not file.exists():
                part = file.with_suffix(".part")
                part.unlink(missing_ok=True)
                with _create(part) as output:
                    output.write(data)
                    os.fsync(output.fileno())
                part.replace(file)
        except OSError as error:
            raise FilesError(f"data file {file.name}: {error.strerror}") from None
        return Seal(file.name, len(data), 0, digest)

    def prune(self, *, spare: str) -> tuple[int, int]:
        """Delete the oldest files above the bound, but not `spare`; return how many and how many bytes."""
        files = sorted(self._all(), key=lambda one: (one[1], one[0].name))
        above = sum(size for _, _, size in files) - self._bytes_max
        count = gone = 0
        for path, _, size in files:
            if gone >= above and len(files) - count <= FILES_MAX:
                break
            if path.name != spare:
                path.unlink(missing_ok=True)
                count, gone = count + 1, gone + size
        return count, gone

    def _all(self) -> Iterator[tuple[Path, int, int]]:
        for folder in (self._transcripts, self._data):
            for path in folder.iterdir():
                state = path.stat()
                yield path, state.st_mtime_ns, state.st_size


def _create(file: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    try:
        return os.fdopen(os.open(file, flags, 0o600), "wb", buffering=0)
    except OSError as error:
        raise FilesError(f"{file.name}: {error.strerror}") from None
