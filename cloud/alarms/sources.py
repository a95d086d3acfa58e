"""Which events raise alarms, of which condition and priority, and which take them back. Values only.

What is told once and has no end, such as a forced door, stands on the list as returned until somebody has
looked at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.alarm.model import Condition, Priority, Rule


@dataclass(frozen=True, slots=True)
class Source:
    """What one kind of event says."""

    what: str
    """First part of the name of what is in alarm: `interlock` of `interlock/room-2`."""
    begins: bool
    """True: it is in alarm from here on; False: no more."""
    condition: Condition = Condition.EVENT
    priority: Priority = Priority.HIGH
    once: bool = False
    """It begins and ends at the same time."""


def _begins(what: str, priority: Priority, *, condition: Condition = Condition.EVENT) -> Source:
    return Source(what, begins=True, condition=condition, priority=priority)


def _ends(what: str, *, condition: Condition = Condition.EVENT) -> Source:
    return Source(what, begins=False, condition=condition)


def _once(what: str, priority: Priority, *, condition: Condition = Condition.EVENT) -> Source:
    return Source(what, begins=True, condition=condition, priority=priority, once=True)


_URGENT, _HIGH, _MEDIUM = Priority.URGENT, Priority.HIGH, Priority.MEDIUM
_TAMPER = Condition.TAMPER
_DURESS = _once("duress", _URGENT)

SOURCES: Mapping[str, tuple[Source, ...]] = {
    "interlock_tripped": (_begins("interlock", _URGENT),),
    "interlock_breached": (_begins("interlock", _URGENT),),
    "interlock_reset": (_ends("interlock"),),
    "interlock_enabled": (_ends("interlock"),),
    "interlock_resumed": (_ends("interlock"),),
    "access_granted": (_DURESS,),
    "access_refused": (_DURESS,),
    "panel_asked": (_DURESS,),
    "access_unauthorised_entry": (_once("unauthorised-entry", _HIGH),),
    "access_too_few": (_once("too-few", _HIGH),),
    "access_visitor_alone": (_once("visitor-alone", _MEDIUM),),
    "door_forced": (_begins("door-forced", _HIGH),),
    "door_held": (_begins("door-held", _MEDIUM),),
    "door_shut": (_ends("door-forced"), _ends("door-held")),
    "lock_down": (_begins("lock-down", _HIGH),),
    "regulation_called": (_begins("regulation", _MEDIUM),),
    "regulation_in_range": (_ends("regulation"),),
    "regulation_closed": (_ends("regulation"),),
    "tamper": (_once("tamper", _HIGH, condition=_TAMPER),),
    "tampered": (_begins("tamper", _HIGH, condition=_TAMPER),),
    "tamper_ended": (_ends("tamper", condition=_TAMPER),),
    "reader_tampered": (_begins("tamper", _HIGH, condition=_TAMPER),),
    "reader_untampered": (_ends("tamper", condition=_TAMPER),),
    "camera_tampered": (_begins("tamper", _HIGH, condition=_TAMPER),),
    "camera_tamper_ended": (_ends("tamper", condition=_TAMPER),),
    "gas_alarm": (_begins("gas", _URGENT),),
    "gas_alarm_ended": (_ends("gas"),),
    "fire_released": (_begins("fire-release", _URGENT),),
    "fire_release_ended": (_ends("fire-release"),),
    "power_lost": (_begins("power", _HIGH),),
    "power_restored": (_ends("power"),),
}
"""Kind of event -> what it says."""


def sources_of(kind: str, data: Mapping[str, Any]) -> tuple[Source, ...]:
    """Return what an event says of alarms. A decision at a door is an alarm under duress alone."""
    if kind in ("access_granted", "access_refused", "panel_asked") and data.get("duress") is not True:
        return ()
    if kind == "lock_down" and data.get("on") is False:
        return (_ends("lock-down"),)
    return SOURCES.get(kind, ())


def name_of(source: Source, subject: str) -> str:
    """Return the name under which a subject's alarms of this kind stand."""
    return f"{source.what}/{subject}"


def rule_of(source: Source) -> Rule:
    """Return the rule that judges what was told."""
    return Rule(source.condition, source.priority)


REVISION = 0
"""Of the rules above; templates count from 1."""
