"""Templates of settings over HTTP: documents with places to fill in, for sites of a kind."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from cloud import settings_acts
from cloud.api.acting import acting
from cloud.api.errors import NAME
from cloud.api.guard import needs
from cloud.api.routes.people import Body, Made
from cloud.api.routes.settings import Number, Reason, Saved, problem
from cloud.api.services import ID_MAX, After, Db, GatewayPath, Given, Limit, Page, page
from cloud.api.strict import StrictRoute
from cloud.settings_acts import ConflictError, DocumentError
from cloud.store.settings_templates import SettingsTemplate, list_templates
from rules.permissions import Permission
from wire.shadow import DOCUMENT_BYTES_MAX

router = APIRouter(prefix="/api", tags=["settings"], route_class=StrictRoute)

TemplateName = Annotated[str, Path(alias="template", pattern=NAME, description="Name of a template.")]
Value = StrictBool | StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=1000)]


class NewTemplate(Body):
    """A template to be kept."""

    organisation_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    site_kind: Literal["laboratory", "mobile_lab", "vehicle"]
    document: Annotated[str, Field(min_length=1, max_length=DOCUMENT_BYTES_MAX, pattern=r"^[^\x00]*$")]
    reason: Reason


class Filling(Body):
    """What stands in the places of a template."""

    template_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    values: Annotated[dict[str, Value], Field(max_length=100)]
    based_on: Number
    reason: Reason


@router.get("/settings-templates", response_model=Page[SettingsTemplate], summary="Templates of settings")
@needs(Permission.SETTINGS_READ)
async def templates(db: Db, after: After = 0, limit: Limit = 100) -> Response:
    """List templates by id."""
    return page(await list_templates(db, after=after, limit=limit + 1), limit, lambda one: one.id)


@router.put("/settings-templates/{template}", response_model=Made, summary="Keep a template under a name")
@needs(Permission.SETTINGS_WRITE)
async def keep(request: Request, given: Given, name: TemplateName, sent: NewTemplate) -> Response:
    """Keep a template; gateways that were set up from it keep what they have."""
    async with acting(request, given.pool, given.now()) as act:
        made = await settings_acts.save_template(
            act,
            sent.organisation_id,
            name,
            site_kind=sent.site_kind,
            document=sent.document,
            reason=sent.reason,
        )
    return Response(Made(id=made).model_dump_json(), media_type="application/json")


@router.post(
    "/gateways/{gateway}/settings/from-template",
    response_model=Saved,
    summary="Save a template, filled in, as a gateway's settings",
)
@needs(Permission.SETTINGS_WRITE)
async def fill(request: Request, given: Given, gateway: GatewayPath, sent: Filling) -> Response:
    """Fill the places in, check the document, keep it as the next revision and send it."""
    try:
        async with acting(request, given.pool, given.now()) as act:
            number = await settings_acts.save_filled(
                act,
                gateway,
                sent.template_id,
                values=sent.values,
                based_on=sent.based_on,
                reason=sent.reason,
            )
    except (ConflictError, DocumentError) as error:
        raise problem(error) from None
    return Response(Saved(number=number).model_dump_json(), media_type="application/json")
