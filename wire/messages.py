"""The bodies of all messages, as frozen structs.

Times are integers of `TICK_MS` milliseconds. A *monotonic* tick counts from the start of a boot; a *UTC*
tick counts from 1970-01-01T00:00Z. `utc tick = monotonic tick + Clock.offset_ticks`.

Telemetry (up) ignores fields it does not know, so that a hub and a gateway may be two versions apart; what
goes down refuses them, because a gateway acts on it.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from wire.status import ClockState, GapCause, PointKind

TICK_MS = 10
TICKS_PER_S = 100

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# 2**39 ticks are 174 years: the sum of offset, base and tick is a date in every calendar and database.
Ticks = Annotated[int, Meta(ge=-(2**39), le=2**39)]
Seq = Annotated[int, Meta(ge=1, le=2**62)]
Id128 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
KeyId = Annotated[bytes, Meta(min_length=8, max_length=8)]
# `$(?!\n)` is the very end in Python's dialect and in JSON Schema's: a bare `$` lets a last newline in.
GatewayId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)")]
LayoutId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$(?!\n)")]
PointName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_./-]{0,127}$(?!\n)")]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}$(?!\n)")]
Driver = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}$(?!\n)")]
Place = Annotated[int, Meta(ge=0, le=4095)]
Exponent = Annotated[int, Meta(ge=-12, le=12)]
StatusCode = Annotated[int, Meta(ge=0, le=255)]
# No text holds U+0000: PostgreSQL stores none, and what cannot be stored must not be accepted.
Text = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=200)]
LongText = Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=16384)]
Scalar = LongText | int | float | bool | None


def as_text(value: str) -> str:
    """Return `value` as a `Text` can carry it: at most 200 characters, no U+0000 and no lone surrogate."""
    return value[:200].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every message body."""


