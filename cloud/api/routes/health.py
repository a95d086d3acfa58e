"""Whether the hub lives, whether it does its work, and its figures for Prometheus."""

from dataclasses import dataclass

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cloud.api.guard import GuardedRoute, anybody, guard_of, needs
from cloud.api.metrics import HubFigures
from cloud.api.services import Given, Services, answer
from cloud.store.health import Backlog, read_backlog
from cloud.store.migrate import SchemaError, check_version
from cloud.store.snapshot import snapshot
from rules.permissions import Permission

router = APIRouter(tags=["health"], route_class=GuardedRoute)


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers."""

    status: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the hub needs."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the hub stores what gateways send."""

    ready: bool
    checks: list[Check]
    backlog: Backlog | None
    """Figures of the hub; None without a database, and for who may not see them."""


@router.get("/health", response_model=Alive, summary="Whether the process answers")
@anybody
async def health() -> Response:
    """Say that the process answers; asks nothing else."""
    return answer(Alive("ok"))


@router.get(
    "/ready",
    response_model=Readiness,
    summary="Whether database, schema and broker are there; 503 when not",
    responses={503: {"model": Readiness, "description": "Something is missing; `checks` says what."}},
)
@anybody
async def ready(request: Request, given: Given) -> Response:
    """Check what the hub needs for its work."""
    checks, backlog = await _database(given)
    if backlog is not None and not await _may_see_figures(request):
        backlog = None
    connected = given.broker_connected()
    checks.append(Check("broker", connected, "connected" if connected else "not connected"))
    if ending := given.ending():
        now = given.now()
        checks.append(Check("certificates", ok=True, detail="; ".join(one.told(now) for one in ending)))
    state = Readiness(all(check.ok for check in checks), checks, backlog)
    response = answer(state)
    response.status_code = 200 if state.ready else 503
    return response


@router.get("/metrics", response_class=Response, summary="Figures for Prometheus, in its text format")
@needs(Permission.METRICS_READ, without_database=True)
async def metrics(given: Given) -> Response:
    """Return the figures of ingest, watch and API, and of the database as far as it answers."""
    _, backlog = await _database(given)
    figures = HubFigures(backlog, broker_connected=given.broker_connected())
    text = generate_latest(given.registry) + generate_latest(figures.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _may_see_figures(request: Request) -> bool:
    try:
        viewer = await guard_of(request).viewer(request)
    except psycopg.OperationalError:
        return False
    return viewer is not None and viewer.holds(Permission.METRICS_READ)


async def _database(given: Services) -> tuple[list[Check], Backlog | None]:
    try:
        async with snapshot(given.pool, wait_s=2.0) as connection:
            try:
                await check_version(connection)
            except SchemaError as error:
                return [
                    Check("database", ok=True, detail="answers"),
                    Check("schema", ok=False, detail=str(error)),
                ], None
            backlog = await read_backlog(connection)
    except psycopg.OperationalError as error:
        return [Check("database", ok=False, detail=type(error).__name__)], None
    return [
        Check("database", ok=True, detail="answers"),
        Check("schema", ok=True, detail="is that of this code"),
    ], backlog
