"""What is said about alarms over HTTP: templates, what they watch, who is told and by which way."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import alarm_manage
from cloud.alarm_documents import DIGEST_S, PolicyText, RuleText
from cloud.api.acting import acting
from cloud.api.errors import NAME
from cloud.api.guard import needs
from cloud.api.routes.people import Made
from cloud.api.services import ID_MAX, After, Db, Given, Limit, Page, SiteId, SitePath, answer, page
from cloud.api.strict import StrictRoute
from cloud.store.alarm_templates import (
    Channel,
    Delivery,
    SavedPolicy,
    Template,
    list_channels,
    list_deliveries,
    list_templates,
    policies,
)
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["alarms"], route_class=StrictRoute)

TemplateName = Annotated[str, Path(alias="template", pattern=NAME, description="Name of a template.")]
WayName = Annotated[
    str, Path(alias="way", pattern=NAME, description="Name of a way by which people are told.")
]
Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Reason = Annotated[str, Field(max_length=500)]
PRIORITY = Literal["urgent", "high", "medium", "low"]
Seconds = Annotated[float, Field(ge=0, le=366 * 86_400)]
Exact = Annotated[str, Field(max_length=40, pattern=r"^[+-]?[0-9]+(\.[0-9]+)?$")]


class Body(BaseModel):
    """Base of what is sent; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class SentRule(Body):
    """One condition. Limit and deadband are exact decimals in the unit of the quantity, sent as text."""

    condition: Literal["lolo", "lo", "hi", "hihi", "rate", "comms", "device", "calibration", "tamper"]
    priority: PRIORITY = "medium"
    limit: Exact | None = None
    deadband: Exact = "0"
    on_delay_s: Seconds = 0
    off_delay_s: Seconds = 0
    window_s: Seconds = 0
    ack_required: bool = True


class SentTemplate(Body):
    """A template, or its next revision."""

    organisation_id: Id
    quantity: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9_]*$")] = ""
    rules: Annotated[list[SentRule], Field(max_length=20)]
    reason: Reason


class SentPoints(Body):
    """Points that are to be watched, or no more."""

    organisation_id: Id
    points: Annotated[list[Id], Field(max_length=alarm_manage.POINTS_MAX)]
    reason: Reason


class SentStep(Body):
    """After so long without an acknowledgement these ways are told."""

    to: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=50)]
    after_s: Seconds = 0
    repeat_s: Seconds | None = None
    repeats: Annotated[int, Field(ge=0, le=1000)] | None = None


class SentChain(Body):
    """An escalation; it stops when somebody acknowledges."""

    steps: Annotated[list[SentStep], Field(max_length=20)]
    ends_on_return: bool = True


class SentRoute(Body):
    """Which alarms take a chain; an empty list is every one. The first route that fits is taken."""

    chain: Annotated[str, Field(max_length=63)]
    kinds: Annotated[
        list[Literal["process", "comms", "device", "calibration", "tamper"]], Field(max_length=5)
    ] = []
    priorities: Annotated[list[PRIORITY], Field(max_length=4)] = []


class SentPolicy(Body):
    """How a site handles its alarms."""

    chains: Annotated[dict[str, SentChain], Field(max_length=20)]
    routes: Annotated[list[SentRoute], Field(max_length=50)]
    shelf_max_s: Seconds = 86_400
    digest_s: Annotated[float, Field(ge=DIGEST_S[0], le=DIGEST_S[1])] = 180
    """During a flood there lies at least this between two messages."""
    reason: Reason


class SentWay(Body):
    """A way by which people are told. Of a hook, `target` is its address and is not shown again."""

    organisation_id: Id
    kind: Literal["email", "webhook", "wecom", "dingtalk", "sms"]
    target: Annotated[str, Field(max_length=2000)]
    key: Annotated[str, Field(max_length=500)] = ""
    """Signs what is sent: of a webhook, and of DingTalk."""
    language: Literal["zh", "en"] = "zh"


class OfOrganisation(Body):
    """Whose it is."""

    organisation_id: Id


class SavedNumber(BaseModel):
    """The revision that was made."""

    number: int


@router.get("/alarm-templates", response_model=Page[Template], summary="Templates of alarms")
@needs(Permission.ALARMS_READ)
async def templates(db: Db, after: After = 0, limit: Limit = 100) -> Response:
    """List templates by id, each with its newest revision."""
    return page(await list_templates(db, after=after, limit=limit + 1), limit, lambda one: one.id)