class Record(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Base of what is listed many times inside a message: an array on the wire, fields by place."""


# --- up/batch ---------------------------------------------------------------------------------------


class Clock(Record, frozen=True):
    """The clock under which a batch's times stand; the offset is open (None) while unsynchronised."""

    state: ClockState
    offset_ticks: Ticks | None = None
    bound_ms: Annotated[int, Meta(ge=0, le=2**40)] | None = None
    source: Text = ""


class Poll(Record, frozen=True):
    """One poll of a layout: `counts[i]` belongs to the layout's point i.

    `tick` is relative to the batch's `base_tick`. A count of None is an absent value, and `flags` then
    names the status of that place; flags also mark present values that are not `Status.GOOD`.
    """

    layout: LayoutId
    tick: Ticks
    counts: list[Int64 | None]
    flags: list[tuple[Place, StatusCode]] = []


class Position(Record, frozen=True):
    """One GNSS fix (WGS-84). None is "not measured", never 0. Source: gpsd JSON, TPV and SKY objects."""

    point: PointName
    tick: Ticks
    mode: Annotated[int, Meta(ge=0, le=3)]
    """0 unknown, 1 no fix, 2 two-dimensional, 3 three-dimensional."""
    latitude_e9: Annotated[int, Meta(ge=-90 * 10**9, le=90 * 10**9)] | None = None
    longitude_e9: Annotated[int, Meta(ge=-180 * 10**9, le=180 * 10**9)] | None = None
    altitude_mm: Int64 | None = None
    """Above the WGS-84 ellipsoid."""
    speed_mm_s: Int64 | None = None
    course_mdeg: Annotated[int, Meta(ge=0, le=360_000)] | None = None
    """Course over ground from true north, 1e-3 degree."""
    climb_mm_s: Int64 | None = None
    error_horizontal_mm: Int64 | None = None
    error_vertical_mm: Int64 | None = None
    error_speed_mm_s: Int64 | None = None
    satellites_used: Annotated[int, Meta(ge=0, le=1000)] | None = None
    gnss_time_ms: Int64 | None = None
    """UTC of the fix as the receiver gave it, ms since 1970."""


class Event(Record, frozen=True):
    """Something that happened; `kind` and the keys of `data` are words of `docs/reference`.

    With `late` and `between_ms` in `data` it was read late: it happened at most so many ms before `tick`.
    """

    kind: Word
    subject: Text
    tick: Ticks
    data: dict[Word, Scalar] = {}


class Gap(Record, frozen=True):
    """A stretch of one point with no readings.

    `from_tick` None means "since the last reading stored before"; `to_tick` None means "still open".
    A gap first sent open is sent again, closed, with the same point, boot, start and cause.
    """

    point: PointName
    cause: GapCause
    from_tick: Ticks | None = None
    to_tick: Ticks | None = None
    reason: Text = ""


class ClockFound(Record, frozen=True):
    """Time was found for a boot: what waited with an open offset is placed by it."""

    boot: Id128
    offset_ticks: Ticks
    bound_ms: Annotated[int, Meta(ge=0, le=2**40)]
    source: Text


class Tombstone(Record, frozen=True):
    """A sealed batch that had to go before it was acknowledged."""

    epoch: Id128
    seq: Seq
    hash: Hash
    reason: Text


class Batch(Message, frozen=True):
    """The unit of transport and evidence. Gap and tombstone times are relative to `base_tick` too."""

    gateway: GatewayId
    epoch: Id128
    """One per journal file."""
    seq: Seq
    """No number is ever skipped within an epoch."""
    previous: Hash
    """SHA-256 of the body of the batch sealed before; 32 zero bytes for the first of an epoch."""
    boot: Id128
    clock: Clock
    base_tick: Ticks
    boot_number: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """Place of this boot among the boots of the journal, from 1; 0 when it is not known."""
    polls: list[Poll] = []
    positions: list[Position] = []
    events: list[Event] = []
    gaps: list[Gap] = []
    clocks: list[ClockFound] = []
    tombstones: list[Tombstone] = []


# --- up/points --------------------------------------------------------------------------------------


class PointDeclaration(Message, frozen=True):
    """A point that this gateway feeds. `value = count * 10**exponent`, in the unit of its quantity."""

    name: PointName
    quantity: Word
    kind: PointKind = PointKind.ANALOG
    exponent: Exponent = 0
    period_ms: Annotated[int, Meta(ge=1, le=2**40)] | None = None
    """How often a reading is due; None when it comes by itself."""
    device: Text = ""
    states: dict[Text, Text] = {}
    """For kind state: count (as text) -> word."""


class Layout(Message, frozen=True):
    """A declared list of points; its id is made from its content by `wire.layouts.layout_id`."""

    id: LayoutId
    points: Annotated[list[PointName], Meta(min_length=1, max_length=4096)]
    exponents: Annotated[list[Exponent], Meta(min_length=1, max_length=4096)]


class PartDeclaration(Message, frozen=True):
    """What a device consists of: a reader, a unit on a bus, a sensor, a camera."""

    name: PointName
    """Subject of its events; the names of its points are this name, or begin with it and a slash."""
    kind: Word
    """`reader`, `terminal`, `camera`, `sensor`, `tag`, `unit`, `door_contact`, …"""
    address: Text = ""
    """By which it would be told as a candidate were it not configured; empty where that cannot be said."""
    rest: Text = ""
    """Of an output: the word of the state in which it rests; empty where that was not declared."""


class DeviceDeclaration(Message, frozen=True):
    """One device of the gateway's settings; its points name it as their `device`."""

    name: Text
    driver: Driver
    """Kind of its driver, such as `modbus` or `osdp`."""
    parts: list[PartDeclaration] = []


class Points(Message, frozen=True):
    """All points, layouts and devices in use, published before they are used."""

    gateway: GatewayId
    points: list[PointDeclaration]
    layouts: list[Layout]
    """Those in use, and those that a backlog may still hold."""
    retired: list[PointDeclaration] = []
    """Points that are no longer fed and that a backlog may still hold; they say nothing about what is due."""
    since_ms: Annotated[int, Meta(ge=0, le=2**42)] | None = None
    """UTC from which `points` are due and `devices` are there, when they changed and the time was known."""
    devices: list[DeviceDeclaration] = []
    """What the gateway is set up to speak to; an older gateway says nothing of it."""


# --- up/status --------------------------------------------------------------------------------------


class KeyProof(Message, frozen=True):
    """The TLS key certifies the batch key: what a hub that never saw this gateway needs to trust it."""

    certificate_pem: LongText
    """TLS certificate of the gateway, followed by its issuing CA when that is not the root."""
    public_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    """Raw Ed25519 batch key."""
    signature: Annotated[bytes, Meta(max_length=128)]
    """ECDSA-SHA256 (DER) by the TLS key over `key_proof_bytes`."""


def key_proof_bytes(gateway: str, public_key: bytes) -> bytes:
    """Return what the TLS key signs in a `KeyProof`."""
    return b"heng/1/key-proof\0" + gateway.encode() + b"\0" + public_key


class GatewayStatus(Message, frozen=True):
    """Birth (`online` true) or will ("suspected offline"), which counts for its session only.

    A birth is told again within its session when what waits on the gateway has changed much.
    """

    gateway: GatewayId
    session: Id128
    online: bool
    boot: Id128
    software: Text = ""
    key_proof: KeyProof | UnsetType = UNSET
    readings_waiting: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    """Readings in its journal that are not on their way; None where that is not said."""
    batches_waiting: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    """Sealed batches among them."""


# --- down/ack ---------------------------------------------------------------------------------------


class AckRange(Record, frozen=True, forbid_unknown_fields=True):
    """Batches `first`, `first + 1`, … of one epoch with their hashes, in order."""

    epoch: Id128
    first: Seq
    hashes: Annotated[list[Hash], Meta(min_length=1)]


class Ack(Message, frozen=True, forbid_unknown_fields=True):
    """The hub's word that batches are committed, or that an epoch must be given up.

    `hub_time_ms` is the hub's UTC when it signed, a last resort for gateways without a clock.
    """

    gateway: GatewayId
    hub_time_ms: Int64
    committed: list[AckRange] = []
    new_epoch: list[Id128] = []
    """Epochs in which a known number came back with another hash: start a new one."""
