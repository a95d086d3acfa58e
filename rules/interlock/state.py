"""What an interlock remembers, and what it says has changed.

`State` is everything; `Kept` is the part that outlives the process: latch, first-out, acknowledgement,
bypasses, checks. What sensors said is not kept: after a restart it has to be heard again.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rules.interlock.inputs import Moment
from rules.interlock.reasons import Because, Reason

KEPT_VERSION = 1


class Phase(StrEnum):
    """Where the latch stands. Effects are released in `healthy` alone."""

    HEALTHY = "healthy"
    TRIPPED = "tripped"
    READY_TO_RESET = "ready_to_reset"
    RESET = "reset"
    STARTING = "starting"
    """After a restart that came quickly: may go on by itself, once every cause was heard to be normal."""


LATCHED = frozenset({Phase.TRIPPED, Phase.READY_TO_RESET})


class CauseState(StrEnum):
    """Where one cause stands. It votes in `voting` and `clearing`."""

    UNKNOWN = "unknown"
    """Not heard since the start: neither votes nor is normal."""
    NORMAL = "normal"
    PENDING = "pending"
    """Out, its on-delay runs."""
    VOTING = "voting"
    CLEARING = "clearing"
    """In again, its off-delay runs."""


VOTES = frozenset({CauseState.VOTING, CauseState.CLEARING})


class Verdict(StrEnum):
    """What a value says of its limits when its uncertainty is counted in."""

    IN = "in"
    OUT = "out"
    UNDETERMINED = "undetermined"


class Why(StrEnum):
    """What stands first-out beside causes by name."""

    ASKED = "@asked"
    """A person or a command asked for it."""
    NEW = "@new"
    """The interlock is new here."""
    RESTART = "@restart"
    STATE_LOST = "@state_lost"
    RULE_CHANGED = "@rule_changed"


class Watch(Struct, frozen=True):
    """What is known of one cause."""

    cause: str
    state: CauseState = CauseState.UNKNOWN
    since: int = 0
    """Tick at which what `state` says began: out, in or voting."""
    stale: bool = False
    seen: int | None = None
    """Tick of the newest reading of any kind."""
    fresh: int | None = None
    """Tick of the newest good reading; after the start, that of the start counts."""
    value: Decimal | None = None
    uncertainty: Decimal | None = None
    verdict: Verdict | None = None
    window: tuple[tuple[int, Decimal], ...] = ()
    """Ticks and values that a rate of change looks back at."""
    covered_from: int | None = None
    """Since when the window has been filled without a break."""
    until: int | None = None
    """When an event counts no more."""
    gap: str = ""
    """Cause of the gap that was declared since the newest good reading."""
    because: Because | None = None
    """Why it votes: as it was when it began to, whatever was read since."""
    words: str = ""
    """The same as a sentence, with what was read."""

    @property
    def votes(self) -> bool:
        """Whether it votes to trip."""
        return self.state in VOTES


class FitWatch(Struct, frozen=True):
    """How steady one point has been since the breach."""

    point: str
    window: tuple[tuple[int, Decimal], ...] = ()
    seen: int | None = None
    inside_since: int | None = None
    mean: bool = False
    spread: bool = False
    rate: bool = False
    """Which of the three are inside."""
    words: str = ""
    """What was outside last, with value and limit; while it is steady, what the time began anew after."""


class Bypass(Struct, frozen=True):
    """One cause left out of the vote."""

    cause: str
    by: str
    second: str
    reason: str
    until: int
    """Tick of the running boot at which it ends."""
    until_utc: int | None
    """The same in UTC, None when time was not trusted: such a bypass does not outlive the boot."""


class Vote(Struct, frozen=True):
    """A cause that voted, and since when (tick of the trip's boot)."""

    cause: str
    since: int
    because: str = ""
    """Why it voted (`Because`); empty for what is no cause of the rule, and for votes of older versions."""
    words: str = ""
    """The same as a sentence, with what was read then."""


class Acknowledged(Struct, frozen=True):
    """Who has seen the breach, and when."""

    by: str
    at: Moment
    comment: str = ""


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """What outlives the process. `at` is when this was written down."""

    interlock: str
    rule: str
    """Fingerprint of the rule that it belongs to."""
    phase: Phase
    at: Moment
    breach: int = 0
    """How many breaches there were; who acknowledges, resets or enables names the one he means."""
    tripped_at: Moment | None = None
    first_out: tuple[Vote, ...] = ()
    acknowledged: Acknowledged | None = None
    bypasses: tuple[Bypass, ...] = ()
    checks: tuple[str, ...] = ()
    """Causes whose check is due."""
    healthy_at: Moment | None = None
    """When it was last known to be healthy."""
    utc_seen: int | None = None
    """The latest UTC ever trusted: it cannot be earlier now."""
    version: int = KEPT_VERSION


class State(Struct, frozen=True):
    """Everything about one interlock at `kept.at`."""

    kept: Kept
    watches: tuple[Watch, ...]
    """One for each cause, in the order of the plan."""
    fits: tuple[FitWatch, ...] = ()
    votes: tuple[str, ...] = ()
    """Causes whose votes count: bypassed ones are left out."""
    resume_until: int | None = None
    """While starting: the tick from which it does not go on by itself any more."""

    @property
    def phase(self) -> Phase:
        """Where the latch stands."""
        return self.kept.phase

    @property
    def safe(self) -> bool:
        """Whether every effect is in its safe state."""
        return self.kept.phase is not Phase.HEALTHY


class ChangeKind(StrEnum):
    """What has changed."""

    TRIPPED = "tripped"
    BREACHED = "breached"
    """Another cause voted while it was latched: the acknowledgement is gone."""
    READY = "ready"
    NOT_READY = "not_ready"
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    ENABLED = "enabled"
    RESUMED = "resumed"
    """It went on by itself after a restart."""
    BYPASSED = "bypassed"
    BYPASS_ENDED = "bypass_ended"
    CHECK_DUE = "check_due"
    CHECK_PASSED = "check_passed"
    REFUSED = "refused"
    VOTED = "voted"
    """A cause votes."""
    CLEARED = "cleared"
    """A cause votes no more."""


PERMITS = frozenset(
    {
        *(ChangeKind.ACKNOWLEDGED, ChangeKind.RESET, ChangeKind.ENABLED, ChangeKind.RESUMED),
        *(ChangeKind.BYPASSED, ChangeKind.CHECK_PASSED),
    }
)
"""To be made durable before they take effect; everything else takes effect first."""


class Change(Struct, frozen=True):
    """One change, at the moment at which its condition was fulfilled, however late somebody looked."""

    kind: ChangeKind
    at: Moment
    breach: int
    causes: tuple[str, ...] = ()
    by: str = ""
    reason: Reason | None = None
    text: str = ""
    """What a person wrote; of what was refused, the name of the act."""
    because: Because | None = None
    """Of a vote: why."""
    words: str = ""
    """Why each cause voted, with what was read."""

    @property
    def permits(self) -> bool:
        """Whether it has to be committed before it happens."""
        return self.kind in PERMITS


class Stepped(Struct, frozen=True):
    """The state after a step, and what changed in it, in order."""

    state: State
    changes: tuple[Change, ...] = ()

    @property
    def refused(self) -> Reason | None:
        """Why the act was refused; None when it was not."""
        return next((change.reason for change in self.changes if change.kind is ChangeKind.REFUSED), None)


def needs_keeping(before: Kept, after: Kept) -> bool:
    """Whether something has changed that has to be made durable, beside the time that has passed."""
    same = replace(before, at=after.at, healthy_at=after.healthy_at, utc_seen=after.utc_seen)
    return same != after


class KeptError(ValueError):
    """What was kept cannot be read: the interlock starts tripped."""


def encode_kept(kept: Kept) -> bytes:
    """Return what has to be made durable, as JSON."""
    return msgspec.json.encode(kept)


def decode_kept(data: bytes) -> Kept:
    """Return what was kept; `KeptError` for anything that is not whole or of another version."""
    try:
        kept = msgspec.json.decode(data, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeptError(f"state of an interlock: {error}") from None
    if kept.version != KEPT_VERSION:
        raise KeptError(f"state of an interlock: version {kept.version}, expected {KEPT_VERSION}")
    return kept
