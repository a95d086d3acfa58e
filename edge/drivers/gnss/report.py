"""Emits fixes: every one, or with sparse reporting those that say something new.

What is left out is no gap: the period of the points is then the longest silence promised. The newest fix
left out is kept, so that it can be told when silence begins.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from edge.driver import Emitter
from rules.motion import Place, Reported, Sparse, worth_reporting
from wire.messages import Poll, Position
from wire.settings.gnss import SparseReport

COURSE_FROM_MM_S = 1000
"""Slower than this a course is mostly noise, and no turn."""


@dataclass(frozen=True, slots=True)
class Report:
    """One fix and its points, and what is worth a report whenever it changes."""

    position: Position
    poll: Poll | None
    states: Hashable


class Reporter:
    """Of one receiver and one run."""

    def __init__(self, emit: Emitter, sparse: SparseReport | None) -> None:
        self._emit = emit
        self._rules = Sparse(sparse.distance_m, sparse.course_deg, sparse.longest_s) if sparse else None
        self._last: tuple[Reported | None, Hashable, float] | None = None
        self._left_out: Report | None = None

    async def report(self, report: Report, now_s: float) -> None:
        """Emit a fix, or keep it."""
        if self._rules is not None and not self._new(report, now_s, self._rules):
            self._left_out = report
            return
        self._left_out = None
        self._last = (_reported(report.position, now_s), report.states, now_s)
        await self._tell(report)

    async def flush(self) -> None:
        """Emit the newest fix that was left out: it was measured, and nothing follows it."""
        left_out, self._left_out = self._left_out, None
        if left_out is not None:
            await self._tell(left_out)

    def _new(self, report: Report, now_s: float, rules: Sparse) -> bool:
        if self._last is None:
            return True
        last, states, at_s = self._last
        now = _reported(report.position, now_s)
        if states != report.states or (last is None) is not (now is None):
            return True
        if now is None:
            return now_s - at_s >= rules.longest_s
        return worth_reporting(last, now, rules)

    async def _tell(self, report: Report) -> None:
        await self._emit.position(report.position)
        if report.poll is not None:
            await self._emit.poll(report.poll)


def _reported(position: Position, now_s: float) -> Reported | None:
    if position.latitude_e9 is None or position.longitude_e9 is None:
        return None
    moving = (position.speed_mm_s or 0) >= COURSE_FROM_MM_S and position.course_mdeg is not None
    course = position.course_mdeg / 1000 if moving and position.course_mdeg is not None else None
    return Reported(Place(now_s, position.latitude_e9, position.longitude_e9), course)
