"""Groups, schedules and the calendar of a site and its organisation, and how zones and doors are asked."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import rights_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError
from cloud.rights_acts import Place
from cloud.store.rights_items import list_items
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.doors import chosen
from cloud.web.doors_words import DAYS
from cloud.web.forms import read_pairs
from cloud.web.render import language_of, zone_of
from cloud.web.rights_forms import millis, refuse_taken, say, text_of, whole, words_of
from cloud.web.rights_page import site_of
from cloud.web.rights_view import MIDNIGHT, day_text, schedule_views
from rules.permissions import Permission

Pairs = list[tuple[str, str]]
_SHARED = ("day", "schedule", "group")


def add_rights_places_pages(router: APIRouter, web: Web) -> None:
    """Add /rights/schedules."""
    pages = PlacesPages(web)
    router.add_api_route("/rights/schedules", pages.show)
    router.add_api_route("/rights/schedules", pages.change, methods=["POST"])


class PlacesPages:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.ACCESS_READ)
    async def show(self, request: Request, site: str | None = None) -> HTMLResponse:
        """Return groups, schedules, days, and how zones and doors are asked."""
        return await self._show(request, site)

    @needs(Permission.ACCESS_MANAGE)
    async def change(self, request: Request) -> Response:
        """Keep or take out one of them."""
        pairs = await read_pairs(request)
        form = dict(pairs)
        name = form.get("site", "")

        async def act(one: Act) -> None:
            row = await site_of(one, name)
            kind = text_of(form, "kind")
            shared = kind in _SHARED and form.get("holds") != "site"
            place = Place(row.organisation_id, None if shared else row.id)
            if "drop" in form:
                await rights_acts.drop_item(one, place, kind=kind, name=form["drop"])
                return
            item, body = await _item(one, kind, pairs)
            if kind in _SHARED and "replace" not in form:
                await refuse_taken(one, place, kind=kind, name=item)
            await rights_acts.put_item(
                one, place, kind=kind, name=item, body=body, title=text_of(form, "title")
            )

        fault = await act_on(self._web, request, act)
        if fault is None:
            return RedirectResponse(f"/rights/schedules?site={name}&saved=1", 303)
        return await self._show(request, name, fault=fault)

    async def _show(
        self, request: Request, name: str | None, *, fault: ActError | None = None
    ) -> HTMLResponse:
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            place = await chosen(connection, name)
            items = [] if place.site is None else await list_items(connection, site_id=place.site.id)
        of = {kind: [one for one in items if one.kind == kind] for kind in ("group", "schedule", "day")}
        zones = {one.name: one.body for one in items if one.kind == "zone"}
        portals = {one.name: one.body for one in items if one.kind == "portal"}
        shows = {
            "page": "doors",
            "place": place,
            "groups": of["group"],
            "schedules": schedule_views(of["schedule"], language),
            "days": [(one, day_text(one, language)) for one in of["day"]],
            "weekdays": [(day.value, language.say(word)) for day, word in DAYS.items()],
            "zones": [(zone, zones.get(zone.name, {})) for zone in place.zones],
            "portals": [(name, title, portals.get(name, {})) for name, title in place.door_titles.items()],
            "manage": viewer_of(request).holds(Permission.ACCESS_MANAGE),
            "saved": "saved" in request.query_params,
            "message": say(fault, language),
        }
        zone = zone_of("UTC" if place.site is None else place.site.time_zone)
        response = self._web.render.page(request, "rights_places.html", shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response


async def _item(act: Act, kind: str, pairs: Pairs) -> tuple[str, dict[str, Any]]:
    """Return name and body of an item as a form sends it."""
    form = dict(pairs)
    name = text_of(form, "id")
    if not name:
        raise ActError("id", "", "a name")
    if kind == "group":
        return name, {"people": words_of(form.get("people", ""))}
    if kind == "schedule":
        return name, {"windows": [_window(pairs)]}
    if kind == "day":
        like = text_of(form, "like")
        return name, {"kind": "workday", "like": like} if like else {"kind": "holiday"}
    if kind == "zone":
        return name, _zone(form, millis(act.at) or 0)
    if kind == "portal":
        return name, _portal(form)
    raise ActError("kind", kind, "group, schedule, day, zone or portal")


def _window(pairs: Pairs) -> list[object]:
    form = dict(pairs)
    start, end = _minute(form, "start"), _minute(form, "end")
    end += MIDNIGHT if end <= start else 0
    return [[value for name, value in pairs if name == "on"], start, end]


def _minute(form: Mapping[str, str], name: str) -> int:
    text = text_of(form, name)
    hour, _, minute = text.partition(":")
    good = hour.isascii() and minute.isascii() and hour.isdigit() and minute.isdigit() and len(text) <= 5
    if not good or int(hour) > 24 or int(minute) > 59:
        raise ActError(name, text, "a time of the day such as 08:00")
    return int(hour) * 60 + int(minute)


def _zone(form: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    heads = words_of(form.get("heads", ""))
    passback = text_of(form, "passback") or "off"
    minutes = whole("forget", form.get("forget", ""))
    body: dict[str, Any] = {
        "parent": text_of(form, "parent") or None,
        "min_people": whole("min_people", form.get("min_people", "")),
        "capacity": whole("capacity", form.get("capacity", "")),
        "passback": None if passback == "off" else passback,
        "forget_s": None if minutes is None else minutes * 60,
        "heads": [[one, [None, None]] for one in heads],
        "activities": [one.strip() for one in form.get("activities", "").split(",") if one.strip()],
        "job_only": "job_only" in form,
        "muster": "muster" in form,
    }
    return {name: value for name, value in body.items() if value}


def _portal(form: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "when_old": text_of(form, "when_old") or None,
        "open_s": whole("open_s", form.get("open_s", "")),
    }
    found = {name: value for name, value in body.items() if value}
    if "out_of_service" in form:
        found["in_service"] = False
    if "pin" in form:
        found["inward"] = {"verify": ["pin"]}
    return found
