"""Interlocks: the list, and a page for each with its live matrix and what may be done there.

What is done there is done by `cloud.command_acts`, as for the API.
"""

import secrets
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import command_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError
from cloud.api.guard import needs, viewer_of
from cloud.command_acts import Wish
from cloud.store import breaches, commands, control_status
from cloud.store.control_status import Held
from cloud.store.sites import shared_zone
from cloud.store.snapshot import snapshot
from cloud.web import interlocks_view as view
from cloud.web.broken_words import broken_parts, failing_outputs
from cloud.web.commands_view import cuts_power, happens
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.forms import read_form
from cloud.web.interlocks_breaches import breach_line
from cloud.web.interlocks_words import say_reason_word
from cloud.web.language import Language
from cloud.web.render import language_of, zone_of
from cloud.web.words import mark
from rules.interlock.model import BYPASS_MAX_S
from rules.permissions import Permission
from wire.control import InterlockNow
from wire.messages import Scalar

_HISTORY = 8
_TEXT_MAX = 200
_DIGITS = 9
_KEY_MAX = 40
_NOT_DONE = mark("Not done: %(why)s")
DOES: Mapping[str, Mapping[str, bool]] = {
    "trip": {"reason": False},
    "acknowledge": {"comment": False},
    "reset": {"reason": False},
    "enable": {},
    "bypass": {"cause": True, "reason": True},
    "end_bypass": {"cause": True},
    "pass_check": {"cause": True, "record": True},
}
"""What a form may ask of an interlock, with the texts that it sends, and whether each has to be there."""
_OF_A_BREACH = frozenset({"acknowledge", "reset", "enable"})


def add_interlock_pages(router: APIRouter, web: Web) -> None:
    """Add /interlocks and a page for each."""
    pages = InterlockPages(web)
    one = "/interlocks/{gateway}/{interlock}"
    router.add_api_route("/interlocks", pages.show)
    router.add_api_route("/parts/interlocks", pages.refresh)
    router.add_api_route(one, pages.one)
    router.add_api_route(one, pages.change, methods=["POST"])
    router.add_api_route("/parts" + one, pages.refresh_one)


