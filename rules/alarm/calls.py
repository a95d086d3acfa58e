"""Which message is due when: escalation with repeats, gathering, floods. `due` reads, `told` notes.

Messages go out in *rounds*: one notification holds all that is due, and each person gets the part that is
theirs. Between two rounds lies the gathering time, during a flood the longer digest time, unless something
more urgent comes up than all that was told since messages began. So a storm gives a handful of rounds, and
every alarm of which anybody is to be told is in one.
"""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rules.alarm.desk import Desk, Flood, Open, Rounds, Told, mute
from rules.alarm.handling import flood_end, passed
from rules.alarm.model import Occurrence, Priority
from rules.alarm.policy import Chain, Policy


class Why(StrEnum):
    """What a notification is about."""

    ALARMS = "alarms"
    FLOOD_BEGAN = "flood_began"
    DIGEST = "digest"
    """What came up since the last message of a flood."""
    FLOOD_ENDED = "flood_ended"


class Call(Struct, frozen=True, omit_defaults=True):
    """One occurrence of which these are told."""

    occurrence: Occurrence
    recipients: tuple[str, ...]
    step: int
    count: int
    """1 at the first time that this step is told."""
    escalated: bool = False
    """Whether it is told because nobody acknowledged when others had been told."""


class Notification(Struct, frozen=True, omit_defaults=True):
    """One round of messages."""

    number: int
    at: int
    why: Why
    calls: tuple[Call, ...]
    recipients: tuple[str, ...]
    first_out: tuple[str, ...] = ()
    """Ids of the calls whose condition began first."""
    by_priority: dict[str, int] = {}
    """Occurrences told of, by the name of their priority."""
    urgent: tuple[Occurrence, ...] = ()
    """All urgent ones of the site that stand and are not muted, told now or before; the oldest first."""


def due(desk: Desk, policy: Policy, now: int) -> Notification | None:
    """Return the round that is due at `now`, None when none is. Nothing is noted."""
    desk, _ = passed(desk, policy, now)
    flood, waits = desk.flood, _waits(desk, policy)
    if flood.ended_at is not None:
        calls = tuple(_calls(desk, policy))
        return _round(desk, Why.FLOOD_ENDED, calls, also=flood.recipients)
    if all(at > desk.now for at in waits):
        return None
    calls = tuple(_calls(desk, policy))
    if not calls:
        return None
    if flood.since is None:
        return _round(desk, Why.ALARMS, calls)
    return _round(desk, Why.DIGEST if flood.told else Why.FLOOD_BEGAN, calls)


def told(desk: Desk, policy: Policy, notification: Notification) -> Desk:
    """Return the desk after a round went out. One that was noted before changes nothing."""
    desk, _ = passed(desk, policy, notification.at)
    if notification.number != desk.rounds.number + 1:
        return desk
    noted: dict[str, dict[str, list[Call]]] = {}
    for call in notification.calls:
        noted.setdefault(call.occurrence.point, {}).setdefault(call.occurrence.id, []).append(call)
    opened = dict(desk.open)
    for point, by_id in noted.items():
        items = desk.open.get(point, ())
        opened[point] = tuple(_noted(item, by_id.get(item.occurrence.id, ()), desk.now) for item in items)
    urgent = [call.occurrence.priority for call in notification.calls]
    if desk.rounds.most_urgent is not None and _in_burst(desk, policy):
        urgent.append(desk.rounds.most_urgent)
    rounds = Rounds(notification.number, desk.now, min(urgent, default=None), desk.rounds.wakes)
    flood = desk.flood
    if flood.since is not None:
        everyone = tuple(sorted({*flood.recipients, *notification.recipients}))
        flood = replace(flood, told=True, recipients=everyone)
    else:
        flood = Flood(calls=flood.calls)
    after = replace(desk, open={k: v for k, v in opened.items() if v}, flood=flood, rounds=rounds)
    return replace(after, rounds=replace(rounds, wakes=_wakes(after, policy)))


def next_at(desk: Desk, policy: Policy) -> int | None:
    """Return when to ask again although nothing happens; None when only something new can make one due."""
    times = _waits(desk, policy)
    times += [shelf.until for shelf in desk.shelves.values() if shelf.until is not None]
    times += [m.until for m in desk.maintenance.values() if m.until is not None]
    end = flood_end(desk.flood, policy)
    if end is not None:
        times.append(end)
    if desk.flood.ended_at is not None:
        times.append(desk.now)
    return max(min(times), desk.now) if times else None


def part_of(notification: Notification, recipient: str) -> tuple[Call, ...]:
    """Return what one recipient is told in a round."""
    return tuple(call for call in notification.calls if recipient in call.recipients)


