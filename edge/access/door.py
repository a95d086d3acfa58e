"""What the contact of one door tells: opened as it may, forced, held open, shut. Pure.

Times are steady milliseconds. A contact that was not known before proves neither that somebody passed nor
that the door was forced. A contact bounces when a door is shut and when its lock falls: an opening within the
settling time after that is judged at its end.
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
    settles_ms: int = -1
    """Until when the contact may bounce."""
    doubtful: bool = False
    """Whether it is open without leave and its contact may only bounce."""
    falls: bool = False
    """Whether its lock is still to fall behind it."""

    @property
    def due_ms(self) -> int | None:
        """When it is known whether its contact only bounced; None when there is nothing to wait for."""
        return self.settles_ms if self.doubtful else None


Step = tuple[DoorState, Sequence[Happening]]


def let(door: DoorState, *, until_ms: int, now_ms: int) -> DoorState:
    """Return the door after somebody was let open it."""
    held_from = max(door.since_ms, now_ms)
    return replace(door, allowed_ms=max(door.allowed_ms, until_ms), since_ms=held_from)


def barred(door: DoorState) -> DoorState:
    """Return the door after what was let is taken back."""
    return replace(door, allowed_ms=-1)


def shut(door: DoorState) -> DoorState:
    """Return the door after it was shut behind somebody, with its lock to fall now."""
    return replace(barred(door), falls=True)


def fell(door: DoorState, *, at_ms: int, settle_ms: int) -> DoorState:
    """Return the door after its lock fell: once behind each time that it was shut its contact may bounce.

    A door that is open by then is waited for no longer than before.
    """
    if not door.falls:
        return door
    until_ms = door.settles_ms if door.doubtful else max(door.settles_ms, at_ms + settle_ms)
    return replace(door, falls=False, settles_ms=until_ms)


def told(door: DoorState, contact: Contact, *, at_ms: int, watched: bool, settle_ms: int) -> Step:
    """Take what the contact says; `watched` says whether an opening without leave counts as forced.

    So long after the door was shut (`settle_ms`) its contact may bounce.
    """
    before = door.contact
    if contact is before:
        return door, ()
    if door.doubtful:
        return _settled(door, contact, at_ms=at_ms, settle_ms=settle_ms)
    door = replace(door, contact=contact)
    if contact is Contact.OPEN:
        return _opened(replace(door, since_ms=at_ms), before, at_ms=at_ms, watched=watched)
    if contact is Contact.CLOSED:
        return _shut(door, before, at_ms=at_ms, settle_ms=settle_ms)
    return door, ()


def _opened(door: DoorState, before: Contact, *, at_ms: int, watched: bool) -> Step:
    if at_ms <= door.allowed_ms + GRACE_MS:
        return door, (Happening.OPENED,) if before is Contact.CLOSED else ()
    if before is not Contact.CLOSED or not watched:
        return door, ()
    if at_ms < door.settles_ms:
        return replace(door, doubtful=True), ()
    return replace(door, forced=True), (Happening.FORCED,)


def _shut(door: DoorState, before: Contact, *, at_ms: int, settle_ms: int) -> Step:
    door = replace(door, forced=False, held=False)
    if before is not Contact.OPEN:
        return door, ()  # it was not known how it stood: nothing was shut that could bounce
    return replace(door, settles_ms=at_ms + settle_ms), (Happening.SHUT,)


def _settled(door: DoorState, contact: Contact, *, at_ms: int, settle_ms: int) -> Step:
    """Judge an opening in doubt by what came next: shut in time it was a bounce, all else is force."""
    before = door.contact
    door = replace(door, contact=contact, doubtful=False)
    if contact is Contact.CLOSED:
        if at_ms <= door.settles_ms:
            return door, ()
        door, _ = _shut(door, before, at_ms=at_ms, settle_ms=settle_ms)
        return door, (Happening.FORCED, Happening.SHUT)
    return replace(door, forced=True), (Happening.FORCED,)


def passing_of_time(door: DoorState, *, now_ms: int, held_open_ms: int) -> Step:
    """Say whether the door was forced, once its contact has settled, and whether it is open for too long."""
    if door.doubtful and now_ms >= door.settles_ms:
        return replace(door, doubtful=False, forced=True), (Happening.FORCED,)
    due_ms = max(door.since_ms, door.allowed_ms) + held_open_ms
    if door.contact is Contact.OPEN and not door.held and now_ms >= due_ms:
        return replace(door, held=True), (Happening.HELD,)
    return door, ()
