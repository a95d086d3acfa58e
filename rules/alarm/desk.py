"""The alarm list of one site: what is open, who did what, what is muted and why. Shapes and what they say.

What people and outputs did is kept in the order it happened and never revised; the occurrences it speaks of
are found in event time and may be. So an acknowledgement names the stretch of event time that the person saw
in alarm, and covers every occurrence of that alarm which overlaps it, however late data redraw it.
"""

from enum import StrEnum

from msgspec import Struct

from rules.alarm.model import Applied, Condition, Kind, Occurrence, Priority, State, key_of


class What(StrEnum):
    """What was done; without a person, the clock or the design did it."""

    CALLED = "called"
    """From here on people were called for an occurrence."""
    WITHDRAWN = "withdrawn"
    """Later data show that an occurrence was none, or another one."""
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    TAKEN_OUT = "taken_out"
    """Out of service: maintenance of a point began."""
    PUT_BACK = "put_back"
    SUPPRESSED = "suppressed"
    RELEASED = "released"
    FLOOD_BEGAN = "flood_began"
    FLOOD_ENDED = "flood_ended"


class Act(Struct, frozen=True, omit_defaults=True):
    """One thing that was done; the log of a site is a list of them."""

    what: What
    at: int
    point: str = ""
    condition: Condition | None = None
    start: int | None = None
    end: int | None = None
    """The stretch of event time that it speaks of, where it speaks of one."""
    by: str = ""
    text: str = ""
    until: int | None = None

    def covers(self, occurrence: Occurrence) -> bool:
        """Whether it speaks of this occurrence."""
        if self.start is None or self.end is None:
            return False
        same = (self.point, self.condition) == (occurrence.point, occurrence.condition)
        return same and occurrence.overlaps(self.start, self.end)


class Told(Struct, frozen=True, array_like=True):
    """How often one step of a chain was told, and when last."""

    count: int = 0
    last_at: int = 0


class Open(Struct, frozen=True, omit_defaults=True):
    """An occurrence that stands or that nobody acknowledged yet."""

    occurrence: Occurrence
    known_at: int
    live: bool
    """False: historical; it was over, or long past, when it became known, and woke nobody."""
    called_at: int | None = None
    acknowledged: Act | None = None
    assigned: str = ""
    told: tuple[Told, ...] = ()


class Shelf(Struct, frozen=True, omit_defaults=True):
    """An alarm that a person put aside, visibly. `until` None: one-shot, until it clears."""

    point: str
    condition: Condition
    at: int
    by: str
    reason: str
    until: int | None = None
    start: int | None = None
    """One-shot: onset of what stood then."""


class Maintenance(Struct, frozen=True, omit_defaults=True):
    """A point that is out of service; `until` None: until a person puts it back."""

    at: int
    by: str
    reason: str
    until: int | None = None


class Flood(Struct, frozen=True, omit_defaults=True):
    """Whether there are more calls than a person can follow."""

    calls: tuple[int, ...] = ()
    """When people were called last, as many as are needed to tell."""
    since: int | None = None
    told: bool = False
    ended_at: int | None = None
    """An end of which nobody was told yet."""
    recipients: tuple[str, ...] = ()
    """Who was told of it."""


class Rounds(Struct, frozen=True, omit_defaults=True):
    """The messages that went out."""

    number: int = 0
    last_at: int | None = None
    most_urgent: Priority | None = None
    """Of what was told in this burst of messages."""
    wakes: tuple[int | None, ...] = (None,) * len(Priority)
    """For each priority: nothing is due before."""


class Desk(Struct, frozen=True, omit_defaults=True):
    """All that must survive a restart. A lost desk mutes nothing and calls for whatever stands."""

    now: int = 0
    open: dict[str, tuple[Open, ...]] = {}
    """By point, oldest first."""
    acknowledgements: dict[str, tuple[Act, ...]] = {}
    shelves: dict[str, Shelf] = {}
    """By the key of the alarm."""
    maintenance: dict[str, Maintenance] = {}
    """By point."""
    suppressed: dict[str, str] = {}
    """Point -> which design suppresses its process alarms."""
    flood: Flood = Flood()
    rounds: Rounds = Rounds()


class Reason(StrEnum):
    """Why something was not done."""

    NO_PERSON = "no_person"
    NO_REASON = "no_reason"
    NOTHING_OPEN = "nothing_open"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    NOT_SHELVABLE = "not_shelvable"
    ALREADY_SHELVED = "already_shelved"
    NOT_SHELVED = "not_shelved"
    NOTHING_STANDS = "nothing_stands"
    IN_THE_PAST = "in_the_past"
    TOO_LONG = "too_long"
    ALREADY_OUT = "already_out"
    NOT_OUT = "not_out"


class Refused(Struct, frozen=True):
    """Nothing was done, and this is why."""

    reason: Reason


Outcome = tuple[Desk, tuple[Act, ...]]
"""The desk after something, and what goes into the log."""

_ORDER = (
    State.UNACKNOWLEDGED,
    State.RETURNED_UNACKNOWLEDGED,
    State.ACKNOWLEDGED,
    State.OUT_OF_SERVICE,
    State.SUPPRESSED,
    State.SHELVED,
    State.NOT_MONITORED,
    State.NORMAL,
)
"""Of several states of a point the first of these is shown."""


def underlying(occurrence: Occurrence, *, acknowledged: bool) -> State:
    """Return the state of an occurrence that nothing mutes."""
    if occurrence.stands:
        return State.ACKNOWLEDGED if acknowledged else State.UNACKNOWLEDGED
    if acknowledged or not occurrence.ack_required:
        return State.NORMAL
    return State.RETURNED_UNACKNOWLEDGED


def mute(desk: Desk, point: str, condition: Condition) -> State | None:
    """Return what mutes an alarm, the strongest first; None when nothing does. Tamper is never muted."""
    if condition.kind is Kind.TAMPER:
        return None
    if point in desk.maintenance:
        return State.OUT_OF_SERVICE
    if point in desk.suppressed and condition.kind is Kind.PROCESS:
        return State.SUPPRESSED
    return State.SHELVED if key_of(point, condition) in desk.shelves else None


def state_of(desk: Desk, item: Open) -> State:
    """Return the state in which an open occurrence is shown."""
    occurrence = item.occurrence
    muted = mute(desk, occurrence.point, occurrence.condition)
    return muted or underlying(occurrence, acknowledged=item.acknowledged is not None)


def point_state(desk: Desk, point: str, applied: Applied | None) -> State:
    """Return the one state of a point; without rules it is not monitored, whatever it measures."""
    if applied is None or not applied.rules:
        return State.NOT_MONITORED
    states = {mute(desk, point, rule.condition) or State.NORMAL for rule in applied.rules}
    states |= {state_of(desk, item) for item in desk.open.get(point, ())}
    return min(states, key=_ORDER.index)
