"""The state of gateways and sites, from what is known of gateways and points. Pure; green is earned."""

from collections.abc import Collection, Iterable, Sequence
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


def site_kind(
    gateways: Iterable[Gateway], points: Sequence[Latest], now: datetime, *, needs: Collection[str] = ()
) -> str:
    """Return a site's state at `now`; `needs`: what makes of it what needs a person there (`Need.severity`).

    `attention` is a site where something needs a person: an interlock that is not healthy, an alarm that
    nobody acknowledged, or what a fresh reading says, such as a UPS on battery. `unknown` is one where a
    gateway does not tell what it controls. `online` needs every gateway online and every point fresh. When a
    gateway is online but no point that is due by a period is fresh, nothing is measured: `unmonitored`, as a
    site without gateways or points.
    """
    kinds = {gateway_kind(gateway) for gateway in gateways}
    heard = bool(kinds) and kinds != {"unmonitored"}
    if heard and "online" not in kinds:
        return "suspected"
    if "attention" in needs:
        return "attention"
    if not heard:
        return "unmonitored"
    if any(is_fresh(one, now) and concern(one) is not None for one in points):
        return "attention"
    if "unknown" in needs:
        return "unknown"
    due = [one for one in points if one.point.period_ms is not None] or points
    if not any(is_fresh(one, now) for one in due):
        return "unmonitored"
    whole = kinds == {"online"} and all(is_fresh(one, now) for one in points)
    return "online" if whole else "partly"
