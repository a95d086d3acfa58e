"""Access rights over HTTP: groups, schedules, days, rights, how doors are asked, what is honoured."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import rights_acts
from cloud.api.acting import acting
from cloud.api.guard import needs
from cloud.api.routes.audit import cell
from cloud.api.services import CSV, ID_MAX, Db, Given, Limit, Page, SiteId, SitePath, answer
from cloud.api.strict import StrictRoute
from cloud.rights_acts import Place
from cloud.store.decisions import Revoked, list_revoked, list_rights
from cloud.store.rights_items import Item, cards_of_tokens, list_items
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["access"], route_class=StrictRoute)

ItemKind = Literal["site", "day", "schedule", "group", "zone", "portal", "mantrap", "right", "equipment"]
SharedKind = Literal["day", "schedule", "group"]
Name = Annotated[str, Path(alias="item", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Its id.")]
Kind = Annotated[ItemKind, Path(description="What it is.")]
Shared = Annotated[SharedKind, Path(alias="kind", description="What it is.")]
Organisation = Annotated[
    int, Path(alias="organisation", ge=1, le=ID_MAX, description="Id of an organisation.")
]
REVOKED_SINCE = timedelta(days=1)
_COLUMNS = (
    *("site", "right", "title", "effect", "people", "groups", "everyone", "zones", "sides", "schedule"),
    *("from_ms", "to_ms", "approved_by", "changed_by", "changed_at"),
)


class PutItem(BaseModel):
    """An item of the rights."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(max_length=200)] = ""
    body: Annotated[dict[str, Any], Field(max_length=40)]
    """As `rules/access/document.py` has it, without its id; see docs/reference/access-rights.md."""


@dataclass(frozen=True, slots=True)
class EndedHere:
    """What was ended at once, and since when."""

    since: datetime
    cards: list[str]
    """Number of the person and end of the card's number, of cards that you may see."""
    people: list[str]
    rights: list[str]
    visits: list[str]


@dataclass(frozen=True, slots=True)
class GatewayRights:
    """What a gateway was sent and what it says it decides by."""

    gateway: str
    site: str | None
    revision: str
    issued_at: datetime | None
    faults: list[str]
    """Why the newest rights are not sent; empty: they are."""
    honoured: str | None
    honoured_since: datetime | None
    heard_at: datetime | None
    up_to_date: bool
    refusal: str
    """Why the gateway refused what was sent; empty: it did not."""
    may_still_honour: list[EndedHere]
    """What was ended here and the gateway has not said that it knows."""


@router.get(
    "/access/items",
    response_model=Page[Item],
    summary="Rights, groups, schedules, days, and how zones and doors are asked",
)
@needs(Permission.ACCESS_READ)
async def items(
    db: Db,
    site_id: SiteId,
    kind: Annotated[ItemKind | None, Query(description="What they are.")] = None,
    after: Annotated[int, Query(ge=0, le=2**31, description="`next` of the part before.")] = 0,
    limit: Limit = 100,
) -> Response:
    """List items by kind and name; of a site with those of its whole organisation."""
    kinds = None if kind is None else [kind]
    found = await list_items(db, site_id=site_id, kinds=kinds, after=after, limit=limit + 1)
    return answer(Page(found[:limit], after + limit if len(found) > limit else None))


@router.put("/sites/{site}/access/{kind}/{item}", status_code=204, summary="Keep an item of a site's rights")
@needs(Permission.ACCESS_MANAGE)
async def put(
    request: Request, given: Given, site_id: SitePath, kind: Kind, name: Name, sent: PutItem
) -> Response:
    """Keep an item in the place of the one before; refused when rights would contradict themselves."""
    async with acting(request, given.pool, given.now()) as act:
        site = await rights_acts.place_of(act, site_id)
        place = Place(site.organisation_id, site.id)
        await rights_acts.put_item(act, place, kind=kind, name=name, body=sent.body, title=sent.title)
    return Response(status_code=204)


@router.delete(
    "/sites/{site}/access/{kind}/{item}", status_code=204, summary="Take an item out of a site's rights"
)
@needs(Permission.ACCESS_MANAGE)
async def drop(request: Request, given: Given, site_id: SitePath, kind: Kind, name: Name) -> Response:
    """Take an item out; who was let in by it is turned away within a second."""
    async with acting(request, given.pool, given.now()) as act:
        site = await rights_acts.place_of(act, site_id)
        await rights_acts.drop_item(act, Place(site.organisation_id, site.id), kind=kind, name=name)
    return Response(status_code=204)