class InterlockPages:
    """The routes about interlocks."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def show(self, request: Request) -> HTMLResponse:
        """Return the list, what needs a person first, and the commands that wait for a second one."""
        return await self._list(request)

    @needs(Permission.CONTROL_READ, quiet=True)
    async def refresh(self, request: Request) -> HTMLResponse:
        """Return the same; an open page asks."""
        return await self._list(request)

    @needs(Permission.CONTROL_READ)
    async def one(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return one interlock as it stands."""
        return await self._one(request, gateway, interlock)

    @needs(Permission.CONTROL_READ, quiet=True)
    async def refresh_one(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return the same; an open page asks when the hub says that something is new."""
        return await self._one(request, gateway, interlock)

    @needs(Permission.CONTROL_READ)
    async def change(self, request: Request, gateway: str, interlock: str) -> Response:
        """Ask the gateway for what the form asks."""
        form = await read_form(request)
        await self._held(gateway, interlock)
        language = language_of(request)
        try:
            wish = wish_of(form, gateway, interlock)
            async with acting(request, self._web.pool, self._web.now()) as act:
                made = await command_acts.ask(act, wish)
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            return await self._one(request, gateway, interlock, said=(error.detail, "en"), form=form)
        if made.key != wish.key:  # it waits already: whoever may approves that one
            return RedirectResponse(f"/commands/{made.id}", 303)
        if made.refused:
            why = language.say(_NOT_DONE) % {"why": say_reason_word(language, made.refused)}
            return await self._one(request, gateway, interlock, said=(why, ""), form=form)
        return RedirectResponse(view.address_of(gateway, interlock), 303)

    async def _list(self, request: Request) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            held = await control_status.list_held(connection, now)
            waiting = await commands.list_waiting(connection, now)
            zone = zone_of(await shared_zone(connection))
        lines = view.in_order(
            view.line(one, interlock, at=now, language=language)
            for one in held
            for interlock in one.status.interlocks
        )
        shows = {
            "lines": lines,
            "gateways": sorted({one.gateway for one in held}),
            "broken": {
                one.gateway: broken_parts(language, one.status.faults)
                for one in held
                if one.status.faults and one.is_known(now)
            },
            "waiting": [view.command_line(one, at=now, language=language) for one in waiting],
        }
        return self._page(request, "interlocks.html", shows, zone=zone)

    async def _one(
        self,
        request: Request,
        gateway: str,
        interlock: str,
        *,
        said: tuple[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        held, standing = await self._held(gateway, interlock)
        async with snapshot(self._web.pool) as connection:
            history = await commands.list_commands(connection, gateway=gateway, limit=100)
            past = await breaches.list_breaches(connection, held.gateway_id, interlock)
        mine = [one for one in history if one.arguments.get("interlock") == interlock][:_HISTORY]
        viewer = viewer_of(request)
        may = {one: viewer.may(one, held.organisation_id, held.site_id) for one in Permission}
        shows = {
            **self._shown(held, standing, language, may=may),
            "breaches": [breach_line(one, language) for one in past],
            "history": [view.command_line(one, at=now, language=language) for one in mine],
            "waits": {
                one.name.removeprefix("interlock."): one.id
                for one in mine
                if one.state(now) == "waiting" and one.arguments.get("breach") == standing.breach
            },
            "handles": may[Permission.CONTROL_HANDLE],
            "bypasses": may[Permission.CONTROL_BYPASS],
            "approves": may[Permission.COMMANDS_APPROVE],
            "said": said,
            "form": form or {},
            "key": secrets.token_urlsafe(16),
            "minutes_max": BYPASS_MAX_S // 60,
            "text_max": _TEXT_MAX,
        }
        response = self._page(request, "interlocks_one.html", shows, zone=zone_of(held.time_zone))
        response.status_code = 200 if said is None else 422
        return response

    def _shown(
        self, held: Held, now: InterlockNow, language: Language, *, may: Mapping[Permission, bool]
    ) -> dict[str, Any]:
        known = held.is_known(self._web.now())
        return {
            "held": held,
            "now": now,
            "address": view.address_of(held.gateway, now.name),
            "known": known,
            "line": view.line(held, now, at=self._web.now(), language=language),
            "causes": view.causes(held, now, known=known, language=language),
            "effects": view.effects(
                now, failing=failing_outputs(held.status.faults), known=known, language=language
            ),
            "broken": broken_parts(language, held.status.faults) if known else [],
            "unmet": view.unmet(held, now, language),
            "acts": view.acts(held, now, known=known, may=may, language=language),
            "breach": now.breach,
            "trips": happens("interlock.trip", {}, now, language=language) if cuts_power(now) else [],
        }

    async def _held(self, gateway: str, interlock: str) -> tuple[Held, InterlockNow]:
        async with snapshot(self._web.pool) as connection:
            held = await control_status.get_held(connection, gateway, self._web.now())
        found = None if held is None else _find(held, interlock)
        if held is None or found is None:
            raise NotHereError
        return held, found

    def _page(
        self, request: Request, template: str, shows: Mapping[str, Any], *, zone: ZoneInfo
    ) -> HTMLResponse:
        return self._web.render.page(request, template, {"page": "interlocks", **shows}, zone=zone)


def _find(held: Held, interlock: str) -> InterlockNow | None:
    return next((one for one in held.status.interlocks if one.name == interlock), None)


def wish_of(form: Mapping[str, str], gateway: str, interlock: str) -> Wish:
    """Return what a form asks of an interlock; `NotHereError`, and `ApiError` 422 for what is missing."""
    do = form.get("do", "")
    if do not in DOES:
        raise NotHereError
    arguments: dict[str, Scalar] = {"interlock": interlock}
    if do in _OF_A_BREACH:
        arguments["breach"] = _number(form, "breach")
    if do == "bypass":
        arguments["seconds"] = float(_number(form, "minutes") * 60)
    for name, needed in DOES[do].items():
        text = " ".join(form.get(name, "").split())[:_TEXT_MAX]
        if text:
            arguments[name] = text
        elif needed:
            raise ApiError(422, "Bad input", f"{name}: expected a text of 1 to {_TEXT_MAX} characters.")
    key = form.get("key", "")[:_KEY_MAX]
    return Wish(gateway, f"interlock.{do}", arguments, key=f"{key}.{do}" if key else None)


def _number(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise ApiError(422, "Bad input", f"{name} {text[:40]!r}: expected a whole number.")
    return int(text)
