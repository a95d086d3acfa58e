"""Which points are silent: three of their periods have passed since their newest reading, in event time."""

import logging
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from cloud.store.connection import Connection
from cloud.store.due import list_due
from rules.silence import is_silent

_log = logging.getLogger(__name__)


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
        for name in sorted(silent - self._silent):
            _log.info("point %s is silent", name)
        for name in sorted(self._silent - silent):
            _log.info("point %s is back", name)
        self._silent = silent
        self._gauge.set(len(silent))
        return silent
