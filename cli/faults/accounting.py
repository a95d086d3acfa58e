"""Accounts for every reading that a simulated device gave out: stored once, explained, or a finding.

Pure: it is given what the devices gave out, what the hub stored and which faults were caused when. It
does not look at the system itself.

A device numbers its answers, so a stored poll is recognised by its number and not by its time: clocks may
have been stepped. An answer that is not stored is looked for in the gaps where it would stand: as far from
its stored neighbours as it left, or at the time when it left. The neighbours may stand under different
clocks: a gateway that was restarted may know the time better or worse than before, and tells its absence in
that time.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

TOLERANCE_S = 0.25
"""How far a gap may miss the instant of an answer: half a period of the slowest device, and the grid."""
OVERLOAD_S = 1.0
"""Five times what lies between two questions."""
GRID_S = 0.011
"""Stored times lie on a 10 ms grid."""


@dataclass(frozen=True, slots=True)
class Instant:
    """What the hub stored for one device at one instant: the answers' numbers and all rows."""

    observed_at: float
    """UTC, seconds."""
    numbers: tuple[int, ...]
    rows: int
    """Rows of all points of the device at this instant."""


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A gap row of the device's counter; ends that nobody knows are infinite."""

    cause: str
    from_at: float
    to_at: float
    since_last: bool = False
    """Its start was left open: it says "since the last reading before this end", in the order of readings."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch in which a caused fault may cost answers, and what the gaps may then say."""

    fault: str
    from_at: float
    to_at: float
    causes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Device:
    """Everything known about one simulated device."""

    name: str
    points: int
    """Readings in one answer."""
    given_out: Mapping[int, float]
    """Number of the answer -> when it left the device (UTC, seconds)."""
    stored: Sequence[Instant]
    gaps: Sequence[StoredGap]
    windows: Sequence[Window]
    values: Mapping[int, Sequence[object]] = field(default_factory=dict)
    """Number of the answer -> what it said of each point. Two readings of one point at one instant with one
    value are the same reading; without values, answers at one instant count as different ones."""
    until: float = math.inf
    """Answers that left later are known, but not accounted for: they may still be on their way."""


@dataclass(slots=True)
class Verdict:
    """Counts of readings (not answers); `findings` says which ones, the first of each kind."""

    given_out: int = 0
    stored: int = 0
    explained: int = 0
    lost: int = 0
    duplicated: int = 0
    unexplained: int = 0
    others: int = 0
    """Points that were judged by the hub's own account alone, since what feeds them numbers nothing."""
    explained_by: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled or unexplained."""
        return not (self.lost or self.duplicated or self.unexplained)

    def add(self, other: "Verdict") -> None:
        """Add another device's counts."""
        for name in ("given_out", "stored", "explained", "lost", "duplicated", "unexplained", "others"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.explained_by.update(other.explained_by)
        self.findings.extend(other.findings)


def overloads(given_out: Mapping[int, float]) -> list[Window]:
    """Return where a gateway asked a device nothing for `OVERLOAD_S`, as the device itself saw it.

    A gateway so late, because the machine did not let it run, may have read the answer before too late
    to say when it was measured; it then refuses the reading and takes the blame.
    """
    times = sorted(given_out.values())
    return [
        Window("overload", before, before, frozenset({"gateway"}))
        for before, after in pairwise(times)
        if after - before >= OVERLOAD_S
    ]


def account(devices: Iterable[Device]) -> Verdict:
    """Return the sum over all devices."""
    total = Verdict()
    for device in devices:
        total.add(account_device(device))
    return total


def account_device(device: Device) -> Verdict:
    """Return where every reading of one device went."""
    due = sorted(number for number, at in device.given_out.items() if at <= device.until)
    verdict = Verdict(given_out=len(due) * device.points)
    placed = _account_stored(device, verdict)
    numbers = sorted(placed)
    for number in due:
        if number not in placed:
            near = bisect_left(numbers, number)
            before = placed[numbers[near - 1]] if near else None
            after = placed[numbers[near]] if near < len(numbers) else None
            places = [device.given_out[number]]
            if before is not None:
                places.append(before + device.given_out[number] - device.given_out[numbers[near - 1]])
            if after is not None:
                places.append(after + device.given_out[number] - device.given_out[numbers[near]])
            covering = [gap for gap in device.gaps if _explains(gap, places, after)]
            _account_missing(device, number, covering=covering, verdict=verdict)
    return verdict


def _explains(gap: StoredGap, places: Sequence[float], after: float | None) -> bool:
    """Whether a gap reaches one of the places where an answer would stand, or ends at the next stored one."""
    if gap.since_last and after is not None and abs(gap.to_at - after) <= GRID_S:
        return True
    return any(_covers(gap.from_at, gap.to_at, at) for at in places)


def _account_stored(device: Device, verdict: Verdict) -> dict[int, float]:
    """Count what is stored; return number -> observed_at of the answers that are there."""
    placed: dict[int, float] = {}
    for instant in device.stored:
        numbers = set(instant.numbers)
        strange = numbers - device.given_out.keys()
        for number in strange:
            verdict.unexplained += device.points
            verdict.findings.append(f"{device.name}: answer {number} is stored but was never given out")
        new = numbers - strange - placed.keys()
        again = (len(numbers) - len(strange) - len(new)) * device.points
        surplus = max(0, instant.rows - len(numbers) * device.points)
        deficit = max(0, _readings_at_least(device, numbers) - instant.rows)
        if again or surplus:
            verdict.duplicated += again + surplus
            verdict.findings.append(f"{device.name}: {sorted(numbers)} stored more than once")
        if deficit:
            verdict.lost += deficit
            verdict.findings.append(f"{device.name}: {deficit} readings of {sorted(numbers)} missing")
        due = sum(device.given_out[number] <= device.until for number in new)
        verdict.stored += due * device.points - deficit
        placed.update(dict.fromkeys(new, instant.observed_at))
    return placed


def _readings_at_least(device: Device, numbers: set[int]) -> int:
    """How many rows the answers of one instant have, equal readings of a point counted once."""
    said = [device.values.get(number) for number in numbers]
    if len(numbers) < 2 or None in said:
        return len(numbers) * device.points
    return sum(len(set(of_point)) for of_point in zip(*(one for one in said if one), strict=True))


def _account_missing(device: Device, number: int, *, covering: Sequence[StoredGap], verdict: Verdict) -> None:
    given_at = device.given_out[number]
    blamed = [window for window in device.windows if _covers(window.from_at, window.to_at, given_at)]
    right = {cause for window in blamed for cause in window.causes}
    said = {gap.cause for gap in covering}
    # A gap may go on past its first cause: another fault that it reaches may have named it.
    if blamed:
        right |= {
            cause
            for window in device.windows
            for gap in covering
            if window.from_at <= gap.to_at and gap.from_at <= window.to_at
            for cause in window.causes
        }
    if said & right:
        verdict.explained += device.points
        verdict.explained_by[min(said & right)] += device.points
    elif said:
        verdict.unexplained += device.points
        verdict.findings.append(
            f"{device.name}: answer {number} of {given_at:.2f} is missing, its gap says {sorted(said)}, "
            f"right would be {sorted(right) or 'no gap at all'}"
        )
    else:
        verdict.lost += device.points
        verdict.findings.append(f"{device.name}: answer {number} of {given_at:.2f} not stored and in no gap")


def _covers(from_at: float, to_at: float, at: float) -> bool:
    return from_at - TOLERANCE_S <= at <= to_at + TOLERANCE_S
