"""Alarms as pages and the API show them: what is open, what was, how many; writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.store import alarm_desk
from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, tick_of_datetime, us_of_tick
from rules.alarm.desk import Act, Desk, What, mute, state_of
from rules.alarm.figures import Figures, figures
from rules.alarm.history import history
from rules.alarm.model import Condition, Occurrence, Priority, State
from wire.quantities import QUANTITIES

FIGURES_MAX = 50_000
"""Occurrences that figures are made of at most."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was said or done about an alarm."""

    at: datetime
    what: str
    """`commented` or `assigned`."""
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One stretch in alarm, as it stands on the list or in the history. Values are exact decimals."""

    id: int
    site_id: int
    site: str
    point: str
    """Name of the point, or of what speaks by events, such as `interlock/room-2`."""
    point_id: int | None
    title: str
    """What people call the point, as imported."""
    condition: str
    """`lolo`, `lo`, `hi`, `hihi`, `rate`, `comms`, `device`, `calibration`, `tamper` or `event`."""
    kind: str
    """`process`, or what is kept apart from it: `comms`, `device`, `calibration`, `tamper`."""
    priority: str
    """`urgent`, `high`, `medium` or `low`."""
    state: str
    """ISA-18.2 state: `unacknowledged`, `acknowledged`, `returned_unacknowledged`, `normal`, `shelved`,
    `suppressed` or `out_of_service`."""
    open: bool
    first_out: bool
    """It began while nothing else of its zone stood."""
    live: bool
    """False: historical; it was known only when it was long past, and nobody was called."""
    onset: datetime
    raised_at: datetime
    returned_at: datetime | None
    cleared_at: datetime | None
    ended: str | None
    """`returned` or `rule_changed`; None while it stands."""
    duration_s: float
    value: str | None
    """At the onset."""
    worst: str | None
    worst_at: datetime | None
    limit: str | None
    unit: str
    group: str
    """Its zone: what first-out is judged within."""
    called_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    assigned: str
    withdrawn_at: datetime | None
    """Later data showed that it was none, or another one."""
    template: str | None
    revision: int | None
    """Of the template."""
    detail: dict[str, Any]
    """What the event told that raised it."""
    mute_reason: str = ""
    """Why it is shelved, suppressed or out of service, and by whom."""
    mute_until: datetime | None = None
    followed: bool = False
    """Something else of its zone began while it stood."""
    waiting: int = 0
    """How many open stretches of this alarm nobody has acknowledged: an acknowledgement takes them all."""
    remarks: tuple[Remark, ...] = ()


COLUMNS = """
SELECT o.point, o.condition, o.revision, o.onset, o.raised_at, o.priority, o.ack_required, o.alarm_limit,
       o.value, o.worst, o.worst_at, o.returned_at, o.cleared_at, o.ended, o.known_at, o.live, o.called_at,
       o.handling, o.id, o.site_id, s.name, o.point_id, coalesce(p.title, ''), coalesce(p.quantity, ''),
       o.grp, o.acknowledged_at, o.acknowledged_by, o.withdrawn_at, t.name, r.number, o.detail, o.open,
       NOT EXISTS (SELECT 1 FROM alarm_occurrences e
                    WHERE e.site_id = o.site_id AND e.grp = o.grp AND e.onset < o.onset
                      AND e.withdrawn_at IS NULL AND (e.cleared_at IS NULL OR e.cleared_at >= o.onset)),
       EXISTS (SELECT 1 FROM alarm_occurrences e
                WHERE e.site_id = o.site_id AND e.grp = o.grp AND e.onset >= o.onset
                  AND (o.cleared_at IS NULL OR e.onset <= o.cleared_at) AND e.withdrawn_at IS NULL
                  AND (e.point, e.condition) <> (o.point, o.condition))
FROM alarm_occurrences o
JOIN sites s ON s.id = o.site_id
LEFT JOIN points p ON p.id = o.point_id
LEFT JOIN alarm_template_revisions r ON r.id = o.revision AND o.point_id IS NOT NULL
LEFT JOIN alarm_templates t ON t.id = r.template_id
"""
_OPEN = (
    COLUMNS
    + """
