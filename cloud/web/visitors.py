"""The page of visitors: registered before they come, ended at any time, approved by a head where needed."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import card_acts, visit_acts
from cloud.api.guard import needs, viewer_of
from cloud.identity.acts import Act, ActError
from cloud.store.snapshot import snapshot
from cloud.store.visits import list_visits
from cloud.web.acting import act_on
from cloud.web.context import Web
from cloud.web.doors import chosen
from cloud.web.doors_words import ESCORTS
from cloud.web.figures import milliseconds
from cloud.web.forms import read_pairs
from cloud.web.render import language_of, zone_of
from cloud.web.rights_forms import moment, needed, say, text_of, whole
from cloud.web.rights_page import site_of
from rules.access.words import Escort
from rules.permissions import Permission

VISITS_MAX = 200
Pairs = list[tuple[str, str]]


def add_visitor_pages(router: APIRouter, web: Web) -> None:
    """Add /visitors."""
    pages = VisitorPages(web)
    router.add_api_route("/visitors", pages.show)
    router.add_api_route("/visitors", pages.change, methods=["POST"])


class VisitorPages:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.ACCESS_READ)
    async def show(self, request: Request, site: str | None = None) -> HTMLResponse:
        """Return who is expected, there, or was there."""
        return await self._show(request, site)

    @needs(Permission.ACCESS_READ)
    async def change(self, request: Request) -> Response:
        """Register, end or approve a visit, or give a visitor a card; each act judges itself who may."""
        pairs = await read_pairs(request)
        form = dict(pairs)
        name = form.get("site", "")

        async def act(one: Act) -> None:
            await _do(one, name, pairs)

        fault = await act_on(self._web, request, act)
        if fault is None:
            return RedirectResponse(f"/visitors?site={name}", 303)
        return await self._show(request, name, fault=fault, typed=form)

    async def _show(
        self,
        request: Request,
        name: str | None,
        *,
        fault: ActError | None = None,
        typed: dict[str, str] | None = None,
    ) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            place = await chosen(connection, name)
            rows = []
            if place.site is not None:
                rows = await list_visits(connection, site_id=place.site.id, limit=VISITS_MAX)
        zone = zone_of("UTC" if place.site is None else place.site.time_zone)
        viewer = viewer_of(request)
        local = now.astimezone(zone).replace(minute=0)
        shows = {
            "page": "doors",
            "place": place,
            "visits": [(one, one.ended_at is not None or one.to_at <= now) for one in rows],
            "escorts": [(escort.value, language.say(word)) for escort, word in ESCORTS.items()],
            "escort_words": {escort.value: language.say(ESCORTS[escort]) for escort in Escort},
            "typed": typed or {},
            "from_at": f"{local:%Y-%m-%dT%H:%M}",
            "to_at": f"{local + timedelta(hours=8):%Y-%m-%dT%H:%M}",
            "register": viewer.holds(Permission.VISITS_MANAGE),
            "manage": viewer.holds(Permission.ACCESS_MANAGE),
            "message": say(fault, language),
            "ms": milliseconds,
        }
        response = self._web.render.page(request, "visitors.html", shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response


async def _do(act: Act, name: str, pairs: Pairs) -> None:
    form = dict(pairs)
    site = await site_of(act, name)
    zone = zone_of(site.time_zone)
    if "end" in form:
        await visit_acts.end(act, whole("visit", form["end"]) or 0, why=form.get("why", ""))
    elif "approve" in form:
        await visit_acts.approve(act, whole("visit", form["approve"]) or 0)
    elif "card" in form:
        new = card_acts.NewCard(
            text_of(form, "format"), text_of(form, "facility"), text_of(form, "number"), None, None
        )
        await card_acts.give_card(act, whole("person", form["card"]) or 0, new)
    else:
        wish = visit_acts.Wish(
            site_id=site.id,
            visitor=form.get("visitor", ""),
            company=form.get("company", ""),
            purpose=form.get("purpose", ""),
            host=text_of(form, "host"),
            zones=tuple(value for field, value in pairs if field == "zone"),
            from_at=moment("from", form.get("from", ""), zone) or act.at,
            to_at=needed("to", form.get("to", ""), zone),
            escort=form.get("escort", "host"),
        )
        await visit_acts.register(act, wish)
