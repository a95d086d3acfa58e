"""Settings of gateways over HTTP: what is wanted, what runs, and every revision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cloud import settings_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError, bad_input, not_found, refused
from cloud.api.errors import Fault as ApiFault
from cloud.api.guard import needs
from cloud.api.routes.people import Body
from cloud.api.services import ID_MAX, Db, GatewayPath, Given, Limit, Page, answer
from cloud.api.strict import StrictRoute
from cloud.settings_acts import ConflictError, DocumentError
from cloud.store import shadow
from cloud.store.connection import Connection
from cloud.store.shadow import Owner, Revision, Told
from rules.permissions import Permission
from wire.settings.shadow import check_text, read_text
from wire.settings.toml import to_toml
from wire.shadow import DOCUMENT_BYTES_MAX

router = APIRouter(prefix="/api/gateways", tags=["settings"], route_class=StrictRoute)

Number = Annotated[int, Field(ge=0, le=ID_MAX)]
NumberPath = Annotated[int, Path(ge=1, le=ID_MAX, description="Number of a revision.")]
Reason = Annotated[str, Field(min_length=1, max_length=settings_acts.REASON_MAX, description="Why.")]


class NewSettings(Body):
    """A document to be run, as TOML text or as JSON values."""

    document: Annotated[str | None, Field(max_length=DOCUMENT_BYTES_MAX, description="TOML.")] = None
    values: Annotated[dict[str, Any] | None, Field(description="The same as JSON.")] = None
    based_on: Annotated[
        Number, Field(description="`newest` as it was read before; 409 when it is another one by now.")
    ]
    reason: Reason


class Reversion(Body):
    """An earlier revision to be run again."""

    number: Annotated[int, Field(ge=1, le=ID_MAX)]
    based_on: Number
    reason: Reason


class Saved(BaseModel):
    """What was saved."""

    number: int


@dataclass(frozen=True, slots=True)
class SettingsState:
    """The settings of one gateway."""

    gateway: str
    newest: int
    """The newest revision; 0: there is none, because the gateway has said nothing of its settings yet."""
    wanted: int | None
    """The revision that it is to run with; None: the hub wants nothing of it."""
    document: str | None
    """TOML of the newest revision."""
    reported: Told | None
    """What it said itself; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class SettingsDocument:
    """One revision with its document."""

    number: int
    document: str
    """TOML."""
    values: dict[str, Any]
    """The same as JSON; empty where the document has faults, as one that was found at a gateway may."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What two revisions say differently."""

    from_number: int
    to_number: int
    lines: list[str]
    """Lines with `-` (before), `+` (after) or a space in front; those with `@@` say where."""


@router.get("/{gateway}/settings", response_model=SettingsState, summary="Settings: wanted, and as running")
@needs(Permission.SETTINGS_READ)
async def settings(db: Db, gateway: GatewayPath, given: Given) -> Response:
    """Return the newest document, what is wanted and what was reported."""
    owner = await _existing(db, gateway, given.now())
    newest = await shadow.newest(db, owner.id)
    wanted = await shadow.desired(db, owner.id)
    state = SettingsState(
        gateway=owner.name,
        newest=newest,
        wanted=None if wanted is None else wanted.number,
        document=await shadow.document(db, owner.id, newest),
        reported=await shadow.told(db, owner.id),
    )
    return answer(state)


@router.put(
    "/{gateway}/settings", response_model=Saved, summary="Save settings and have the gateway run them"
)
@needs(Permission.SETTINGS_WRITE)
async def save(request: Request, given: Given, gateway: GatewayPath, sent: NewSettings) -> Response:
    """Check a document, keep it as the next revision and send it."""
    document = _document(sent)
    try:
        async with acting(request, given.pool, given.now()) as act:
            number = await settings_acts.save(
                act, gateway, document, based_on=sent.based_on, reason=sent.reason
            )
    except (ConflictError, DocumentError) as error:
        raise problem(error) from None
    return Response(Saved(number=number).model_dump_json(), media_type="application/json")


