"""A job, its methods and its record as API, pages and files show them: plain values, times in UTC."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.store.jobs import KeptJob, KeptLimits, LogLine, at_tick, at_tick_or_none
from rules.jobs.model import Cause, Hold, Limit
from rules.jobs.record import Excursion, Record, Summary, Verdict
from rules.jobs.spans import Span

_ORDER = (Verdict.NOT_MET, Verdict.UNDETERMINED, Verdict.MET, Verdict.NOT_ASKED)
"""What the method asks for stands first in a record, and of that what was not met."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what a quantity must stay; exact decimals, None: no bound."""

    quantity: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class MethodView:
    """One version of a method."""

    organisation_id: int
    method: str
    version: int
    limits: list[Bounds]
    people_min: int
    activities: list[str]
    author: str
    reason: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class CauseView:
    """A breach: `interlock/gateway/name`, `hub/name` or `limit/point`."""

    name: str
    from_at: datetime
    to_at: datetime | None
    """None: it stands."""


@dataclass(frozen=True, slots=True)
class HoldView:
    """A stretch in which work stood still; readings from `from_at` on are marked."""

    from_at: datetime
    held_at: datetime
    causes: list[CauseView]
    released_at: datetime | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobView:
    """One job."""

    id: int
    number: str
    site_id: int
    site: str
    zone: str
    method: str
    version: int
    state: str
    people: list[str]
    instruments: list[str]
    planned_from: datetime
    planned_to: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attested: list[str] | None
    """Who was said to be there by who started it; None: doors told it, or it has not begun."""
    holds: list[HoldView]
    found_later: list[CauseView]
    """Breaches that were over when they became known: they mark readings and held nothing."""
    author: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a time until before another."""

    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """Of so many readings; exact decimals, None when there was none."""

    count: int
    least: str | None
    mean: str | None
    most: str | None


@dataclass(frozen=True, slots=True)
class OutsideView:
    """A stretch outside the limits, with the value that was furthest out."""

    from_at: datetime
    to_at: datetime
    worst: str


@dataclass(frozen=True, slots=True)
class PointView:
    """What one point says of a job."""

    point: str
    quantity: str
    low: str | None
    high: str | None
    whole: Figures
    work: Figures
    """Without what is marked."""
    outside: list[OutsideView]
    gaps: list[Stretch]
    verdict: str


@dataclass(frozen=True, slots=True)
class ShortView:
    """A stretch of work with fewer of the job's people than asked for, and who they were."""

    from_at: datetime
    to_at: datetime
    people: list[str]


@dataclass(frozen=True, slots=True)
class RecordView:
    """What became of a job; verdicts: `met`, `not_met`, `undetermined`, `not_asked`."""

    job: JobView
    from_at: datetime
    to_at: datetime
    final: bool
    """False while the job is not finished."""
    verdict: str
    environment: list[PointView]
    missing: list[str]
    """Quantities with a limit that no point of the zone measures."""
    people_min: int
    presence: str
    shortages: list[ShortView]
    blind: list[Stretch]
    """Stretches in which nothing tells who was there."""
    marked: list[Stretch]
    held_s: float


def view_method(kept: KeptLimits) -> MethodView:
    """Return one version of a method as it is shown."""
    limits = kept.limits
    return MethodView(
        kept.organisation_id,
        limits.method,
        limits.version,
        [_bounds(one) for one in limits.limits],
        limits.people_min,
        list(kept.activities),
        kept.author,
        kept.reason,
        kept.made_at,
    )


def view_job(kept: KeptJob) -> JobView:
    """Return a job as it is shown."""
    job = kept.job
    return JobView(
        id=kept.id,
        number=job.id,
        site_id=kept.site_id,
        site=kept.site,
        zone=job.zone,
        method=job.method,
        version=job.limits_version,
        state=str(job.state),
        people=list(job.people),
        instruments=list(job.instruments),
        planned_from=at_tick(job.planned.start),
        planned_to=at_tick(job.planned.end),
        started_at=at_tick_or_none(job.started_at),
        finished_at=at_tick_or_none(job.finished_at),
        attested=None if kept.attested is None else list(kept.attested),
        holds=[_hold(one) for one in job.holds],
        found_later=[_cause(one) for one in job.found_later],
        author=kept.author,
        made_at=kept.made_at,
    )