def _waits(desk: Desk, policy: Policy) -> list[int]:
    """Return for each priority that something waits in: before when no round can be due for it."""
    rounds, flood = desk.rounds, desk.flood
    open_from = None
    if rounds.last_at is not None and not (flood.since is not None and not flood.told):
        open_from = rounds.last_at + _spacing(desk, policy)
    waits = []
    for priority, wake in zip(Priority, rounds.wakes, strict=True):
        if wake is not None:
            breaks = rounds.most_urgent is None or priority < rounds.most_urgent
            waits.append(wake if open_from is None or breaks else max(wake, open_from))
    return waits


def _spacing(desk: Desk, policy: Policy) -> int:
    return policy.gather_ticks if desk.flood.since is None else policy.digest_ticks


def _in_burst(desk: Desk, policy: Policy) -> bool:
    """Whether a round belongs to those before: within a flood, or within the gathering time."""
    last_at = desk.rounds.last_at
    return desk.flood.told or (last_at is not None and desk.now < last_at + policy.gather_ticks)


def _calls(desk: Desk, policy: Policy) -> Iterator[Call]:
    for items in desk.open.values():
        for item in items:
            chain = _chain(desk, policy, item)
            if chain is None:
                continue
            first = min(step.after_ticks for step in chain.steps)
            for number, at in _dues(item, chain):
                if at <= desk.now:
                    step, count = chain.steps[number], _told(item, number).count + 1
                    yield Call(item.occurrence, step.recipients, number, count, step.after_ticks > first)


def _chain(desk: Desk, policy: Policy, item: Open) -> Chain | None:
    """Return the chain that runs for an open occurrence, None while none does."""
    one = item.occurrence
    if item.called_at is None or item.acknowledged is not None or mute(desk, one.point, one.condition):
        return None
    return policy.chain_of(one.condition.kind, one.priority)


def _dues(item: Open, chain: Chain) -> Iterator[tuple[int, int]]:
    """Yield the number of each step that is still to be told, and when."""
    called_at = item.called_at or 0
    over = chain.ends_on_return and not item.occurrence.stands
    if over and any(told.count for told in item.told):
        return
    first = min(step.after_ticks for step in chain.steps)
    for number, step in enumerate(chain.steps):
        if over and step.after_ticks > first:
            continue  # it came and went: those who are called first are told once
        known = _told(item, number)
        if not known.count:
            yield number, called_at + step.after_ticks
        elif step.repeat_ticks is not None and (step.repeats is None or known.count <= step.repeats):
            yield number, known.last_at + step.repeat_ticks


def _told(item: Open, number: int) -> Told:
    return item.told[number] if number < len(item.told) else Told()


def _noted(item: Open, calls: list[Call] | tuple[()], now: int) -> Open:
    if not calls:
        return item
    steps = max(len(item.told), 1 + max(call.step for call in calls))
    told = [_told(item, number) for number in range(steps)]
    for call in calls:
        told[call.step] = Told(call.count, now)
    return replace(item, told=tuple(told))


def _wakes(desk: Desk, policy: Policy) -> tuple[int | None, ...]:
    wakes: list[int | None] = [None] * len(Priority)
    for items in desk.open.values():
        for item in items:
            chain = _chain(desk, policy, item)
            if chain is None:
                continue
            place = item.occurrence.priority - 1
            for _, at in _dues(item, chain):
                before = wakes[place]
                wakes[place] = at if before is None else min(before, at)
    return tuple(wakes)


def _round(desk: Desk, why: Why, calls: tuple[Call, ...], *, also: tuple[str, ...] = ()) -> Notification:
    everyone = {name for call in calls for name in call.recipients} | set(also)
    occurrences = {call.occurrence.id: call.occurrence for call in calls}
    onset = min((one.onset for one in occurrences.values()), default=None)
    first_out = tuple(name for name, one in occurrences.items() if one.onset == onset)
    counts: dict[str, int] = {}
    for one in occurrences.values():
        counts[one.priority.name.lower()] = counts.get(one.priority.name.lower(), 0) + 1
    number, recipients = desk.rounds.number + 1, tuple(sorted(everyone))
    return Notification(
        number, desk.now, why, calls, recipients, first_out, counts, tuple(_urgent_that_stand(desk))
    )


def _urgent_that_stand(desk: Desk) -> list[Occurrence]:
    found = [item.occurrence for items in desk.open.values() for item in items]
    urgent = [one for one in found if one.stands and one.priority is Priority.URGENT]
    shown = [one for one in urgent if not mute(desk, one.point, one.condition)]
    return sorted(shown, key=lambda one: (one.onset, one.id))
