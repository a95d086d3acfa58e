"""What the page of doors asks gateways for: open a door, lock a site or zone down, end that.

Each is a command with its permission, receipt and history (`cloud.command_acts`); nothing is shown as done
that no receipt confirmed.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from cloud import command_acts
from cloud.api.acting import acting
from cloud.api.guard import needs
from cloud.command_acts import Wish
from cloud.identity.acts import Act, ActError, MissingError
from cloud.store import control_status
from cloud.store.commands import Command
from cloud.store.control_status import Held
from cloud.web.context import Web
from cloud.web.doors import chosen
from cloud.web.forms import read_form
from rules.permissions import Permission
from wire.messages import Scalar

REASON_MAX = 200


def add_door_commands(router: APIRouter, web: Web) -> None:
    """Add what forms of /doors send."""

    @needs(Permission.CONTROL_OPERATE)
    async def ask(request: Request) -> Response:
        form = await read_form(request)
        async with acting(request, web.pool, web.now()) as act:
            asked = await _asked(act, form)
        if len(asked) == 1:
            return RedirectResponse(f"/commands/{asked[0].id}", 303)
        return RedirectResponse(f"/doors?site={form.get('site', '')}", 303)

    router.add_api_route("/doors", ask, methods=["POST"])


async def _asked(act: Act, form: Mapping[str, str]) -> list[Command]:
    place = await chosen(act.connection, form.get("site"))
    if place.site is None:
        raise MissingError("site", form.get("site", ""), "an existing site")
    held = await control_status.list_held(act.connection, act.at, site=place.site.id)
    if not held:
        raise ActError("site", place.site.name, "a site of which a gateway told how its doors stand")
    reason = " ".join(form.get("reason", "").split())
    if not 1 <= len(reason) <= REASON_MAX:
        raise ActError("reason", reason, f"a text of 1 to {REASON_MAX} characters")
    wanted = form.get("do", "")
    if wanted == "portal.open":
        return [await _open(act, held, form.get("side", ""), reason=reason)]
    if wanted not in ("access.lock_down", "access.release"):
        raise ActError("do", wanted, "portal.open, access.lock_down or access.release")
    arguments: dict[str, Scalar] = {"reason": reason}
    if form.get("zone"):
        arguments["zone"] = form["zone"]
    return [await command_acts.ask(act, Wish(one.gateway, wanted, arguments)) for one in held]


async def _open(act: Act, held: list[Held], side: str, *, reason: str) -> Command:
    portal, _, way = side.partition("/")
    gateway = next((one.gateway for one in held if any(p.name == portal for p in one.status.portals)), None)
    if gateway is None:
        raise ActError("side", side, "a side of a door that a gateway of this site tells of")
    arguments: dict[str, Scalar] = {"portal": portal, "side": way, "reason": reason}
    return await command_acts.ask(act, Wish(gateway, "portal.open", arguments))
