"""The page of rights: who × where × when, entered and taken out by form, approved by a head."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import rights_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError
from cloud.rights_acts import Place
from cloud.store.connection import Connection
from cloud.store.rights_items import Item, list_items
from cloud.store.rights_rows import SiteRow
from cloud.store.sites import Site
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.doors import Chosen, chosen, who_of
from cloud.web.doors_words import EFFECTS
from cloud.web.figures import milliseconds
from cloud.web.forms import read_pairs
from cloud.web.render import language_of, zone_of
from cloud.web.rights_forms import millis, moment, refuse_taken, say, words_of
from cloud.web.rights_view import body_of, matrix, right_views, span_of
from rules.permissions import Permission


def add_rights_pages(router: APIRouter, web: Web) -> None:
    """Add /rights."""
    pages = RightsPages(web)
    router.add_api_route("/rights", pages.show)
    router.add_api_route("/rights", pages.change, methods=["POST"])


async def site_of(act: Act, site: str) -> SiteRow:
    """Return a site that a form names by its name."""
    place = await chosen(act.connection, site)
    assert place.site is not None
    return await rights_acts.place_of(act, place.site.id)


class RightsPages:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.ACCESS_READ)
    async def show(self, request: Request, site: str | None = None, edit: str | None = None) -> HTMLResponse:
        """Return the rights of a site."""
        return await self._show(request, site, edit=edit)

    @needs(Permission.ACCESS_READ)
    async def change(self, request: Request, site: str | None = None) -> Response:
        """Keep, take out or approve a right; each act judges itself who may."""
        pairs = await read_pairs(request)
        form = dict(pairs)
        name = form.get("site", site or "")

        async def act(one: Act) -> None:
            row = await site_of(one, name)
            place = Place(row.organisation_id, row.id)
            if "drop" in form:
                await rights_acts.drop_item(
                    one, place, kind="right", name=form["drop"], why=form.get("why", "")
                )
            elif "approve" in form:
                await rights_acts.approve(one, row.id, form["approve"])
            else:
                body = _body(pairs, row)
                title = form.get("title", "")
                right = form.get("id", "").strip()
                if not right:
                    raise ActError("id", "", "a name such as staff-room-2")
                if form.get("changes") != right:
                    await refuse_taken(one, place, kind="right", name=right)
                await rights_acts.put_item(one, place, kind="right", name=right, body=body, title=title)

        fault = await act_on(self._web, request, act)
        if fault is None:
            return RedirectResponse(f"/rights?site={name}&saved=1", 303)
        return await self._show(request, name, fault=fault, typed=pairs)

    async def _show(
        self,
        request: Request,
        name: str | None,
        *,
        edit: str | None = None,
        fault: ActError | None = None,
        typed: list[tuple[str, str]] | None = None,
    ) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            place = await chosen(connection, name)
            items = [] if place.site is None else await list_items(connection, site_id=place.site.id)
            names = await _names(connection, place.site, items)
        titles = {**place.zone_titles, **_sides(place)}
        rights = right_views(
            [one for one in items if one.kind == "right"],
            titles,
            names,
            language=language,
            now_ms=milliseconds(now),
        )
        edited = next((one for one in items if (one.kind, one.name) == ("right", edit)), None)
        viewer = viewer_of(request)
        shows = {
            "page": "doors",
            "place": place,
            "rights": rights,
            "matrix": matrix(rights, [(zone.name, zone.title) for zone in place.zones]),
            "effects": [(effect.value, language.say(word)) for effect, word in EFFECTS.items()],
            "groups": [one for one in items if one.kind == "group"],
            "schedules": [one for one in items if one.kind == "schedule"],
            "edited": edited,
            "form": _typed(typed) if typed else _form(edited),
            "manage": viewer.holds(Permission.ACCESS_MANAGE),
            "saved": "saved" in request.query_params,
            "message": say(fault, language),
            "ms": milliseconds,
            "times": lambda ms: "" if ms is None else _time(ms, place.site),
        }
        zone = zone_of("UTC" if place.site is None else place.site.time_zone)
        response = self._web.render.page(request, "rights.html", shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response


def _sides(place: Chosen) -> dict[str, str]:
    return {
        f"{portal.name}/{way}": portal.title
        for zone in place.zones
        for portal in zone.portals
        for way in ("in", "out")
    }


async def _names(connection: Connection, site: Site | None, items: list[Item]) -> dict[str, str]:
    numbers = {one for item in items if item.kind == "right" for one in item.body.get("people", ())}
    numbers |= {approval[0] for item in items if (approval := item.body.get("approval"))}
    who = await who_of(connection, site, numbers)
    names = {f"p:{number}": f"{name} · {number}" for number, name in who.items()}
    marks = {"group": "g", "schedule": "s"}
    for item in items:
        if item.kind in marks and item.title:
            names[f"{marks[item.kind]}:{item.name}"] = item.title
    return names


def _body(pairs: list[tuple[str, str]], site: SiteRow) -> dict[str, Any]:
    """Return a right as a form sends it; what was left empty is left out."""
    form = dict(pairs)
    zone = zone_of(site.time_zone)
    valid = [
        millis(moment("from", form.get("from", ""), zone)),
        millis(moment("to", form.get("to", ""), zone)),
    ]
    body: dict[str, Any] = {
        "effect": form.get("effect", "allow"),
        "people": words_of(form.get("people", "")),
        "groups": [value for name, value in pairs if name == "group"],
        "everyone": "everyone" in form,
        "zones": [value for name, value in pairs if name == "zone"],
        "sides": words_of(form.get("sides", "")),
        "schedule": form.get("schedule") or None,
        "valid": valid if any(one is not None for one in valid) else None,
    }
    return {name: value for name, value in body.items() if value}


def _form(item: Item | None) -> Mapping[str, Any]:
    body, valid = body_of(item), span_of(item)
    return {
        "id": "" if item is None else item.name,
        "changes": "" if item is None else item.name,
        "title": "" if item is None else item.title,
        "effect": body.get("effect", "allow"),
        "people": " ".join(body.get("people", ())),
        "groups": body.get("groups", ()),
        "everyone": body.get("everyone", False),
        "zones": body.get("zones", ()),
        "sides": " ".join(body.get("sides", ())),
        "schedule": body.get("schedule") or "",
        "from_ms": valid.from_ms,
        "to_ms": valid.to_ms,
        "from": "",
        "to": "",
    }


def _typed(pairs: list[tuple[str, str]]) -> Mapping[str, Any]:
    """Return what was typed, so that nobody types it again."""
    form = dict(pairs)
    return {
        **_form(None),
        **{name: form.get(name, "") for name in ("id", "title", "effect", "people", "sides", "schedule")},
        "changes": form.get("changes", ""),
        **{name: form.get(name, "") for name in ("from", "to")},
        "groups": [value for name, value in pairs if name == "group"],
        "zones": [value for name, value in pairs if name == "zone"],
        "everyone": "everyone" in form,
    }


def _time(ms: int, site: Site | None) -> str:
    zone = zone_of("UTC" if site is None else site.time_zone)
    return f"{datetime.fromtimestamp(ms / 1000, zone):%Y-%m-%dT%H:%M}"
