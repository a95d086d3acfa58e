"""Alarms over HTTP: what is open, what was, how many; and what people do about them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from cloud import alarm_acts
from cloud.alarm_acts import Alarm as Named
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
from cloud.identity.acts import Act, ActError
from cloud.store.alarm_points import WatchedPoint, list_points
from cloud.store.alarms_read import Alarm, get_alarm, list_history, list_open, read_figures
from cloud.store.sites import get_site
from cloud.store.ticks import datetime_of_us, us_of_tick
from rules.alarm.figures import Figures
from rules.alarm.model import Condition
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["alarms"], route_class=StrictRoute)

AlarmPath = Annotated[int, Path(alias="alarm", ge=1, le=2**62, description="Id of an alarm.")]
Words = Annotated[str, Field(max_length=alarm_acts.TEXT_MAX)]
ConditionWord = Literal[
    "lolo", "lo", "hi", "hihi", "rate", "comms", "device", "calibration", "tamper", "event"
]


TAKEN = "Heng-Acknowledged"
_TAKEN = "How many stretches of the alarm were acknowledged, where that was asked for."


class AlarmAct(BaseModel):
    """What a person does about an alarm, or (`take_out`, `put_back`) about a point."""

    model_config = ConfigDict(extra="forbid")

    act: Literal["acknowledge", "comment", "assign", "shelve", "unshelve", "take_out", "put_back"]
    site_id: Annotated[int, Field(ge=1, le=ID_MAX)]
    point: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
    condition: ConditionWord | None = None
    """Of the alarm; none for a point."""
    text: Words = ""
    until: Moment | None = None
    """Of a shelf: none until it clears. Of maintenance: none until it is put back."""
    to: Words = ""
    """Who it is given to."""


class Flood(BaseModel):
    """A stretch with more alarms than anybody can handle."""

    from_at: datetime
    to_at: datetime


class Often(BaseModel):
    """How often one alarm was raised."""

    alarm: str
    raised: int


class Rates(BaseModel):
    """Figures after ISA-18.2, of all alarms that were raised in an interval."""

    raised: int
    per_ten_minutes: float
    most_in_ten_minutes: int
    flood_share: float
    """Of the time, from 0 to 1."""
    floods: list[Flood]
    top: list[Often]
    """The alarms that were raised most, with how often."""
    chattering: list[str]
    stale: list[str]
    """Those that stood for more than a day."""


@router.get("/alarms", response_model=Page[Alarm], summary="Alarms that are open")
@needs(Permission.ALARMS_READ)
async def opened(given: Given, db: Db, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List open alarms by id: what stands, and what is over and nobody has acknowledged."""
    found = await list_open(db, now=given.now(), site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.get("/alarms/history", response_model=Page[Alarm], summary="Alarms that began in an interval")
@needs(Permission.ALARMS_READ)
async def past(
    given: Given,
    db: Db,
    during: During,
    site_id: SiteId,
    point: Text = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List alarms by id, the last found first; those that later data took back are marked."""
    found = await list_history(
        db,
        during.from_at,
        during.to_at,
        now=given.now(),
        site_id=site_id,
        point=point,
        before=before,
        limit=limit + 1,
    )
    return page(found, limit, lambda one: one.id)


@router.get("/alarms/points", response_model=Page[WatchedPoint], summary="Points, and what watches them")
@needs(Permission.ALARMS_READ)
async def watched(db: Db, site_id: SiteId, after: After = 0, limit: Limit = 100) -> Response:
    """List points by id; `not_monitored` where nothing watches."""
    found = await list_points(db, site_id=site_id, after=after, limit=limit + 1)
    return page(found, limit, lambda one: one.id)


@router.get("/alarms/{alarm}", response_model=Alarm, summary="One alarm")
@needs(Permission.ALARMS_READ)
async def one_alarm(given: Given, db: Db, alarm_id: AlarmPath) -> Response:
    """Return an alarm, open or not."""
    found = await get_alarm(db, alarm_id, now=given.now())
    if found is None:
        raise not_found("alarm", alarm_id, "alarm")
    return answer(found)


@router.get(
    "/sites/{site}/alarm-figures", response_model=Rates, summary="How many alarms, how often, how long"
)
@needs(Permission.ALARMS_READ)
async def rates(db: Db, site_id: SitePath, during: During) -> Response:
    """Return figures of the alarms of a site."""
    if await get_site(db, site_id) is None:
        raise not_found("site", site_id, "site")
    return _rates(await read_figures(db, site_id, from_at=during.from_at, to_at=during.to_at))


@router.post(
    "/alarms/acts",
    status_code=204,
    responses={204: {"headers": {TAKEN: {"description": _TAKEN, "schema": {"type": "integer"}}}}},
    summary="Acknowledge, comment, assign or shelve an alarm; take a point out",
)
@needs(Permission.ALARMS_HANDLE)
async def act(request: Request, given: Given, sent: AlarmAct) -> Response:
    """Do it; what the rules refuse is answered 422 and changes nothing."""
    async with acting(request, given.pool, given.now()) as one:
        taken = await _do(one, sent)
    return Response(status_code=204, headers={} if taken is None else {TAKEN: str(taken)})


async def _do(act: Act, sent: AlarmAct) -> int | None:
    """Do it, and return how many stretches were acknowledged where that was asked for."""
    if sent.act in ("take_out", "put_back"):
        await _of_point(act, sent)
        return None
    if sent.condition is None:
        raise ActError("condition", "", "the condition of the alarm")
    alarm = Named(sent.site_id, sent.point, Condition(sent.condition))
    if sent.act == "acknowledge":
        return await alarm_acts.acknowledge(act, alarm, text=sent.text)
    if sent.act == "comment":
        await alarm_acts.comment(act, alarm, text=sent.text)
    elif sent.act == "assign":
        await alarm_acts.assign(act, alarm, to=sent.to)
    elif sent.act == "shelve":
        await alarm_acts.shelve(act, alarm, until=sent.until, text=sent.text)
    else:
        await alarm_acts.unshelve(act, alarm)
    return None


async def _of_point(act: Act, sent: AlarmAct) -> None:
    if sent.act == "take_out":
        await alarm_acts.take_out(act, sent.site_id, sent.point, until=sent.until, text=sent.text)
    else:
        await alarm_acts.put_back(act, sent.site_id, sent.point)


def _rates(found: Figures) -> Response:
    rates = Rates(
        raised=found.raised,
        per_ten_minutes=found.per_ten_minutes,
        most_in_ten_minutes=found.most_in_ten_minutes,
        flood_share=found.flood_share,
        floods=[Flood(from_at=_at(begin), to_at=_at(end)) for begin, end in found.floods],
        top=[Often(alarm=alarm, raised=raised) for alarm, raised in found.top],
        chattering=list(found.chattering),
        stale=list(found.stale),
    )
    return Response(rates.model_dump_json(), media_type="application/json")


def _at(tick: int) -> datetime:
    return datetime_of_us(us_of_tick(tick))
