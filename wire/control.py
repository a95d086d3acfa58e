"""What hub and gateway say of control: commands down, receipts and the state of control up.

A command is executed at most once, never late, and only by the gateway that it names; what became of it is
told by receipts. The hub shows nothing as done that no receipt confirmed. Times in ms are UTC since 1970.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, field

from wire.messages import GatewayId, Id128, Message, Scalar, Text, Ticks, Word
from wire.shadow import Revision

ARGUMENTS_MAX = 32
LISTED_MAX = 256
Millis = Annotated[int, Meta(ge=0, le=2**42)]
CommandName = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\.[a-z_]{1,32}$(?!\n)")]
Arguments = Annotated[dict[Word, Scalar], Meta(max_length=ARGUMENTS_MAX)]


class Command(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a gateway is asked to do."""

    gateway: GatewayId
    id: Id128
    fence: Revision
    """Only grows for one gateway: what comes after a later one was accepted is out of order."""
    name: CommandName
    arguments: Arguments = field(default_factory=dict)
    by: Text
    """Who asks: a person's number, or `hub` with what made it ask."""
    rights: Annotated[tuple[Word, ...], Meta(max_length=16)] = ()
    """What the hub found this person may do there (`rules.interlock.inputs.Right`)."""
    second: Text = ""
    """Who approved it besides, where the command asks for a second person."""
    issued_at_ms: Millis
    not_after_ms: Millis
    boot: Id128 | None = None
    """The boot in which it may be executed by `not_after_tick`, where the hub knows that clock."""
    not_after_tick: Ticks | None = None


class ReceiptState(StrEnum):
    """What became of a command."""

    ACCEPTED = "accepted"
    """It is durable at the gateway and will be begun; one of the others follows."""
    EXECUTED = "executed"
    """Done, and confirmed where it can be."""
    REFUSED = "refused"
    """Nothing was done."""
    EXPIRED = "expired"
    """It came, or was its turn, too late; nothing was done."""
    FAILED = "failed"
    """It was begun and is not known to be done."""


class Receipt(Message, frozen=True, kw_only=True):
    """What became of a command, as far as the gateway knows."""

    gateway: GatewayId
    command: Id128
    state: ReceiptState
    reason: Annotated[str, Meta(max_length=64)] = ""
    """A word: why it was refused, or why it failed."""
    text: Text = ""
    """The same for a person."""
    boot: Id128
    tick: Ticks
    at_ms: Millis | None = None
    data: Arguments = field(default_factory=dict)
    """What came of it: values read back, a transcript's name and hash."""


# --- up/control ---------------------------------------------------------------------------------------


class CauseNow(Message, frozen=True, kw_only=True):
    """One cause of an interlock."""

    name: Text
    group: Text
    words: Text = ""
    """What it watches, in words."""
    point: Text = ""
    state: Word
    votes: bool = False
    bypassed: bool = False
    stale: bool = False
    since_s: float | None = None
    """How long it has been so."""
    bypassable: bool | None = None
    """Whether it may be bypassed at all; None: this gateway does not say it."""
    check_due: bool | None = None
    """Whether it waits for the check of its device, which a person may say was passed; None: as above."""
    value: Text = ""
    uncertainty: Text = ""
    verdict: Text = ""
    said: Text = ""
    """Why it votes, with what was read when it began to; empty: it does not vote, or that was not told."""


class VoteNow(Message, frozen=True, kw_only=True):
    """Why one cause voted when the interlock tripped, whatever was read since."""

    name: Text
    reason: Annotated[str, Meta(max_length=64)] = ""
    """`beyond`, `undetermined`, `no_uncertainty`, `deadband`, `off_scale`, `stale`, `lost` or `out`."""
    words: Text = ""
    """The same as a sentence, with what was read; empty: it was not told, or it is no cause of the rule."""


class GroupNow(Message, frozen=True, kw_only=True):
    """How one group votes."""

    name: Text
    needed: int
    of: int
    votes: int


class EffectNow(Message, frozen=True, kw_only=True):
    """One effect, and whether the device confirms it."""

    kind: Word
    target: Text
    safe: bool
    confirmed: bool | None = None
    """None: it cannot be read back, or was not yet."""


class BypassNow(Message, frozen=True, kw_only=True):
    """One cause left out of the vote."""

    cause: Text
    by: Text
    second: Text
    reason: Text
    remaining_s: float


