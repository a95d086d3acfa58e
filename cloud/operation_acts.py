"""Remote operation of an instrument: an operator, a running job, live interlocks, a transcript.

All conditions hold at every command and are looked at twice a second besides (`cloud.operation`); the first
that falls ends the session, with the reason. What a gateway does is decided there, whatever stands here: its
interlocks inhibit an instrument's output by themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cloud import command_acts
from cloud.command_acts import Wish
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.job_facts import NOT_KNOWN, unfit_hub, unfit_interlocks
from cloud.job_judging import holding
from cloud.store import accounts, jobs, jobs_evidence, jobs_operation, shadow
from cloud.store.commands import Command
from cloud.store.connection import Connection
from cloud.store.control_status import list_held, wake
from cloud.store.jobs import KeptJob
from cloud.store.jobs_operation import NewOperation, Operation
from rules.access.words import JobState
from rules.permissions import Grant, Permission, Rights, Role

SILENT = timedelta(minutes=5)
"""An operator who does nothing for so long is not there."""
COMMAND = "instrument.run"
_TEXT_MAX = 500


class Fallen(StrEnum):
    """Which condition does not hold."""

    JOB_HELD = "job_held"
    JOB_NOT_RUNNING = "job_not_running"
    INSTRUMENT_NOT_IN_JOB = "instrument_not_in_job"
    OTHER_SITE = "other_site"
    NO_INTERLOCK = "no_interlock"
    """No interlock of a gateway watches the zone: nothing vouches for it."""
    INTERLOCK = "interlock"
    STATUS_STALE = "status_stale"
    HUB_NOT_KNOWN = "hub_not_known"
    """An interlock of the hub that is in use was not judged for too long: nobody knows how it stands."""
    SIGNED_OUT = "signed_out"
    NO_PERMISSION = "no_permission"
    NOT_AUTHORISED = "not_authorised"
    SILENT = "silent"
    BY_OPERATOR = "by_operator"
    """It was ended by a person, no condition fell."""
    IN_USE = "in_use"
    """Somebody else operates the instrument."""
    NOT_YOURS = "not_yours"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Fall:
    """A condition that does not hold, and what it fails at."""

    reason: Fallen
    detail: str = ""


class OperationRefusedError(Exception):
    """Nothing was sent, and this is why."""

    def __init__(self, fall: Fall) -> None:
        super().__init__(f"{fall.reason}: {fall.detail}" if fall.detail else str(fall.reason))
        self.fall = fall


async def begin(act: Act, job_id: int, *, gateway: str, instrument: str) -> int:
    """Begin a session and return its id, if every condition holds."""
    kept = await jobs.get_job(act.connection, job_id)
    if kept is None:
        raise MissingError("job_id", job_id, "an existing job")
    if not act.viewer.may(Permission.CONTROL_OPERATE, kept.organisation_id, kept.site_id):
        raise ForbiddenError("job_id", kept.job.id, f"the permission {Permission.CONTROL_OPERATE} there")
    if act.viewer.kind not in ("account", "everybody"):
        raise ForbiddenError("job_id", kept.job.id, "a person who is signed in, no token and no program")
    owner = await shadow.owner(act.connection, gateway, act.at)
    if owner is None or owner.revoked:
        raise MissingError("gateway", gateway, "an existing gateway")
    number = await jobs_evidence.person_of_account(
        act.connection, act.viewer.account_id, organisation_id=kept.organisation_id
    )
    fall = await place_fallen(act.connection, kept, owner.site_id, instrument, now=act.at)
    if act.viewer.kind == "account" and number is None:
        fall = fall or Fall(Fallen.NOT_AUTHORISED, act.viewer.login)
    fall = fall or await _not_authorised(act.connection, kept, number, now=act.at)
    if fall is not None:
        raise OperationRefusedError(fall)
    new = NewOperation(
        kept.organisation_id,
        kept.site_id,
        kept.id,
        owner.id,
        instrument,
        number or act.viewer.login or act.viewer.kind,
        act.viewer.account_id,
        act.viewer.session_id,
        act.at,
    )
    made = await jobs_operation.begin(act.connection, new)
    if made is None:
        raise OperationRefusedError(Fall(Fallen.IN_USE, instrument))
    operation = await jobs_operation.get_operation(act.connection, made, change=True)
    assert operation is not None
    data = {"job": kept.job.id, "gateway": gateway, "instrument": instrument, "operator": operation.operator}
    await jobs_operation.add_line(act.connection, operation, "begun", data, at=act.at)
    await _note(act, operation, "operation.begin", new=data)
    return made


async def run(
    act: Act, operation_id: int, procedure: str, *, arguments: Mapping[str, str], valid_s: float
) -> Command:
    """Have the instrument do something, if every condition still holds; receipts come into the transcript.

    Raises `OperationRefusedError`; a session with a fallen condition is ended by the hub, not by this.
    """
    operation = await _mine(act, operation_id)
    fall = await fallen(act.connection, operation, now=act.at)
    if fall is not None:
        raise OperationRefusedError(fall)
    for name in ("device", "procedure"):
        if name in arguments:
            raise ActError(f"arguments.{name}", arguments[name], "another name of an argument")
    wish = Wish(
        operation.gateway,
        COMMAND,
        {"device": operation.instrument, "procedure": procedure, **arguments},
        valid_s=valid_s,
    )
    command = await command_acts.ask(act, wish)
    data = {
        "command": command.id,
        "procedure": procedure,
        "arguments": dict(arguments),
        "by": operation.operator,
        "refused": command.refused,
        "not_after": None if command.not_after is None else command.not_after.isoformat(),
    }
    await jobs_operation.add_line(act.connection, operation, "command", data, at=act.at)
    await jobs_operation.hear(act.connection, operation.id, act.at)
    return command


async def note(act: Act, operation_id: int, text: str) -> None:
    """Write down what the operator saw or thought; it shows that somebody is there."""
    operation = await _mine(act, operation_id)
    text = " ".join(text.split())
    if not 1 <= len(text) <= _TEXT_MAX:
        raise ActError("text", text, f"a text of 1 to {_TEXT_MAX} characters")
    await jobs_operation.add_line(
        act.connection, operation, "note", {"text": text, "by": operation.operator}, at=act.at
    )
    await jobs_operation.hear(act.connection, operation.id, act.at)


async def end(act: Act, operation_id: int, *, reason: str = "") -> None:
    """End a session: who operates, or anybody who may operate there."""
    operation = await _existing(act, operation_id)
    detail = " ".join(reason.split())[:_TEXT_MAX]
    await finish(act.connection, operation, Fall(Fallen.BY_OPERATOR, detail), now=act.at)
    await _note(act, operation, "operation.end", why=detail)


async def finish(connection: Connection, operation: Operation, fall: Fall, *, now: datetime) -> None:
    """End a session for a reason, with the last line of its transcript before late receipts."""
    await jobs_operation.end(connection, operation.id, reason=str(fall.reason), detail=fall.detail, at=now)
    data = {"reason": str(fall.reason), "detail": fall.detail}
    await jobs_operation.add_line(connection, operation, "ended", data, at=now)
    await wake(connection, operation.gateway_id)


# --- conditions -----------------------------------------------------------------------------------------


async def fallen(connection: Connection, operation: Operation, *, now: datetime) -> Fall | None:
    """Return the first condition of a session that does not hold, None while all do."""
    kept = await jobs.get_job(connection, operation.job_id)
    owner = await shadow.owner(connection, operation.gateway, now)
    if kept is None or owner is None or owner.revoked:
        return Fall(Fallen.OTHER_SITE, operation.gateway)
    found = await place_fallen(connection, kept, owner.site_id, operation.instrument, now=now)
    if found is not None:
        return found
    if operation.account_id:
        if not await jobs_operation.signed_in(connection, operation, now):
            return Fall(Fallen.SIGNED_OUT, operation.operator)
        if not await _may_operate(connection, operation):
            return Fall(Fallen.NO_PERMISSION, operation.operator)
    if now - operation.heard_at > SILENT:
        return Fall(Fallen.SILENT, f"{SILENT.total_seconds() / 60:g} min")
    return None


async def place_fallen(
    connection: Connection, kept: KeptJob, site_id: int | None, instrument: str, *, now: datetime
) -> Fall | None:
    """Return what is not so of job, instrument and interlocks; what is not known is not so."""
    if kept.job.state is JobState.HELD:
        return Fall(Fallen.JOB_HELD, kept.job.id)
    if kept.job.state is not JobState.RUNNING:
        return Fall(Fallen.JOB_NOT_RUNNING, kept.job.id)
    if instrument not in kept.job.instruments:
        return Fall(Fallen.INSTRUMENT_NOT_IN_JOB, instrument)
    if site_id != kept.site_id:
        return Fall(Fallen.OTHER_SITE, kept.site)
    held = await list_held(connection, now, site=kept.site_id)
    if not holding(held, kept.job.zone):
        return Fall(Fallen.NO_INTERLOCK, kept.job.zone)
    unfit = unfit_interlocks(held, kept.job.zone, now)
    stale = [one for one in unfit if one.endswith(NOT_KNOWN)]
    if stale:
        return Fall(Fallen.STATUS_STALE, ", ".join(one.removesuffix(NOT_KNOWN) for one in stale))
    unfit += await unfit_hub(connection, kept, now=now)
    unknown = [one for one in unfit if one.endswith(NOT_KNOWN)]
    if unfit and len(unknown) == len(unfit):
        return Fall(Fallen.HUB_NOT_KNOWN, ", ".join(one.removesuffix(NOT_KNOWN) for one in unknown))
    return Fall(Fallen.INTERLOCK, ", ".join(unfit)) if unfit else None


async def _not_authorised(
    connection: Connection, kept: KeptJob, number: str | None, *, now: datetime
) -> Fall | None:
    """Return that a person may not do this work, as the method asks for it."""
    if number is None:
        return None
    activities = (await jobs.limits_of(connection, kept)).activities
    known = await jobs_evidence.authorised_for(
        connection, kept.organisation_id, [number], activities=activities, at=now
    )
    return None if known else Fall(Fallen.NOT_AUTHORISED, number)


async def _may_operate(connection: Connection, operation: Operation) -> bool:
    held = await accounts.held_roles(connection, operation.account_id)
    rights = Rights(frozenset(Grant(Role(role), body, site) for role, body, site in held))
    return rights.scope(Permission.CONTROL_OPERATE).covers(operation.organisation_id, operation.site_id)


async def _existing(act: Act, operation_id: int) -> Operation:
    operation = await jobs_operation.get_operation(act.connection, operation_id, change=True)
    if operation is None:
        raise MissingError("operation", operation_id, "an existing session")
    if not act.viewer.may(Permission.CONTROL_OPERATE, operation.organisation_id, operation.site_id):
        raise ForbiddenError("operation", operation.id, f"the permission {Permission.CONTROL_OPERATE} there")
    if operation.ended_at is not None:
        raise OperationRefusedError(Fall(Fallen.OVER, operation.end_reason))
    return operation


async def _mine(act: Act, operation_id: int) -> Operation:
    operation = await _existing(act, operation_id)
    if (operation.account_id, operation.session_id) != (act.viewer.account_id, act.viewer.session_id):
        raise OperationRefusedError(Fall(Fallen.NOT_YOURS, operation.operator))
    return operation


async def _note(act: Act, operation: Operation, action: str, *, new: object = None, why: str = "") -> None:
    thing = f"operation {operation.id} of job {operation.job}"
    await act.note(action, thing, organisation_id=operation.organisation_id, new=new, why=why)
