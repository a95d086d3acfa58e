"""A chart's data as the browser draws it: integer counts of one exponent, and the holes with their causes.

Text for people is made here in the page's language; the series itself comes from `cloud.store.readings`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud.store.calibration import Scales, load_scales
from cloud.store.connection import Connection
from cloud.store.gaps_read import Gap
from cloud.store.points import Point
from cloud.store.readings import Series, read_series
from cloud.web.figures import milliseconds
from cloud.web.holes import Hole, Stretch, dues, unexplained
from cloud.web.language import Language
from cloud.web.reasons import say_reason
from cloud.web.sparkline import Step
from cloud.web.words import CAUSES, STATUSES, UNEXPLAINED

POINTS_MAX = 1500
LIVE_SPAN = timedelta(hours=1)
LIVE_POINTS_MAX = 4000
"""An hour at one reading a second is drawn as stored, so that new readings join it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One reading or one bucket."""

    at: int
    to: int
    value: str | None
    low: str | None
    high: str | None
    status: str


async def chart(
    connection: Connection,
    point: Point,
    span: tuple[datetime, datetime],
    *,
    now: datetime,
    language: Language,
) -> dict[str, Any]:
    """Return the chart of one point from `span[0]` until before `span[1]`, as JSON."""
    most = LIVE_POINTS_MAX if span[1] - span[0] <= LIVE_SPAN else POINTS_MAX
    series = await read_series(connection, point.id, *span, now=now, max_points=most)
    scales = await load_scales(connection, point.id, *span)
    rows = rows_of(series, means=point.kind == "analog")
    exponent = common_exponent([text for row in rows for text in (row.low, row.high)])
    value_exponent = common_exponent([row.value for row in rows])
    holes = holes_of(series.gaps, rows, point, scales=scales, span=span, now=now)
    return {
        "point": point.id,
        "from": milliseconds(span[0]),
        "to": milliseconds(span[1]),
        "resolution": series.resolution,
        "step_s": series.step_s,
        "due_ms": point.period_ms,
        "exponent": exponent,
        "value_exponent": value_exponent,
        "times": [row.at for row in rows],
        "value": [count(row.value, value_exponent) for row in rows],
        "low": [count(row.low, exponent) for row in rows],
        "high": [count(row.high, exponent) for row in rows],
        "status": [status_text(row.status, language) for row in rows],
        "holes": [hole_json(hole, language) for hole in holes],
        "gaps_complete": series.gaps_complete,
    }


async def spark(
    connection: Connection, point: Point, span: tuple[datetime, datetime], *, now: datetime, steps: int
) -> list[Step]:
    """Return the steps of a sparkline: about `steps` of equal width, empty where no reading is."""
    series = await read_series(connection, point.id, *span, now=now, resolution="1m", max_points=steps)
    if not series.buckets or not series.step_s:
        return []
    width = timedelta(seconds=series.step_s)
    origin = span[0] - (span[0] - series.buckets[0].from_at) % width
    cells: list[Step] = [Step(None, None, None)] * (-(-(span[1] - origin) // width))
    for bucket in series.buckets:
        place = max((bucket.from_at - origin) // width, 0)
        cells[place] = _joined(cells[place], bucket.min, bucket.max, last=bucket.last)
    return cells


def rows_of(series: Series, *, means: bool) -> list[Row]:
    """Return readings or buckets alike; a bucket shows its mean, or its last value."""
    if series.readings is not None:
        return [
            Row(at := milliseconds(one.observed_at), at, one.value, one.value, one.value, one.status)
            for one in series.readings
        ]
    return [
        Row(
            milliseconds(one.from_at),
            milliseconds(one.to_at),
            one.mean if means and one.mean is not None else one.last,
            one.min,
            one.max,
            one.status,
        )
        for one in series.buckets or []
    ]


def holes_of(
    gaps: Sequence[Gap],
    rows: Sequence[Row],
    point: Point,
    *,
    scales: Scales,
    span: tuple[datetime, datetime],
    now: datetime,
) -> list[Hole]:
    """Return recorded gaps and what no record explains, in order, cut to the chart.

    What was due follows from `scales`, the declarations of the chart's own time, not from the newest one.
    """
    first = max(milliseconds(span[0]), min(milliseconds(point.created_at), rows[0].at if rows else 2**62))
    chart_span = (first, milliseconds(min(span[1], now)))
    recorded = [_hole(gap, chart_span) for gap in gaps]
    covered: list[Stretch] = [(row.at, row.to) for row in rows]
    cuts = [(hole.from_ms, hole.to_ms or chart_span[1]) for hole in recorded]
    holes = recorded + unexplained(covered, cuts, span=chart_span, declared=dues(scales, chart_span))
    return sorted(holes, key=lambda hole: hole.from_ms)


def _hole(gap: Gap, span: Stretch) -> Hole:
    start = milliseconds(gap.from_at) if gap.from_at else span[0]
    return Hole(max(start, span[0]), None if gap.open else milliseconds(gap.to_at), gap.cause, gap.reason)


def hole_json(hole: Hole, language: Language) -> dict[str, Any]:
    """Return a hole with its cause in words; `lang` is that of the reason where it is not the page's."""
    said = say_reason(language, hole.reason)
    return {
        "from": hole.from_ms,
        "to": hole.to_ms,
        "cause": hole.cause,
        "word": language.say(CAUSES.get(hole.cause or "", UNEXPLAINED)),
        "reason": said.text,
        "lang": said.lang,
    }


def status_text(status: str, language: Language) -> str:
    """Return a reading's remark; nothing when it is good."""
    if status == "good":
        return ""
    return language.say(STATUSES[status]) if status in STATUSES else status.replace("_", " ")


def common_exponent(texts: Iterable[str | None]) -> int:
    """Return the exponent on which all these decimals are integers, at most 0."""
    return min((-len(text.partition(".")[2]) for text in texts if text is not None), default=0)


def count(text: str | None, exponent: int) -> int | None:
    """Return a decimal as a count of `10**exponent`; exact."""
    return None if text is None else int(Decimal(text).scaleb(-exponent))


def _joined(step: Step, low: str | None, high: str | None, *, last: str | None) -> Step:
    lows = [one for one in (step.low, _decimal(low)) if one is not None]
    highs = [one for one in (step.high, _decimal(high)) if one is not None]
    newest = _decimal(last)
    return Step(min(lows, default=None), max(highs, default=None), step.last if newest is None else newest)


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None