class UnmetNow(Message, frozen=True, kw_only=True):
    """What is missing before a reset."""

    reason: Word
    cause: Text = ""
    remaining_s: float | None = None
    words: Text = ""
    """What exactly, with value and limit."""


class InterlockNow(Message, frozen=True, kw_only=True):
    """One interlock as it stands."""

    name: Text
    title: Text = ""
    rule: Text
    """Fingerprint of the rule."""
    phase: Word
    breach: int
    tripped_at_ms: Millis | None = None
    first_out: tuple[Text, ...] = ()
    """What tripped it, by name; it stays until it is enabled."""
    first_votes: Annotated[tuple[VoteNow, ...], Meta(max_length=LISTED_MAX)] = ()
    """Why each of these voted."""
    acknowledged_by: Text = ""
    causes: Annotated[tuple[CauseNow, ...], Meta(max_length=LISTED_MAX)] = ()
    groups: Annotated[tuple[GroupNow, ...], Meta(max_length=LISTED_MAX)] = ()
    effects: Annotated[tuple[EffectNow, ...], Meta(max_length=LISTED_MAX)] = ()
    bypasses: Annotated[tuple[BypassNow, ...], Meta(max_length=LISTED_MAX)] = ()
    unmet: Annotated[tuple[UnmetNow, ...], Meta(max_length=LISTED_MAX)] = ()
    worst_s: float = 0.0
    """From breach to confirmed safe state, at most, as computed; also when a sensor is lost just then."""
    breach_s: float = 0.0
    """The same for a breach that sensors tell: period, on-delay, decision, read-back. 0: not told."""


class PortalNow(Message, frozen=True, kw_only=True):
    """One door as it stands."""

    name: Text
    contact: Word = "unknown"
    lock: Word = "unknown"
    locked_by: tuple[Text, ...] = ()
    """Interlocks, and `lock_down`."""
    forced: bool = False
    held: bool = False


class InsideNow(Message, frozen=True, kw_only=True):
    """Somebody in a zone since a proven entry."""

    person: Text
    zone: Text
    at_ms: Millis


class EquipmentNow(Message, frozen=True, kw_only=True):
    """Whether equipment may work."""

    name: Text
    enabled: bool
    reason: Word
    rule: Text = ""
    detail: Text = ""


class RegulationNow(Message, frozen=True, kw_only=True):
    """What one regulation does."""

    name: Text
    state: Word
    output: Text = ""
    wanted: Text = ""
    set: Text = ""
    reason: Text = ""


class FaultNow(Message, frozen=True, kw_only=True):
    """Something of control that does not do its work."""

    part: Text
    """Which part ended by a bug, or `output` and the name of one that is not what it was told to be."""
    reason: Text = ""
    at_ms: Millis | None = None
    """Since when."""


class DocumentNow(Message, frozen=True, kw_only=True):
    """Which revision of a document of the hub is honoured, and why a newer one was refused."""

    revision: Revision | None = None
    digest: Text = ""
    issued_at_ms: Millis | None = None
    refused: Revision | None = None
    refusal: Text = ""
    """The word, and what was wrong."""
    faults: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()


class ControlStatus(Message, frozen=True, kw_only=True):
    """Everything that a gateway controls by itself, as it stands; told on change and every ten seconds."""

    gateway: GatewayId
    boot: Id128
    tick: Ticks
    at_ms: Millis | None = None
    fence: Revision = Revision()
    """Of the newest command that was accepted."""
    rights: DocumentNow = DocumentNow()
    work: DocumentNow = DocumentNow()
    interlocks: Annotated[tuple[InterlockNow, ...], Meta(max_length=LISTED_MAX)] = ()
    portals: Annotated[tuple[PortalNow, ...], Meta(max_length=LISTED_MAX)] = ()
    lock_downs: Annotated[tuple[Text, ...], Meta(max_length=LISTED_MAX)] = ()
    inside: Annotated[tuple[InsideNow, ...], Meta(max_length=10_000)] = ()
    equipment: Annotated[tuple[EquipmentNow, ...], Meta(max_length=LISTED_MAX)] = ()
    regulations: Annotated[tuple[RegulationNow, ...], Meta(max_length=LISTED_MAX)] = ()
    faults: Annotated[tuple[FaultNow, ...], Meta(max_length=LISTED_MAX)] = ()
    """What of it does not work; a gateway that tells one needs somebody."""
