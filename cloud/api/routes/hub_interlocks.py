"""Interlocks of the hub, across gateways and sites, over HTTP. They are never the only protection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cloud import hub_interlock_acts
from cloud.api.acting import acting
from cloud.api.errors import refused
from cloud.api.guard import needs
from cloud.api.routes.people import Body
from cloud.api.services import ID_MAX, Db, Given, Page, answer
from cloud.api.strict import StrictRoute
from cloud.hub_interlock_acts import DELIVERY_S, plant_of, points_of, worst_s
from cloud.shapes import misshapen
from cloud.store import jobs_interlocks
from cloud.store.connection import Connection
from cloud.store.jobs_interlocks import Asked, HubInterlock, Trip
from rules.interlock.model import Interlock
from rules.permissions import Permission

router = APIRouter(prefix="/api/hub-interlocks", tags=["interlocks"], route_class=StrictRoute)

InterlockPath = Annotated[
    int, Path(alias="hub_interlock", ge=1, le=ID_MAX, description="Id of an interlock of the hub.")
]
Reason = Annotated[str, Field(max_length=500)]


class TripOf(Body):
    """An interlock of a gateway that is tripped by a command."""

    gateway: Annotated[str, Field(min_length=1, max_length=63)]
    interlock: Annotated[str, Field(min_length=1, max_length=64)]


class NewRule(Body):
    """A rule to be kept under its name; its shape is that of docs/explanation/interlocks.md."""

    site_id: Annotated[int, Field(ge=1, le=ID_MAX, description="The site that it belongs to.")]
    rule: Annotated[dict[str, Any], Field(description="name, title, groups of causes; points `site/name`.")]
    holds: Annotated[list[Annotated[str, Field(max_length=127)]], Field(max_length=20)]
    trips: Annotated[list[TripOf], Field(max_length=20, default_factory=list)]
    enabled: bool = True
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class AskedOf(Body):
    """What is asked of an interlock; its answer stands in `acts` within a second."""

    act: Literal["trip", "acknowledge", "reset", "enable"]
    breach: Annotated[int, Field(ge=0, le=ID_MAX)]
    reason: Reason = ""


class Made(BaseModel):
    """What was kept."""

    id: int


@dataclass(frozen=True, slots=True)
class HubInterlockView:
    """One interlock of the hub, and how it stands."""

    id: int
    name: str
    site: str
    version: int
    enabled: bool
    phase: str
    """`healthy`, `tripped`, `ready_to_reset`, `reset`, `starting`."""
    breach: int
    first_out: list[str]
    unmet: list[str]
    """What is missing before a reset: a reason and its cause."""
    tripped_at: datetime | None
    stood_at: datetime | None
    """When the hub judged it last; older than 30 s: it is not known how it stands."""
    points: list[str]
    holds: list[str]
    trips: list[str]
    worst_s: float
    """From a breach, or silence, until the hub has acted, at most."""
    delivery_s: float
    """So long a command to a gateway may take besides; a gateway that is not reached is not tripped."""
    rule: dict[str, Any]
    author: str
    reason: str
    made_at: datetime
    acts: list[Asked]


@router.get("", response_model=Page[HubInterlockView], summary="Interlocks of the hub across gateways")
@needs(Permission.CONTROL_READ)
async def listed(db: Db) -> Response:
    """List them by id."""
    found = await jobs_interlocks.list_hub_interlocks(db)
    return answer(Page([await view(db, one) for one in found], None))


@router.put("", response_model=Made, summary="Keep a rule of the hub under its name; it begins tripped")
@needs(Permission.SETTINGS_WRITE)
async def save(request: Request, given: Given, sent: NewRule) -> Response:
    """Check a rule, keep it as the next version of its name, and run it."""
    try:
        rule = msgspec.convert({"effects": [], **sent.rule}, Interlock, strict=False)
    except msgspec.ValidationError as error:
        wrong = misshapen(error, {"effects": [], **sent.rule}, Interlock)
        raise refused(f"rule {wrong.place}".strip(), wrong.value, wrong.expected) from None
    async with acting(request, given.pool, given.now()) as act:
        made = await hub_interlock_acts.save(
            act,
            sent.site_id,
            rule,
            holds=sent.holds,
            trips=[Trip(one.gateway, one.interlock) for one in sent.trips],
            enabled=sent.enabled,
            reason=sent.reason,
        )
    return Response(Made(id=made).model_dump_json(), media_type="application/json")


@router.post(
    "/{hub_interlock}/acts", status_code=202, summary="Trip, acknowledge, reset or enable one of the hub"
)
@needs(Permission.CONTROL_READ)
async def ask(request: Request, given: Given, interlock_id: InterlockPath, sent: AskedOf) -> Response:
    """Ask for an act; the answer stands beside the interlock within a second."""
    async with acting(request, given.pool, given.now()) as act:
        await hub_interlock_acts.ask(act, interlock_id, sent.act, breach=sent.breach, reason=sent.reason)
    return Response(status_code=202)


async def view(db: Connection, one: HubInterlock) -> HubInterlockView:
    """Return an interlock of the hub as it is shown."""
    plant, _ = await plant_of(db, one.organisation_id, points_of(one.rule))
    return HubInterlockView(
        id=one.id,
        name=one.name,
        site=one.site,
        version=one.version,
        enabled=one.enabled,
        phase=one.phase,
        breach=one.breach,
        first_out=list(one.first_out),
        unmet=one.unmet,
        tripped_at=one.tripped_at,
        stood_at=one.stood_at,
        points=points_of(one.rule),
        holds=[effect.target for effect in one.rule.effects],
        trips=[f"{trip.gateway} {trip.interlock}" for trip in one.trips],
        worst_s=worst_s(one.rule, plant),
        delivery_s=DELIVERY_S,
        rule=msgspec.to_builtins(one.rule),
        author=one.author,
        reason=one.reason,
        made_at=one.made_at,
        acts=await jobs_interlocks.asks_of(db, one.id),
    )
