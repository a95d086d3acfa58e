"""Authorisations of people, and tokens of programs, over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from cloud.api.acting import acting
from cloud.api.errors import not_found
from cloud.api.guard import needs, signed_in, viewer_of
from cloud.api.routes.people import Body, Id, Made, Words
from cloud.api.services import ID_MAX, After, Db, Given, Limit, Moment, Page, Text, answer, page
from cloud.api.strict import StrictRoute
from cloud.identity import acts
from cloud.store.people import Authorisation, get_person, list_authorisations
from cloud.store.web_sessions import ApiToken, list_tokens
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["people"], route_class=StrictRoute)

Kind = Literal["activity", "equipment"]


class NewAuthorisation(Body):
    """What a person may do, and when; without `to_at` until it is withdrawn."""

    person_id: Id
    kind: Kind
    subject: Words
    from_at: Moment
    to_at: Moment | None = None
    basis: Words


class Withdrawal(Body):
    """From when an authorisation holds no longer, and why."""

    from_at: Moment
    why: Words


class NewToken(Body):
    """A token for a program, in one's own name."""

    name: Words
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=40)]
    days: Annotated[int, Field(ge=1, le=acts.TOKEN_DAYS_MAX)]


class Token(Made):
    """A token, told this once."""

    token: str


@router.get(
    "/authorisations",
    response_model=Page[Authorisation],
    summary="Who is authorised for what; with `at` who was at that moment",
)
@needs(Permission.AUTHORISATIONS_READ)
async def authorisations(
    db: Db,
    person_id: Annotated[
        int | None, Query(alias="person", ge=1, le=ID_MAX, description="Id of a person.")
    ] = None,
    kind: Annotated[Kind | None, Query()] = None,
    subject: Text = None,
    at: Annotated[Moment | None, Query(description="A moment; only what was in force then.")] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List authorisations by id."""
    if person_id is not None and await get_person(db, person_id) is None:
        raise not_found("person", person_id, "person")
    found = await list_authorisations(
        db, person_id=person_id, kind=kind, subject=subject, at=at, after=after, limit=limit + 1
    )
    return page(found, limit, lambda one: one.id)


@router.post("/authorisations", response_model=Made, status_code=201, summary="Authorise a person")
@needs(Permission.AUTHORISATIONS_MANAGE)
async def authorise(request: Request, given: Given, sent: NewAuthorisation) -> Response:
    """Enter an authorisation."""
    async with acting(request, given.pool, given.now()) as act:
        made = await acts.authorise(
            act,
            sent.person_id,
            kind=sent.kind,
            subject=sent.subject,
            from_at=sent.from_at,
            to_at=sent.to_at,
            basis=sent.basis,
        )
    return Response(Made(id=made).model_dump_json(), 201, media_type="application/json")


@router.post(
    "/authorisations/{authorisation}/withdrawal",
    status_code=204,
    summary="Withdraw an authorisation from a moment on",
)
@needs(Permission.AUTHORISATIONS_MANAGE)
async def withdraw(
    request: Request,
    given: Given,
    authorisation_id: Annotated[int, Path(alias="authorisation", ge=1, le=ID_MAX)],
    sent: Withdrawal,
) -> Response:
    """End an authorisation; what was before stays as it was."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.withdraw(act, authorisation_id, from_at=sent.from_at, why=sent.why)
    return Response(status_code=204)


@router.get("/tokens", response_model=list[ApiToken], summary="Your own tokens; none is shown again")
@signed_in
async def tokens(request: Request, db: Db) -> Response:
    """List one's own tokens by id."""
    return answer(await list_tokens(db, account_id=viewer_of(request).account_id))


@router.post("/tokens", response_model=Token, status_code=201, summary="Make a token; it is told this once")
@signed_in
async def make(request: Request, given: Given, sent: NewToken) -> Response:
    """Make a token with some of one's own permissions."""
    async with acting(request, given.pool, given.now()) as act:
        number, token = await acts.make_token(act, name=sent.name, scopes=sent.scopes, days=sent.days)
    return Response(
        Token(id=number, token=token).model_dump_json(),
        201,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@router.delete("/tokens/{token}", status_code=204, summary="End a token")
@signed_in
async def end(
    request: Request, given: Given, token_id: Annotated[int, Path(alias="token", ge=1, le=ID_MAX)]
) -> Response:
    """End one's own token, or as an administrator somebody's of the organisation."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.end_token(act, token_id)
    return Response(status_code=204)
