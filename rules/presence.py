"""When a tag is in a zone, from how strongly it is heard. Pure; times are ticks of the radio, never "now".

A tag enters when its smoothed level has been near for a while, and leaves when it has been far, or was not
heard, for a while. Between the two levels nothing changes. Every change carries the time at which its
condition was fulfilled, however late somebody looks: looking more often changes nothing.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What changed."""

    ENTERED = "entered"
    DWELLED = "dwelled"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class PresenceRules:
    """Levels in dBm (`leave_dbm` is lower), times in ticks."""

    enter_dbm: float
    leave_dbm: float
    smoothing: float
    """Time constant of the exponential smoothing."""
    enter: int
    leave: int
    dwell: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change of presence."""

    kind: Kind
    at: int
    """When the condition was fulfilled."""
    since: int
    """When what led to it began: first heard near, entered, first far or last heard."""
    level: float | None
    """The smoothed level then, in dBm; None when it was not heard."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of one tag; the default is one that was never heard."""

    inside: bool = False
    heard: int | None = None
    level: float | None = None
    near_since: int | None = None
    far_since: int | None = None
    dwell_from: int = 0
    dwelled: bool = False


Step = tuple[Presence, tuple[Change, ...]]


def heard(state: Presence, rules: PresenceRules, *, at: int, rssi: float) -> Step:
    """Return what is known after an advertisement, and what changed; one from the past changes nothing."""
    if state.heard is not None and at < state.heard:
        return state, ()
    state, changes = passed(state, rules, at)
    level = _smoothed(state, rules, at=at, rssi=rssi)
    state = replace(state, heard=at, level=level)
    if state.inside:
        far = (state.far_since if state.far_since is not None else at) if level < rules.leave_dbm else None
        return replace(state, far_since=far), changes
    near = state.near_since
    if level >= rules.enter_dbm:
        near = at if near is None else near
    elif level < rules.leave_dbm:
        near = None
    if near is None or level < rules.enter_dbm or at - near < rules.enter:
        return replace(state, near_since=near), changes
    entered = Change(Kind.ENTERED, at, near, level)
    return Presence(inside=True, heard=at, level=level, dwell_from=at), (*changes, entered)


def passed(state: Presence, rules: PresenceRules, at: int) -> Step:
    """Return what is known when time has passed up to `at` and the tag was not heard since."""
    if state.heard is None:
        return state, ()
    last = state.heard
    silent = last + rules.leave
    if not state.inside:
        return (Presence(heard=last) if silent <= at else state), ()
    changes: list[Change] = []
    far = silent if state.far_since is None else state.far_since + rules.leave
    end = min(silent, far)
    if not state.dwelled and state.dwell_from + rules.dwell <= min(at, end):
        due = state.dwell_from + rules.dwell
        changes.append(Change(Kind.DWELLED, due, state.dwell_from, state.level))
        state = replace(state, dwelled=True)
    if end <= at:
        if state.far_since is not None and far <= silent:
            changes.append(Change(Kind.LEFT, end, state.far_since, state.level))
            state = Presence(heard=state.heard, level=state.level)
        else:
            changes.append(Change(Kind.LEFT, end, last, None))
            state = Presence(heard=last)
        state, _ = passed(state, rules, at)
    return state, tuple(changes)


def deaf(state: Presence, rules: PresenceRules, *, start: int, end: int) -> Step:
    """Return what is known after a stretch in which the radio heard nobody.

    That a tag was not heard then says nothing: a tag that was inside is given its whole time again.
    """
    state, changes = passed(state, rules, start)
    if state.inside:
        state = replace(state, heard=end, level=None, far_since=None, dwell_from=end)
    else:
        state = Presence()
    return state, changes


def _smoothed(state: Presence, rules: PresenceRules, *, at: int, rssi: float) -> float:
    if state.level is None or state.heard is None:
        return rssi
    return state.level + (rssi - state.level) * -math.expm1((state.heard - at) / rules.smoothing)
