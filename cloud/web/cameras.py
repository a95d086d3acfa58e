"""The camera wall, and one camera: live view, time line, pictures, and having recordings brought."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs
from cloud.api.services import ID_MAX, services
from cloud.store.camera_newest import newest_pictures
from cloud.store.camera_timeline import Timeline, read_timeline
from cloud.store.cameras import Found, find_camera, judge_cameras, list_found
from cloud.store.connection import Connection
from cloud.store.sites import Site, get_site, list_gateways, list_sites
from cloud.store.snapshot import snapshot
from cloud.store.zones import Zone, list_zones
from cloud.web.cameras_line import (
    Scale,
    bars_of,
    marks_of,
    rows_of,
    sample_stretch,
    segments_of,
    shares_of,
    ticks_of,
)
from cloud.web.cameras_view import CameraView, camera_view, cards_of, other_parts, wishes_of, worst_first
from cloud.web.cameras_words import ASK, LIVE, PICTURES, WEEK, say_all
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.language import Language
from cloud.web.ranges import SPANS as NAMED
from cloud.web.ranges import BadRangeError, Range, read_range
from cloud.web.render import language_of, zone_of
from cloud.web.words import RANGES, mark
from rules.permissions import Permission
from wire.media import SPAN_S_MAX

CAMERAS_MAX = 500
LIVE_MAX = 3
"""Live views of one page at once: browsers open six connections to a hub, and the page needs some itself."""
CARDS_MAX = 60
CARDS_FIRST = 12
"""So many pictures are shown at once; the others are folded."""
ROWS_MAX = 200
RANGE_NAMES = ("1h", "24h", "7d")
RANGE_MAX = timedelta(days=7)
SAMPLE = timedelta(minutes=1)
"""So much of the newest recording is suggested to be asked for."""
HERE = mark("Brought here")


def add_camera_pages(router: APIRouter, web: Web) -> None:
    """Add /cameras and /cameras/{camera}, and what open pages ask for."""
    pages = CameraPages(web)
    router.add_api_route("/cameras", needs(Permission.MEDIA_READ)(pages.wall))
    router.add_api_route("/parts/cameras", needs(Permission.MEDIA_READ, quiet=True)(pages.wall_part))
    router.add_api_route("/cameras/{camera}", needs(Permission.MEDIA_READ)(pages.one))
    router.add_api_route("/parts/cameras/{camera}", needs(Permission.MEDIA_READ, quiet=True)(pages.one_part))


class CameraPages:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def wall(self, request: Request) -> HTMLResponse:
        """Return all cameras by site."""
        web, language = self._web, language_of(request)
        async with snapshot(web.pool) as connection:
            sites = await list_sites(connection)
            found = await list_found(connection, now=web.now(), limit=CAMERAS_MAX + 1)
            views = await self._views(connection, request, found[:CAMERAS_MAX], sites=sites)
        shown = [(site, [one for one in views if one.site_id == site.id]) for site in sites]
        shows = {
            "page": "cameras",
            "sites": [
                {
                    "name": site.name,
                    "title": site.title,
                    "zone": zone_of(site.time_zone),
                    "cameras": worst_first(own),
                }
                for site, own in shown
                if own
            ],
            "more": len(found) > CAMERAS_MAX,
            **_live_words(language),
        }
        return web.render.page(request, "cameras.html", shows)

    async def wall_part(self, request: Request) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await self.wall(request)

    async def one(self, request: Request, camera: int) -> HTMLResponse:
        """Return one camera over a range of time."""
        web, language = self._web, language_of(request)
        async with snapshot(web.pool) as connection:
            found = await find_camera(connection, camera, now=web.now()) if 0 < camera <= ID_MAX else None
            site = None if found is None else await get_site(connection, found.site_id)
            if found is None or site is None:
                raise NotHereError
            zone = zone_of(site.time_zone)
            asked = self._range(request, zone)
            (view,) = await self._views(connection, request, [found], sites=[site])
            timeline = await read_timeline(
                connection, found, from_at=asked.from_at, to_at=asked.to_at, now=web.now()
            )
        shows = {
            "page": "cameras",
            "camera": view,
            "range": asked,
            "ranges": [(key, language.say(RANGES[key])) for key in RANGE_NAMES],
            "ask_words": say_all(language, ASK),
            "ask_max_s": SPAN_S_MAX,
            **_timeline_shows(timeline, asked, language=language, zone=zone),
            **_live_words(language),
        }
        return web.render.page(request, "cameras_one.html", shows, zone=zone)

    async def one_part(self, request: Request, camera: int) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await self.one(request, camera)

    async def _views(
        self, connection: Connection, request: Request, found: Sequence[Found], *, sites: Sequence[Site]
    ) -> list[CameraView]:
        given, now = services(request), self._web.now()
        listening = given.listening(one.gateway for one in found)
        judged = await judge_cameras(connection, found, now=now, listening=listening)
        newest = await newest_pictures(connection, found)
        unheard = {one.name for one in await list_gateways(connection) if not one.online}
        only = sites[0].id if len(sites) == 1 else None
        zones = await list_zones(connection, site_id=only, limit=ID_MAX)
        by_id = {site.id: site for site in sites}
        return [
            camera_view(
                one,
                site=by_id[one.site_id],
                rooms=_rooms(one.site_id, {one.prefix, one.device}, zones),
                newest=newest.get(one.id),
                unheard=one.gateway in unheard,
                has_listener=given.media is not None,
                language=language_of(request),
            )
            for one in judged
            if one.site_id in by_id
        ]

    def _range(self, request: Request, zone: ZoneInfo) -> Range:
        asked = request.query_params
        name = asked.get("range")
        if name in NAMED and name not in RANGE_NAMES:
            raise BadRangeError("range", name, words=RANGE_NAMES)
        found = read_range(name, asked.get("from"), asked.get("to"), now=self._web.now(), zone=zone)
        if found.to_at - found.from_at > RANGE_MAX:
            raise BadRangeError("to", asked.get("to") or "", WEEK)
        return found


def _rooms(site_id: int, names: set[str | None], zones: Sequence[Zone]) -> list[str]:
    """Return the titles of the zones that name this camera."""
    return [one.title for one in zones if one.site_id == site_id and names & set(one.cameras)]


def _live_words(language: Language) -> dict[str, Any]:
    return {"live_words": say_all(language, LIVE), "live_max": LIVE_MAX}


def _timeline_shows(
    timeline: Timeline, asked: Range, *, language: Language, zone: ZoneInfo
) -> dict[str, Any]:
    scale = Scale(asked.from_at, asked.to_at)
    rows = rows_of(timeline.spans, language)
    cards = cards_of(timeline.pictures, language)
    return {
        "bars": bars_of(timeline.spans, scale, language=language, zone=zone),
        "here": segments_of(timeline.segments, scale, words=language.say(HERE), zone=zone),
        "marks": marks_of(timeline.pictures, scale, language=language, zone=zone),
        "ticks": ticks_of(asked.from_at, asked.to_at, zone),
        "shares": shares_of(timeline.spans, language),
        "rows": rows[:ROWS_MAX],
        "rows_more": len(rows) > ROWS_MAX,
        "sample": sample_stretch(timeline.spans, SAMPLE),
        "wishes": wishes_of(timeline, language),
        "parts": other_parts(timeline),
        "cards": cards[:CARDS_MAX],
        "cards_first": CARDS_FIRST,
        "cards_more": timeline.pictures_more or len(cards) > CARDS_MAX,
        "pictures": len(cards),
        "picture_words": {kind: language.say(word) for kind, (_, word) in PICTURES.items()},
    }
