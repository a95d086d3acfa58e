"""What ffmpeg and a camera say in, frames, segments and times out. It starts nothing and reads no file.

Sources: ffmpeg 5.1 (`-progress`, segment list as CSV, `freezedetect`), RFC 9110 5.6.7, RFC 2326 12.18
(Date). Times of a stream are in microseconds; a `Timeline` places them in monotonic time.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

US_NS = 1000
AHEAD_US = 10_000_000
"""So far the times in the files are ahead of the reported ones: a stream may begin below zero, a file not."""
WINDOW = 120
"""Progress reports whose best one places the stream: two minutes at one a second."""
SETTLED = 4
LINE_MAX = 400
_NUMBER = re.compile(r"-?\d{1,15}")
_SEGMENT = re.compile(r"(\d{6})-(\d{6})\.part,(-?\d{1,9}\.\d{6}),(-?\d{1,9}\.\d{6})")
_FREEZE = re.compile(r"freeze_(start|end): (-?\d{1,9}(?:\.\d{1,9})?)")
_PACKET = re.compile(r"(-?\d{1,9}\.\d{6}),?.*")
_NAME = re.compile(r"(\d{6,9})-(\d{6,9})-t(\d{1,13})-u(\d{1,15})?-d(\d{1,9})\.(ts|mkv)")
_USER_PART = re.compile(r"(?<=://)\S*@")
_LOGIN_PART = re.compile(
    r"\b(user|usr|username|login|password|passwd|pass|pwd|psw|token|auth)=[^&\s;,]*", re.IGNORECASE
)
"""Some cameras take a login as part of the path or query."""
_DATE = re.compile(rb"\r\ndate:[ \t]*([ -~]{1,60})\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far ffmpeg is: frames since its start, and the time of the newest one."""

    frames: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment is complete."""

    number: int
    start_us: int
    end_us: int


class Report:
    """Puts the lines of ffmpeg's standard output together."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def line(self, line: bytes) -> Progress | Closed | None:
        """Take one line; return what it completes. Lines that mean nothing here are passed over."""
        text = line[:LINE_MAX].decode("ascii", "replace").strip()
        if found := _SEGMENT.fullmatch(text):
            return Closed(int(found[2]), _us(found[3]), _us(found[4]))
        key, _, value = text.partition("=")
        if key in ("frame", "out_time_us") and _NUMBER.fullmatch(value.strip()):
            self._values[key] = int(value)
        if key != "progress":
            return None
        values, self._values = self._values, {}
        if values.keys() != {"frame", "out_time_us"} or values["frame"] < 0:
            return None
        return Progress(values["frame"], values["out_time_us"] + AHEAD_US)


def _us(text: str) -> int:
    whole, part = text.split(".")
    value = int(whole.lstrip("-")) * 1_000_000 + int(part)
    return -value if whole.startswith("-") else value


def frozen(line: bytes) -> bool | None:
    """Return True when a line says that the picture froze, False that it moves again, else None."""
    found = _FREEZE.search(line[:LINE_MAX].decode("ascii", "replace"))
    return None if found is None else found[1] == "start"


class Timeline:
    """Places the stream's times in monotonic time.

    A frame cannot be reported before it came: of many reports the smallest difference is the best. Old ones
    are forgotten, so that the drift of the camera's clock does not gather.
    """

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=WINDOW)

    def heard(self, progress: Progress, now_ns: int) -> None:
        """Take a report that came at a monotonic time."""
        self._offsets.append(now_ns - progress.at_us * US_NS)

    @property
    def settled(self) -> bool:
        """Whether the frames that were held back while ffmpeg looked at the stream no longer matter."""
        return len(self._offsets) >= SETTLED

    @property
    def known(self) -> bool:
        """Whether anything was reported."""
        return bool(self._offsets)

    def ns(self, at_us: int) -> int:
        """Return the monotonic time of a frame."""
        return at_us * US_NS + min(self._offsets)

    def us(self, at_ns: int) -> int:
        """Return the time in the stream at a monotonic time."""
        return (at_ns - min(self._offsets)) // US_NS

    @property
    def jitter_ms(self) -> int:
        """By how much reports differed: so uncertain a frame's time is, the camera's own delay apart."""
        return -(-(max(self._offsets) - min(self._offsets)) // 1_000_000)


@dataclass(frozen=True, slots=True)
class Segment:
    """A complete segment: its run and number, when it began and how long it is. `utc_ms` if it was known."""

    run: int
    number: int
    tick: int
    utc_ms: int | None
    duration_ms: int
    ending: str

    @property
    def name(self) -> str:
        """The file's name, which tells all of it."""
        utc = "" if self.utc_ms is None else str(self.utc_ms)
        numbers = f"{self.run:06d}-{self.number:06d}"
        return f"{numbers}-t{self.tick}-u{utc}-d{self.duration_ms}.{self.ending}"


def segment_of(name: str) -> Segment | None:
    """Return what a segment's file name tells; None when it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    run, number, tick, utc, duration, ending = found.groups()
    utc_ms = None if utc is None else int(utc)
    return Segment(int(run), int(number), int(tick), utc_ms, int(duration), ending)


def frames_of(listing: bytes) -> list[int]:
    """Return the times of the frames that ffprobe lists (`pts_time` first in each line), in order."""
    found = (_PACKET.fullmatch(line.strip()) for line in listing.decode("ascii", "replace").splitlines())
    return sorted(_us(one[1]) for one in found if one)


def around(frames: Iterable[int], at_us: int, within_us: int) -> tuple[int | None, int | None]:
    """Return the last frame at or before a time and the first one after it, each only if near enough."""
    before: Sequence[int] = [one for one in frames if at_us - within_us <= one <= at_us]
    after: Sequence[int] = [one for one in frames if at_us < one <= at_us + within_us]
    return (max(before) if before else None), (min(after) if after else None)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return a text in which no user, password or secret stands; for everything that is told or logged."""
    hidden = _LOGIN_PART.sub(r"\1=***", _USER_PART.sub("***@", text))
    for secret in sorted((one for one in secrets if one), key=len, reverse=True):
        hidden = hidden.replace(secret, "***")
    return hidden


def clock_offset(answer: bytes, *, utc_ms: int, bound_ms: int, round_trip_ms: int) -> tuple[int, int] | None:
    """Return how far the camera's clock is ahead and how sure that is, in ms; None when it says no time.

    `utc_ms` is the gateway's time in the middle of the round trip, right within `bound_ms`. A `Date` has
    whole seconds: it is taken as the middle of its second.
    """
    found = _DATE.search(answer)
    if found is None:
        return None
    try:
        moment = parsedate_to_datetime(found[1].decode("ascii"))
        said_ms = int(moment.timestamp() * 1000) + 500
    except (ValueError, OverflowError, TypeError):
        return None
    return said_ms - utc_ms, 500 + -(-round_trip_ms // 2) + bound_ms
