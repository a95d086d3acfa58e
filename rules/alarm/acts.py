"""What people do with alarms; every function returns the desk after it and the log, or why it was refused.

The order in which reasons are tried is the decision table of docs/explanation/alarms.md.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from rules.alarm.desk import (
    Act,
    Desk,
    Maintenance,
    Open,
    Outcome,
    Reason,
    Refused,
    Shelf,
    What,
    underlying,
)
from rules.alarm.handling import passed, recalled
from rules.alarm.model import Condition, Kind, State, key_of
from rules.alarm.policy import Policy


def acknowledge(
    desk: Desk, policy: Policy, *, point: str, condition: Condition, by: str, text: str = "", now: int
) -> Outcome | Refused:
    """Acknowledge every open occurrence of one alarm; its escalation stops."""
    desk, log = passed(desk, policy, now)
    items = _of(desk, point, condition)
    waiting = [item for item in items if item.acknowledged is None]
    reason = _first(
        (not by.strip(), Reason.NO_PERSON),
        (not items, Reason.NOTHING_OPEN),
        (not waiting, Reason.ALREADY_ACKNOWLEDGED),
    )
    if reason is not None:
        return Refused(reason)
    acts = tuple(_seen(desk, What.ACKNOWLEDGED, item, by=by, text=text) for item in waiting)
    taken = {item.occurrence.id: act for item, act in zip(waiting, acts, strict=True)}
    left = []
    for item in desk.open[point]:
        act = taken.get(item.occurrence.id, item.acknowledged)
        if underlying(item.occurrence, acknowledged=act is not None) is not State.NORMAL:
            left.append(replace(item, acknowledged=act))
    known = desk.acknowledgements | {point: (*desk.acknowledgements.get(point, ()), *acts)}
    return replace(_with(desk, point, left), acknowledgements=known), (*log, *acts)


def comment(
    desk: Desk, policy: Policy, *, point: str, condition: Condition, by: str, text: str, now: int
) -> Outcome | Refused:
    """Write something beside every open occurrence of one alarm."""
    desk, log = passed(desk, policy, now)
    items = _of(desk, point, condition)
    reason = _first(
        (not by.strip(), Reason.NO_PERSON),
        (not text.strip(), Reason.NO_REASON),
        (not items, Reason.NOTHING_OPEN),
    )
    if reason is not None:
        return Refused(reason)
    return desk, (*log, *(_seen(desk, What.COMMENTED, item, by=by, text=text) for item in items))


def assign(
    desk: Desk, policy: Policy, *, point: str, condition: Condition, by: str, to: str, now: int
) -> Outcome | Refused:
    """Give every open occurrence of one alarm to a person; an empty `to` takes it from whoever had it."""
    desk, log = passed(desk, policy, now)
    items = _of(desk, point, condition)
    reason = _first((not by.strip(), Reason.NO_PERSON), (not items, Reason.NOTHING_OPEN))
    if reason is not None:
        return Refused(reason)
    given = [
        replace(item, assigned=to) if item.occurrence.condition is condition else item
        for item in desk.open[point]
    ]
    acts = (_seen(desk, What.ASSIGNED, item, by=by, text=to) for item in items)
    return _with(desk, point, given), (*log, *acts)


def shelve(
    desk: Desk,
    policy: Policy,
    *,
    point: str,
    condition: Condition,
    by: str,
    text: str,
    until: int | None,
    now: int,
) -> Outcome | Refused:
    """Put one alarm aside until a time, or with None until it clears."""
    desk, log = passed(desk, policy, now)
    stands = [item.occurrence for item in _of(desk, point, condition) if item.occurrence.stands]
    key = key_of(point, condition)
    reason = _first(
        (not by.strip(), Reason.NO_PERSON),
        (not text.strip(), Reason.NO_REASON),
        (condition.kind is Kind.TAMPER, Reason.NOT_SHELVABLE),
        (key in desk.shelves, Reason.ALREADY_SHELVED),
        (until is None and not stands, Reason.NOTHING_STANDS),
        (until is not None and until <= desk.now, Reason.IN_THE_PAST),
        (until is not None and until > desk.now + policy.shelf_max_ticks, Reason.TOO_LONG),
    )
    if reason is not None:
        return Refused(reason)
    start = min(one.onset for one in stands) if until is None else None
    shelf = Shelf(point, condition, at=desk.now, by=by, reason=text, until=until, start=start)
    act = Act(What.SHELVED, desk.now, point, condition, by=by, text=text, until=until)
    return replace(desk, shelves=desk.shelves | {key: shelf}), (*log, act)


def unshelve(
    desk: Desk, policy: Policy, *, point: str, condition: Condition, by: str, now: int
) -> Outcome | Refused:
    """Take an alarm from its shelf; if it stands unacknowledged, people are called for it anew."""
    desk, log = passed(desk, policy, now)
    key = key_of(point, condition)
    reason = _first((not by.strip(), Reason.NO_PERSON), (key not in desk.shelves, Reason.NOT_SHELVED))
    if reason is not None:
        return Refused(reason)
    kept = {other: shelf for other, shelf in desk.shelves.items() if other != key}
    after, called = recalled(desk, replace(desk, shelves=kept), policy, points=[point])
    return after, (*log, Act(What.UNSHELVED, desk.now, point, condition, by=by), *called)


def take_out(
    desk: Desk, policy: Policy, *, point: str, by: str, text: str, until: int | None, now: int
) -> Outcome | Refused:
    """Take a point out of service for maintenance, until a time or until it is put back."""
    desk, log = passed(desk, policy, now)
    reason = _first(
        (not by.strip(), Reason.NO_PERSON),
        (not text.strip(), Reason.NO_REASON),
        (point in desk.maintenance, Reason.ALREADY_OUT),
        (until is not None and until <= desk.now, Reason.IN_THE_PAST),
    )
    if reason is not None:
        return Refused(reason)
    out = desk.maintenance | {point: Maintenance(desk.now, by, text, until)}
    act = Act(What.TAKEN_OUT, desk.now, point, by=by, text=text, until=until)
    return replace(desk, maintenance=out), (*log, act)


def put_back(desk: Desk, policy: Policy, *, point: str, by: str, now: int) -> Outcome | Refused:
    """Put a point back into service; for what stands unacknowledged people are called anew."""
    desk, log = passed(desk, policy, now)
    reason = _first((not by.strip(), Reason.NO_PERSON), (point not in desk.maintenance, Reason.NOT_OUT))
    if reason is not None:
        return Refused(reason)
    left = {other: m for other, m in desk.maintenance.items() if other != point}
    after, called = recalled(desk, replace(desk, maintenance=left), policy, points=[point])
    return after, (*log, Act(What.PUT_BACK, desk.now, point, by=by), *called)


def suppress(desk: Desk, policy: Policy, wanted: Mapping[str, str], *, now: int) -> Outcome:
    """Have exactly these points suppressed by design: point -> which design, such as no job being open.

    No person does this: it follows from the state of the site, and the whole of it is given each time.
    """
    desk, log = passed(desk, policy, now)
    began = [point for point in sorted(wanted) if desk.suppressed.get(point) != wanted[point]]
    ended = [point for point in sorted(desk.suppressed) if point not in wanted]
    acts = [Act(What.SUPPRESSED, desk.now, point, text=wanted[point]) for point in began]
    acts += [Act(What.RELEASED, desk.now, point) for point in ended]
    after, called = recalled(desk, replace(desk, suppressed=dict(wanted)), policy, points=ended)
    return after, (*log, *acts, *called)


def _first(*tried: tuple[bool, Reason]) -> Reason | None:
    return next((reason for applies, reason in tried if applies), None)


def _of(desk: Desk, point: str, condition: Condition) -> list[Open]:
    return [item for item in desk.open.get(point, ()) if item.occurrence.condition is condition]


def _with(desk: Desk, point: str, items: Iterable[Open]) -> Desk:
    others = {other: rest for other, rest in desk.open.items() if other != point}
    there = tuple(items)
    return replace(desk, open=others | {point: there} if there else others)


def _seen(desk: Desk, what: What, item: Open, *, by: str, text: str) -> Act:
    """Return an act about an occurrence as it was seen: from its onset to its end, or to now."""
    one = item.occurrence
    end = max(desk.now, one.onset) if one.cleared_at is None else one.cleared_at
    return Act(what, desk.now, one.point, one.condition, start=one.onset, end=end, by=by, text=text)
