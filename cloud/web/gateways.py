"""Gateways as their administrator sees them: the list, the claim of a new one, approve, revoke, replace.

What is done there is done by `cloud.api.gateway_asking`, as for the API.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud.api import gateway_asking
from cloud.api.errors import ApiError
from cloud.api.gateway_asking import Asking
from cloud.api.guard import needs
from cloud.api.services import services
from cloud.gateway_acts import CLAIM_HOURS, CLAIM_HOURS_MAX, ActRefusedError, Made, Replacement
from cloud.store import claims, fleet
from cloud.store.fleet import ClaimSite, FleetRow, Steps
from cloud.store.sites import get_site, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.forms import read_form
from cloud.web.gateways_view import (
    GatewayLine,
    ending_lines,
    in_order,
    line,
    proposals,
    refusal,
    replacement_id,
    shown_claim,
    steps_of,
)
from cloud.web.render import language_of, zone_of
from rules.permissions import Permission

WHY_MAX = 500
_NUMBER_DIGITS = 9


def add_gateway_pages(router: APIRouter, web: Web) -> None:
    """Add /gateways, the claim of a new one, and a page for each."""
    pages = GatewayPages(web)
    router.add_api_route("/gateways", pages.show)
    router.add_api_route("/parts/gateways", pages.refresh)
    router.add_api_route("/gateways/claim", pages.claim_form)
    router.add_api_route("/gateways/claim", pages.claim, methods=["POST"])
    router.add_api_route("/gateways/{gateway}", pages.one)
    router.add_api_route("/gateways/{gateway}", pages.change, methods=["POST"])
    router.add_api_route("/parts/gateways/{gateway}", pages.refresh_one)


class GatewayPages:
    """The routes about gateways and their identity."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.GATEWAYS_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the list, what needs a person first."""
        asking = self._asking(request)
        async with snapshot(self._web.pool) as connection:
            rows = await fleet.fleet(connection, asking.now)
            titles = {one.id: one.title for one in await fleet.claim_sites(connection)}
            zone = zone_of(await shared_zone(connection))
        lines = in_order(self._line(asking, row) for row in rows)
        shows = {
            "gateways": lines,
            "titles": titles,
            "ending": ending_lines(services(request).ending(), language_of(request)),
        }
        return self._page(request, "gateways.html", shows, zone=zone)

    @needs(Permission.GATEWAYS_READ, quiet=True)
    async def refresh(self, request: Request) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await self.show(request)

    @needs(Permission.GATEWAYS_READ)
    async def one(self, request: Request, gateway: str) -> HTMLResponse:
        """Return one gateway: how far it has come, and what may be done to it."""
        return await self._one(request, gateway)

    @needs(Permission.GATEWAYS_READ, quiet=True)
    async def refresh_one(self, request: Request, gateway: str) -> HTMLResponse:
        """Return how far it has come now; an open page asks."""
        shows, zone = await self._known(request, gateway)
        return self._page(request, "gateways_steps.html", shows, zone=zone)

    @needs(Permission.GATEWAYS_MANAGE)
    async def claim_form(self, request: Request) -> HTMLResponse:
        """Return the form of a new gateway."""
        return await self._form(request, {})

    @needs(Permission.GATEWAYS_MANAGE)
    async def claim(self, request: Request) -> Response:
        """Make a claim and show it this once."""
        form = await read_form(request)
        if await self._told(form):
            return _told_once(form)
        try:
            made = await gateway_asking.claim(
                self._asking(request),
                _number(form.get("site", ""), "site"),
                form.get("gateway", "").strip() or None,
                hours=_number(form.get("hours", ""), "hours"),
            )
        except ApiError as error:
            if error.status != 404:
                raise
            return await self._form(request, form, refused=ActRefusedError(str(error), "site"))
        except ActRefusedError as error:
            return await self._form(request, form, refused=error)
        return await self._made(request, made)

    @needs(Permission.GATEWAYS_MANAGE)
    async def change(self, request: Request, gateway: str) -> Response:
        """Approve, revoke or replace a gateway, as its form asks."""
        form = await read_form(request)
        asking = self._asking(request)
        try:
            if form.get("do") == "approve":
                await gateway_asking.approve(asking, gateway)
            elif form.get("do") == "revoke":
                await gateway_asking.revoke(asking, gateway, why=_revocation(form, gateway))
            elif form.get("do") == "replace":
                if await self._told(form):
                    return _told_once(form)
                hours = _number(form.get("hours", ""), "hours")
                new = form.get("gateway", "").strip() or None
                wish = Replacement(gateway, new, _why(form), hours)
                return await self._made(request, await gateway_asking.replace(asking, wish))
            else:
                raise NotHereError
        except ApiError as error:
            if error.status != 404:
                raise
            raise NotHereError from None
        except ActRefusedError as error:
            return await self._one(request, gateway, form=form, refused=error)
        return RedirectResponse(f"/gateways/{gateway}", 303)

    async def _form(
        self, request: Request, form: Mapping[str, str], *, refused: ActRefusedError | None = None
    ) -> HTMLResponse:
        async with snapshot(self._web.pool) as connection:
            sites = await self._sites(request)
            listener = await claims.listener(connection)
            before = await claims.newest(connection)
            taken = {one.name for one in await fleet.fleet(connection, self._web.now())}
        ids = proposals(sites, taken)
        chosen = form.get("site") or request.query_params.get("site", "")
        site = next((one for one in sites if str(one.id) == chosen), sites[0] if sites else None)
        shows = {
            "sites": sites,
            "ids": ids,
            "chosen": site,
            "gateway": form.get("gateway") or (ids[site.id] if site else ""),
            "hours": form.get("hours") or CLAIM_HOURS,
            "listens": listener is not None,
            "before": before,
        }
        return self._page(request, "gateways_claim.html", shows, refused=refused)

    async def _told(self, form: Mapping[str, str]) -> bool:
        """Whether a form was sent before: a reload must not make the code void that was told."""
        before, gateway = form.get("before", ""), form.get("gateway", "").strip()
        if not gateway or not before.isascii() or not before.isdigit() or len(before) > _NUMBER_DIGITS:
            return False
        async with snapshot(self._web.pool) as connection:
            return await claims.made_since(connection, gateway, int(before))

    async def _made(self, request: Request, made: Made) -> HTMLResponse:
        asking = self._asking(request)
        found, site = await gateway_asking.claimed(asking, made.claim.gateway)
        shows = {
            "gateway": self._line(asking, found),
            "steps": steps_of(Steps(None, None, None), language_of(request)),
            "claim": shown_claim(made, site.kind if site else ""),
            "site": site,
        }
        async with snapshot(self._web.pool) as connection:
            place = None if site is None else await get_site(connection, site.id)
        zone = zone_of(place.time_zone) if place else None
        return self._page(request, "gateways_claimed.html", shows, zone=zone)

    async def _one(
        self,
        request: Request,
        gateway: str,
        *,
        form: Mapping[str, str] | None = None,
        refused: ActRefusedError | None = None,
    ) -> HTMLResponse:
        known, zone = await self._known(request, gateway)
        async with snapshot(self._web.pool) as connection:
            taken = {one.name for one in await fleet.fleet(connection, self._web.now())}
            before = await claims.newest(connection)
        shows = {
            **known,
            "before": before,
            "told": "told" in request.query_params,
            "form": form or {},
            "successor": replacement_id(gateway, taken),
            "hours": CLAIM_HOURS,
        }
        return self._page(request, "gateways_one.html", shows, refused=refused, zone=zone)

    async def _known(self, request: Request, gateway: str) -> tuple[dict[str, Any], ZoneInfo]:
        """Return what is shown of a gateway, and the time zone of where it serves."""
        asking = self._asking(request)
        async with snapshot(self._web.pool) as connection:
            found = await fleet.find(connection, gateway, asking.now)
            if found is None:
                raise NotHereError
            steps = await fleet.steps(connection, found.id)
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            revocation = None if found.revoked_at is None else await fleet.revocation(connection, found)
            name = await shared_zone(connection) if site is None else site.time_zone
        shows = {
            "gateway": self._line(asking, found),
            "site_id": found.site_id,
            "site_title": site.title if site else "",
            "revocation": revocation,
            "steps": steps_of(steps, language_of(request)),
        }
        return shows, zone_of(name)

    async def _sites(self, request: Request) -> list[ClaimSite]:
        asking = self._asking(request)
        async with snapshot(self._web.pool) as connection:
            sites = await fleet.claim_sites(connection)
        return [one for one in sites if asking.may(one.organisation_id, one.id)]

    def _line(self, asking: Asking, row: FleetRow) -> GatewayLine:
        manage = asking.may(row.organisation_id, row.site_id)
        return line(row, asking.now, manage=manage, language=language_of(asking.request))

    def _asking(self, request: Request) -> Asking:
        return Asking(request, self._web.pool, self._web.now())

    def _page(
        self,
        request: Request,
        template: str,
        shows: Mapping[str, Any],
        *,
        refused: ActRefusedError | None = None,
        zone: ZoneInfo | None = None,
    ) -> HTMLResponse:
        message = None if refused is None else refusal(refused, language_of(request))
        common = {"page": "devices", "message": message, "hours_max": CLAIM_HOURS_MAX, "why_max": WHY_MAX}
        response = self._web.render.page(request, template, {**common, **shows}, zone=zone)
        response.status_code = 200 if refused is None else 422
        return response


def _told_once(form: Mapping[str, str]) -> RedirectResponse:
    return RedirectResponse(f"/gateways/{quote(form['gateway'].strip())}?told=1", 303)


def _number(text: str, word: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _NUMBER_DIGITS:
        raise ActRefusedError(f"{word} {text[:40]!r}: expected a whole number", word)
    return int(text)


def _why(form: Mapping[str, str]) -> str:
    why = form.get("why", "").strip()
    if not 0 < len(why) <= WHY_MAX:
        raise ActRefusedError(f"why: expected 1 to {WHY_MAX} characters", "why")
    return why


def _revocation(form: Mapping[str, str], gateway: str) -> str:
    if form.get("confirm", "").strip() != gateway:
        raise ActRefusedError(f"confirm: expected {gateway}", "confirm")
    return _why(form)
