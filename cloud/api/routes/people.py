"""People, their accounts and roles over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.acting import acting
from cloud.api.errors import not_found
from cloud.api.guard import needs
from cloud.api.services import ID_MAX, After, Db, Given, Limit, Moment, Page, Text, answer, page
from cloud.api.strict import StrictRoute
from cloud.identity import acts
from cloud.store.accounts import RoleGrant, list_grants
from cloud.store.people import Person, get_person, list_people
from rules.permissions import Grant, Permission, Role

router = APIRouter(prefix="/api", tags=["people"], route_class=StrictRoute)

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Words = Annotated[str, Field(max_length=500)]
PersonPath = Annotated[int, Path(alias="person", ge=1, le=ID_MAX, description="Id of a person.")]
AccountPath = Annotated[int, Path(alias="account", ge=1, le=ID_MAX, description="Id of an account.")]
GrantPath = Annotated[int, Path(alias="grant", ge=1, le=ID_MAX, description="Id of a granted role.")]


class Body(BaseModel):
    """Base of what is sent; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NewPerson(Body):
    """A person to enter."""

    organisation_id: Id
    number: Words
    name: Words
    department: Words = ""


class ChangedPerson(Body):
    """What is known of a person from now on."""

    name: Words
    department: Words = ""
    left_at: Moment | None = None


class Invited(Body):
    """An invitation; the login only where no account is there yet."""

    login: Words = ""


class Made(BaseModel):
    """What was entered."""

    id: int


class Invitation(BaseModel):
    """An invitation, told this once."""

    login: str
    code: str


class NewRole(Body):
    """A role to grant; without a site in the whole organisation."""

    account_id: Id
    organisation_id: Id
    role: Role
    site_id: Id | None = None


class Closing(Body):
    """Whether an account is closed, and why."""

    disabled: bool
    why: Words


@router.get("/people", response_model=Page[Person], summary="People of the organisations that you may see")
@needs(Permission.PEOPLE_READ)
async def people(db: Db, number: Text = None, after: After = 0, limit: Limit = 100) -> Response:
    """List people by id."""
    found = await list_people(db, number=number, after=after, limit=limit + 1)
    return page(found, limit, lambda person: person.id)


@router.get("/people/{person}", response_model=Person, summary="One person")
@needs(Permission.PEOPLE_READ)
async def person(db: Db, person_id: PersonPath) -> Response:
    """Return one person."""
    found = await get_person(db, person_id)
    if found is None:
        raise not_found("person", person_id, "person")
    return answer(found)


@router.post("/people", response_model=Made, status_code=201, summary="Enter a person")
@needs(Permission.PEOPLE_MANAGE)
async def enter(request: Request, given: Given, sent: NewPerson) -> Response:
    """Enter a person."""
    async with acting(request, given.pool, given.now()) as act:
        made = await acts.add_person(
            act, sent.organisation_id, number=sent.number, name=sent.name, department=sent.department
        )
    return _created(Made(id=made))


@router.put("/people/{person}", status_code=204, summary="Change what is known of a person")
@needs(Permission.PEOPLE_MANAGE)
async def change(request: Request, given: Given, person_id: PersonPath, sent: ChangedPerson) -> Response:
    """Change name and department, and whether the person left."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.change_person(
            act, person_id, name=sent.name, department=sent.department, left_at=sent.left_at
        )
    return Response(status_code=204)


@router.post(
    "/people/{person}/invitation",
    response_model=Invitation,
    status_code=201,
    summary="Open a person's account or invite anew; the code is told this once",
)
@needs(Permission.PEOPLE_MANAGE)
async def invite(request: Request, given: Given, person_id: PersonPath, sent: Invited) -> Response:
    """Invite a person to set a password."""
    async with acting(request, given.pool, given.now()) as act:
        login, code = await acts.invite(act, person_id, sent.login)
    return _created(Invitation(login=login, code=code))


@router.put("/accounts/{account}/closed", status_code=204, summary="Close an account or open it again")
@needs(Permission.PEOPLE_MANAGE)
async def close(request: Request, given: Given, account_id: AccountPath, sent: Closing) -> Response:
    """Close an account, which ends its sessions, or open it again."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.set_disabled(act, account_id, disabled=sent.disabled, why=sent.why)
    return Response(status_code=204)


@router.get("/roles", response_model=Page[RoleGrant], summary="Roles in force, and where")
@needs(Permission.PEOPLE_READ)
async def roles(db: Db, after: After = 0, limit: Limit = 100) -> Response:
    """List granted roles by id."""
    found = await list_grants(db, after=after, limit=limit + 1)
    return page(found, limit, lambda grant: grant.id)


@router.post("/roles", status_code=204, summary="Grant a role")
@needs(Permission.PEOPLE_MANAGE)
async def grant(request: Request, given: Given, sent: NewRole) -> Response:
    """Give an account a role, in the whole organisation or at one site."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.grant_role(act, sent.account_id, Grant(sent.role, sent.organisation_id, sent.site_id))
    return Response(status_code=204)


@router.delete("/roles/{grant}", status_code=204, summary="Take a role")
@needs(Permission.PEOPLE_MANAGE)
async def take(request: Request, given: Given, grant_id: GrantPath) -> Response:
    """Take a role; the last administrator of an organisation keeps it."""
    async with acting(request, given.pool, given.now()) as act:
        await acts.take_role(act, grant_id)
    return Response(status_code=204)


def _created(made: BaseModel) -> Response:
    return Response(
        made.model_dump_json(), 201, media_type="application/json", headers={"Cache-Control": "no-store"}
    )
