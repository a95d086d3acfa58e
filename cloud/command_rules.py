"""What the hub asks of a command before it sends it: permission, a second person, no interlock in the way.

Pure. The gateway decides in the end (`rules.command`); what it would surely refuse is refused here at once,
with the reason, as far as its newest state tells it. For what that state does not tell nothing is refused.
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from rules.interlock.model import BYPASS_MAX_S, EffectKind
from rules.interlock.reasons import SENTENCES, Reason
from rules.interlock.state import LATCHED, Phase
from rules.permissions import Permission
from wire.control import ControlStatus, InterlockNow
from wire.messages import Scalar

APPROVED_WITHIN = timedelta(minutes=5)
"""A second person has so long."""
INTERLOCK = "interlock."

PERMISSIONS: Mapping[str, Permission] = {
    "interlock.trip": Permission.CONTROL_READ,
    "interlock.acknowledge": Permission.CONTROL_HANDLE,
    "interlock.reset": Permission.CONTROL_HANDLE,
    "interlock.enable": Permission.CONTROL_HANDLE,
    "interlock.pass_check": Permission.CONTROL_HANDLE,
    "interlock.bypass": Permission.CONTROL_BYPASS,
    "interlock.end_bypass": Permission.CONTROL_BYPASS,
    "output.set": Permission.CONTROL_OPERATE,
    "instrument.run": Permission.CONTROL_OPERATE,
    "portal.open": Permission.CONTROL_OPERATE,
    "access.lock_down": Permission.CONTROL_OPERATE,
    "access.release": Permission.CONTROL_OPERATE,
    "access.place": Permission.CONTROL_OPERATE,
    "regulation.set": Permission.CONTROL_OPERATE,
}
"""What an account needs where the gateway serves. To trip needs no more than to see the interlock."""


class Refused(Struct, frozen=True):
    """Why a command is not sent: a word, and the same for a person."""

    word: str
    text: str


def find_interlock(status: ControlStatus | None, arguments: Mapping[str, Scalar]) -> InterlockNow | None:
    """Return the interlock that a command is about, as it stands."""
    name = arguments.get("interlock")
    return next((one for one in status.interlocks if one.name == name), None) if status is not None else None


def needs_second(name: str, arguments: Mapping[str, Scalar], status: ControlStatus | None) -> bool:
    """Whether another person has to approve it: a bypass, and to give power back that was cut for a hazard.

    Where the newest state of the gateway does not say what an interlock does, it is taken to cut power.
    """
    if name == "interlock.bypass":
        return True
    if name != "interlock.enable":
        return False
    now = find_interlock(status, arguments)
    return now is None or any(one.kind == EffectKind.ISOLATE_POWER for one in now.effects)


def forbidden(name: str, arguments: Mapping[str, Scalar], status: ControlStatus | None) -> Refused | None:
    """Return why the rule of an interlock never lets a command be done, whatever happened since `status`."""
    now = find_interlock(status, arguments) if name == "interlock.bypass" else None
    if now is None:
        return None
    cause = next((one for one in now.causes if one.name == arguments.get("cause")), None)
    return _no(Reason.NOT_BYPASSABLE) if cause is not None and cause.bypassable is False else None


def refusal(name: str, arguments: Mapping[str, Scalar], status: ControlStatus | None) -> Refused | None:
    """Return why the gateway would refuse a command in its state (None: not known); None: it may go."""
    if name.startswith(INTERLOCK):
        fixed = _of_bypass(arguments) if name == "interlock.bypass" else None
        return fixed or (None if status is None else _of_interlock(name, arguments, status))
    if status is None:
        return None
    if name == "output.set":
        return _of_output(str(arguments.get("output", "")), status)
    if name == "instrument.run":
        return _of_equipment(str(arguments.get("device", "")), status)
    return None


def _no(reason: Reason) -> Refused:
    return Refused(reason.value, SENTENCES[reason])


def _of_bypass(arguments: Mapping[str, Scalar]) -> Refused | None:
    seconds = arguments.get("seconds")
    if not isinstance(seconds, int | float) or not 0 < seconds <= BYPASS_MAX_S:
        return _no(Reason.BAD_DURATION)
    return None if str(arguments.get("reason", "")).strip() else _no(Reason.NO_REASON)


def _of_interlock(name: str, arguments: Mapping[str, Scalar], status: ControlStatus) -> Refused | None:
    now = find_interlock(status, arguments)
    if now is None:
        return Refused("unknown_interlock", "the gateway has no interlock of that name")
    match name.removeprefix(INTERLOCK):
        case "acknowledge":
            return _latched(now, arguments) or (
                _no(Reason.ALREADY_ACKNOWLEDGED) if now.acknowledged_by else None
            )
        case "reset":
            return _latched(now, arguments) or _unmet(now)
        case "enable":
            if now.phase != Phase.RESET:
                return _no(Reason.NOT_RESET)
            if now.breach != arguments.get("breach"):
                return _no(Reason.OTHER_BREACH)
            return _no(Reason.OUT) if any(one.votes and not one.bypassed for one in now.causes) else None
        case "bypass":
            return _of_cause(now, str(arguments.get("cause", "")))
        case "pass_check":
            return _of_check(now, str(arguments.get("cause", "")))
        case "end_bypass":
            held = any(one.cause == arguments.get("cause") for one in now.bypasses)
            return None if held else _no(Reason.NOT_BYPASSED)
        case _:
            return None


def _latched(now: InterlockNow, arguments: Mapping[str, Scalar]) -> Refused | None:
    if now.phase not in {phase.value for phase in LATCHED}:
        return _no(Reason.NOT_TRIPPED)
    return _no(Reason.OTHER_BREACH) if now.breach != arguments.get("breach") else None


def _unmet(now: InterlockNow) -> Refused | None:
    """Return the first thing that is missing; what only time has to do may be over when the command comes."""
    for one in now.unmet:
        if one.remaining_s is not None and one.remaining_s <= 1.0:
            continue
        try:
            sentence = SENTENCES[Reason(one.reason)]
        except ValueError:
            sentence = one.reason
        return Refused(one.reason, f"{one.cause}: {sentence}" if one.cause else sentence)
    return None


def _of_cause(now: InterlockNow, name: str) -> Refused | None:
    cause = next((one for one in now.causes if one.name == name), None)
    if cause is None:
        return _no(Reason.UNKNOWN_CAUSE)
    if any(one.bypassed and one.group == cause.group for one in now.causes):
        return _no(Reason.GROUP_BYPASSED)
    return None


def _of_check(now: InterlockNow, name: str) -> Refused | None:
    cause = next((one for one in now.causes if one.name == name), None)
    if cause is None:
        return _no(Reason.UNKNOWN_CAUSE)
    return _no(Reason.NO_CHECK_DUE) if cause.check_due is False else None


def _of_output(output: str, status: ControlStatus) -> Refused | None:
    owner = next(
        (
            one.name
            for one in status.interlocks
            for effect in one.effects
            if effect.target == output and effect.safe
        ),
        None,
    )
    if owner is None:
        return None
    return Refused("interlock", f"the interlock {owner} holds {output} in its safe state")


def _of_equipment(device: str, status: ControlStatus) -> Refused | None:
    """A device that has to be checked first takes the commands of the check, which only the gateway knows."""
    found = next((one for one in status.equipment if one.name == device), None)
    if found is None or found.enabled or found.reason in ("check_first", "interlock"):
        return None
    return Refused(found.reason, f"{device} may not work now: {found.reason}")
