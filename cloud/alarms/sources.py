"""Which events raise alarms, of which condition and priority, and which take them back. Values only.

What is told once and has no end, such as a forced door, stands on the list as returned until somebody has
looked at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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


def _pair(
    what: str, begins: str, ends: str, *, priority: Priority, condition: Condition = Condition.EVENT
) -> dict[str, Source]:
    return {
        begins: Source(what, begins=True, condition=condition, priority=priority),
        ends: Source(what, begins=False, condition=condition, priority=priority),
    }


_URGENT, _HIGH, _MEDIUM = Priority.URGENT, Priority.HIGH, Priority.MEDIUM
_TAMPER = Condition.TAMPER

SOURCES: Mapping[str, Source] = {
    "interlock_tripped": Source("interlock", begins=True, priority=_URGENT),
    "interlock_breached": Source("interlock", begins=True, priority=_URGENT),
    "interlock_reset": Source("interlock", begins=False, priority=_URGENT),
    "interlock_enabled": Source("interlock", begins=False, priority=_URGENT),
    "interlock_resumed": Source("interlock", begins=False, priority=_URGENT),
    "access_granted": Source("duress", begins=True, priority=_URGENT, once=True),
    "access_refused": Source("duress", begins=True, priority=_URGENT, once=True),
    "door_forced": Source("door-forced", begins=True, once=True),
    "door_held": Source("door-held", begins=True, priority=_MEDIUM, once=True),
    "lock_down": Source("lock-down", begins=True),
    "tamper": Source("tamper", begins=True, condition=_TAMPER, once=True),
    **_pair("tamper", "tampered", "tamper_ended", priority=_HIGH, condition=_TAMPER),
    **_pair("tamper", "reader_tampered", "reader_untampered", priority=_HIGH, condition=_TAMPER),
    **_pair("tamper", "camera_tampered", "camera_tamper_ended", priority=_HIGH, condition=_TAMPER),
    **_pair("gas", "gas_alarm", "gas_alarm_ended", priority=_URGENT),
    **_pair("fire-release", "fire_released", "fire_release_ended", priority=_URGENT),
    **_pair("power", "power_lost", "power_restored", priority=_HIGH),
}
"""Kind of event -> what it says."""


def source_of(kind: str, data: Mapping[str, Any]) -> Source | None:
    """Return what an event says of alarms; None when it says nothing.

    Entry is one only under duress, refused or not; a lock-down tells its end by the same kind.
    """
    if kind in ("access_granted", "access_refused") and data.get("duress") is not True:
        return None
    found = SOURCES.get(kind)
    ended = kind == "lock_down" and data.get("on") is False
    return replace(found, begins=False) if found is not None and ended else found


def name_of(source: Source, subject: str) -> str:
    """Return the name under which a subject's alarms of this kind stand."""
    return f"{source.what}/{subject}"


def rule_of(source: Source) -> Rule:
    """Return the rule that judges what was told."""
    return Rule(source.condition, source.priority)


REVISION = 0
"""Of the rules above; templates count from 1."""
