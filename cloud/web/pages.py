"""The hub's pages: *now*, the map and the live stream; others are in modules of their own.

`mount` is all that the hub needs. Each page says which permission it asks for; the guard sees to it.
"""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from cloud.api.guard import guard_of, needs, viewer_of
from cloud.store.latest import latest_of, list_latest
from cloud.store.needs import read_waiting
from cloud.store.points import list_points
from cloud.store.positions_read import list_latest_positions
from cloud.store.sites import find_site, list_gateways, list_sites, shared_zone
from cloud.store.snapshot import Pool, snapshot
from cloud.web.alarms_page import add_alarm_pages
from cloud.web.alarms_setup import add_alarm_setup_pages
from cloud.web.assets import content_security_policy, mount_assets
from cloud.web.audit_page import add_audit_pages
from cloud.web.calibration_page import add_calibration_pages
from cloud.web.cameras import add_camera_pages
from cloud.web.commands_page import add_command_pages
from cloud.web.context import Web
from cloud.web.coverage import add_coverage_pages
from cloud.web.devices import add_device_pages
from cloud.web.doors import add_door_pages
from cloud.web.doors_commands import add_door_commands
from cloud.web.errors import NotHereError, PageRoute
from cloud.web.feed import LiveFeed
from cloud.web.figures import milliseconds
from cloud.web.gateways import add_gateway_pages
from cloud.web.import_page import add_import_pages
from cloud.web.interlocks import add_interlock_pages
from cloud.web.interlocks_matrix import add_matrix_pages
from cloud.web.interlocks_proof import add_proof_pages
from cloud.web.interlocks_rehearsal import add_rehearsal_pages
from cloud.web.jobs import add_job_pages
from cloud.web.jobs_interlocks import add_hub_interlock_pages
from cloud.web.jobs_operation import add_operation_pages
from cloud.web.needs import needs_of
from cloud.web.needs_view import need_list
from cloud.web.overview import figures, problems_first, silent_points, site_kinds, site_view
from cloud.web.people_pages import add_people_pages
from cloud.web.render import Renderer, language_of, zone_of
from cloud.web.retention_page import add_retention_pages
from cloud.web.rights_page import add_rights_pages
from cloud.web.rights_places import add_rights_places_pages
from cloud.web.seen import sight_of, sites_seen
from cloud.web.settings import WebSettings
from cloud.web.settings_page import add_settings_pages
from cloud.web.settings_templates_page import add_settings_template_pages
from cloud.web.sign_in import add_sign_in_pages
from cloud.web.site_page import add_site_pages
from cloud.web.stream import View, stream
from cloud.web.tracks import position_words, vehicles
from cloud.web.values import clock_text
from cloud.web.visitors import add_visitor_pages
from cloud.web.why import read_whys
from rules.permissions import Permission

NO_STORE = {"Cache-Control": "no-store"}
POINTS_MAX = 5000


def mount(
    app: FastAPI,
    *,
    pool: Pool,
    feed: LiveFeed,
    settings: WebSettings,
    now: Callable[[], datetime],
    broker_connected: Callable[[], bool],
) -> None:
    """Add the pages to an app; `feed.run()` is the caller's task. Raises `SettingsError`."""
    mount_assets(app, settings)
    policy = content_security_policy(settings.tiles)
    referrer = "strict-origin-when-cross-origin" if settings.tiles.urls else "same-origin"
    web = Web(pool, feed, Renderer(now=now, policy=policy, referrer=referrer), settings, now)
    app.state.web = web
    router = APIRouter(include_in_schema=False, route_class=PageRoute)
    _add_now(router, web)
    _add_whys(router, web)
    _add_map(router, web)
    _add_live(router, web, broker_connected)
    add_alarm_pages(router, web)
    add_alarm_setup_pages(router, web)
    add_site_pages(router, web)
    add_device_pages(router, web)
    add_gateway_pages(router, web)
    add_settings_pages(router, web)
    add_settings_template_pages(router, web)
    add_camera_pages(router, web)
    add_interlock_pages(router, web)
    add_proof_pages(router, web)
    add_rehearsal_pages(router, web)
    add_matrix_pages(router, web)
    add_command_pages(router, web)
    add_coverage_pages(router, web)
    add_calibration_pages(router, web)
    add_job_pages(router, web)
    add_hub_interlock_pages(router, web)
    add_operation_pages(router, web)
    add_door_pages(router, web)
    add_door_commands(router, web)
    add_rights_pages(router, web)
    add_rights_places_pages(router, web)
    add_visitor_pages(router, web)
    add_sign_in_pages(router, web)
    add_people_pages(router, web)
    add_import_pages(router, web)
    add_retention_pages(router, web)
    add_audit_pages(router, web)
    app.include_router(router)