WHERE o.open AND (%(site)s::int IS NULL OR o.site_id = %(site)s) AND o.id > %(after)s
ORDER BY o.id LIMIT %(limit)s
"""
)
_ONE = COLUMNS + "WHERE o.id = %s"
_HISTORY = (
    COLUMNS
    + """
WHERE o.onset >= %(start)s AND o.onset < %(end)s AND (%(before)s::bigint IS NULL OR o.id < %(before)s)
  AND (%(site)s::int IS NULL OR o.site_id = %(site)s) AND (%(point)s::text IS NULL OR o.point = %(point)s)
ORDER BY o.id DESC LIMIT %(limit)s
"""
)
_COUNTS = """
SELECT count(*) FILTER (WHERE acknowledged_at IS NULL AND cleared_at IS NULL),
       count(*) FILTER (WHERE acknowledged_at IS NULL AND cleared_at IS NOT NULL),
       count(*) FILTER (WHERE acknowledged_at IS NOT NULL), count(*)
FROM alarm_occurrences WHERE open AND (%(site)s::int IS NULL OR site_id = %(site)s)
"""
_REMARKS = """
SELECT site_id, what, at_tick, point, condition, from_tick, to_tick, by_whom, said, until_tick FROM alarm_acts
WHERE (site_id, point) IN (SELECT * FROM unnest(%s::int[], %s::text[])) ORDER BY id
"""
_WAITING = """
SELECT site_id, point, condition, count(*) FROM alarm_occurrences
WHERE open AND acknowledged_at IS NULL
  AND (site_id, point) IN (SELECT * FROM unnest(%s::int[], %s::text[]))
GROUP BY site_id, point, condition
"""
_FIGURES = """
SELECT point, condition, revision, onset, raised_at, priority, ack_required, alarm_limit, value, worst,
       worst_at, returned_at, cleared_at, ended
FROM alarm_occurrences
WHERE withdrawn_at IS NULL AND site_id = %(site)s AND raised_at < %(end)s
  AND (raised_at >= %(start)s OR cleared_at IS NULL OR cleared_at >= %(start)s)
