"""Whether a vehicle is parked, where it is held meanwhile, and how far it has gone. Pure.

A receiver that stands still wanders: over hours by tens of metres, which would be kilometres of path. While
speed and displacement stay within bounds the position is held at a fix that was measured, and nothing is
counted. A held place is always a measured one; how far the raw fix is from it stays known to the caller.
"""

import math
from dataclasses import dataclass, replace

TOLD_MAX_S = 2.0
"""A speed that was told counts so long for fixes without one."""
METRES_PER_E9 = 111_194.9266e-9
"""Metres of one 1e-9 degree on a sphere of 6371.0 km."""


@dataclass(frozen=True, slots=True)
class Place:
    """One fix. `speed_m_s` is the receiver's own (Doppler), None when it tells none."""

    at_s: float
    latitude_e9: int
    longitude_e9: int
    speed_m_s: float | None = None
    error_m: float | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a hold begins and ends."""

    slow_m_s: float = 0.5
    settle_s: float = 20.0
    settle_m: float = 20.0
    """Slow for `settle_s` and within `settle_m` all that time: parked."""
    leave_m_s: float = 1.0
    leave_s: float = 3.0
    leave_m: float = 10.0
    """Faster for `leave_s` and further than `leave_m` from where it was held: it drives."""
    unsure_m_s: float = 2.0
    """The same for a receiver that tells no speed: it is worked out from places of the last seconds."""
    far_m: float = 150.0
    """Fast and as far as this: it drives, at once. Places alone wander, so that only this ends their hold."""
    radius_m: float = 50.0
    follow_s: float = 30.0
    """Slow, but outside the radius for so long: the hold moves on, and nothing is counted."""
    step_m: float = 10.0
    """While it drives, distance is counted in straight pieces of at least this."""
    fastest_m_s: float = 100.0
    longest_gap_s: float = 600.0
    """Without a fix for longer, the way between is not known and not counted."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What is known after a fix."""

    held: bool
    anchor: Place
    """Where it is held; while it drives, up to where distance was counted."""
    last: Place
    odometer_mm: int = 0
    recent: tuple[Place, ...] = ()
    """Fixes of the last seconds, a second apart."""
    fast_since_s: float | None = None
    away_since_s: float | None = None
    told_s: float | None = None
    """When the receiver last told a speed."""

    @property
    def place(self) -> Place:
        """Where the vehicle is taken to be: the held place, or the last fix."""
        return self.anchor if self.held else self.last


def metres_between(one: Place, other: Place) -> tuple[float, float]:
    """Return how far `other` is north and east of `one`; good below some hundred kilometres."""
    north = (other.latitude_e9 - one.latitude_e9) * METRES_PER_E9
    turn = (other.longitude_e9 - one.longitude_e9 + 180 * 10**9) % (360 * 10**9) - 180 * 10**9
    middle = math.radians((one.latitude_e9 + other.latitude_e9) / 2e9)
    return north, turn * METRES_PER_E9 * math.cos(middle)


def distance(one: Place, other: Place) -> float:
    """Return the distance in metres."""
    return math.hypot(*metres_between(one, other))


def advance(motion: Motion | None, fix: Place, bounds: Bounds, *, odometer_mm: int = 0) -> Motion:
    """Return what is known after one more fix; `odometer_mm` is what the odometer shows at the first one.

    The odometer never goes back. A fix that is not newer than the last one changes nothing.
    """
    if motion is None:
        return _begun(fix, odometer_mm)
    if fix.at_s <= motion.last.at_s:
        return motion
    if fix.at_s - motion.last.at_s > bounds.longest_gap_s:
        return _begun(fix, motion.odometer_mm)
    told_s = motion.told_s if fix.speed_m_s is None else fix.at_s
    if told_s is not None and fix.at_s - told_s <= TOLD_MAX_S:
        # Of an epoch that comes in pieces, only one has the speed.
        fix = replace(fix, speed_m_s=motion.last.speed_m_s if fix.speed_m_s is None else fix.speed_m_s)
    motion = replace(motion, last=fix, told_s=told_s, recent=_recent(motion.recent, fix, bounds.settle_s))
    return _parked(motion, fix, bounds) if motion.held else _driving(motion, fix, bounds)


