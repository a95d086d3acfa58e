"""What the contact of one door tells: opened as it may, forced, held open, shut. Pure.

Times are steady milliseconds. A contact that was not known before proves neither that somebody passed nor
that the door was forced.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rules.access.words import Contact

GRACE_MS = 1000
"""So long after the time to open a door may still be found open: contacts settle, locks are slow."""


class Happening(StrEnum):
    """What became of a door."""

    OPENED = "opened"
    """As somebody was let."""
    FORCED = "forced"
    HELD = "held"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class DoorState:
    """One door."""

    contact: Contact = Contact.UNKNOWN
    allowed_ms: int = -1
    """Until when it may be opened."""
    since_ms: int = 0
    """Since when it is open, or was last let be opened while open."""
    forced: bool = False
    held: bool = False


Step = tuple[DoorState, Sequence[Happening]]


def let(door: DoorState, *, until_ms: int, now_ms: int) -> DoorState:
    """Return the door after somebody was let open it."""
    held_from = max(door.since_ms, now_ms)
    return replace(door, allowed_ms=max(door.allowed_ms, until_ms), since_ms=held_from)


def barred(door: DoorState) -> DoorState:
    """Return the door after what was let is taken back."""
    return replace(door, allowed_ms=-1)


def told(door: DoorState, contact: Contact, *, at_ms: int, watched: bool) -> Step:
    """Take what the contact says; `watched` says whether an opening without leave counts as forced."""
    before = door.contact
    if contact is before:
        return door, ()
    door = replace(door, contact=contact)
    if contact is Contact.OPEN:
        door = replace(door, since_ms=at_ms)
        if at_ms <= door.allowed_ms + GRACE_MS:
            return door, (Happening.OPENED,) if before is Contact.CLOSED else ()
        if before is Contact.CLOSED and watched:
            return replace(door, forced=True), (Happening.FORCED,)
        return door, ()
    if contact is Contact.CLOSED:
        return replace(door, forced=False, held=False), (Happening.SHUT,) if before is Contact.OPEN else ()
    return door, ()


def passing_of_time(door: DoorState, *, now_ms: int, held_open_ms: int) -> Step:
    """Say whether the door is open for too long."""
    due_ms = max(door.since_ms, door.allowed_ms) + held_open_ms
    if door.contact is Contact.OPEN and not door.held and now_ms >= due_ms:
        return replace(door, held=True), (Happening.HELD,)
    return door, ()
