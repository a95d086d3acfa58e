"""What happens to the alarm list by itself: occurrences come, change and go, and time passes.

An occurrence wakes people when it stands by fresh evidence or was raised a short while ago. What is known
only later, from data that were on their way for long, is *historical*: it is on the list until somebody has
looked at it, and calls nobody.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from rules.alarm.desk import Act, Desk, Flood, Open, Outcome, What, mute, underlying
from rules.alarm.model import Condition, Occurrence, State
from rules.alarm.policy import Policy
from rules.alarm.timeline import View, is_settled


def observe(desk: Desk, policy: Policy, views: Iterable[View], *, now: int) -> Outcome:
    """Return the desk with what is known of some points. The same view again changes nothing."""
    desk, log = passed(desk, policy, now)
    acts, called, opened = list(log), [], dict(desk.open)
    for view in views:
        before = desk
        desk, ended = _one_shots(desk, view)
        items, more = _merged(desk, policy, view, old=opened.get(view.point, ()))
        acts += [*ended, *more]
        # Late data may move what was called long ago behind its one-shot shelf: it is called anew.
        heard = [_called_first(desk, _heard_again(before, desk, item)) for item in items]
        called += [item for item, was in zip(heard, items, strict=True) if item is not was]
        opened[view.point] = tuple(heard)
        if not items:
            del opened[view.point]
        desk = _forgotten(desk, view, items)
    desk, more_acts = _called(replace(desk, open=opened), policy, called)
    return desk, (*acts, *more_acts)


def passed(desk: Desk, policy: Policy, now: int) -> Outcome:
    """Return the desk when time has come to `now`: shelves and maintenance end at their time, floods end.

    Time never goes back: a clock that is set back ends nothing twice and prolongs nothing.
    """
    now = max(now, desk.now)
    over = {key: shelf for key, shelf in desk.shelves.items() if _due(shelf.until, now)}
    back = {point: m for point, m in desk.maintenance.items() if _due(m.until, now)}
    acts = [
        Act(What.UNSHELVED, shelf.until or now, shelf.point, shelf.condition) for shelf in over.values()
    ] + [Act(What.PUT_BACK, m.until or now, point) for point, m in back.items()]
    after = replace(desk, now=now)
    if acts:
        after = replace(
            after,
            shelves={key: shelf for key, shelf in desk.shelves.items() if key not in over},
            maintenance={point: m for point, m in desk.maintenance.items() if point not in back},
        )
    # The flood first: it ended by the calls that were, not by those that are made now.
    flood = _flood(after.flood, policy, now)
    if flood.since is None and after.flood.since is not None:
        acts.append(Act(What.FLOOD_ENDED, flood_end(after.flood, policy) or now))
    points = {shelf.point for shelf in over.values()} | set(back)
    after, called = recalled(desk, replace(after, flood=flood), policy, points=points)
    return after, (*acts, *called)


def recalled(before: Desk, after: Desk, policy: Policy, *, points: Iterable[str]) -> Outcome:
    """Return the desk with people called anew for what stands and is muted no longer."""
    opened, called = dict(after.open), []
    for point in sorted(set(points) & set(opened)):
        items = [_heard_again(before, after, item) for item in opened[point]]
        called += [item for item, was in zip(items, opened[point], strict=True) if item is not was]
        opened[point] = tuple(items)
    return _called(replace(after, open=opened), policy, called)


def _heard_again(before: Desk, after: Desk, item: Open) -> Open:
    """Return an open occurrence, called anew when it stands and is muted no longer."""
    one = item.occurrence
    waits = item.live and one.stands and item.acknowledged is None
    if not waits or not mute(before, one.point, one.condition) or mute(after, one.point, one.condition):
        return item
    return replace(item, called_at=after.now, told=())


def flood_end(flood: Flood, policy: Policy) -> int | None:
    """Return when a flood is over unless people are called again; None when there is none."""
    if flood.since is None:
        return None
    return flood.calls[-policy.flood_under] + policy.flood_window_ticks


def _due(until: int | None, now: int) -> bool:
    return until is not None and until <= now


def _called_first(desk: Desk, item: Open) -> Open:
    """Return an open occurrence, called when nobody was yet and nothing mutes it."""
    occurrence = item.occurrence
    if not item.live or item.called_at is not None or item.acknowledged is not None:
        return item
    return item if mute(desk, occurrence.point, occurrence.condition) else replace(item, called_at=desk.now)


def _merged(desk: Desk, policy: Policy, view: View, *, old: tuple[Open, ...]) -> tuple[list[Open], list[Act]]:
    """Return what of a point is open now, and what was withdrawn."""
    items = [item for item in old if item.occurrence.condition not in view.conditions]
    left = {item.occurrence.id: item for item in old if item not in items}
    acts: list[Act] = []
    for occurrence in view.occurrences:
        was = left.pop(occurrence.id, None) or _predecessor(old, view, occurrence)
        ack = _acknowledgement(desk, occurrence)
        if underlying(occurrence, acknowledged=ack is not None) is State.NORMAL:
            continue
        item = was or Open(occurrence, known_at=desk.now, live=False)
        live = item.live or _is_live(occurrence, view, policy, now=desk.now)
        items.append(replace(item, occurrence=occurrence, live=live, acknowledged=ack))
    for item in left.values():
        occurrence = item.occurrence
        if is_settled(occurrence, view.since):
            items.append(item)
            continue
        end = desk.now if occurrence.cleared_at is None else occurrence.cleared_at
        where = (occurrence.point, occurrence.condition, occurrence.onset, end)
        acts.append(Act(What.WITHDRAWN, desk.now, *where))
    return sorted(items, key=lambda item: (item.occurrence.onset, item.occurrence.condition)), acts


def _predecessor(old: tuple[Open, ...], view: View, occurrence: Occurrence) -> Open | None:
    """Return what was open before late data redrew it as `occurrence`: it was told already, and stays so."""
    known = {other.id for other in view.occurrences}
    for item in old:
        was = item.occurrence
        end = view.reached if was.cleared_at is None else was.cleared_at
        if was.key == occurrence.key and was.id not in known and occurrence.overlaps(was.onset, end):
            return item
    return None


def _is_live(occurrence: Occurrence, view: View, policy: Policy, *, now: int) -> bool:
    speaks = occurrence.condition is Condition.COMMS or not view.silent
    if occurrence.stands and speaks and now - view.reached <= policy.fresh_ticks:
        return True
    return now - occurrence.raised_at <= policy.fresh_ticks


def _acknowledgement(desk: Desk, occurrence: Occurrence) -> Act | None:
    acts = desk.acknowledgements.get(occurrence.point, ())
    return next((act for act in acts if act.covers(occurrence)), None)


def _one_shots(desk: Desk, view: View) -> Outcome:
    """End the one-shot shelves of alarms that have cleared."""
    over = {
        key: shelf
        for key, shelf in desk.shelves.items()
        if shelf.point == view.point
        and shelf.condition in view.conditions
        and shelf.start is not None
        and not any(
            occurrence.stands and occurrence.key == key and occurrence.overlaps(shelf.start, shelf.at)
            for occurrence in view.occurrences
        )
    }
    if not over:
        return desk, ()
    kept = {key: shelf for key, shelf in desk.shelves.items() if key not in over}
    acts = tuple(Act(What.UNSHELVED, desk.now, view.point, shelf.condition) for shelf in over.values())
    return replace(desk, shelves=kept), acts


def _forgotten(desk: Desk, view: View, items: list[Open]) -> Desk:
    """Forget acknowledgements that no occurrence can need any more."""
    acts = desk.acknowledgements.get(view.point)
    if not acts:
        return desk
    there = [*view.occurrences, *(item.occurrence for item in items)]
    kept = tuple(
        act
        for act in acts
        if act.condition not in view.conditions
        or (act.end or 0) >= view.since
        or any(act.covers(one) for one in there)
    )
    if len(kept) == len(acts):
        return desk
    others = {point: acts for point, acts in desk.acknowledgements.items() if point != view.point}
    return replace(desk, acknowledgements=others | {view.point: kept} if kept else others)


def _called(desk: Desk, policy: Policy, called: list[Open]) -> Outcome:
    """Note that people are called for these from now on."""
    if not called:
        return desk, ()
    now, wakes, acts = desk.now, list(desk.rounds.wakes), []
    for item in called:
        occurrence = item.occurrence
        where = (occurrence.point, occurrence.condition, occurrence.onset)
        acts.append(Act(What.CALLED, now, *where))
        chain = policy.chain_of(occurrence.condition.kind, occurrence.priority)
        if chain is not None and chain.steps:
            first = now + min(step.after_ticks for step in chain.steps)
            wakes[occurrence.priority - 1] = min(first, _or(wakes[occurrence.priority - 1], first))
    calls = (*desk.flood.calls, *(now for _ in called))[-(policy.flood_over + 1) :]
    flood = _flood(replace(desk.flood, calls=calls), policy, now)
    if flood.since is not None and desk.flood.since is None:
        acts.append(Act(What.FLOOD_BEGAN, now))
    return replace(desk, flood=flood, rounds=replace(desk.rounds, wakes=tuple(wakes))), tuple(acts)


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


def _flood(flood: Flood, policy: Policy, now: int) -> Flood:
    """Return the flood with its begin or end, judged by the calls that were."""
    within = sum(now - at < policy.flood_window_ticks for at in flood.calls)
    if flood.since is None:
        if within <= policy.flood_over:
            return flood
        # To those who were not told that the last one ended it goes on.
        goes_on = flood.ended_at is not None
        return Flood(
            calls=flood.calls, since=now, told=goes_on, recipients=flood.recipients if goes_on else ()
        )
    if within >= policy.flood_under:
        return flood
    ended_at = flood.calls[-policy.flood_under] + policy.flood_window_ticks
    return Flood(calls=flood.calls, ended_at=ended_at if flood.told else None, recipients=flood.recipients)