def view_record(kept: KeptJob, made: Record) -> RecordView:
    """Return a record as it is shown."""
    return RecordView(
        job=view_job(kept),
        from_at=at_tick(made.span.start),
        to_at=at_tick(made.span.end),
        final=made.final,
        verdict=str(made.verdict),
        environment=[
            PointView(
                point=one.point,
                quantity=one.quantity,
                low=None if one.limit is None else _text(one.limit.low),
                high=None if one.limit is None else _text(one.limit.high),
                whole=_figures(one.whole),
                work=_figures(one.work),
                outside=[_outside(each) for each in one.excursions],
                gaps=_stretches(one.gaps),
                verdict=str(one.verdict),
            )
            for one in sorted(made.environment, key=lambda one: _ORDER.index(one.verdict))
        ],
        missing=list(made.missing),
        people_min=made.presence.least,
        presence=str(made.presence.verdict),
        shortages=[
            ShortView(at_tick(one.span.start), at_tick(one.span.end), list(one.people))
            for one in made.presence.shortages
        ],
        blind=_stretches(made.presence.blind),
        marked=_stretches(made.marked),
        held_s=made.held_ticks / 100,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _bounds(limit: Limit) -> Bounds:
    return Bounds(limit.quantity, _text(limit.low), _text(limit.high))


def _cause(cause: Cause) -> CauseView:
    return CauseView(cause.name, at_tick(cause.from_at), at_tick_or_none(cause.to_at))


def _hold(hold: Hold) -> HoldView:
    causes = [_cause(one) for one in hold.causes]
    released = at_tick_or_none(hold.released_at)
    return HoldView(at_tick(hold.from_at), at_tick(hold.held_at), causes, released, hold.by, hold.reason)


def _figures(made: Summary) -> Figures:
    return Figures(made.count, _text(made.least), _text(made.mean), _text(made.most))


def _outside(made: Excursion) -> OutsideView:
    return OutsideView(at_tick(made.span.start), at_tick(made.span.end), str(made.worst))


def _stretches(spans: Iterable[Span]) -> list[Stretch]:
    return [Stretch(at_tick(one.start), at_tick(one.end)) for one in spans]


# --- files ----------------------------------------------------------------------------------------------

JOB_COLUMNS = (
    *("number", "site", "zone", "method", "version", "state", "people", "instruments"),
    *("planned_from", "planned_to", "started_at", "finished_at", "holds", "held_for", "found_later"),
)


def jobs_csv(found: Sequence[JobView]) -> str:
    """Return jobs as CSV, a line each."""
    rows = [
        (
            *(one.number, one.site, one.zone, one.method, one.version, one.state),
            *(" ".join(one.people), " ".join(one.instruments)),
            *(one.planned_from, one.planned_to, one.started_at, one.finished_at, len(one.holds)),
            " ".join(cause.name for hold in one.holds for cause in hold.causes),
            len(one.found_later),
        )
        for one in found
    ]
    return _csv([JOB_COLUMNS, *rows])


def record_csv(made: RecordView, log: Sequence[LogLine]) -> str:
    """Return a record as CSV: lines of several kinds, the first column says which."""
    job = made.job
    rows: list[Sequence[object]] = [("kind", "name", "from", "to", "value", "detail")]
    rows.append(
        ("job", job.number, made.from_at, made.to_at, made.verdict, "final" if made.final else "not final")
    )
    rows.append(("method", job.method, "", "", job.version, f"{job.site}/{job.zone}"))
    rows += [("person", one, "", "", "", "") for one in job.people]
    rows += [("instrument", one, "", "", "", "") for one in job.instruments]
    for one in made.environment:
        rows.append(("environment", one.point, "", "", one.verdict, f"{one.quantity} {_range(one)}"))
        for name, figures in (("whole", one.whole), ("work", one.work)):
            rows += [
                (f"{name} {word}", one.point, "", "", getattr(figures, word), one.quantity)
                for word in ("count", "least", "mean", "most")
            ]
        rows += [
            ("outside", one.point, out.from_at, out.to_at, out.worst, one.quantity) for out in one.outside
        ]
        rows += [("gap", one.point, gap.from_at, gap.to_at, "", one.quantity) for gap in one.gaps]
    rows += [("not measured", one, "", "", "", "") for one in made.missing]
    rows.append(("presence", "", "", "", made.presence, f"at least {made.people_min}"))
    rows += [("too few", "", one.from_at, one.to_at, "", " ".join(one.people)) for one in made.shortages]
    rows += [("presence not known", "", one.from_at, one.to_at, "", "") for one in made.blind]
    for hold in job.holds:
        rows.append(("hold", "", hold.from_at, hold.released_at, hold.by, hold.reason))
        rows += [("cause", one.name, one.from_at, one.to_at, "", "") for one in hold.causes]
    rows += [("found later", one.name, one.from_at, one.to_at, "", "") for one in job.found_later]
    rows += [("marked", "", one.from_at, one.to_at, "", "") for one in made.marked]
    rows += [("log", one.what, one.at, "", one.actor, one.text) for one in log]
    return _csv(rows)


def _range(one: PointView) -> str:
    return f"{one.low or ''} to {one.high or ''}".strip() if one.low or one.high else ""


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()
