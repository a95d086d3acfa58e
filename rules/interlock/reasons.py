"""Every reason an interlock gives: one code, one sentence. Pages translate the code."""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused, is not yet so, or ended."""

    # why an act was refused
    NO_RIGHT = "no_right"
    NOT_TRIPPED = "not_tripped"
    OTHER_BREACH = "other_breach"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    NOT_RESET = "not_reset"
    UNKNOWN_CAUSE = "unknown_cause"
    NOT_BYPASSABLE = "not_bypassable"
    NO_REASON = "no_reason"
    NO_SECOND_PERSON = "no_second_person"
    SAME_PERSON = "same_person"
    BAD_DURATION = "bad_duration"
    GROUP_BYPASSED = "group_bypassed"
    NOT_BYPASSED = "not_bypassed"
    NO_CHECK_DUE = "no_check_due"
    # what is still missing before a reset
    NOT_HEARD = "not_heard"
    WINDOW = "window"
    STALE = "stale"
    OUT = "out"
    OFF_DELAY = "off_delay"
    NOT_STEADY = "not_steady"
    STEADYING = "steadying"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    # why a bypass ended
    EXPIRED = "expired"
    ENDED_BY_PERSON = "ended_by_person"
    TIME_UNKNOWN = "time_unknown"
    RULE_CHANGED = "rule_changed"
    # why a command was refused
    TRIPPED = "tripped"
    CHECK_FIRST = "check_first"


class Because(StrEnum):
    """Why a cause voted. It stays with the vote, whatever is read later."""

    BEYOND = "beyond"
    """A value beyond its limit, certainly where the limit is guarded."""
    UNDETERMINED = "undetermined"
    """A value so near to its limit that its uncertainty reaches over it."""
    NO_UNCERTAINTY = "no_uncertainty"
    """A value whose uncertainty nobody knows."""
    DEADBAND = "deadband"
    """A value inside again, but not by the deadband."""
    OFF_SCALE = "off_scale"
    """No value: the sensor is at the end of what it can tell."""
    STALE = "stale"
    """No good reading came for too long."""
    LOST = "lost"
    """Of what comes by itself: a gap was declared, or it came without a good value."""
    OUT = "out"
    """The condition of another kind of cause was fulfilled."""


SENTENCES: Mapping[Reason, str] = {
    Reason.NO_RIGHT: "this person may not do that here",
    Reason.NOT_TRIPPED: "the interlock is not tripped",
    Reason.OTHER_BREACH: "another breach came in between: look again, then decide",
    Reason.ALREADY_ACKNOWLEDGED: "this breach was acknowledged before",
    Reason.NOT_RESET: "the interlock has to be reset first",
    Reason.UNKNOWN_CAUSE: "the interlock has no cause of that name",
    Reason.NOT_BYPASSABLE: "this cause may not be bypassed",
    Reason.NO_REASON: "a bypass needs a reason in words",
    Reason.NO_SECOND_PERSON: "a bypass needs a second person who may bypass",
    Reason.SAME_PERSON: "the second person must be another one",
    Reason.BAD_DURATION: "a bypass lasts more than 0 s and at most 8 h",
    Reason.GROUP_BYPASSED: "one cause of this group is bypassed already",
    Reason.NOT_BYPASSED: "this cause is not bypassed",
    Reason.NO_CHECK_DUE: "no check is due there",
    Reason.NOT_HEARD: "nothing was heard of it since the start",
    Reason.WINDOW: "its rate of change is not known yet: too few readings since the start",
    Reason.STALE: "no good reading comes",
    Reason.OUT: "it is out of bounds",
    Reason.OFF_DELAY: "it is back, but not for long enough",
    Reason.NOT_STEADY: "mean, spread or rate of change is outside",
    Reason.STEADYING: "it is steady, but not for long enough",
    Reason.NOT_ACKNOWLEDGED: "nobody has acknowledged it",
    Reason.EXPIRED: "its time is over",
    Reason.ENDED_BY_PERSON: "a person ended it",
    Reason.TIME_UNKNOWN: "after the restart nobody knows whether its time is over",
    Reason.RULE_CHANGED: "the rule was changed",
    Reason.TRIPPED: "the interlock holds this device in its safe state",
    Reason.CHECK_FIRST: "the device has to be checked first; it accepts the commands of that check alone",
}
