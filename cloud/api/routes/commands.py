"""Commands to gateways over HTTP: ask, approve, and what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from cloud import command_acts
from cloud.api.acting import acting
from cloud.api.errors import ApiError, Fault, not_found
from cloud.api.guard import needs
from cloud.api.routes.people import Body
from cloud.api.services import Db, GatewayName, GatewayPath, Given, Limit, Page, SiteId, answer
from cloud.api.strict import StrictRoute
from cloud.command_acts import VALID_MAX_S, VALID_S, Wish
from cloud.store import commands
from cloud.store.commands import Command, Receipt
from rules.permissions import Permission

router = APIRouter(prefix="/api", tags=["control"], route_class=StrictRoute)

KEY = r"^[A-Za-z0-9._~-]{1,64}$"
CommandPath = Annotated[str, Path(alias="command", pattern=r"^[0-9a-f]{32}$", description="Id of a command.")]
Scalar = str | int | float | bool


class NewCommand(Body):
    """A command to be asked for."""

    name: Annotated[str, Field(max_length=65, description="Such as `interlock.acknowledge`.")]
    arguments: Annotated[dict[str, Scalar], Field(max_length=32, description="By their names.")] = Field(
        default_factory=dict
    )
    valid_s: Annotated[
        float, Field(ge=1, le=VALID_MAX_S, description="It is begun within so many seconds, or never.")
    ] = VALID_S


@dataclass(frozen=True, slots=True)
class CommandState:
    """A command and how it stands."""

    state: str
    """`waiting` (for approval), `lapsed` (nobody approved), `not_sent` (refused at the hub), `sent` (without
    a receipt), `accepted`, `executed`, `refused`, `expired`, `failed`; `unknown`: its deadline is over and
    nobody knows whether it was done."""
    command: Command


@dataclass(frozen=True, slots=True)
class CommandHistory:
    """A command with every receipt that came."""

    state: str
    """As of `CommandState`."""
    command: Command
    receipts: list[Receipt]


@router.post(
    "/gateways/{gateway}/commands",
    response_model=CommandState,
    status_code=202,
    summary="Ask a gateway for something; what became of it is told by receipts",
)
@needs(Permission.CONTROL_READ)
async def ask(
    request: Request,
    given: Given,
    gateway: GatewayPath,
    sent: NewCommand,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=KEY,
            description="Asked again with the same key it is the same command.",
        ),
    ] = None,
) -> Response:
    """Keep a command and send it, unless a second person has to approve it; 409 when it would be refused."""
    wish = Wish(gateway, sent.name, sent.arguments, valid_s=sent.valid_s, key=key)
    async with acting(request, given.pool, given.now()) as act:
        made = await command_acts.ask(act, wish)
    return _told(made, given.now())


@router.post(
    "/commands/{command}/approval",
    response_model=CommandState,
    status_code=202,
    summary="Approve a command as its second person",
)
@needs(Permission.COMMANDS_APPROVE)
async def approve(request: Request, given: Given, command_id: CommandPath) -> Response:
    """Send it, unless it would be refused by now (409)."""
    async with acting(request, given.pool, given.now()) as act:
        approved = await command_acts.approve(act, bytes.fromhex(command_id))
    return _told(approved, given.now())


@router.get(
    "/commands", response_model=Page[CommandState], summary="Commands, the newest first, and how they stand"
)
@needs(Permission.CONTROL_READ)
async def history(
    db: Db,
    given: Given,
    site_id: SiteId,
    gateway: GatewayName,
    name: Annotated[str | None, Query(pattern=r"^[a-z_]{1,32}\.[a-z_]{1,32}$")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the part before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List commands downwards by their number."""
    found = await commands.list_commands(
        db, gateway=gateway, site_id=site_id, name=name, before=before, limit=limit + 1
    )
    more = found[limit - 1].number if len(found) > limit else None
    return answer(Page([CommandState(one.state(given.now()), one) for one in found[:limit]], more))


@router.get("/commands/{command}", response_model=CommandHistory, summary="One command and its receipts")
@needs(Permission.CONTROL_READ)
async def one(db: Db, given: Given, command_id: CommandPath) -> Response:
    """Return a command with every receipt, in the order in which they came."""
    found = await commands.get_command(db, bytes.fromhex(command_id))
    if found is None:
        raise not_found("command", command_id, "command")
    receipts = await commands.receipts(db, bytes.fromhex(command_id))
    return answer(CommandHistory(found.state(given.now()), found, receipts))


def refusal(command: Command) -> ApiError:
    """Return a command that was kept and not sent as an answer of the API."""
    faults = [Fault(command.name, command.refused, command.refused_text)]
    return ApiError(409, "Refused", f"{command.refused_text}.", faults=faults)


def _told(command: Command, now: datetime) -> Response:
    if command.refused:
        raise refusal(command)
    response = answer(CommandState(command.state(now), command))
    response.status_code = 202
    return response
