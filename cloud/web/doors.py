"""The pages of doors: how they stand, who came and why not, who is inside, which gateways honour what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs
from cloud.rights_doors import last_seen, roll_call_of
from cloud.rights_explain import explained
from cloud.store import control_status, decisions, rights_items
from cloud.store.connection import Connection
from cloud.store.decisions import DoorEvent
from cloud.store.sites import Site, find_site, get_site, list_sites
from cloud.store.snapshot import snapshot
from cloud.store.zones import Zone, list_zones
from cloud.web.context import Web
from cloud.web.doors_view import (
    door_views,
    event_views,
    gateway_views,
    number_of,
    occupancy,
    step_views,
)
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.people_names import Who
from cloud.web.render import language_of, zone_of
from rules.permissions import Permission

EVENTS_MAX = 60
ENDED_SINCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The site that a page is about, and the others."""

    site: Site | None
    sites: list[Site]
    zones: list[Zone]

    @property
    def zone_titles(self) -> Mapping[str, str]:
        """Zone -> title."""
        return {zone.name: zone.title for zone in self.zones}

    @property
    def door_titles(self) -> Mapping[str, str]:
        """Portal -> title."""
        return {portal.name: portal.title for zone in self.zones for portal in zone.portals}

    @property
    def place_titles(self) -> Mapping[str, str]:
        """Zone or portal -> title; a name that both have is the portal's."""
        return {**self.zone_titles, **self.door_titles}


async def chosen(connection: Connection, name: str | None) -> Chosen:
    """Return the site of this name, else the first with doors; `NotHereError` for an unknown name."""
    sites = await list_sites(connection)
    zones = await list_zones(connection)
    with_doors = {zone.site_id for zone in zones if zone.portals}
    if name is not None:
        site = next((one for one in sites if one.name == name), None)
        if site is None:
            raise NotHereError
    else:
        site = next((one for one in sites if one.id in with_doors), sites[0] if sites else None)
    mine = [zone for zone in zones if site is not None and zone.site_id == site.id]
    return Chosen(site, [one for one in sites if one.id in with_doors or one == site], mine)


async def who_of(connection: Connection, site: Site | None, numbers: Iterable[str]) -> Who:
    """Return what is known of people of a site by their numbers, as far as who asks may see."""
    wanted = sorted({one for one in numbers if one})
    if site is None or not wanted:
        return {}
    return await rights_items.names_of(connection, site.id, wanted)


def add_door_pages(router: APIRouter, web: Web) -> None:
    """Add /doors and what belongs to it."""
    pages = DoorPages(web)
    router.add_api_route("/doors", pages.show)
    router.add_api_route("/parts/doors", pages.part)
    router.add_api_route("/doors/why/{event}", pages.why)
    router.add_api_route("/doors/roll-call/{name}", pages.roll_call)
    router.add_api_route("/doors/gateways", pages.gateways)


class DoorPages:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.ACCESS_READ)
    async def show(self, request: Request, site: str | None = None, refused: bool = False) -> HTMLResponse:
        """Return doors, who is inside, and what happened last."""
        return await self._show(request, site, refused=refused)

    @needs(Permission.ACCESS_READ, quiet=True)
    async def part(self, request: Request, site: str | None = None, refused: bool = False) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await self._show(request, site, refused=refused)

    async def _show(self, request: Request, name: str | None, *, refused: bool) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            place = await chosen(connection, name)
            site = place.site
            held = [] if site is None else await control_status.list_held(connection, now, site=site.id)
            events: list[DoorEvent] = []
            if site is not None:
                events = await decisions.list_door_events(
                    connection, site_id=site.id, refused=refused, limit=EVENTS_MAX
                )
            numbers = [number_of(one) for one in events]
            who = await who_of(connection, site, [*numbers, *last_seen(held)])
        shows = {
            "page": "doors",
            "place": place,
            "refused": refused,
            "doors": door_views(place.zones, held, language, now=now),
            "rooms": occupancy(place.zones, held, who, now=now),
            "silent": [one.gateway for one in held if not one.is_known(now)],
            "lock_downs": sorted({zone for one in held for zone in one.status.lock_downs}),
            "events": event_views(events, who, place.place_titles, language=language),
        }
        return self._web.render.page(request, "doors.html", shows, zone=_zone(site))

    @needs(Permission.ACCESS_READ)
    async def why(self, request: Request, event: int) -> HTMLResponse:
        """Return why somebody was let in or refused, step by step."""
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = await decisions.get_door_event(connection, event) if 0 < event < 2**62 else None
            told = None if found is None else await explained(connection, found)
            if found is None or told is None:
                raise NotHereError
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            place = await chosen(connection, None if site is None else site.name)
            who = await who_of(connection, site, [number_of(found)])
        shows = {
            "page": "doors",
            "place": place,
            "event": event_views([found], who, place.place_titles, language=language)[0],
            "told": told,
            "steps": step_views(told, language),
        }
        return self._web.render.page(request, "door_why.html", shows, zone=_zone(site))

    @needs(Permission.ACCESS_READ)
    async def roll_call(self, request: Request, name: str) -> HTMLResponse:
        """Return who came in at a site and was not seen to leave, to be printed."""
        async with snapshot(self._web.pool) as connection:
            if await find_site(connection, name) is None:
                raise NotHereError
            place = await chosen(connection, name)
            assert place.site is not None
            call = await roll_call_of(connection, place.site.id, now=self._web.now())
            who = await who_of(connection, place.site, [one.person for one in call.people])
        shows = {"page": "doors", "place": place, "call": call, "who": who, "ms": milliseconds}
        return self._web.render.page(request, "roll_call.html", shows, zone=_zone(place.site))

    @needs(Permission.ACCESS_READ)
    async def gateways(self, request: Request, site: str | None = None) -> HTMLResponse:
        """Return which gateways honour which rights, and what they may still honour."""
        now = self._web.now()
        async with snapshot(self._web.pool) as connection:
            place = await chosen(connection, site)
            rows = await decisions.list_rights(connection, now)
            ended = await decisions.list_revoked(
                connection, [row.gateway_id for row in rows], since=now - ENDED_SINCE
            )
            tokens = [token for one in ended for token in one.ended.get("credentials", ())]
            cards = await rights_items.cards_of_tokens(connection, tokens)
        shows = {"page": "doors", "place": place, "gateways": gateway_views(rows, ended, cards)}
        return self._web.render.page(request, "door_gateways.html", shows, zone=_zone(place.site))


def _zone(site: Site | None) -> ZoneInfo:
    return zone_of("UTC" if site is None else site.time_zone)
