"""Figures of the hub for Prometheus: requests as they are answered, the database at the time of asking."""

from dataclasses import fields
from time import perf_counter

from prometheus_client import CollectorRegistry, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.store.health import Backlog

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_GAUGES = {
    "gateways": ("heng_gateways", "Gateways known"),
    "gateways_online": ("heng_gateways_online", "Gateways online"),
    "points": ("heng_points", "Points declared"),
    "waiting": ("heng_batches_waiting", "Batches received whose time is open"),
    "quarantined": ("heng_batches_quarantined", "Batches received with a point or gateway undeclared"),
    "conflicts": ("heng_batches_conflict", "Batches received with a known number and another hash"),
    "rejects": ("heng_rejects_kept", "Messages refused that are still kept"),
    "gaps_open": ("heng_gaps_open", "Gaps without an end"),
    "last_stored_s": ("heng_last_stored_age_seconds", "Since the newest batch was stored"),
    "rollup_lag_batches": ("heng_rollup_lag_batches", "Stored batches not in the aggregates yet"),
    "database_bytes": ("heng_database_bytes", "Size of the database"),
}


class HubFigures:
    """The state of the hub at one moment, in a registry of its own."""

    def __init__(self, backlog: Backlog | None, *, broker_connected: bool) -> None:
        """Without a backlog the database does not answer."""
        self.registry = CollectorRegistry()
        self._set("heng_database_up", "Whether the database answers", float(backlog is not None))
        self._set("heng_broker_up", "Whether the broker is connected", float(broker_connected))
        for field in fields(backlog) if backlog else ():
            value = getattr(backlog, field.name)
            if field.name in _GAUGES and value is not None:
                self._set(*_GAUGES[field.name], float(value))

    def _set(self, name: str, text: str, value: float) -> None:
        Gauge(name, text, registry=self.registry).set(value)


class RequestTimes:
    """ASGI middleware: how long each route takes, by its template and status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """The histogram is registered in `registry`."""
        self._app = app
        self._seconds = Histogram(
            "heng_http_request_seconds",
            "Time to answer a request",
            ["route", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note its time when the answer is complete."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = "500"

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._seconds.labels(route, status).observe(perf_counter() - started)