@router.post(
    "/{gateway}/settings/revert", response_model=Saved, summary="Have a gateway run an earlier revision again"
)
@needs(Permission.SETTINGS_WRITE)
async def revert(request: Request, given: Given, gateway: GatewayPath, sent: Reversion) -> Response:
    """Save the document of an earlier revision as the next one and send it."""
    try:
        async with acting(request, given.pool, given.now()) as act:
            number = await settings_acts.revert(
                act, gateway, sent.number, based_on=sent.based_on, reason=sent.reason
            )
    except (ConflictError, DocumentError) as error:
        raise problem(error) from None
    return Response(Saved(number=number).model_dump_json(), media_type="application/json")


@router.get(
    "/{gateway}/settings/revisions",
    response_model=Page[Revision],
    summary="Every revision with author and reason, the newest first",
)
@needs(Permission.SETTINGS_READ)
async def revisions(
    db: Db,
    gateway: GatewayPath,
    given: Given,
    before: Annotated[int | None, Query(ge=1, le=ID_MAX, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List revisions by number, downwards."""
    owner = await _existing(db, gateway, given.now())
    found = list(await shadow.revisions(db, owner.id, before=before, limit=limit + 1))
    more = found[limit - 1].number if len(found) > limit else None
    return answer(Page(found[:limit], more))


@router.get(
    "/{gateway}/settings/revisions/{number}",
    response_model=SettingsDocument,
    summary="One revision's document, as TOML and as JSON",
)
@needs(Permission.SETTINGS_READ)
async def revision(db: Db, gateway: GatewayPath, given: Given, number: NumberPath) -> Response:
    """Return a document."""
    owner = await _existing(db, gateway, given.now())
    document = await _text(db, owner, number)
    checked, _ = check_text(document)
    values, _ = read_text(document) if checked is not None else (None, [])
    return answer(SettingsDocument(number, document, dict(values or {})))


@router.get(
    "/{gateway}/settings/diff", response_model=Difference, summary="What two revisions say differently"
)
@needs(Permission.SETTINGS_READ)
async def diff(
    db: Db,
    gateway: GatewayPath,
    given: Given,
    from_number: Annotated[int, Query(alias="from", ge=1, le=ID_MAX, description="A revision.")],
    to_number: Annotated[int, Query(alias="to", ge=1, le=ID_MAX, description="Another revision.")],
) -> Response:
    """Compare two documents line by line."""
    owner = await _existing(db, gateway, given.now())
    before, after = await _text(db, owner, from_number), await _text(db, owner, to_number)
    return answer(Difference(from_number, to_number, settings_acts.difference(before, after, context=3)))


def problem(error: ConflictError | DocumentError) -> ApiError:
    """Return what was not saved as an answer of the API."""
    if isinstance(error, ConflictError):
        fault = ApiFault("based_on", str(error.newest), f"{error.newest}, which was saved meanwhile")
        return ApiError(409, "Saved meanwhile", f"{error}.", faults=[fault])
    return bad_input([ApiFault(*settings_acts.told(fault)) for fault in error.faults])


def _document(sent: NewSettings) -> str:
    if sent.document is not None and sent.values is None:
        return sent.document
    if sent.values is None or sent.document is not None:
        raise refused("document", "", "either document (TOML) or values (JSON)")
    try:
        return to_toml(sent.values)
    except (ValueError, RecursionError) as error:
        raise refused("values", str(error), "values that TOML can write; leave out what is null") from None


async def _existing(db: Connection, gateway: str, now: datetime) -> Owner:
    owner = await shadow.owner(db, gateway, now)
    if owner is None:
        raise not_found("gateway", gateway, "gateway")
    return owner


async def _text(db: Connection, owner: Owner, number: int) -> str:
    document = await shadow.document(db, owner.id, number)
    if document is None:
        raise not_found("number", number, "revision")
    return document
