"""Doors over HTTP: what happened there and why, who is inside, and what people and cards are at doors."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import card_acts
from cloud.api.acting import acting
from cloud.api.errors import not_found
from cloud.api.guard import needs
from cloud.api.services import (
    ID_MAX,
    After,
    Db,
    During,
    Given,
    Limit,
    Moment,
    Page,
    SiteId,
    SitePath,
    Text,
    answer,
    page,
)
from cloud.api.strict import StrictRoute
from cloud.rights_doors import RollCall, roll_call_of
from cloud.rights_explain import explained
from cloud.store.credentials import Credential, list_credentials
from cloud.store.decisions import DoorEvent, get_door_event, list_door_events
from cloud.store.rights_items import AccessPerson, list_people
from cloud.store.sites import get_site
from rules.access.reasons import Reason
from rules.access.sentences import sentence
from rules.access.words import CredentialState
from rules.permissions import Permission

router = APIRouter(prefix="/api/access", tags=["access"], route_class=StrictRoute)

Words = Annotated[str, Field(max_length=500)]
PersonPath = Annotated[int, Path(alias="person", ge=1, le=ID_MAX, description="Id of a person.")]
CardPath = Annotated[int, Path(alias="credential", ge=1, le=ID_MAX, description="Id of a credential.")]
EventPath = Annotated[int, Path(alias="event", ge=1, le=2**62, description="Id of an event.")]


class Body(BaseModel):
    """Base of what is sent; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class PersonAtDoors(Body):
    """What a person is at doors."""

    state: Annotated[str, Field(pattern="^(active|suspended|revoked)$")] = "active"
    from_at: Moment | None = None
    to_at: Moment | None = None
    escorts: bool = False
    slow: bool = False
    why: Words


class CardState(Body):
    """What became of a card."""

    state: CredentialState
    why: Words


class NewCard(Body):
    """A card that somebody is given; its number is kept as a keyed hash alone."""

    format: Words
    facility: Annotated[str, Field(max_length=20)] = ""
    number: Annotated[str, Field(max_length=200)]
    from_at: Moment | None = None
    to_at: Moment | None = None


class Pins(Body):
    """PINs, empty for none; kept as keyed hashes alone."""

    pin: Annotated[str, Field(max_length=20)] = ""
    duress_pin: Annotated[str, Field(max_length=20)] = ""


class Made(BaseModel):
    """What was entered."""

    id: int


@dataclass(frozen=True, slots=True)
class PersonWithCards:
    """What a person is at doors, with the cards by which gateways know them."""

    person: AccessPerson
    cards: list[Credential]
    """By id; no number and no hash, but what may be shown of the number."""


@dataclass(frozen=True, slots=True)
class StepSaid:
    """One step of a decision."""

    step: str
    outcome: str
    """`passed`, `failed`, `waived`, `not_needed` or `not_judged`."""
    reason: str | None
    sentence: str
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody was let in or refused."""

    event: int
    at: datetime
    side: str
    reason: str | None
    sentence: str
    revision: str
    """Of the rights that decided; empty: there were none."""
    kept: bool
    """Whether those rights are still kept here."""
    alike: bool
    """Whether the replay comes to the same, as far as the hub can judge."""
    steps: list[StepSaid]


@router.get("/events", response_model=Page[DoorEvent], summary="What happened at doors, and why")
@needs(Permission.ACCESS_READ)
async def door_events(
    db: Db,
    during: During,
    site_id: SiteId,
    person: Text = None,
    door: Text = None,
    refused: Annotated[bool, Query(description="Only who was refused.")] = False,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List events of doors, the last stored first."""
    found = await list_door_events(
        db,
        from_at=during.from_at,
        to_at=during.to_at,
        site_id=site_id,
        person=person,
        door=door,
        refused=refused,
        before=before,
        limit=limit + 1,
    )
    shown = [replace(one, data={key: one.data[key] for key in one.data if key != "token"}) for one in found]
    return page(shown, limit, lambda event: event.id)


