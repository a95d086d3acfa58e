"""Which points are silent: three of their periods have passed since their newest reading, in event time."""

import logging
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from cloud.store.connection import Connection
from cloud.store.due import list_due
from rules.silence import is_silent

_log = logging.getLogger(__name__)

_NAMED = 5


class SilentPoints:
    """Keeps count, and logs when a point falls silent and when it is back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._silent: frozenset[str] = frozenset()
        self._gauge = Gauge("heng_points_silent", "Points whose readings are overdue", registry=registry)

    async def look(self, connection: Connection, now: datetime) -> frozenset[str]:
        """Judge all points at `now` and return the silent ones as `site/point`."""
        silent = frozenset(
            row.name for row in await list_due(connection) if is_silent(row.observed_at, row.period, now)
        )
        _tell("silent", silent - self._silent)
        _tell("back", self._silent - silent)
        self._silent = silent
        self._gauge.set(len(silent))
        return silent


def _tell(state: str, names: frozenset[str]) -> None:
    if names:
        first = ", ".join(sorted(names)[:_NAMED])
        _log.info("%d points are %s: %s%s", len(names), state, first, " …" if len(names) > _NAMED else "")
