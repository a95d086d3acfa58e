"""Why a point has no good value now, and since when; what stands beside the value on a page.

The newest open gap says it best; without one, a gateway that is not heard, then the point's own status. It
reads through `cloud.store` and writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap, newest_open
from cloud.store.latest import Latest
from cloud.store.readings import read_series
from cloud.store.sites import Gateway
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.reasons import Said, say_reason
from cloud.web.standing import gateway_kind
from cloud.web.words import CAUSE_WORDS, NO_CAUSE_YET, NOT_HEARD, UNSERVED

ABSENT_SPAN = timedelta(hours=24)
"""How far back the beginning of an absence is looked for."""
ABSENT_MAX = 50
"""Of so many absent points a page says since when; each takes a look at a day of readings."""
_NARROW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of why; empty words where the remark beside it says enough."""

    cause: str
    reason: Said
    since_ms: int | None
    """ms since 1970; None when nothing was ever stored, or when it lasts longer than was looked."""


async def read_whys(
    connection: Connection,
    latest: Sequence[Latest],
    gateways: Sequence[Gateway],
    *,
    now: datetime,
    language: Language,
) -> dict[int, Why]:
    """Return point id -> why, of the points among `latest` that are silent, absent or were never heard."""
    lacking = [one for one in latest if one.state != "live"]
    if not lacking:
        return {}
    gaps = await newest_open(connection, [one.point.id for one in lacking], now=now)
    begins = {}
    for one in [one for one in lacking if one.state == "absent" and one.point.id not in gaps][:ABSENT_MAX]:
        begins[one.point.id] = await absent_since(connection, one.point.id, now=now)
    return {
        one.point.id: why(
            one,
            gaps.get(one.point.id),
            absent_from=begins.get(one.point.id),
            gateways=gateways,
            language=language,
        )
        for one in lacking
    }


def why(
    latest: Latest,
    gap: Gap | None,
    *,
    absent_from: datetime | None,
    gateways: Iterable[Gateway],
    language: Language,
) -> Why:
    """Return why one point lacks a value: the gap, then its gateways, then what it said itself.

    A silent point is silent since its last reading, however many gaps joined since then.
    """
    nothing = Said("")
    silent_from = latest.observed_at if latest.state == "silent" else None
    if gap is not None:
        begin = silent_from or gap.from_at or latest.observed_at
        return Why(language.say(CAUSE_WORDS[gap.cause]), say_reason(language, gap.reason), _ms(begin))
    if latest.state == "absent":
        return Why("", nothing, _ms(absent_from))
    own = [gateway for gateway in gateways if gateway.site_id == latest.point.site_id]
    if not own:
        return Why(language.say(UNSERVED), nothing, _ms(latest.observed_at))
    if all(gateway_kind(gateway) == "suspected" for gateway in own):
        return Why(language.say(NOT_HEARD), nothing, _ms(silent_from or _latest_change(own)))
    if latest.state == "silent":
        return Why(language.say(NO_CAUSE_YET), nothing, _ms(latest.observed_at))
    return Why("", nothing, None)


async def absent_since(connection: Connection, point_id: int, *, now: datetime) -> datetime | None:
    """Return since when a point's readings come without a value; None when that is longer than a day."""
    coarse = await read_series(
        connection, point_id, now - ABSENT_SPAN, now, now=now, resolution="1m", max_points=1500
    )
    good = [bucket for bucket in coarse.buckets or () if bucket.n]
    if not good:
        return None
    start = good[-1].from_at
    end = min(now, good[-1].to_at + _NARROW)
    fine = await read_series(connection, point_id, start, end, now=now, resolution="raw", max_points=20_000)
    first: datetime | None = None
    for reading in reversed(fine.readings or ()):
        if reading.value is not None:
            return first or reading.observed_at
        first = reading.observed_at
    return first or good[-1].to_at


def _latest_change(gateways: Iterable[Gateway]) -> datetime | None:
    return max((one.online_since for one in gateways if one.online_since), default=None)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