def _begun(fix: Place, odometer_mm: int) -> Motion:
    told_s = None if fix.speed_m_s is None else fix.at_s
    return Motion(held=True, anchor=fix, last=fix, odometer_mm=odometer_mm, recent=(fix,), told_s=told_s)


def _recent(recent: tuple[Place, ...], fix: Place, seconds: float) -> tuple[Place, ...]:
    if recent and fix.at_s - recent[-1].at_s < 1.0:
        return recent
    kept = tuple(place for place in recent if fix.at_s - place.at_s <= seconds)
    # One older fix stays, so that what is kept spans the whole time.
    older = recent[len(recent) - len(kept) - 1 : len(recent) - len(kept)]
    return (*older, *kept, fix)


def _net_speed(motion: Motion, fix: Place) -> float | None:
    """Return the speed that the places alone show, None while they span too little time."""
    first = motion.recent[0]
    seconds = fix.at_s - first.at_s
    return distance(first, fix) / seconds if seconds >= 10.0 else None


def _parked(motion: Motion, fix: Place, bounds: Bounds) -> Motion:
    told = fix.speed_m_s is not None
    speed = fix.speed_m_s if told else _net_speed(motion, fix)
    fast = speed is not None and speed >= (bounds.leave_m_s if told else bounds.unsure_m_s)
    away, unsure_m = distance(motion.anchor, fix), 2 * (fix.error_m or 0.0)
    outside = away > max(bounds.radius_m, unsure_m)
    fast_since = (fix.at_s if motion.fast_since_s is None else motion.fast_since_s) if fast else None
    away_since = (fix.at_s if motion.away_since_s is None else motion.away_since_s) if outside else None
    sure = told and fast_since is not None and fix.at_s - fast_since >= bounds.leave_s
    if fast and away > (bounds.leave_m if sure else max(bounds.far_m, unsure_m)):
        return _counted(replace(motion, held=False, fast_since_s=None, away_since_s=None), fix, bounds)
    if away_since is not None and not fast and fix.at_s - away_since >= bounds.follow_s:
        return replace(motion, anchor=fix, fast_since_s=None, away_since_s=None)
    return replace(motion, fast_since_s=fast_since, away_since_s=away_since)


def _driving(motion: Motion, fix: Place, bounds: Bounds) -> Motion:
    if _settled(motion, fix, bounds):
        return replace(_counted(motion, fix, bounds), held=True)
    return _counted(motion, fix, bounds) if distance(motion.anchor, fix) >= bounds.step_m else motion


def _settled(motion: Motion, fix: Place, bounds: Bounds) -> bool:
    if fix.at_s - motion.recent[0].at_s < bounds.settle_s:
        return False
    near = all(distance(place, fix) <= bounds.settle_m for place in motion.recent)
    return near and all(
        place.speed_m_s is None or place.speed_m_s < bounds.slow_m_s for place in motion.recent
    )


def _counted(motion: Motion, fix: Place, bounds: Bounds) -> Motion:
    """Count the straight way from the anchor to a fix, unless nothing can have gone so fast."""
    way, seconds = distance(motion.anchor, fix), fix.at_s - motion.anchor.at_s
    possible = way <= bounds.fastest_m_s * seconds
    odometer_mm = motion.odometer_mm + (round(way * 1000) if possible else 0)
    return replace(motion, anchor=fix, odometer_mm=odometer_mm)


# --- what need not be reported ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sparse:
    """A fix is reported after this distance, this turn or this time, whichever comes first."""

    distance_m: float
    course_deg: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Reported:
    """What the last report said."""

    place: Place
    course_deg: float | None


def worth_reporting(last: Reported | None, now: Reported, sparse: Sparse) -> bool:
    """Whether a fix says something new."""
    if last is None or now.place.at_s - last.place.at_s >= sparse.longest_s:
        return True
    if distance(last.place, now.place) >= sparse.distance_m:
        return True
    if last.course_deg is None or now.course_deg is None:
        return False  # standing, or a piece of an epoch that has no course: no turn
    turn = abs((now.course_deg - last.course_deg + 180.0) % 360.0 - 180.0)
    return turn >= sparse.course_deg
