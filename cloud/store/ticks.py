"""Times between the wire (ticks of 10 ms since 1970) and PostgreSQL (microseconds since 2000)."""

from datetime import UTC, datetime, timedelta

from wire.messages import TICK_MS

TICK_US = TICK_MS * 1000
_2000_UNIX_US = 946_684_800_000_000
_2000 = datetime(2000, 1, 1, tzinfo=UTC)

EARLIEST_US = 0
"""2000-01-01: what claims to be older is no time."""
LATEST_US = 6_311_433_600_000_000
"""2200-01-01: what claims to be later is no time."""


def us_of_tick(utc_tick: int) -> int:
    """Return the PostgreSQL time of a UTC tick."""
    return utc_tick * TICK_US - _2000_UNIX_US


def tick_of_datetime(moment: datetime) -> int:
    """Return the UTC tick that an aware time falls on."""
    return (us_of_datetime(moment) + _2000_UNIX_US) // TICK_US


def datetime_of_us(us: int) -> datetime:
    """Return the aware UTC time of a PostgreSQL time."""
    return _2000 + timedelta(microseconds=us)


def us_of_datetime(moment: datetime) -> int:
    """Return the PostgreSQL time of an aware time."""
    return (moment - _2000) // timedelta(microseconds=1)
