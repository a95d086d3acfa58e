"""Which stretch of time a page shows: a named range up to now, or from–to in the site's time zone. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cloud.web.words import RANGES

SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
USUAL = "1h"
LONGEST = timedelta(days=3660)

assert SPANS.keys() == RANGES.keys()


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
    """Return what was asked for; anything that makes no sense becomes the last hour."""
    if start and end:
        try:
            first, last = _moment(start, zone), _moment(end, zone)
        except ValueError:
            return _named(USUAL, now, zone)
        if timedelta(0) < last.astimezone(UTC) - first.astimezone(UTC) <= LONGEST:
            return Range(None, first, last)
    return _named(name if name in SPANS else USUAL, now, zone)


def _named(name: str | None, now: datetime, zone: ZoneInfo) -> Range:
    name = name or USUAL
    return Range(name, (now.astimezone(UTC) - SPANS[name]).astimezone(zone), now.astimezone(zone))


def _moment(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _local(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")
