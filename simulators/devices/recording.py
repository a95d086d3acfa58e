"""Recorded logs of GNSS receivers, played again: their own pace, with the dates and times of now.

A log is what a receiver wrote; lines that begin with `#` are comments. Sentences are gathered into epochs,
each with its place on the log's own time line. What is no sentence with a good checksum stays as it is.
Times inside are microseconds.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median_low

from simulators.devices.nmea import sentence

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
CUT_US = 60 * SECOND_US
"""A longer step is a cut: the logging was stopped, or the receiver's clock was set. It is not waited for."""
BYTES_MAX = 32 * 2**20

_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_SENTENCE = re.compile(rb"\$([ -#%-)+-~]+)(?:\*([0-9A-Fa-f]{2}))?\s*")
_CLOCK = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d+))?")
_DDMMYY = "%d%m%y"
_TIMED: dict[str, tuple[int, dict[int, str]]] = {
    # sentence: field of its time of day, fields of its date; those that gpsd reads
    "RMC": (1, {9: _DDMMYY}),
    "ZDA": (1, {2: "%d", 3: "%m", 4: "%Y"}),
    "GGA": (1, {}),
    "GLL": (5, {}),
    "GNS": (1, {}),
    "GST": (1, {}),
    "GBS": (1, {}),
    "GRS": (1, {}),
    "BWC": (1, {}),
    "PSRFEPE": (1, {}),
    "PASHR,POS": (4, {}),
    "PGRMF": (4, {3: _DDMMYY}),
    "PSTI,030": (2, {12: _DDMMYY}),
    "PUBX,00": (2, {}),
    "PUBX,04": (2, {3: _DDMMYY}),
}
_ONCE_AN_EPOCH = frozenset({"RMC", "GGA", "GLL", "ZDA"})


