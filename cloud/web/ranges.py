"""Which stretch of time a page shows: a named range up to now, or from–to in the site's time zone. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cloud.web.language import Language
from cloud.web.words import BAD_RANGE, LATER, LOCAL_TIME, ONE_OF, RANGES

SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
USUAL = "1h"
LONGEST = timedelta(days=3660)
OLDEST = datetime(1970, 1, 2, tzinfo=UTC)
NEWEST = datetime(9999, 1, 1, tzinfo=UTC)
"""What can be counted with in every time zone."""
VALUE_MAX = 80
"""Of a value that makes no sense so much is said."""

assert SPANS.keys() == RANGES.keys()


class BadRangeError(Exception):
    """A page was asked for a stretch of time that is none."""

    def __init__(self, field: str, value: str, expected: str = ONE_OF, *, words: Sequence[str] = ()) -> None:
        """`expected` is a message of the catalogues; `words` are what it lists, if it does."""
        super().__init__(f"{field}: {value[:VALUE_MAX]!r}")
        self.field = field
        self.value = value
        self.expected = expected
        self.words = tuple(words)

    def say(self, language: Language) -> str:
        """Return field, value and expectation in one sentence."""
        expected = language.say(self.expected)
        return language.say(BAD_RANGE) % {
            "field": self.field,
            "value": f"“{self.value[:VALUE_MAX]}”",
            "expected": expected % {"words": ", ".join(self.words)} if self.words else expected,
        }


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch; `name` is a key of `SPANS`, or None for from–to."""

    name: str | None
    from_at: datetime
    to_at: datetime

    @property
    def query(self) -> str:
        """The same, as a URL's query."""
        if self.name is not None:
            return f"range={self.name}"
        return f"from={_local(self.from_at)}&to={_local(self.to_at)}"

    @property
    def from_local(self) -> str:
        """Start for an input of type datetime-local."""
        return _local(self.from_at)

    @property
    def to_local(self) -> str:
        """End for an input of type datetime-local."""
        return _local(self.to_at)


def read_range(
    name: str | None, start: str | None, end: str | None, *, now: datetime, zone: ZoneInfo
) -> Range:
    """Return what was asked for, the last hour when nothing was; `BadRangeError` for what makes no sense."""
    if name is not None and name not in SPANS:
        raise BadRangeError("range", name, words=tuple(SPANS))
    if start is None and end is None:
        return _named(name or USUAL, now, zone)
    first, last = _moment("from", start, zone), _moment("to", end, zone)
    if not timedelta(0) < last.astimezone(UTC) - first.astimezone(UTC) <= LONGEST:
        raise BadRangeError("to", end or "", LATER)
    return Range(None, first, last)


def _named(name: str, now: datetime, zone: ZoneInfo) -> Range:
    return Range(name, (now.astimezone(UTC) - SPANS[name]).astimezone(zone), now.astimezone(zone))


def _moment(field: str, text: str | None, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        if not OLDEST <= moment.astimezone(UTC) <= NEWEST:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadRangeError(field, text or "", LOCAL_TIME) from None
    return moment.astimezone(zone)


def _local(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds" if moment.second else "minutes")
