"""Sparklines of the last 24 hours, made at most once a minute for each point. Kept in memory alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.store.connection import Connection
from cloud.store.points import Point
from cloud.web.charts import spark
from cloud.web.figures import exact, unit
from cloud.web.language import Language
from cloud.web.sparkline import Drawing, Step, draw
from cloud.web.words import NO_READINGS_24H, SPARK

DAY = timedelta(hours=24)
STEPS = 96
KEPT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Kept:
    steps: Sequence[Step]
    drawn_at: datetime


class Sparks:
    """Steps of every point that was shown; a point not shown for a while is forgotten."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    async def of(
        self, connection: Connection, points: Sequence[Point], *, now: datetime, language: Language
    ) -> dict[int, Drawing]:
        """Return point id -> drawing, its words in this language."""
        self._kept = {id_: one for id_, one in self._kept.items() if now - one.drawn_at < KEPT}
        for point in points:
            if point.id not in self._kept and point.quantity != "position":
                steps = await spark(connection, point, (now - DAY, now), now=now, steps=STEPS)
                self._kept[point.id] = _Kept(steps, now)
        return {
            point.id: draw(self._kept[point.id].steps, _words(self._kept[point.id].steps, point, language))
            for point in points
            if point.id in self._kept
        }


def _words(steps: Sequence[Step], point: Point, language: Language) -> str:
    lows = [step.low for step in steps if step.low is not None]
    highs = [step.high for step in steps if step.high is not None]
    if not lows or not highs:
        return language.say(NO_READINGS_24H)
    holes = sum(1 for step in steps if step.last is None)
    return language.say(SPARK) % {
        "low": exact(min(lows)),
        "high": exact(max(highs)),
        "unit": unit(point.quantity),
        "share": round(100 * (len(steps) - holes) / len(steps)),
    }
