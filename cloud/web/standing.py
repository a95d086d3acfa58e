"""The state of gateways and sites, from what is known of gateways and points. Pure; green is earned."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cloud.store.latest import SILENT_PERIODS, Latest
from cloud.store.sites import Gateway
from cloud.web.attention import concern


def gateway_kind(gateway: Gateway) -> str:
    """Return a gateway's state; one that was never heard is not monitored, never green."""
    if gateway.online:
        return "online"
    heard = gateway.online_since is not None or gateway.last_batch_at is not None
    return "suspected" if heard else "unmonitored"


def is_fresh(latest: Latest, now: datetime) -> bool:
    """Whether a point was heard within three of its periods; without a period, whether it ever was."""
    if latest.observed_at is None:
        return False
    period_ms = latest.point.period_ms
    age_ms = (now - latest.observed_at).total_seconds() * 1000
    return period_ms is None or age_ms <= SILENT_PERIODS * period_ms


def is_silent(latest: Latest, now: datetime) -> bool:
    """Whether a point that was heard once is not fresh any more."""
    return latest.observed_at is not None and not is_fresh(latest, now)


def site_kind(gateways: Iterable[Gateway], points: Sequence[Latest], now: datetime) -> str:
    """Return a site's state at `now`.

    `attention` is a site where a fresh reading says something that needs a person, such as a UPS on battery.
    `online` needs every gateway online and every point fresh. When a gateway is online but no point that
    is due by a period is fresh, nothing is measured: `unmonitored`, as a site without gateways or points.
    """
    kinds = {gateway_kind(gateway) for gateway in gateways}
    if not kinds or kinds == {"unmonitored"}:
        return "unmonitored"
    if "online" not in kinds:
        return "suspected"
    due = [one for one in points if one.point.period_ms is not None] or points
    if not any(is_fresh(one, now) for one in due):
        return "unmonitored"
    if any(is_fresh(one, now) and concern(one) is not None for one in points):
        return "attention"
    whole = kinds == {"online"} and all(is_fresh(one, now) for one in points)
    return "online" if whole else "partly"
