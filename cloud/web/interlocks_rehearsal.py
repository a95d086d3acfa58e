"""The rehearsal of an interlock: a form, and the answer as it comes, line by line, with how far it is."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from cloud import interlock_rehearsal as rehearsing
from cloud.api.guard import needs
from cloud.interlock_rehearsal import Asked, Prepared, RehearsalError
from cloud.store.shadow import owner
from cloud.store.sites import get_site, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.forms import read_form
from cloud.web.interlocks_view import address_of
from cloud.web.interlocks_words import OUTSIDE, say_word
from cloud.web.language import Language
from cloud.web.render import language_of, zone_of
from cloud.web.values import clock_text
from rules.interlock.rehearse import Rehearsal
from rules.permissions import Permission
from wire.messages import TICK_MS, TICKS_PER_S

FORM_BYTES_MAX = 6 * rehearsing.TEXT_MAX
_LINES = "application/x-ndjson"
_SHOWN_MAX = 500


def add_rehearsal_pages(router: APIRouter, web: Web) -> None:
    """Add the rehearsal of an interlock."""
    pages = RehearsalPages(web)
    path = "/interlocks/{gateway}/{interlock}/rehearsal"
    router.add_api_route(path, pages.show)
    router.add_api_route(path, pages.run, methods=["POST"])


class RehearsalPages:
    """The routes about rehearsals."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_HANDLE)
    async def show(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return the form, with the rule as it stands in the settings that run."""
        now = self._web.now()
        async with snapshot(self._web.pool) as connection:
            found = await owner(connection, gateway, now)
            text = "" if found is None else await rehearsing.text_of(connection, found, interlock)
            if found is None or not text:
                raise NotHereError
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
        local = now.astimezone(zone)
        shows = {
            "page": "interlocks",
            "gateway": gateway,
            "name": interlock,
            "address": address_of(gateway, interlock),
            "text": text,
            "from_at": f"{local - timedelta(days=7):%Y-%m-%dT%H:%M}",
            "to_at": f"{local:%Y-%m-%dT%H:%M}",
            "days_max": rehearsing.SPAN_MAX.days,
            "readings_max": rehearsing.READINGS_MAX,
            "text_max": rehearsing.TEXT_MAX,
        }
        return self._web.render.page(request, "interlocks_rehearsal.html", shows, zone=zone)

    @needs(Permission.CONTROL_HANDLE)
    async def run(self, request: Request, gateway: str, interlock: str) -> StreamingResponse:
        """Return lines of JSON: `{"done": 0.5}` while it runs, then what came of it, or why it cannot be."""
        form = await read_form(request, bytes_max=FORM_BYTES_MAX)
        language = language_of(request)
        async with snapshot(self._web.pool) as connection:
            found = await owner(connection, gateway, self._web.now())
            if found is None:
                raise NotHereError
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
            try:
                ready = await rehearsing.prepare(connection, _asked(form, gateway, interlock, zone=zone))
            except RehearsalError as error:
                return _lines(_refused(error))
        return _lines(self._rehearsed(ready, language, zone))

    async def _rehearsed(self, ready: Prepared, language: Language, zone: ZoneInfo) -> AsyncIterator[bytes]:
        async for came in rehearsing.rehearsal(self._web.pool, ready):
            if isinstance(came, float):
                yield _line({"done": came})
            else:
                yield _line(_shown(came, ready, language, zone=zone))


def _lines(content: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(content, media_type=_LINES, headers=headers)


async def _refused(error: RehearsalError) -> AsyncIterator[bytes]:
    yield _line({"refused": f"{error.field}: {error}"})


def _line(what: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(what) + b"\n"


def _asked(form: Mapping[str, str], gateway: str, interlock: str, *, zone: ZoneInfo) -> Asked:
    times = []
    for name in ("from", "to"):
        try:
            times.append(datetime.fromisoformat(form.get(name, "")).replace(tzinfo=zone).astimezone(UTC))
        except (ValueError, OverflowError):
            raise RehearsalError(name, "expected a day and a time") from None
    return Asked(gateway, interlock, times[0], times[1], form.get("text", ""))


def _shown(found: Rehearsal, ready: Prepared, language: Language, *, zone: ZoneInfo) -> dict[str, object]:
    return {
        "readings": ready.readings,
        "judged_from": None if found.judged_from is None else _clock(found.judged_from, zone),
        "count": len(found.trips),
        "tripped_s": round(found.tripped_ticks / TICKS_PER_S),
        "trips": [
            {
                "at": _clock(one.at, zone),
                "until": None if one.until is None else _clock(one.until, zone),
                "lasted_s": None if one.until is None else round((one.until - one.at) / TICKS_PER_S),
                "first_out": ", ".join(
                    say_word(language, OUTSIDE, name) if name.startswith("@") else name
                    for name in one.first_out
                ),
            }
            for one in found.trips[:_SHOWN_MAX]
        ],
    }


def _clock(tick: int, zone: ZoneInfo) -> str:
    return clock_text(datetime.fromtimestamp(tick * TICK_MS / 1000, UTC), zone)
