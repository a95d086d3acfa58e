"""What gateways control by themselves, over HTTP: interlocks, doors and equipment as they stand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field

from cloud.api.errors import not_found, refused
from cloud.api.guard import needs, viewer_of
from cloud.api.routes.people import Body
from cloud.api.services import Db, GatewayName, GatewayPath, Given, Moment, Page, SiteId, answer
from cloud.api.strict import StrictRoute
from cloud.interlock_rehearsal import TEXT_MAX, Asked, RehearsalError, prepare, rehearsal
from cloud.store import control_status, proofs, shadow
from cloud.store.control_status import Held
from cloud.store.proofs import Proof
from rules.interlock.rehearse import Rehearsal
from rules.permissions import Permission
from wire.messages import TICKS_PER_S

router = APIRouter(prefix="/api", tags=["control"], route_class=StrictRoute)

InterlockPath = Annotated[
    str, Path(alias="interlock", pattern=r"^[^\x00-\x1f\x7f/@]{1,64}$", description="Name of an interlock.")
]


@dataclass(frozen=True, slots=True)
class InterlockState:
    """One interlock as its gateway said it last."""

    gateway: str
    site: str | None
    known: bool
    """Whether this is how it stands now; false: the gateway was not heard, and nobody knows."""
    heard_at: datetime | None
    interlock: dict[str, Any]
    """As in `up/control` (`InterlockNow`)."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """Everything that a gateway controls by itself, as it said it last."""

    gateway: str
    site: str | None
    known: bool
    """Whether this is how it stands now; false: the gateway was not heard, and nobody knows."""
    received_at: datetime
    heard_at: datetime | None
    status: dict[str, Any]
    """As in `up/control` (`ControlStatus`); without `inside` for who may not read access there."""


@router.get(
    "/interlocks",
    response_model=Page[InterlockState],
    summary="Interlocks, with causes, votes, effects and what is missing before a reset",
)
@needs(Permission.CONTROL_READ)
async def interlocks(db: Db, given: Given, site_id: SiteId, gateway: GatewayName) -> Response:
    """List every interlock; all of them are in one answer."""
    now = given.now()
    held = await control_status.list_held(db, now, gateway=gateway, site=site_id)
    found = [
        InterlockState(one.gateway, one.site, one.is_known(now), one.heard_at, msgspec.to_builtins(interlock))
        for one in held
        for interlock in one.status.interlocks
    ]
    return answer(Page(found, None))


@router.get(
    "/gateways/{gateway}/control",
    response_model=ControlState,
    summary="What a gateway controls by itself, as it stands",
)
@needs(Permission.CONTROL_READ)
async def control(request: Request, db: Db, given: Given, gateway: GatewayPath) -> Response:
    """Return the newest state that it told."""
    held = await control_status.get_held(db, gateway, given.now())
    if held is None:
        raise not_found("gateway", gateway, "gateway that told what it controls")
    may = viewer_of(request).may(Permission.ACCESS_READ, held.organisation_id, held.site_id)
    return answer(_state(held, given.now(), people=may))


def _state(held: Held, now: datetime, *, people: bool) -> ControlState:
    status = msgspec.to_builtins(held.status)
    if not people:
        status.pop("inside", None)
    return ControlState(
        gateway=held.gateway,
        site=held.site,
        known=held.is_known(now),
        received_at=held.received_at,
        heard_at=held.heard_at,
        status=status,
    )


# --- rehearsal and proof ------------------------------------------------------------------------------


class NewRehearsal(Body):
    """A rule to be replayed over stored history."""

    from_at: Annotated[Moment, Field(description="Start.")]
    to_at: Annotated[Moment, Field(description="End, not included.")]
    rule: Annotated[
        str, Field(max_length=TEXT_MAX, description="TOML with one [[interlock]]; empty: as it runs.")
    ] = ""


@dataclass(frozen=True, slots=True)
class Trip:
    """One trip that would have been."""

    at: datetime
    until: datetime | None
    """When it could have been reset at the earliest; None: not within the stretch."""
    first_out: list[str]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the rule would have done."""

    from_at: datetime
    to_at: datetime
    readings: int
    judged_from: datetime | None
    """When every cause was first normal; before that it says nothing. None: never."""
    tripped_s: float
    trips: list[Trip]


@dataclass(frozen=True, slots=True)
class ProofTest:
    """One proof test of an interlock."""

    id: int
    begun_at: datetime
    ended_at: datetime | None
    by: str
    rule: str
    """Fingerprint of the rule that it proves."""
    passed: bool
    steps: list[dict[str, Any]]
    """Those that were done: what, whether it passed and was seen by the interlock, when, and the note."""


@router.post(
    "/gateways/{gateway}/interlocks/{interlock}/rehearsal",
    response_model=Rehearsed,
    summary="When a rule would have tripped, by what is stored",
)
@needs(Permission.CONTROL_HANDLE)
async def rehearse(
    db: Db, given: Given, gateway: GatewayPath, interlock: InterlockPath, sent: NewRehearsal
) -> Response:
    """Replay a rule, as it runs or as edited; nothing is changed. It may take half a minute."""
    asked = Asked(gateway, interlock, sent.from_at.astimezone(UTC), sent.to_at.astimezone(UTC), sent.rule)
    if await shadow.owner(db, gateway, given.now()) is None:
        raise not_found("gateway", gateway, "gateway")
    try:
        ready = await prepare(db, asked)
    except RehearsalError as error:
        raise refused(error.field, "", str(error)) from None
    found: Rehearsal | None = None
    async for came in rehearsal(given.pool, ready):
        found = came if isinstance(came, Rehearsal) else None
    assert found is not None
    return answer(_rehearsed(found, ready.readings))


@router.get(
    "/gateways/{gateway}/interlocks/{interlock}/proofs",
    response_model=Page[ProofTest],
    summary="Proof tests of an interlock, the newest first",
)
@needs(Permission.CONTROL_READ)
async def proof_tests(db: Db, given: Given, gateway: GatewayPath, interlock: InterlockPath) -> Response:
    """List the last fifty."""
    owner = await shadow.owner(db, gateway, given.now())
    if owner is None:
        raise not_found("gateway", gateway, "gateway")
    found = await proofs.list_proofs(db, owner.id, interlock)
    return answer(Page([_proof(one) for one in found], None))


def _rehearsed(found: Rehearsal, readings: int) -> Rehearsed:
    return Rehearsed(
        from_at=_at(found.from_tick),
        to_at=_at(found.to_tick),
        readings=readings,
        judged_from=None if found.judged_from is None else _at(found.judged_from),
        tripped_s=found.tripped_ticks / TICKS_PER_S,
        trips=[
            Trip(_at(one.at), None if one.until is None else _at(one.until), list(one.first_out))
            for one in found.trips
        ],
    )


def _proof(one: Proof) -> ProofTest:
    steps = [
        {
            "kind": result.step.kind.value,
            "name": result.step.name,
            "passed": result.passed,
            "seen": result.seen,
            "at": _at(result.at.tick),
            "note": result.note,
        }
        for result in one.run.results
    ]
    return ProofTest(
        one.id,
        one.begun_at,
        one.ended_at,
        one.run.by,
        one.run.rule,
        one.ended_at is not None and one.run.passed,
        steps,
    )


def _at(tick: int) -> datetime:
    return datetime.fromtimestamp(tick / TICKS_PER_S, UTC)