@router.put("/alarm-templates/{template}", response_model=SavedNumber, summary="Keep a template of alarms")
@needs(Permission.ALARMS_MANAGE)
async def save_template(request: Request, given: Given, name: TemplateName, sent: SentTemplate) -> Response:
    """Keep it, or its next revision: every point that it watches is judged by that from now on."""
    rules = msgspec.convert([rule.model_dump() for rule in sent.rules], list[RuleText])
    async with acting(request, given.pool, given.now()) as act:
        number = await alarm_manage.save_template(
            act, sent.organisation_id, name, quantity=sent.quantity, rules=rules, reason=sent.reason
        )
    return answer({"number": number})


@router.post("/alarm-templates/{template}/points", status_code=204, summary="Have a template watch points")
@needs(Permission.ALARMS_MANAGE)
async def apply(request: Request, given: Given, name: TemplateName, sent: SentPoints) -> Response:
    """Apply it to points, in place of what watched them."""
    async with acting(request, given.pool, given.now()) as act:
        await alarm_manage.apply_template(
            act, sent.organisation_id, name, point_ids=sent.points, reason=sent.reason
        )
    return Response(status_code=204)


@router.post(
    "/alarms/unwatched", status_code=204, summary="Have nothing watch points: they are not monitored"
)
@needs(Permission.ALARMS_MANAGE)
async def stop_watching(request: Request, given: Given, sent: SentPoints) -> Response:
    """Take the template off these points."""
    async with acting(request, given.pool, given.now()) as act:
        await alarm_manage.stop_watching(act, sent.organisation_id, sent.points, reason=sent.reason)
    return Response(status_code=204)


@router.get("/alarm-policies", response_model=list[SavedPolicy], summary="Who is called for alarms, by site")
@needs(Permission.ALARMS_READ)
async def list_policies(db: Db, site_id: SiteId) -> Response:
    """List the newest policy of each site that has one, as it is kept: times are ticks of 10 ms."""
    return answer(await policies(db, site_id))


@router.put(
    "/sites/{site}/alarm-policy", response_model=SavedNumber, summary="Say who is called for a site's alarms"
)
@needs(Permission.ALARMS_MANAGE)
async def save_policy(request: Request, given: Given, site_id: SitePath, sent: SentPolicy) -> Response:
    """Say it; a policy in which an urgent alarm would call nobody is refused."""
    document: dict[str, Any] = sent.model_dump(exclude={"reason"})
    written = msgspec.convert(document, PolicyText, strict=False)
    async with acting(request, given.pool, given.now()) as act:
        number = await alarm_manage.save_policy(act, site_id, written, reason=sent.reason)
    return answer({"number": number})


@router.get("/alarm-ways", response_model=list[Channel], summary="Ways by which people are told")
@needs(Permission.ALARMS_READ)
async def ways(db: Db) -> Response:
    """List ways; of hooks the host alone."""
    return answer(await list_channels(db))


@router.put("/alarm-ways/{way}", response_model=Made, summary="Keep a way by which people are told")
@needs(Permission.ALARMS_MANAGE)
async def save_way(request: Request, given: Given, name: WayName, sent: SentWay) -> Response:
    """Keep it; what was there under this name is replaced."""
    async with acting(request, given.pool, given.now()) as act:
        made = await alarm_manage.save_channel(
            act,
            sent.organisation_id,
            name,
            kind=sent.kind,
            target=sent.target,
            key=sent.key,
            language=sent.language,
            local=given.notify_local,
        )
    return answer({"id": made})


@router.post("/alarm-ways/{way}/remove", status_code=204, summary="Take a way out of use")
@needs(Permission.ALARMS_MANAGE)
async def remove_way(request: Request, given: Given, name: WayName, sent: OfOrganisation) -> Response:
    """Forget its secret; refused while people are called by it."""
    async with acting(request, given.pool, given.now()) as act:
        await alarm_manage.remove_channel(act, sent.organisation_id, name)
    return Response(status_code=204)


@router.post(
    "/alarm-ways/{way}/test", response_model=Made, status_code=202, summary="Send a test message by a way"
)
@needs(Permission.ALARMS_MANAGE)
async def test_way(request: Request, given: Given, name: WayName, sent: OfOrganisation) -> Response:
    """Let a test message wait; what became of it is in the list of messages."""
    async with acting(request, given.pool, given.now()) as act:
        made = await alarm_manage.test_channel(act, sent.organisation_id, name)
    return Response(msgspec.json.encode({"id": made}), 202, media_type="application/json")


@router.get(
    "/alarm-messages", response_model=Page[Delivery], summary="Messages about alarms, and what became of them"
)
@needs(Permission.ALARMS_READ)
async def messages(
    db: Db,
    site_id: SiteId,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List messages, the newest first."""
    found = await list_deliveries(db, site_id=site_id, before=before, limit=limit + 1)
    return page(found, limit, lambda one: one.id)