@router.put(
    "/organisations/{organisation}/access/{kind}/{item}",
    status_code=204,
    summary="Keep a group, schedule or day for all sites of an organisation",
)
@needs(Permission.ACCESS_MANAGE)
async def put_shared(
    request: Request, given: Given, organisation_id: Organisation, kind: Shared, name: Name, sent: PutItem
) -> Response:
    """Keep an item in the place of the one before."""
    async with acting(request, given.pool, given.now()) as act:
        place = Place(organisation_id)
        await rights_acts.put_item(act, place, kind=kind, name=name, body=sent.body, title=sent.title)
    return Response(status_code=204)


@router.delete(
    "/organisations/{organisation}/access/{kind}/{item}",
    status_code=204,
    summary="Take a group, schedule or day of an organisation out",
)
@needs(Permission.ACCESS_MANAGE)
async def drop_shared(
    request: Request, given: Given, organisation_id: Organisation, kind: Shared, name: Name
) -> Response:
    """Take an item out."""
    async with acting(request, given.pool, given.now()) as act:
        await rights_acts.drop_item(act, Place(organisation_id), kind=kind, name=name)
    return Response(status_code=204)


@router.post(
    "/sites/{site}/access/rights/{item}/approval",
    status_code=204,
    summary="Approve a right as the head of a laboratory",
)
@needs(Permission.ACCESS_READ)
async def approve(request: Request, given: Given, site_id: SitePath, name: Name) -> Response:
    """Approve a right; it counts from now on, as long as it is not changed."""
    async with acting(request, given.pool, given.now()) as act:
        await rights_acts.approve(act, site_id, name)
    return Response(status_code=204)


@router.get(
    "/access/gateways",
    response_model=list[GatewayRights],
    summary="Which rights each gateway honours, and what it may still honour",
)
@needs(Permission.ACCESS_READ)
async def gateways(db: Db, given: Given, site_id: SiteId) -> Response:
    """List gateways by site; tokens of cards stand for cards."""
    now = given.now()
    rows = await list_rights(db, now, site_id=site_id)
    ended = await list_revoked(db, [row.gateway_id for row in rows], since=now - REVOKED_SINCE)
    tokens = [token for one in ended for token in one.ended.get("credentials", ())]
    cards = await cards_of_tokens(db, tokens)
    found = [
        GatewayRights(
            gateway=row.gateway,
            site=row.site,
            revision=f"{row.incarnation}.{row.number}",
            issued_at=row.issued_at,
            faults=row.faults,
            honoured=None
            if row.honoured_number is None
            else f"{row.honoured_incarnation}.{row.honoured_number}",
            honoured_since=row.honoured_since,
            heard_at=row.heard_at,
            up_to_date=row.up_to_date,
            refusal=row.refusal,
            may_still_honour=[
                _ended(one, cards)
                for one in ended
                if one.gateway_id == row.gateway_id and one.honoured_at is None
            ],
        )
        for row in rows
    ]
    return answer(found)


def _ended(one: Revoked, cards: Mapping[str, tuple[str, str, str]]) -> EndedHere:
    known = [cards[token] for token in one.ended.get("credentials", ()) if token in cards]
    return EndedHere(
        one.issued_at,
        [f"{number} …{ending}" for number, _, ending in known],
        one.ended.get("people", []),
        one.ended.get("rights", []),
        one.ended.get("visits", []),
    )


@router.get(
    "/access/rights.csv",
    response_class=Response,
    responses=CSV,
    summary="Rights as CSV: who, where, when, with what effect",
)
@needs(Permission.ACCESS_READ)
async def export(db: Db, site_id: SiteId) -> Response:
    """Return every right on a line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for item in await list_items(db, site_id=site_id, kinds=["right"]):
        writer.writerow([cell(value) for value in _line(item)])
    headers = {"Content-Disposition": 'attachment; filename="rights.csv"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(item: Item) -> list[object]:
    body = item.body
    listed = [" ".join(body.get(name, ())) for name in ("people", "groups", "zones", "sides")]
    start, end = [*body.get("valid", ()), None, None][:2]
    approval = body.get("approval") or [None]
    return [
        *(item.site, item.name, item.title, body.get("effect", "allow"), listed[0], listed[1]),
        *("yes" if body.get("everyone") else "", listed[2], listed[3], body.get("schedule"), start, end),
        *(approval[0], item.changed_by, item.changed_at),
    ]