ORDER BY onset DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many alarms are open."""

    unacknowledged: int
    returned: int
    """Over, and nobody has acknowledged them."""
    acknowledged: int
    """Acknowledged, and they still stand."""
    open: int


async def list_open(
    connection: Connection, *, now: datetime, site_id: int | None = None, after: int = 0, limit: int = 100
) -> list[Alarm]:
    """Return open alarms by id, those with an id greater than `after`."""
    cursor = await connection.execute(_OPEN, {"site": site_id, "after": after, "limit": limit})
    return await alarms_of(connection, await cursor.fetchall(), now)


async def get_alarm(connection: Connection, alarm_id: int, *, now: datetime) -> Alarm | None:
    """Return one alarm with its remarks, open or not."""
    cursor = await connection.execute(_ONE, (alarm_id,))
    found = await alarms_of(connection, await cursor.fetchall(), now)
    return found[0] if found else None


async def list_history(
    connection: Connection,
    from_at: datetime,
    to_at: datetime,
    *,
    now: datetime,
    site_id: int | None = None,
    point: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Alarm]:
    """Return alarms that began in an interval, the last found first, those with an id below `before`."""
    values = {
        "start": tick_of_datetime(from_at),
        "end": tick_of_datetime(to_at),
        "site": site_id,
        "point": point,
        "before": before,
        "limit": limit,
    }
    cursor = await connection.execute(_HISTORY, values)
    return await alarms_of(connection, await cursor.fetchall(), now)


async def count_open(connection: Connection, site_id: int | None = None) -> Counts:
    """Return how many alarms are open."""
    row = await (await connection.execute(_COUNTS, {"site": site_id})).fetchone()
    return Counts(*(row or (0, 0, 0, 0)))


async def read_figures(
    connection: Connection, site_id: int, *, from_at: datetime, to_at: datetime
) -> Figures:
    """Return how the alarms of a site were to live with in an interval."""
    start, end = tick_of_datetime(from_at), tick_of_datetime(to_at)
    cursor = await connection.execute(
        _FIGURES, {"site": site_id, "start": start, "end": end, "most": FIGURES_MAX}
    )
    found = [alarm_desk.occurrence_of(row) for row in await cursor.fetchall()]
    return figures(found, await alarm_desk.policy_of(connection, site_id), start=start, end=end)


async def alarms_of(connection: Connection, rows: Sequence[Sequence[Any]], now: datetime) -> list[Alarm]:
    """Return the alarms that rows of `COLUMNS` tell of, in their order."""
    points = {(row[19], row[0]) for row in rows}
    desks = {site: await alarm_desk.peek(connection, site) for site in sorted({site for site, _ in points})}
    acts = await _acts(connection, points)
    cursor = await connection.execute(_WAITING, _apart(points))
    waiting = {tuple(row[:3]): row[3] for row in await cursor.fetchall()}
    return [
        _alarm(
            row,
            desks[row[19]],
            acts.get((row[19], row[0]), []),
            waiting=waiting.get((row[19], row[0], row[1]), 0),
            now=now,
        )
        for row in rows
    ]


def _apart(points: set[tuple[int, str]]) -> tuple[list[int], list[str]]:
    ordered = sorted(points)
    return [site for site, _ in ordered], [point for _, point in ordered]


async def _acts(connection: Connection, points: set[tuple[int, str]]) -> Mapping[tuple[int, str], list[Act]]:
    cursor = await connection.execute(_REMARKS, _apart(points))
    found: dict[tuple[int, str], list[Act]] = {}
    async for site, what, at, point, condition, start, end, by, said, until in cursor:
        act = Act(
            What(what),
            at,
            point,
            None if condition is None else Condition(condition),
            start=start,
            end=end,
            by=by,
            text=said,
            until=until,
        )
        found.setdefault((site, point), []).append(act)
    return found


def _alarm(row: Sequence[Any], desk: Desk, log: Sequence[Act], *, waiting: int, now: datetime) -> Alarm:
    item = alarm_desk.open_of(row[:18])
    one = item.occurrence
    id_, site_id, site, point_id, title, quantity, grp, *rest = row[18:]
    ack_at, ack_by, withdrawn_at, template, number, detail, is_open, first_out, followed = rest
    (past,) = history([one], log, at=tick_of_datetime(now), group_of=lambda _: grp)
    state = state_of(desk, item) if is_open else State.NORMAL
    reason, until = _mute(desk, one) if is_open else ("", None)
    tick = tick_of_datetime(now)
    return Alarm(
        *(id_, site_id, site, one.point, point_id, title, one.condition.value, one.condition.kind.value),
        priority=Priority(one.priority).name.lower(),
        state=state.value,
        open=is_open,
        first_out=first_out,
        live=item.live,
        onset=_at(one.onset),
        raised_at=_at(one.raised_at),
        returned_at=_maybe(one.returned_at),
        cleared_at=_maybe(one.cleared_at),
        ended=None if one.ended is None else one.ended.value,
        duration_s=one.duration_ticks(tick) / 100,
        value=_text(one.value),
        worst=_text(one.worst),
        worst_at=_maybe(one.worst_at),
        limit=_text(one.limit),
        unit=QUANTITIES[quantity].unit if quantity in QUANTITIES else "",
        group=grp,
        called_at=_maybe(item.called_at),
        acknowledged_at=_maybe(ack_at),
        acknowledged_by=ack_by,
        assigned=item.assigned,
        withdrawn_at=_maybe(withdrawn_at),
        template=template,
        revision=number,
        detail=detail,
        mute_reason=reason,
        mute_until=until,
        followed=followed,
        waiting=waiting,
        remarks=tuple(Remark(_at(act.at), act.what.value, act.by, act.text) for act in past.remarks),
    )


def _mute(desk: Desk, one: Occurrence) -> tuple[str, datetime | None]:
    """Return why an alarm is muted and until when; empty when it is not."""
    state = mute(desk, one.point, one.condition)
    if state is State.SHELVED:
        shelf = desk.shelves[one.key]
        return f"{shelf.by}: {shelf.reason}", _maybe(shelf.until)
    if state is State.OUT_OF_SERVICE:
        out = desk.maintenance[one.point]
        return f"{out.by}: {out.reason}", _maybe(out.until)
    return (desk.suppressed[one.point], None) if state is State.SUPPRESSED else ("", None)


def _at(tick: int) -> datetime:
    return datetime_of_us(us_of_tick(tick))


def _maybe(tick: int | None) -> datetime | None:
    return None if tick is None else _at(tick)


def _text(value: Any) -> str | None:
    return None if value is None else f"{value:f}"
