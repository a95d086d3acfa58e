"""Builds the HTTP application of the hub: the API, to which the pages are added by `cloud.web`.

It opens no port and starts no service; what it needs is handed in as `Services`.
"""

from typing import Any

from fastapi import FastAPI

from cloud.api import errors
from cloud.api.documentation import COMMON_RESPONSES, complete
from cloud.api.entrance import Entrance, EntranceLimits
from cloud.api.guard import Guard
from cloud.api.head import HeadAsGet
from cloud.api.metrics import RequestTimes
from cloud.api.routes import (
    access,
    alarm_manage,
    alarms,
    audit,
    authorisations,
    calibrations,
    cameras,
    commands,
    completeness,
    coverage,
    devices,
    events,
    gaps,
    gateway_acts,
    gateways,
    health,
    hub_interlocks,
    imports,
    interlocks,
    jobs,
    media,
    operation,
    people,
    points,
    positions,
    readings,
    retention,
    rights,
    settings,
    settings_templates,
    sites,
    visits,
    zones,
)
from cloud.api.services import Services
from cloud.identity.doors import Limits

DESCRIPTION = (
    "Readings, positions, events and gaps of metrology laboratories, and the account of what is missing. "
    "Times are RFC 3339 in UTC. Values are exact decimals, sent as text. Errors are RFC 9457 problem details."
)
ROUTES = (
    sites,
    zones,
    coverage,
    gateways,
    gateway_acts,
    settings,
    settings_templates,
    devices,
    points,
    readings,
    positions,
    gaps,
    events,
    completeness,
    alarms,
    alarm_manage,
    calibrations,
    jobs,
    hub_interlocks,
    operation,
    cameras,
    media,
    people,
    authorisations,
    rights,
    access,
    visits,
    imports,
    retention,
    audit,
    interlocks,
    commands,
    health,
)


BODY_MAX = 1024 * 1024
"""Bytes of a request; what people enter is far smaller."""


class HubApp(FastAPI):
    """FastAPI with an OpenAPI document that says what errors, fields and answers look like."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def create_app(
    services: Services, *, limits: Limits | None = None, entrance: EntranceLimits | None = None
) -> FastAPI:
    """Return the application; requests are answered until its pool is closed by who opened it.

    `limits` are those of sessions. Sign-in is required as soon as there is an account.
    """
    app = HubApp(
        title="Heng",
        version="1",
        description=DESCRIPTION,
        max_body_size=BODY_MAX,
        docs_url=None,
        redoc_url=None,
        responses=COMMON_RESPONSES,
    )
    app.state.services = services
    app.state.guard = guard = Guard(services.pool, now=services.now, limits=limits)
    app.add_middleware(Entrance, guard=guard, limits=entrance or EntranceLimits())
    app.add_middleware(RequestTimes, registry=services.registry)
    app.add_middleware(HeadAsGet)
    errors.install(app)
    for route in ROUTES:
        app.include_router(route.router)
    return app
