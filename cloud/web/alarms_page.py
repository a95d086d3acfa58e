"""The pages of alarms: what is open, what was, and what people do about it.

What is done here is done by `cloud.alarm_acts`, as for the API and the command line.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import alarm_acts
from cloud.alarm_acts import Alarm as Named
from cloud.api.guard import needs
from cloud.identity.acts import Act, ActError
from cloud.store.alarm_points import count_unwatched
from cloud.store.alarm_rows import list_rows
from cloud.store.alarm_templates import policies
from cloud.store.alarms_read import count_open, list_history, read_figures
from cloud.store.control_status import list_held
from cloud.store.sites import Site, list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.acting import act_on
from cloud.web.alarm_words import KINDS, say_fault, show, titles_of
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.forms import read_form
from cloud.web.render import language_of, zone_of
from cloud.web.words import duration, mark
from rules.alarm.model import Condition
from rules.permissions import Permission

ROWS = 100
DAYS = {"1": 1, "7": 7, "30": 30, "366": 366}
SHELVES = {
    "": mark("until it is over"),
    "30": mark("for 30 minutes"),
    "60": mark("for 1 hour"),
    "240": mark("for 4 hours"),
    "480": mark("for 8 hours"),
    "1440": mark("for 24 hours"),
}
"""Minutes that an alarm may be shelved."""
_FIGURES_SPAN = timedelta(hours=24)
_SKIP_MAX = 100_000


def add_alarm_pages(router: APIRouter, web: Web) -> None:
    """Add /alarms and /alarms/history."""
    pages = AlarmPages(web)
    router.add_api_route("/alarms", pages.show)
    router.add_api_route("/alarms", pages.act, methods=["POST"])
    router.add_api_route("/alarms/history", pages.history)


class AlarmPages:
    """The list and the history."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.ALARMS_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return what is open, what wants somebody first."""
        return await self._page(request)

    @needs(Permission.ALARMS_HANDLE)
    async def act(self, request: Request) -> Response:
        """Do what was chosen for one alarm, and show the list again."""
        form = await read_form(request)
        try:
            condition = Condition(form.get("condition", ""))
            alarm = Named(_whole(form.get("site", "")), form.get("point", ""), condition)
        except ValueError:
            raise NotHereError from None
        text, minutes = form.get("text", ""), form.get("minutes", "")

        async def do(one: Act) -> None:
            word = form.get("act", "")
            if word == "acknowledge":
                await alarm_acts.acknowledge(one, alarm, text=text)
            elif word == "comment":
                await alarm_acts.comment(one, alarm, text=text)
            elif word == "assign":
                await alarm_acts.assign(one, alarm, to=text)
            elif word == "unshelve":
                await alarm_acts.unshelve(one, alarm)
            elif word == "shelve" and minutes in SHELVES:
                until = one.at + timedelta(minutes=int(minutes)) if minutes else None
                await alarm_acts.shelve(one, alarm, until=until, text=text)
            else:
                raise ActError("act", word, "acknowledge, comment, assign, shelve or unshelve")

        kept = {name: form[name] for name in ("only", "skip") if form.get(name)}
        where = "/alarms" + (f"?{urlencode(kept)}" if kept else "")
        return await do_act(self._web, request, do, where=where, again=self._page)

    async def _page(self, request: Request, fault: ActError | None = None) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        skip = min(_whole(request.query_params.get("skip", "0"), 0), _SKIP_MAX)
        async with snapshot(self._web.pool) as connection:
            sites = await list_sites(connection)
            only = _chosen(sites, request.query_params.get("only"))
            site_id = None if only is None else only.id
            named = titles_of(await list_held(connection, now, site=site_id))
            found = await list_rows(connection, now=now, site_id=site_id, skip=skip, limit=ROWS + 1)
            counts = await count_open(connection, site_id)
            unwatched = await count_unwatched(connection, site_id)
            called = {one.site_id for one in await policies(connection)}
            zone = zone_of(only.time_zone if only else await shared_zone(connection))
        rows = [(show(one.alarm, language, named), one) for one in found[:ROWS]]
        kept = {"only": only.name} if only else {}
        shows = {
            "page": "alarms",
            "tab": "alarms",
            "rows": rows,
            "sites": sites,
            "only": only,
            "titles": {one.id: one.title for one in sites},
            "counts": counts,
            "unwatched": unwatched,
            "uncalled": [one for one in sites if one.id not in called and site_id in (None, one.id)],
            "kinds": {code: language.say(word) for code, word in KINDS.items()},
            "shelves": {code: language.say(word) for code, word in SHELVES.items()},
            "skip": skip,
            "newer": urlencode({**kept, "skip": max(skip - ROWS, 0)}) if skip else "",
            "older": urlencode({**kept, "skip": skip + ROWS}) if len(found) > ROWS else "",
            "source": f"/alarms?{urlencode({**kept, 'skip': skip})}",
            "ms": milliseconds,
            "lasted": lambda seconds: duration(language, round(seconds * 1000)),
            "message": "" if fault is None else say_fault(fault, language),
        }
        response = self._web.render.page(request, "alarms.html", shows, zone=zone)
        response.status_code = 200 if fault is None else 422
        return response

    @needs(Permission.ALARMS_READ)
    async def history(self, request: Request) -> HTMLResponse:
        """Return alarms that began in the last days, and how they were to live with."""
        language, now, given = language_of(request), self._web.now(), request.query_params
        days = given.get("days", "7") if given.get("days") in DAYS else "7"
        point = (given.get("point") or "").strip()[:300].replace("\0", "")
        before = _whole(given.get("before", "0"), 0) or None
        async with snapshot(self._web.pool) as connection:
            sites = await list_sites(connection)
            only = _chosen(sites, given.get("only"))
            named = titles_of(await list_held(connection, now, site=None if only is None else only.id))
            alarms = await list_history(
                connection,
                now - timedelta(days=DAYS[days]),
                now + timedelta(minutes=5),
                now=now,
                site_id=None if only is None else only.id,
                point=point or None,
                before=before,
                limit=ROWS + 1,
            )
            figures = [
                (one, await read_figures(connection, one.id, from_at=now - _FIGURES_SPAN, to_at=now))
                for one in sites
                if only is None or one.id == only.id
            ]
            zone = zone_of(only.time_zone if only else await shared_zone(connection))
        kept = {"days": days, "point": point} | ({"only": only.name} if only else {})
        older = urlencode({**kept, "before": alarms[ROWS - 1].id}) if len(alarms) > ROWS else ""
        shows = {
            "page": "alarms",
            "tab": "history",
            "rows": [show(one, language, named) for one in alarms[:ROWS]],
            "sites": sites,
            "only": only,
            "titles": {one.id: one.title for one in sites},
            "figures": figures,
            "days": days,
            "point": point,
            "older": older,
            "ms": milliseconds,
            "lasted": lambda seconds: duration(language, round(seconds * 1000)),
            "message": "",
        }
        return self._web.render.page(request, "alarms_history.html", shows, zone=zone)


Again = Callable[[Request, ActError], Awaitable[HTMLResponse]]


async def do_act(
    web: Web, request: Request, act: Callable[[Act], Awaitable[None]], *, where: str, again: Again
) -> Response:
    """Do something in one transaction and go on to a page; show the page again with what was refused."""
    fault = await act_on(web, request, act)
    return RedirectResponse(where, 303) if fault is None else await again(request, fault)


def _chosen(sites: list[Site], name: str | None) -> Site | None:
    if not name:
        return None
    found = next((one for one in sites if one.name == name), None)
    if found is None:
        raise NotHereError
    return found


def _whole(text: str, default: int | None = None) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    if default is None:
        raise NotHereError
    return default
