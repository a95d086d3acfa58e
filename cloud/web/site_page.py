"""A site's page and its parts: live values, charts, completeness, events, gaps, power and place."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from cloud.api.guard import needs, viewer_of
from cloud.store.calibration_entries import list_standings
from cloud.store.cameras import list_found
from cloud.store.completeness import Completeness, read_completeness
from cloud.store.connection import Connection
from cloud.store.events_read import list_events
from cloud.store.gaps_read import newest_gaps
from cloud.store.latest import Latest, list_latest
from cloud.store.needs import read_waiting
from cloud.store.points import get_point, list_points
from cloud.store.positions_read import list_latest_positions
from cloud.store.sites import Site, find_site, list_gateways
from cloud.store.snapshot import snapshot
from cloud.web.calibration_page import row_of
from cloud.web.charts import chart
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.needs import needs_of
from cloud.web.needs_view import need_list
from cloud.web.overview import SiteView, site_view
from cloud.web.ranges import SPANS, Range, read_range
from cloud.web.records import account_row, event_row, gap_row, worst_first
from cloud.web.render import language_of, zone_of
from cloud.web.seen import sight_of, sites_seen
from cloud.web.tracks import position_words
from cloud.web.why import read_whys
from cloud.web.words import RANGES
from rules.permissions import Permission

EVENTS_PAGE = 15
GAPS_PAGE = 50
COUNTED_MAX = timedelta(days=31, hours=1)
HISTORY = timedelta(days=3660)


def add_site_pages(router: APIRouter, web: Web) -> None:
    """Add /sites/{name} and what it loads."""
    pages = SitePages(web)
    router.add_api_route("/sites/{name}", pages.page)
    router.add_api_route("/sites/{name}/events", pages.events)
    router.add_api_route("/sites/{name}/gaps", pages.gaps)
    router.add_api_route("/sites/{name}/completeness", pages.completeness)
    router.add_api_route("/sites/{name}/chart/{point_id}", pages.chart)


class SitePages:
    """The routes of one site."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.READINGS_READ)
    async def page(self, request: Request, name: str) -> HTMLResponse:
        """Return the site's page."""
        web, language = self._web, language_of(request)
        placed = await sites_seen(web.pool, viewer_of(request), Permission.POSITIONS_READ)
        filmed = await sites_seen(web.pool, viewer_of(request), Permission.MEDIA_READ)
        sight = await sight_of(web.pool, viewer_of(request))
        async with snapshot(web.pool) as connection:
            site = await _site(connection, name)
            asked = self._range(request, site)
            gateways = await list_gateways(connection, site_id=site.id)
            latest = await list_latest(connection, now=web.now(), site_id=site.id)
            positions = await list_latest_positions(connection, now=web.now(), site_id=site.id)
            whys = await read_whys(connection, latest, gateways, now=web.now(), language=language)
            cameras = await list_found(connection, now=web.now(), site_id=site.id, limit=1)
            standings = await list_standings(connection, now=web.now(), site_id=site.id)
            waiting = await read_waiting(connection, web.now(), site_id=site.id)
        needs = needs_of(waiting, latest, now=web.now()).seen(sight, site.id)
        periods = {one.point.id: one.point.period_ms for one in latest}
        measured = [one for one in latest if one.point.quantity != "position"]
        view = site_view(
            site,
            gateways=gateways,
            latest=latest,
            sparks={},
            whys=whys,
            needs=needs,
            language=language,
            now=web.now(),
        )
        shows = {
            "page": "site",
            "site": view,
            "needs": need_list(needs, [site], language, now=web.now(), one_site=True),
            "range": asked,
            "ranges": [(key, language.say(RANGES[key])) for key in SPANS],
            "power": power_of(view, measured),
            "calibrations": {
                one.point_id: row_of(one, language).state for one in standings if one.state != "none"
            },
            "has_cameras": bool(cameras) and (filmed is None or site.id in filmed),
            "may_events": viewer_of(request).holds(Permission.EVENTS_READ),
            "positions": [
                {
                    "point": one.point_id,
                    "at": milliseconds(one.observed_at),
                    "due": periods.get(one.point_id),
                    "why": whys.get(one.point_id),
                    "words": position_words(one, language),
                }
                for one in positions
                if placed is None or site.id in placed
            ],
            "tiles": web.settings.tiles.for_browser,
        }
        return web.render.page(request, "site.html", shows, zone=view.zone)

    @needs(Permission.READINGS_READ)
    async def chart(self, request: Request, name: str, point_id: int) -> JSONResponse:
        """Return one chart's data."""
        web = self._web
        async with snapshot(web.pool) as connection:
            site = await _site(connection, name)
            point = await get_point(connection, point_id)
            if point is None or point.site_id != site.id:
                raise NotHereError
            asked = self._range(request, site)
            data = await chart(
                connection, point, (asked.from_at, asked.to_at), now=web.now(), language=language_of(request)
            )
        return JSONResponse(data | {"live": asked.name is not None}, headers={"Cache-Control": "no-store"})

    @needs(Permission.EVENTS_READ)
    async def events(self, request: Request, name: str, before: int | None = None) -> HTMLResponse:
        """Return a page of the events list."""
        web, language = self._web, language_of(request)
        until = web.now() + timedelta(days=1)
        limit = EVENTS_PAGE + 1
        async with snapshot(web.pool) as connection:
            site = await _site(connection, name)
            rows = await list_events(
                connection,
                until - HISTORY,
                until,
                access=viewer_of(request).seen(Permission.ACCESS_READ),
                site_id=site.id,
                before=before,
                limit=limit,
            )
        shows = {
            "site_name": name,
            "events": [event_row(row, language) for row in rows[:EVENTS_PAGE]],
            "older": rows[EVENTS_PAGE - 1].id if len(rows) > EVENTS_PAGE else None,
        }
        return web.render.page(request, "events.html", shows, zone=zone_of(site.time_zone))

    @needs(Permission.READINGS_READ)
    async def gaps(self, request: Request, name: str) -> HTMLResponse:
        """Return the gaps of the page's range, the newest first."""
        web, language = self._web, language_of(request)
        async with snapshot(web.pool) as connection:
            site = await _site(connection, name)
            asked = self._range(request, site)
            span = (asked.from_at, asked.to_at)
            rows = await newest_gaps(connection, *span, now=web.now(), site_id=site.id, limit=GAPS_PAGE + 1)
            titles = await _titles(connection, site)
        shows = {
            "titles": titles,
            "gaps": [gap_row(row, language) for row in rows[:GAPS_PAGE]],
            "more": len(rows) > GAPS_PAGE,
        }
        return web.render.page(request, "gaps.html", shows, zone=zone_of(site.time_zone))

    @needs(Permission.READINGS_READ)
    async def completeness(self, request: Request, name: str) -> HTMLResponse:
        """Return the account of every point over the page's range."""
        web, language = self._web, language_of(request)
        accounts: list[Completeness] = []
        async with snapshot(web.pool) as connection:
            site = await _site(connection, name)
            asked = self._range(request, site)
            too_long = asked.to_at - asked.from_at > COUNTED_MAX
            if not too_long:
                accounts = [
                    await read_completeness(connection, point, asked.from_at, asked.to_at, now=web.now())
                    for point in await list_points(connection, site_id=site.id)
                ]
            titles = await _titles(connection, site)
        shows = {
            "titles": titles,
            "too_long": too_long,
            "accounts": [account_row(one, language) for one in worst_first(accounts)],
        }
        return web.render.page(request, "completeness.html", shows, zone=zone_of(site.time_zone))

    def _range(self, request: Request, site: Site) -> Range:
        asked = request.query_params
        return read_range(
            asked.get("range"),
            asked.get("from"),
            asked.get("to"),
            now=self._web.now(),
            zone=zone_of(site.time_zone),
        )


async def _titles(connection: Connection, site: Site) -> dict[str, str]:
    """Return what people call the site's points, by name; those that have a title."""
    return {one.name: one.title for one in await list_points(connection, site_id=site.id) if one.title}


async def _site(connection: Connection, name: str) -> Site:
    site = await find_site(connection, name)
    if site is None:
        raise NotHereError
    return site


def power_of(view: SiteView, latest: list[Latest]) -> list[dict[str, Any]]:
    """Return each place with a UPS: its point `power` and what else is known of the battery."""
    supplies = []
    for place in view.places:
        rows = {row.name.rpartition("/")[2]: row for row in place.points}
        if "power" in rows and rows["power"].states:
            known = [
                rows[leaf] for leaf in ("power", "battery_charge", "battery_runtime", "load") if leaf in rows
            ]
            supplies.append({"place": place.name, "points": known})
    return supplies
