"""Commands: their history at one gateway, one with its receipts, and the approval by a second person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from cloud import command_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError
from cloud.api.guard import needs, viewer_of
from cloud.command_rules import INTERLOCK, find_interlock
from cloud.store import commands, control_status
from cloud.store.commands import Command, Receipt
from cloud.store.control_status import Held
from cloud.store.shadow import owner
from cloud.store.sites import get_site, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web import interlocks_view as view
from cloud.web.commands_view import happens, of_same_breach
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.figures import milliseconds
from cloud.web.interlocks_words import STATE_KINDS, STATES, say_reason_word, say_word
from cloud.web.language import Language
from cloud.web.render import language_of, zone_of
from rules.permissions import Permission

_PART = 50
_BEFORE = 5
_ID = frozenset("0123456789abcdef")
_ID_LENGTH = 32
_NUMBER_DIGITS = 18


def add_command_pages(router: APIRouter, web: Web) -> None:
    """Add the history of a gateway, a page for each command, and its approval."""
    pages = CommandPages(web)
    router.add_api_route("/gateways/{gateway}/commands", pages.show)
    router.add_api_route("/commands/{command}", pages.one)
    router.add_api_route("/parts/commands/{command}", pages.refresh_one)
    router.add_api_route("/commands/{command}/approval", pages.approve, methods=["POST"])


class CommandPages:
    """The routes about commands."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def show(self, request: Request, gateway: str) -> HTMLResponse:
        """Return the commands of a gateway, the newest first; `before` goes on."""
        language, now = language_of(request), self._web.now()
        before = request.query_params.get("before", "")
        async with snapshot(self._web.pool) as connection:
            found = await owner(connection, gateway, now)
            if found is None:
                raise NotHereError
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
            listed = await commands.list_commands(
                connection,
                gateway=gateway,
                before=int(before) if _is_number(before) else None,
                limit=_PART + 1,
            )
        shows = {
            "page": "interlocks",
            "gateway": gateway,
            "site": site,
            "lines": [view.command_line(one, at=now, language=language) for one in listed[:_PART]],
            "next": listed[_PART - 1].number if len(listed) > _PART else None,
        }
        return self._web.render.page(request, "commands.html", shows, zone=zone)

    @needs(Permission.CONTROL_READ)
    async def one(self, request: Request, command: str) -> HTMLResponse:
        """Return one command with every receipt."""
        return await self._one(request, command)

    @needs(Permission.CONTROL_READ, quiet=True)
    async def refresh_one(self, request: Request, command: str) -> HTMLResponse:
        """Return the same; an open page asks."""
        return await self._one(request, command)

    @needs(Permission.COMMANDS_APPROVE)
    async def approve(self, request: Request, command: str) -> Response:
        """Approve a command as the second person."""
        try:
            async with acting(request, self._web.pool, self._web.now()) as act:
                await command_acts.approve(act, _id_of(command))
        except ApiError as error:
            if error.status == 404:
                raise NotHereError from None
            if error.status != 422:
                raise
            return await self._one(request, command, said=error.detail)
        return RedirectResponse(f"/commands/{command}", 303)

    async def _one(self, request: Request, command: str, *, said: str = "") -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            found = await commands.get_command(connection, _id_of(command))
            if found is None:
                raise NotHereError
            receipts = await commands.receipts(connection, _id_of(command))
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
            held = await control_status.get_held(connection, found.gateway, now)
            listed = await commands.list_commands(connection, gateway=found.gateway, limit=100)
        viewer = viewer_of(request)
        shows = {
            "page": "interlocks",
            "command": found,
            "line": view.command_line(found, at=now, language=language),
            "arguments": [(name, str(value)) for name, value in found.arguments.items()],
            "receipts": [_receipt(one, language) for one in receipts],
            "times": _times(found),
            "approves": viewer.may(Permission.COMMANDS_APPROVE, found.organisation_id, found.site_id),
            "mine": viewer.login == found.asker,
            "said": said,
            "about": _about(found, held, listed, at=now, language=language),
        }
        response = self._web.render.page(request, "commands_one.html", shows, zone=zone)
        response.status_code = 422 if said else 200
        return response


def _receipt(one: Receipt, language: Language) -> dict[str, Any]:
    return {
        "state": view.Badge(STATE_KINDS.get(one.state, "unmonitored"), say_word(language, STATES, one.state)),
        "reason": say_reason_word(language, one.reason) if one.reason else "",
        "text": one.text,
        "data": [f"{name} {value}" for name, value in one.data.items() if value is not None],
        "at_ms": None if one.at is None else milliseconds(one.at),
        "received_ms": milliseconds(one.received_at),
        "from_journal": one.from_journal,
    }


def _about(
    command: Command, held: Held | None, listed: Sequence[Command], *, at: datetime, language: Language
) -> dict[str, Any] | None:
    """Return how the interlock of a command that waits stands, and what follows if it is approved."""
    if command.state(at) != "waiting" or not command.name.startswith(INTERLOCK):
        return None
    now = find_interlock(held.status if held is not None else None, command.arguments)
    if held is None or now is None:
        return {"line": None}
    return {
        "line": view.line(held, now, at=at, language=language),
        "happens": happens(command.name, command.arguments, now, language=language),
        "before": [
            view.command_line(one, at=at, language=language)
            for one in of_same_breach(command, listed)[:_BEFORE]
        ],
    }


def _times(command: Command) -> dict[str, int | None]:
    named = {
        "asked": command.asked_at,
        "approved": command.approved_at,
        "issued": command.issued_at,
        "not_after": command.not_after,
    }
    return {name: None if at is None else milliseconds(at) for name, at in named.items()}


def _id_of(command: str) -> bytes:
    if len(command) != _ID_LENGTH or not set(command) <= _ID:
        raise NotHereError
    return bytes.fromhex(command)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS
