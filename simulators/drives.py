"""Vehicle drives: a believable round trip along streets, from a seed, and where the vehicle is at a time.

A drive leaves its depot, follows streets that bend at crossings, stops at some of them, returns and parks.
It is no map: streets are made up around a real place. Time is in seconds since 1970, UTC.
"""

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, replace

from simulators.world import wander

EARTH_M_PER_DEGREE = 111_320.0
STEP_S = 1.0
ACCELERATION_M_S2 = 1.6
BRAKING_M_S2 = 2.5
CORNER_M_S = 5.0


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a vehicle is: degrees WGS-84, metres above the ellipsoid's sea level, m/s, degrees from north."""

    latitude: float
    longitude: float
    altitude_m: float
    speed_m_s: float
    course_deg: float
    parked: bool


@dataclass(frozen=True, slots=True)
class Drive:
    """A round trip that repeats: driving for as long as its points last, then parked."""

    key: str
    latitude: float
    longitude: float
    altitude_m: float
    parked_s: float
    starts: tuple[float, ...]
    """Distance travelled at every second of the drive."""
    corners: tuple[tuple[float, float, float], ...]
    """(distance, east m, north m) of every corner of the road, first to last."""

    @property
    def driving_s(self) -> float:
        """How long one round takes, without the parking after it."""
        return (len(self.starts) - 1) * STEP_S

    def at(self, time_s: float) -> Fix:
        """Return the true place, with the slow wander that a receiver sees (about a metre)."""
        return self.after(time_s % (self.driving_s + self.parked_s), time_s)

    def after(self, phase: float, time_s: float) -> Fix:
        """Return the place after so many seconds of a round; past its end the vehicle is parked."""
        parked = phase >= self.driving_s
        index = min(int(phase / STEP_S), len(self.starts) - 2)
        part = min(1.0, phase / STEP_S - index)
        here, there = self.starts[index], self.starts[index + 1]
        distance = here + (there - here) * part
        east, north, course = self._place(self.starts[-1] if parked else distance)
        east += 1.2 * wander(f"{self.key}/e", time_s, 40)
        north += 1.2 * wander(f"{self.key}/n", time_s, 40)
        return Fix(
            latitude=self.latitude + north / EARTH_M_PER_DEGREE,
            longitude=self.longitude + east / EARTH_M_PER_DEGREE / math.cos(math.radians(self.latitude)),
            altitude_m=self.altitude_m + 4 * wander(f"{self.key}/a", distance, 700),
            speed_m_s=0.0 if parked else (there - here) / STEP_S,
            course_deg=course,
            parked=parked,
        )

    def _place(self, distance: float) -> tuple[float, float, float]:
        index = min(bisect_right(self.corners, (distance, math.inf, math.inf)), len(self.corners) - 1)
        start, east, north = self.corners[index - 1]
        end, to_east, to_north = self.corners[index]
        part = (distance - start) / (end - start)
        course = math.degrees(math.atan2(to_east - east, to_north - north)) % 360
        return east + (to_east - east) * part, north + (to_north - north) * part, course


@dataclass(slots=True)
class Driver:
    """Somebody who drives when told, and stands wherever told to stop; parked at the end of each round."""

    drive: Drive
    driving: bool = False
    _phase: float | None = None
    """Seconds of the round that are driven; None: not begun."""
    _since_s: float = 0.0

    def tell(self, time_s: float, *, driving: bool) -> None:
        """Have the vehicle driven, or stopped where it is, from now on."""
        if driving is not self.driving:
            phase = self._at(time_s)
            self._phase = 0.0 if driving and phase >= self.drive.driving_s else phase
            self.driving, self._since_s = driving, time_s

    def at(self, time_s: float) -> Fix:
        """Return where the vehicle is; time must not go back."""
        fix = self.drive.after(self._at(time_s), time_s)
        return fix if self.driving else replace(fix, speed_m_s=0.0, parked=True)

    def _at(self, time_s: float) -> float:
        phase = self.drive.driving_s if self._phase is None else self._phase
        return phase + (time_s - self._since_s if self.driving else 0.0)


def make_drive(
    key: str, *, latitude: float, longitude: float, altitude_m: float, legs: int, parked_s: float
) -> Drive:
    """Return the drive of a key (it holds the seed): `legs` streets out, the same streets back."""
    rng = random.Random(key)
    out = _streets(rng, legs)
    road = out + out[-2::-1]
    corners: list[tuple[float, float, float]] = []
    for east, north in road:
        length = math.dist(corners[-1][1:], (east, north)) if corners else 0.0
        corners.append((corners[-1][0] + length if corners else 0.0, east, north))
    return Drive(key, latitude, longitude, altitude_m, parked_s, tuple(_travel(rng, corners)), tuple(corners))


def _streets(rng: random.Random, legs: int) -> list[tuple[float, float]]:
    """Return crossings in metres east and north of the depot; each street turns left, right or bends."""
    east = north = 0.0
    heading = rng.uniform(0, 360)
    points = [(east, north)]
    for _ in range(legs):
        length = rng.uniform(250, 1100)
        bend = rng.uniform(-12, 12)
        for _ in range(4):
            heading += bend / 4
            east += length / 4 * math.sin(math.radians(heading))
            north += length / 4 * math.cos(math.radians(heading))
            points.append((east, north))
        heading += rng.choice((-90, -88, 0, 4, 88, 90))
    return points


def _travel(rng: random.Random, corners: list[tuple[float, float, float]]) -> list[float]:
    """Return the distance at every second: speed up, slow down before turns, wait at some of them."""
    distances = [0.0]
    distance = speed = 0.0
    limit = rng.uniform(8.5, 16.5)
    turns = [_is_turn(corners, index) for index in range(len(corners))]
    index = 1
    while True:
        through = (1.0 if index == len(corners) - 1 else CORNER_M_S) if turns[index] else limit
        room = max(0.0, corners[index][0] - distance)
        allowed = math.sqrt(through**2 + 2 * ACCELERATION_M_S2 * room)
        wanted = min(speed + ACCELERATION_M_S2 * STEP_S, limit, allowed)
        speed = max(1.0, wanted, speed - BRAKING_M_S2 * STEP_S)
        distance = min(distance + speed * STEP_S, corners[-1][0])
        distances.append(distance)
        if distance < corners[index][0]:
            continue
        if index == len(corners) - 1:
            return distances
        if turns[index]:
            limit = rng.uniform(8.5, 16.5)
            if rng.random() < 0.3:
                distances.extend([distance] * rng.randrange(8, 45))
                speed = 0.0
        index += 1


def _is_turn(corners: list[tuple[float, float, float]], index: int) -> bool:
    """Whether the road changes its direction by more than 30 degrees there, or ends."""
    if index in (0, len(corners) - 1):
        return True
    (_, *a), (_, *b), (_, *c) = corners[index - 1 : index + 2]
    change = math.atan2(c[0] - b[0], c[1] - b[1]) - math.atan2(b[0] - a[0], b[1] - a[1])
    return abs(math.remainder(change, math.tau)) > math.radians(30)