@router.get(
    "/events/{event}/explanation",
    response_model=Explanation,
    summary="Why somebody was let in or refused, step by step",
)
@needs(Permission.ACCESS_READ)
async def explanation(db: Db, event_id: EventPath) -> Response:
    """Replay a decision with the rights that decided it."""
    event = await get_door_event(db, event_id)
    found = None if event is None else await explained(db, event)
    if event is None or found is None:
        raise not_found("event", event_id, "decision of a door")
    steps = [
        StepSaid(
            one.step.value,
            one.outcome.value,
            None if one.reason is None else one.reason.value,
            _sentence(one.reason),
            one.rule,
            one.detail,
        )
        for one in found.findings
    ]
    told = Explanation(
        event=event.id,
        at=event.observed_at,
        side=event.subject,
        reason=None if found.reason is None else found.reason.value,
        sentence=_sentence(found.reason),
        revision=found.revision,
        kept=found.kept,
        alike=found.alike,
        steps=steps,
    )
    return answer(told)


def _sentence(reason: Reason | None) -> str:
    return "" if reason is None else sentence(reason, "en")


@router.get(
    "/sites/{site}/roll-call", response_model=RollCall, summary="Who came in and was not seen to leave"
)
@needs(Permission.ACCESS_READ)
async def roll_call(
    db: Db,
    given: Given,
    site_id: SitePath,
) -> Response:
    """Return the roll-call of a site; who is not safe first."""
    if await get_site(db, site_id) is None:
        raise not_found("site", site_id, "site")
    return answer(await roll_call_of(db, site_id, now=given.now()))


@router.get("/people", response_model=Page[AccessPerson], summary="What people are at doors")
@needs(Permission.ACCESS_READ)
async def people(db: Db, number: Text = None, after: After = 0, limit: Limit = 100) -> Response:
    """List people by id."""
    found = await list_people(db, number=number, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.person_id)


@router.get(
    "/people/{person}", response_model=PersonWithCards, summary="What a person is at doors, and their cards"
)
@needs(Permission.PEOPLE_READ)
async def person_with_cards(db: Db, person_id: PersonPath) -> Response:
    """Return what one person is at doors and the cards with ids and states."""
    found = await list_people(db, person_id=person_id)
    if not found:
        raise not_found("person", person_id, "person")
    return answer(PersonWithCards(found[0], await list_credentials(db, person_id)))


@router.put("/people/{person}", status_code=204, summary="Say what a person is at doors")
@needs(Permission.ACCESS_MANAGE)
async def set_person(request: Request, given: Given, person_id: PersonPath, sent: PersonAtDoors) -> Response:
    """Suspend, revoke, let escort; who is suspended or revoked is turned away within a second."""
    new = card_acts.AtDoors(sent.state, sent.from_at, sent.to_at, sent.escorts, sent.slow)
    async with acting(request, given.pool, given.now()) as act:
        await card_acts.set_person(act, person_id, new, why=sent.why)
    return Response(status_code=204)


@router.put("/people/{person}/pins", status_code=204, summary="Set a person's PINs")
@needs(Permission.ACCESS_MANAGE)
async def set_pins(request: Request, given: Given, person_id: PersonPath, sent: Pins) -> Response:
    """Set PIN and duress PIN, empty for none."""
    async with acting(request, given.pool, given.now()) as act:
        await card_acts.set_pins(act, person_id, pin=sent.pin, duress_pin=sent.duress_pin)
    return Response(status_code=204)


@router.post("/people/{person}/cards", response_model=Made, status_code=201, summary="Give a person a card")
@needs(Permission.ACCESS_MANAGE)
async def give_card(request: Request, given: Given, person_id: PersonPath, sent: NewCard) -> Response:
    """Give a person a card."""
    new = card_acts.NewCard(sent.format, sent.facility, sent.number, sent.from_at, sent.to_at)
    async with acting(request, given.pool, given.now()) as act:
        made = await card_acts.give_card(act, person_id, new)
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")


@router.put("/credentials/{credential}/state", status_code=204, summary="Say what became of a card")
@needs(Permission.ACCESS_MANAGE)
async def set_card(request: Request, given: Given, credential_id: CardPath, sent: CardState) -> Response:
    """Block, lose, return or revoke a card; it is turned away within a second."""
    async with acting(request, given.pool, given.now()) as act:
        await card_acts.set_card_state(act, credential_id, sent.state.value, why=sent.why)
    return Response(status_code=204)