def _add_now(router: APIRouter, web: Web) -> None:
    async def page(request: Request) -> HTMLResponse:
        language = language_of(request)
        sight = await sight_of(web.pool, viewer_of(request))
        async with snapshot(web.pool) as connection:
            now = web.now()
            sites = await list_sites(connection)
            zone = zone_of(await shared_zone(connection))
            gateways = await list_gateways(connection)
            latest = await list_latest(connection, now=now, limit=POINTS_MAX)
            measured = [one for one in latest if one.point.quantity != "position"]
            points = [one.point for one in measured]
            sparks = await web.sparks.of(connection, points, now=web.now(), language=language)
            whys = await read_whys(connection, measured, gateways, now=web.now(), language=language)
            waiting = await read_waiting(connection, now)
        needs = needs_of(waiting, latest, now=now).seen(sight)
        views = [
            site_view(
                site,
                gateways=gateways,
                latest=[one for one in latest if one.point.site_id == site.id],
                sparks=sparks,
                whys=whys,
                needs=needs,
                language=language,
                now=now,
            )
            for site in sites
        ]
        kinds = site_kinds(sites, gateways, latest, needs=needs, now=now)
        shows = {
            "page": "now",
            "sites": problems_first(views),
            "figures": figures(kinds, language, silent=silent_points(latest, now=now)),
            "needs": need_list(needs, sites, language, now=now),
        }
        return web.render.page(request, "now.html", shows, zone=zone)

    router.add_api_route("/", needs(Permission.READINGS_READ)(page))


def _add_whys(router: APIRouter, web: Web) -> None:
    async def whys(request: Request, site: str | None = None) -> HTMLResponse:
        """Return why points lack a value now; an open page asks while one does."""
        async with snapshot(web.pool) as connection:
            sites = await list_sites(connection)
            found = next((one for one in sites if one.name == site), None)
            if site and found is None:
                raise NotHereError
            site_id = found.id if found else None
            gateways = await list_gateways(connection, site_id=site_id)
            latest = await list_latest(connection, now=web.now(), site_id=site_id, limit=POINTS_MAX)
            known = await read_whys(
                connection, latest, gateways, now=web.now(), language=language_of(request)
            )
        zones = {one.id: zone_of(one.time_zone) for one in sites}
        rows = [
            {"point": one.point.id, "why": known[one.point.id], "zone": zones[one.point.site_id]}
            for one in latest
            if one.point.id in known
        ]
        return web.render.page(request, "whys.html", {"rows": rows})

    router.add_api_route("/parts/whys", needs(Permission.READINGS_READ, quiet=True)(whys))


def _add_map(router: APIRouter, web: Web) -> None:
    async def page(request: Request) -> HTMLResponse:
        language = language_of(request)
        now = web.now()
        async with snapshot(web.pool) as connection:
            newest = await list_latest_positions(connection, now=now)
            points = await list_points(connection, quantity="position")
            latest = await latest_of(connection, points, now=now)
            gateways, sites = await list_gateways(connection), await list_sites(connection)
            zone = zone_of(await shared_zone(connection))
            whys = await read_whys(connection, latest, gateways, now=now, language=language)
        periods = {one.id: one.period_ms for one in points}
        zones = {one.id: zone_of(one.time_zone) for one in sites}
        rows = [
            {
                "point": one.point_id,
                "site": one.site,
                "title": one.site_title,
                "at": milliseconds(one.observed_at),
                "clock": clock_text(one.observed_at, zones[one.site_id]),
                "due": periods.get(one.point_id),
                "why": whys.get(one.point_id),
                "zone": zones[one.site_id],
                "words": position_words(one, language),
            }
            for one in newest
        ]
        shows = {"page": "map", "rows": rows, "tiles": web.settings.tiles.for_browser}
        return web.render.page(request, "map.html", shows, zone=zone)

    async def tracks(request: Request, site: str | None = None) -> JSONResponse:
        async with snapshot(web.pool) as connection:
            found = await find_site(connection, site) if site else None
            if site and found is None:
                raise NotHereError
            data = await vehicles(
                connection, language_of(request), now=web.now(), site_id=found.id if found else None
            )
        return JSONResponse({"vehicles": data}, headers=NO_STORE)

    router.add_api_route("/map", needs(Permission.POSITIONS_READ)(page))
    router.add_api_route("/parts/tracks", needs(Permission.POSITIONS_READ, quiet=True)(tracks))


def _add_live(router: APIRouter, web: Web, broker_connected: Callable[[], bool]) -> None:
    async def live(request: Request, site: str | None = None) -> StreamingResponse:
        view = View(
            language_of(request),
            site,
            sites=await sites_seen(web.pool, viewer_of(request), Permission.READINGS_READ),
            placed=await sites_seen(web.pool, viewer_of(request), Permission.POSITIONS_READ),
            sight=await sight_of(web.pool, viewer_of(request)),
        )
        return StreamingResponse(
            stream(
                web.feed,
                view,
                now=web.now,
                broker_connected=broker_connected,
                admitted=lambda: guard_of(request).still(request, viewer_of(request)),
            ),
            media_type="text/event-stream",
            headers={**NO_STORE, "X-Accel-Buffering": "no"},
        )

    router.add_api_route("/live", needs(Permission.READINGS_READ, quiet=True)(live))
