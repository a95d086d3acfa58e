"""What people, and the hub itself, ask of gateways: ask for a command, and approve one as the second person.

Each act is one transaction with its audit row. Nothing here speaks to a broker: `cloud.control` sends what is
committed. What the newest state of the gateway would refuse is kept as refused and never sent.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.command_rules import (
    APPROVED_WITHIN,
    INTERLOCK,
    PERMISSIONS,
    Refused,
    forbidden,
    needs_second,
    refusal,
)
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.identity.doors import grants_of
from cloud.store import audit_log, commands, control_status, jobs_operation, shadow
from cloud.store.audit_log import Entry
from cloud.store.commands import Command, NewCommand, Release
from cloud.store.connection import Connection
from cloud.store.control_status import Held
from cloud.store.shadow import Owner
from rules.access.document import Authorisation, Span
from rules.access.words import Subject
from rules.authority import rights_given
from rules.command import HUB, KINDS, LIFE_MAX_MS, argument_fault
from rules.interlock.inputs import Right
from rules.interlock.reasons import SENTENCES, Reason
from rules.permissions import Permission, Rights, narrowed
from wire import control
from wire.messages import Scalar, as_text
from wire.shadow import Revision

VALID_S = 30.0
"""A command has to be begun so soon after it is sent, if nothing else is said."""
VALID_MAX_S = LIFE_MAX_MS / 1000
ID_BYTES = 16
_SAME = frozenset({"interlock", "breach", "cause"})
"""Arguments by which a command that waits for a second person is the same."""
_TRIP, _RUN = "interlock.trip", "instrument.run"


@dataclass(frozen=True, slots=True)
class Wish:
    """A command that is asked for."""

    gateway: str
    name: str
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    valid_s: float = VALID_S
    key: str | None = None
    """Asked again with the same key it is the same command."""


@dataclass(frozen=True, slots=True)
class _Person:
    """Who asks, as the gateway is told."""

    by: str
    rights: frozenset[str] | None
    """What authorisations let them ask of the interlock; None: nobody has to be authorised."""


async def ask(act: Act, wish: Wish) -> Command:
    """Keep a command, and send it unless somebody has to approve it or the gateway would refuse it.

    What was asked before with the same key is given as it stands, and so is what waits for a second person
    and is about the same, whoever asked for it: it is approved, not asked for twice. Look at `refused` of
    what is returned.
    Raises `ActError` for a command that makes no sense, `MissingError`, `ForbiddenError`.
    """
    owner = await _owner(act, wish)
    person = await _person(act, wish, owner.organisation_id)
    await _free(act, wish, owner.id)
    kind, asker = _asker(act)
    if wish.key is not None:
        before = await commands.by_key(act.connection, owner.organisation_id, (kind, asker), key=wish.key)
        if before is not None:
            return _same(before, wish)
    held = await control_status.get_held(act.connection, owner.name, act.at)
    status = _known(held, act.at)
    refused = (
        _without_right(wish, person.rights)
        or forbidden(wish.name, wish.arguments, status)
        or refusal(wish.name, wish.arguments, await _decisive(act.connection, held, act.at))
    )
    second = refused is None and needs_second(wish.name, wish.arguments, status)
    if second and not _is_somebody(act):
        raise ActError("name", wish.name, "somebody who is signed in, for another person has to approve it")
    if second:
        about = {name: value for name, value in wish.arguments.items() if name in _SAME}
        alike = await commands.waiting_alike(act.connection, owner.id, wish.name, about=about, now=act.at)
        if alike is not None:
            return alike
    new = _new(wish, owner, person, asker=(kind, asker), at=act.at, second=second, refused=refused)
    await commands.add(act.connection, new)
    if refused is None and not second:
        await _release(act.connection, new.id, owner.id, valid_s=wish.valid_s, held=held, at=act.at)
    await act.note(
        "command.ask",
        f"gateway {owner.name}",
        organisation_id=owner.organisation_id,
        outcome="done" if refused is None else "refused",
        new={"command": new.id.hex(), "name": wish.name, "arguments": dict(wish.arguments)},
        why="" if refused is None else refused.text,
    )
    await control_status.wake(act.connection, owner.id)
    return await _there(act.connection, new.id)


async def ask_as_hub(connection: Connection, wish: Wish, *, why: str, now: datetime) -> Command:
    """Do the same for the hub itself, which nobody approves; `why` says what made it ask.

    Call it in a transaction. Raises `ActError` as `ask` does.
    """
    owner = await shadow.owner(connection, wish.gateway, now)
    if owner is None:
        raise MissingError("gateway", wish.gateway, "an existing gateway")
    _check(wish)
    person = _Person(as_text(f"{HUB} {why}"), None)
    held = await control_status.get_held(connection, owner.name, now)
    refused = refusal(wish.name, wish.arguments, await _decisive(connection, held, now))
    new = _new(wish, owner, person, asker=(HUB, why[:200]), at=now, second=False, refused=refused)
    await commands.add(connection, new)
    if refused is None:
        await _release(connection, new.id, owner.id, valid_s=wish.valid_s, held=held, at=now)
    entry = Entry(
        actor_kind="rule",
        actor=why[:200],
        action="command.ask",
        object=f"gateway {owner.name}",
        outcome="done" if refused is None else "refused",
        organisation_id=owner.organisation_id,
        new={"command": new.id.hex(), "name": wish.name, "arguments": dict(wish.arguments)},
        why="" if refused is None else refused.text,
    )
    await audit_log.append(connection, [entry], at=now)
    await control_status.wake(connection, owner.id)
    return await _there(connection, new.id)


async def approve(act: Act, command_id: bytes) -> Command:
    """Approve a command as the second person, and send it unless the gateway would refuse it by now.

    It is refused as well when who asked for it may not ask for it any more.
    Raises `ForbiddenError` for who asked for it, for a program, and for who may not; `ActError` when it does
    not wait.
    """
    command = await commands.get_command(act.connection, command_id, hold=True)
    if command is None:
        raise MissingError("command", command_id.hex(), "an existing command")
    number = await _second(act, command)
    if command.state(act.at) != "waiting":
        raise ActError("command", command.state(act.at), "one that waits to be approved")
    held = await control_status.get_held(act.connection, command.gateway, act.at)
    refused = (
        await _asker_lost(act, command)
        or forbidden(command.name, command.arguments, _known(held, act.at))
        or refusal(command.name, command.arguments, await _decisive(act.connection, held, act.at))
    )
    kind, approver = _asker(act)
    await commands.approve(act.connection, command_id, kind=kind, approver=approver, second=number, at=act.at)
    if refused is None:
        valid_s = command.valid_ms / 1000
        await _release(act.connection, command_id, command.gateway_id, valid_s=valid_s, held=held, at=act.at)
    else:
        await commands.refuse(act.connection, command_id, word=refused.word, text=refused.text)
    await act.note(
        "command.approve",
        f"gateway {command.gateway}",
        organisation_id=command.organisation_id,
        outcome="done" if refused is None else "refused",
        new={"command": command.id, "name": command.name, "asked_by": command.asker},
        why="" if refused is None else refused.text,
    )
    await control_status.wake(act.connection, command.gateway_id)
    return await _there(act.connection, command_id)


# --- who ----------------------------------------------------------------------------------------------


async def _owner(act: Act, wish: Wish) -> Owner:
    owner = await shadow.owner(act.connection, wish.gateway, act.at)
    if owner is None:
        raise MissingError("gateway", wish.gateway, "an existing gateway")
    _check(wish)
    permission = PERMISSIONS[wish.name]
    if not act.viewer.may(permission, owner.organisation_id, owner.site_id):
        raise ForbiddenError("name", wish.name, f"the permission {permission} where the gateway serves")
    if owner.revoked:
        raise ActError("gateway", wish.gateway, "one that is not revoked")
    return owner


def _asker(act: Act) -> tuple[str, str]:
    entry = act.viewer.entry("", "")
    return entry.actor_kind, entry.actor


def _is_somebody(act: Act) -> bool:
    return act.viewer.kind != "everybody"


async def _person(act: Act, wish: Wish, organisation_id: int) -> _Person:
    if act.viewer.unbound:
        return _Person(as_text(f"command line: {act.viewer.login}" if act.viewer.login else "nobody"), None)
    found = await commands.asker_of(act.connection, act.viewer.account_id, act.at)
    if found is None:
        raise ForbiddenError("name", wish.name, "somebody who is in the list of people")
    if found.organisation_id != organisation_id:
        if wish.name == _TRIP:  # what makes safe is open to all who see it, under no number of a person
            return _Person(as_text(f"account: {act.viewer.login}"), frozenset())
        raise ForbiddenError("name", wish.name, "a person of the organisation of the gateway")
    return _Person(as_text(found.number), _authorised(found, wish.arguments, act.at))


async def _free(act: Act, wish: Wish, gateway_id: int) -> None:
    """Raise `ActError` for an instrument that somebody else operates: a session has it for itself."""
    if wish.name != _RUN:
        return
    device = str(wish.arguments.get("device", ""))
    held = await jobs_operation.held_by(act.connection, gateway_id, device)
    if held not in (None, (act.viewer.account_id, act.viewer.session_id)):
        raise ActError("arguments.device", device, "an instrument that nobody operates in a session")


def _authorised(asker: commands.Asker, arguments: Mapping[str, Scalar], at: datetime) -> frozenset[str]:
    """Return what a person may ask of the interlock that arguments name, as gateways find it too."""
    if asker.kind != "staff" or asker.left:
        return frozenset()
    held = [
        Authorisation(asker.number, asker.number, Subject.ACTIVITY, one, Span()) for one in asker.activities
    ]
    given = rights_given(held, str(arguments.get("interlock", "")), at_ms=int(at.timestamp() * 1000))
    return frozenset(one.value for one in given)


def _without_right(wish: Wish, rights: frozenset[str] | None) -> Refused | None:
    needed = KINDS[wish.name].right
    if rights is None or not needed or not wish.name.startswith(INTERLOCK) or needed in rights:
        return None
    return Refused(
        Reason.NO_RIGHT.value, f"{SENTENCES[Reason.NO_RIGHT]}: an authorisation for {INTERLOCK}{needed}"
    )


async def _second(act: Act, command: Command) -> str:
    """Return the number of who approves; `ForbiddenError` when they may not."""
    viewer = act.viewer
    if viewer.kind not in ("account", "command"):
        raise ForbiddenError("command", command.id, "a person in a session of their own")
    for permission in (Permission.COMMANDS_APPROVE, *_besides(command)):
        if not viewer.may(permission, command.organisation_id, command.site_id):
            raise ForbiddenError("command", command.id, f"the permission {permission} where it serves")
    kind, approver = _asker(act)
    found = None if viewer.unbound else await commands.asker_of(act.connection, viewer.account_id, act.at)
    if found is not None and found.organisation_id != command.organisation_id:
        raise ForbiddenError("command", command.id, "a person of the organisation of the gateway")
    number = as_text(f"command line: {approver}") if found is None else found.number
    if number == command.by or (kind, approver) == (command.asker_kind, command.asker):
        raise ForbiddenError("command", command.id, "another person than who asked for it")
    if found is not None and _besides(command):
        given = _authorised(found, command.arguments, act.at)
        if Right.BYPASS.value not in given:
            raise ForbiddenError("command", command.id, f"an authorisation for {INTERLOCK}{Right.BYPASS}")
    return number


async def _asker_lost(act: Act, command: Command) -> Refused | None:
    """Return why who asked for a command may not ask for it any more; None while they may."""
    if command.asker_kind not in ("account", "token"):
        return None
    account = await commands.asking_account(act.connection, command.asker_kind, command.asker, act.at)
    permission = PERMISSIONS[command.name]
    rights = Rights() if account is None else Rights(await grants_of(act.connection, account.id))
    if account is not None and account.scopes is not None:
        rights = narrowed(rights, (one for one in Permission if one in account.scopes))
    if account is None or not rights.scope(permission).covers(command.organisation_id, command.site_id):
        return Refused("asker", f"{command.asker} may not ask for it any more: the permission {permission}")
    found = await commands.asker_of(act.connection, account.id, act.at)
    given = frozenset[str]() if found is None else _authorised(found, command.arguments, act.at)
    return _without_right(Wish(command.gateway, command.name), given)


def _besides(command: Command) -> tuple[Permission, ...]:
    return (Permission.CONTROL_BYPASS,) if command.name == "interlock.bypass" else ()


# --- what ---------------------------------------------------------------------------------------------


def _check(wish: Wish) -> None:
    """Raise `ActError` for what no gateway could understand."""
    if wish.name not in KINDS or wish.name not in PERMISSIONS:
        raise ActError("name", wish.name, f"one of {', '.join(PERMISSIONS)}")
    if not 1 <= wish.valid_s <= VALID_MAX_S:
        raise ActError("valid_s", wish.valid_s, f"1 to {VALID_MAX_S:g} seconds")
    if len(wish.arguments) > control.ARGUMENTS_MAX:
        raise ActError("arguments", len(wish.arguments), f"at most {control.ARGUMENTS_MAX} of them")
    tried = control.Command(
        gateway=wish.gateway,
        id=bytes(ID_BYTES),
        fence=Revision(),
        name=wish.name,
        arguments=dict(wish.arguments),
        by="",
        issued_at_ms=0,
        not_after_ms=0,
    )
    if fault := argument_fault(tried):
        field_, _, expected = fault.partition(": ")
        raise ActError(f"arguments.{field_}", str(wish.arguments.get(field_, "")), expected)
    for name, value in wish.arguments.items():
        if isinstance(value, str) and value != as_text(value):
            raise ActError(f"arguments.{name}", value, "a text of at most 200 characters")


def _new(
    wish: Wish,
    owner: Owner,
    person: _Person,
    *,
    asker: tuple[str, str],
    at: datetime,
    second: bool,
    refused: Refused | None,
) -> NewCommand:
    needed = KINDS[wish.name].right
    return NewCommand(
        id=secrets.token_bytes(ID_BYTES),
        organisation_id=owner.organisation_id,
        gateway_id=owner.id,
        site_id=owner.site_id,
        name=wish.name,
        arguments=dict(wish.arguments),
        asker_kind=asker[0],
        asker=asker[1],
        by=person.by,
        rights=sorted({needed} - {""} | (person.rights or frozenset())) if refused is None else (),
        key=wish.key,
        asked_at=at,
        valid_ms=round(wish.valid_s * 1000),
        approve_until=at + APPROVED_WITHIN if second else None,
        refused="" if refused is None else refused.word,
        refused_text="" if refused is None else refused.text,
    )


async def _release(
    connection: Connection,
    command_id: bytes,
    gateway_id: int,
    *,
    valid_s: float,
    held: Held | None,
    at: datetime,
) -> None:
    """Send a command. Where the gateway's clock is known its own ticks say until when it may be begun."""
    not_after = at + timedelta(seconds=valid_s)
    tick = held.tick_at(not_after) if held is not None and held.is_known(at) else None
    boot = held.status.boot if held is not None and tick is not None else None
    settled = Release(at, not_after, boot, tick)
    await commands.release(connection, command_id, gateway_id, settled=settled)


def _known(held: Held | None, at: datetime) -> control.ControlStatus | None:
    return held.status if held is not None and held.is_known(at) else None


async def _decisive(connection: Connection, held: Held | None, at: datetime) -> control.ControlStatus | None:
    """Return the state by which a command may be refused: no command has changed it since it was told."""
    if held is None or held.heard_at is None or not held.is_known(at):
        return None
    moved = await commands.last_moved(connection, held.gateway_id)
    return held.status if moved is None or moved < held.heard_at else None


def _same(before: Command, wish: Wish) -> Command:
    asked = (wish.gateway, wish.name, dict(wish.arguments))
    if (before.gateway, before.name, before.arguments) != asked:
        raise ActError("key", wish.key, "a key that no other command was asked for with")
    return before


async def _there(connection: Connection, command_id: bytes) -> Command:
    found = await commands.get_command(connection, command_id)
    assert found is not None
    return found