class RecordingError(Exception):
    """A recorded file cannot be played; the text names it and says what was expected."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What the receiver wrote for one instant, as recorded."""

    at_us: int
    """Since the beginning of the log; grows from epoch to epoch, with the recorded part of a second."""
    lines: tuple[bytes, ...]

    def moved(self, moment: datetime) -> bytes:
        """Return its bytes as the receiver would write them at a moment (UTC)."""
        return b"".join(_moved(line, moment) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Recording:
    """A log as a loop."""

    epochs: tuple[Epoch, ...]
    period_us: int
    """The usual step from epoch to epoch."""
    length_us: int
    """Whole seconds, so that every round keeps the recorded parts of a second."""

    def between(self, since_us: int, until_us: int) -> Iterator[tuple[datetime, Epoch]]:
        """Give what is due after one instant and up to another (since 1970), in order.

        Rounds follow each other since 1970: the same instants give the same epochs.
        """
        # A round that begins late in a second reaches into the next one.
        begin_us = since_us - since_us % self.length_us - self.length_us
        for loop_us in range(begin_us, until_us + 1, self.length_us):
            first = bisect_right(self.epochs, since_us - loop_us, key=lambda epoch: epoch.at_us)
            for epoch in self.epochs[first:]:
                if loop_us + epoch.at_us > until_us:
                    return
                yield _1970 + timedelta(microseconds=loop_us + epoch.at_us), epoch


def read_recorded_file(path: Path, what: str) -> bytes:
    """Return the bytes of a recorded file; `what` says in the `RecordingError` what was expected."""
    try:
        if not path.is_file():
            raise RecordingError(f"{path} is no file; expected {what}")
        if path.stat().st_size > BYTES_MAX:
            raise RecordingError(f"{path} has more than {BYTES_MAX} bytes; expected {what}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path} cannot be read ({reason}); expected {what}") from None


def read_recording(path: Path) -> Recording:
    """Return the recording in a file; `RecordingError`."""
    what = "a log of NMEA 0183 sentences"
    recording = recorded(read_recorded_file(path, what))
    if recording is None:
        raise RecordingError(
            f"{path} holds no time; expected {what}, a time of day in one of {' '.join(_TIMED)}"
        )
    return recording


def recorded(log: bytes) -> Recording | None:
    """Return the recording of a log, None when no sentence of it has a time.

    The step between two epochs is that of their clocks. After a cut, and from and to epochs without a
    clock, the usual step takes its place, prolonged to the recorded part of a second.
    """
    groups = _grouped(log)
    clocks = [clock for clock, _ in groups]
    if all(clock is None for clock in clocks):
        return None
    steps = [_step(before, after) for before, after in pairwise(clocks)]
    period_us = median_low([step for step in steps if step] or [SECOND_US])
    at_us = (clocks[0] or 0) % SECOND_US
    places = [at_us]
    for step, clock in zip(steps, clocks[1:], strict=True):
        usual_us = at_us + period_us
        at_us = at_us + step if step else usual_us if clock is None else _same_part(usual_us, clock)
        places.append(at_us)
    epochs = tuple(Epoch(place, tuple(lines)) for place, (_, lines) in zip(places, groups, strict=True))
    return Recording(epochs, period_us, _same_part(at_us + period_us - places[0], 0))


def _grouped(log: bytes) -> list[tuple[int | None, list[bytes]]]:
    """Return clock (us of the day, if it has one) and lines of every epoch.

    A new epoch begins where the clock changes, or where a sentence comes again that comes once an epoch:
    so a receiver without a clock has epochs too.
    """
    groups: list[tuple[int | None, list[bytes]]] = []
    clock: int | None = None
    seen: set[str] = set()
    lines: list[bytes] = []
    for text in log.split(b"\n"):
        line = text + b"\n"
        if line.startswith(b"#") or not line.strip():
            continue
        taken = _taken_apart(line)
        if taken is not None and taken.kind in _TIMED:
            changed = None not in (taken.clock_us, clock) and taken.clock_us != clock
            if changed or taken.fields[0] in seen:
                groups.append((clock, lines))
                clock, seen, lines = None, set(), []
            clock = clock if taken.clock_us is None else taken.clock_us
            if taken.kind in _ONCE_AN_EPOCH:
                seen.add(taken.fields[0])
        lines.append(line)
    return [*groups, (clock, lines)] if lines else groups


def _step(before: int | None, after: int | None) -> int:
    """Return the step between two clocks, over midnight too; 0 for none that can be played."""
    if before is None or after is None:
        return 0
    step = (after - before) % DAY_US
    return step if step <= CUT_US else 0


def _same_part(earliest_us: int, like_us: int) -> int:
    """Return the first instant from `earliest_us` on with the same part of a second as `like_us`."""
    return earliest_us + (like_us - earliest_us) % SECOND_US


@dataclass(frozen=True, slots=True)
class _Sentence:
    before: bytes
    """Noise on the same line."""
    fields: list[str]
    checked: bool
    """Whether it carries a checksum; gpsd reads one without too."""

    @property
    def kind(self) -> str:
        """What `_TIMED` calls it: without its talker, or with the number of a manufacturer's sentence."""
        name = self.fields[0]
        if not name.startswith("P"):
            return name[2:]
        return name if name in _TIMED else ",".join(self.fields[:2])

    @property
    def clock_us(self) -> int | None:
        """Time of day, if it has one."""
        place, _ = _TIMED.get(self.kind, (len(self.fields), {}))
        found = _CLOCK.fullmatch(self.fields[place]) if place < len(self.fields) else None
        if found is None:
            return None
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])
        return seconds * SECOND_US + int(f"{found[4] or '':0<6.6}")


def _taken_apart(line: bytes) -> _Sentence | None:
    """Return the sentence at the end of a line; None for what is none or has a wrong checksum."""
    start = line.rfind(b"$")
    found = _SENTENCE.fullmatch(line, start) if start >= 0 else None
    if found is None:
        return None
    body = found[1].decode("ascii")
    if found[2] is not None and sentence(body)[-4:-2] != found[2].upper():
        return None
    return _Sentence(line[:start], body.split(","), found[2] is not None)


def _moved(line: bytes, moment: datetime) -> bytes:
    taken = _taken_apart(line)
    if taken is None or taken.kind not in _TIMED:
        return line
    fields = [*taken.fields]
    clock, dates = _TIMED[taken.kind]
    if taken.clock_us is not None:
        decimals = len(fields[clock].partition(".")[2])
        part = f"{moment.microsecond:06d}".ljust(decimals, "0")[:decimals]
        fields[clock] = moment.strftime("%H%M%S") + ("." + part if decimals else "")
    for place, form in dates.items():
        if place < len(fields) and fields[place]:
            fields[place] = moment.strftime(form)
    body = ",".join(fields)
    return taken.before + (sentence(body) if taken.checked else f"${body}\r\n".encode("ascii"))
