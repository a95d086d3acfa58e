"""When silence means something: points that are overdue, gateways that were not heard. Pure."""

from datetime import datetime, timedelta

PERIODS = 3
"""A point is silent when this many of its periods have passed since its newest reading."""


def silent_since(observed_at: datetime, period: timedelta) -> datetime:
    """Return the moment from which a point is silent, unless a newer reading is there by then."""
    return observed_at + PERIODS * period


def is_silent(observed_at: datetime, period: timedelta | None, now: datetime) -> bool:
    """Whether a point is silent at `now`; one whose readings come by themselves never is."""
    return period is not None and now > silent_since(observed_at, period)


def is_suspected(heard_at: datetime, now: datetime, longest: timedelta) -> bool:
    """Whether a gateway that was last heard at `heard_at` is suspected to be offline."""
    return now - heard_at > longest
