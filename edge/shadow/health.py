"""Whether the gateway does with new settings what it did with the old ones. It reads no clock of its own.

Judged are points that were read before: a device that never answered is no reason to go back, and a point
that the new settings leave out is none either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.crew import Change
from edge.driver import Driver
from edge.shadow.book import Standing
from wire.messages import Event, Gap, Layout, Poll, Position
from wire.settings.base import Fault
from wire.status import GapCause

_LAYOUTS_MAX = 1000
_PERIODS = 2.5
"""So many periods of a point must fit into the watch if it is to be missed."""
_FAILING_S = 150.0
"""What failed so lately fails again and again: the supervisor waits up to a minute in between."""


@dataclass(slots=True)
class _Point:
    read_at: float | None = None
    silent_at: float | None = None
    """None, or since when it is silent for another reason than maintenance."""


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood when new settings were about to be taken over."""

    at: float
    points: frozenset[str]
    """Those that were read."""
    connected: bool
    failing: frozenset[tuple[str, str]] = frozenset()
    """(kind, subject) of drivers and parts that failed already."""


@dataclass(slots=True)
class Health:
    """What was seen of points, drivers and parts."""

    now: Callable[[], float]
    drivers: Callable[[], Sequence[Driver]]
    layouts: Callable[[], Sequence[Layout]]
    watch_s: float
    connected: Callable[[], bool] = lambda: False
    """Whether there is a line to the broker."""
    _points: dict[str, _Point] = field(default_factory=dict)
    _columns: dict[str, Sequence[str]] = field(default_factory=dict)
    _failed: list[tuple[str, str, str]] = field(default_factory=list)
    """(kind, subject, reason) of what ended unexpectedly since the watch began."""
    _failed_at: dict[tuple[str, str], float] = field(default_factory=dict)
    _connected_at: float = 0.0

    def look(self, item: Poll | Position | Event | Gap) -> None:
        """Take note of what was accepted."""
        if isinstance(item, Poll):
            for name, count in zip(self._points_of(item.layout), item.counts, strict=False):
                if count is not None:
                    self._read(name)
        elif isinstance(item, Position):
            self._read(item.point)
        elif isinstance(item, Gap):
            if item.to_tick is None and item.cause is not GapCause.MAINTENANCE:
                self._points.setdefault(item.point, _Point()).silent_at = self.now()
        elif item.kind in ("driver_failed", "part_failed"):
            self._failed.append((item.kind, item.subject, str(item.data.get("reason", ""))))
            self._failed_at[item.kind, item.subject] = self.now()

    def begin(self) -> Before:
        """Say how things stand now, and begin to watch."""
        self._failed.clear()
        self._connected_at = self.now()
        good = (
            name for name, seen in self._points.items() if seen.read_at is not None and seen.silent_at is None
        )
        since = self.now() - _FAILING_S
        failing = (key for key, failed_at in self._failed_at.items() if failed_at >= since)
        return Before(self.now(), frozenset(good), self.connected(), frozenset(failing))

    def go_on(self, standing: Standing) -> Before:
        """Begin to watch after a start, as things stood before it."""
        self._failed.clear()
        self._connected_at = self.now()
        for name in standing.points:
            self._points.setdefault(name, _Point())
        failing = frozenset((kind, subject) for kind, subject in standing.failing)
        return Before(self.now(), frozenset(standing.points), standing.connected, failing)

    def faults_so_far(self, before: Before, change: Change) -> list[Fault]:
        """Return what is worse for certain: drivers that were touched, or parts, fail that did not before."""
        if self.connected():
            self._connected_at = self.now()
        touched = {*change.added, *change.changed}
        return [
            Fault(f"device {subject}" if kind == "driver_failed" else subject, reason, "to go on running")
            for kind, subject, reason in self._failed
            if (kind == "part_failed" or subject in touched) and (kind, subject) not in before.failing
        ]

    def faults_at_end(self, before: Before, change: Change) -> list[Fault]:
        """Return all that is worse than before when the watch is over."""
        found = self.faults_so_far(before, change)
        touched = {*change.added, *change.changed}
        for driver in self.drivers():
            names = {point.name: point.period_ms for point in driver.points if point.name in before.points}
            if driver.name in touched:  # A device with a new name feeds points that were read before.
                found += self._lost(driver.name, names, before.at)
            elif names and all(self._is_silent(name, before.at) for name in names):
                found.append(Fault(f"device {driver.name}", "silent", "to be read as before the change"))
        if before.connected and self.now() - self._connected_at > self.watch_s / 2:
            found.append(Fault("uplink", "not connected", "a line to the broker, as before the change"))
        return found

    def _lost(self, driver: str, names: Mapping[str, int | None], since: float) -> list[Fault]:
        expected = f"a reading within {self.watch_s:g} s, as before the change"
        return [
            Fault(f"device {driver}", name, expected)
            for name, period_ms in names.items()
            if self._is_silent(name, since) or (self._is_due(period_ms) and not self._is_read(name, since))
        ]

    def _is_due(self, period_ms: int | None) -> bool:
        return period_ms is not None and period_ms * _PERIODS / 1000 <= self.watch_s

    def _is_read(self, name: str, since: float) -> bool:
        read_at = self._points[name].read_at
        return read_at is not None and read_at >= since

    def _is_silent(self, name: str, since: float) -> bool:
        silent_at = self._points[name].silent_at
        return silent_at is not None and silent_at >= since

    def _read(self, name: str) -> None:
        seen = self._points.setdefault(name, _Point())
        seen.read_at = self.now()
        seen.silent_at = None

    def _points_of(self, layout: str) -> Sequence[str]:
        """Return the points of a layout, whose id is made from its content."""
        if layout not in self._columns:
            if len(self._columns) > _LAYOUTS_MAX:
                self._columns.clear()
            self._columns[layout] = next((one.points for one in self.layouts() if one.id == layout), ())
        return self._columns[layout]
