"""Settings of the `instrument` driver: which instrument, what is read, and which commands may ever be sent.

Nothing that is not written here is sent to an instrument, but `*IDN?` and the query of its error queue.
It reads no file.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta, field

from wire.messages import Word
from wire.quantities import QUANTITIES
from wire.settings.base import DeviceName, Fault, PointPart, Settings
from wire.status import PointKind

ResourceName = Annotated[
    str,
    Meta(
        pattern=r"^TCPIP0?::(\d{1,3}\.){3}\d{1,3}::(\d{1,5}::SOCKET|(inst\d{1,2}|hislip\d{1,2})::INSTR)$(?!\n)",
        description="TCPIP::<IPv4 address>::<port>::SOCKET, or ::inst0::INSTR (VXI-11), or ::hislip0::INSTR",
    ),
]
Command = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]([ -~]{0,198}[!-~])?$(?!\n)",
        description="1 to 200 printable ASCII characters, no space at its ends",
    ),
]
IdentityPart = Annotated[str, Meta(min_length=1, max_length=80)]
PLACE = re.compile(r"\{([a-z0-9_]{1,32})\}")
"""Where an argument stands in a command."""
STEP_LOW, STEP_HIGH = Decimal("1e-11"), Decimal("1e9")


class Identity(Settings, frozen=True, kw_only=True):
    """What `*IDN?` has to say; a part that is left out may be anything."""

    maker: IdentityPart | None = None
    model: IdentityPart | None = None
    serial: IdentityPart | None = None

    def faults(self) -> Iterator[Fault]:
        """No part at all."""
        if (self.maker, self.model, self.serial) == (None, None, None):
            yield Fault("model", None, "at least one of maker, model and serial")


class Query(Settings, frozen=True, kw_only=True):
    """One value that is read again and again: value = answer * scale, in the unit of its quantity."""

    point: PointPart
    """Last part of the point's name, put behind the prefix."""
    command: Command
    """Queries of the same command are asked once together."""
    place: Annotated[int, Meta(ge=0, le=63)] = 0
    """Which of the answer's comma-separated values it is, from 0."""
    quantity: Word
    kind: PointKind = PointKind.ANALOG
    step: Annotated[Decimal, Meta(description="a number from 1e-11 to 1e9")]
    """Smallest step of the instrument in the unit of the quantity; counts are at least ten times finer."""
    scale: Decimal = Decimal(1)

    def faults(self) -> Iterator[Fault]:
        """A command that is no query, an unknown quantity, a step or scale that is none."""
        if "?" not in self.command or PLACE.search(self.command):
            yield Fault("command", self.command, "a query (with '?') without arguments")
        if self.quantity not in QUANTITIES:
            yield Fault("quantity", self.quantity, "a quantity of docs/reference")
        if not self.step.is_finite() or not STEP_LOW <= self.step <= STEP_HIGH:
            yield Fault("step", self.step, f"a number from {STEP_LOW} to {STEP_HIGH}")
        if not self.scale.is_finite() or not self.scale:
            yield Fault("scale", self.scale, "a number other than 0")


class Argument(Settings, frozen=True, kw_only=True):
    """What may stand in a command's place of this name: a number of a range, or one of some words."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}$(?!\n)")]
    low: Decimal | None = None
    high: Decimal | None = None
    words: list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)")]] = field(default_factory=list)

    def faults(self) -> Iterator[Fault]:
        """Neither or both of range and words, an empty range."""
        ranged = self.low is not None and self.high is not None
        if ranged == bool(self.words) or (self.low is None) != (self.high is None):
            yield Fault("low", self.low, "low and high of a range, or words, one of them")
        elif self.low is not None and self.high is not None and not self._spans(self.low, self.high):
            yield Fault("high", self.high, f"a number that is at least low ({self.low})")

    @staticmethod
    def _spans(low: Decimal, high: Decimal) -> bool:
        return low.is_finite() and high.is_finite() and low <= high


class Step(Settings, frozen=True, kw_only=True):
    """One command of a procedure. One with '?' is answered; `save` keeps a block of data as a file."""

    command: Command
    save: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,8}$(?!\n)", description="a file's ending: csv, png")] = ""
    timeout_ms: Annotated[int, Meta(ge=50, le=600_000)] | None = None

    def faults(self) -> Iterator[Fault]:
        """Data that nobody asks for."""
        if self.save and "?" not in self.command:
            yield Fault("save", self.save, "a query: only what is asked for can be saved")


class Procedure(Settings, frozen=True, kw_only=True):
    """Commands that may be sent, in this order, with these arguments and no others."""

    name: Word
    argument: list[Argument] = field(default_factory=list)
    step: Annotated[list[Step], Meta(min_length=1, max_length=100)]

    names_once: ClassVar = {"argument": ("name", "a name that no other argument has")}

    def faults(self) -> Iterator[Fault]:
        """Places without an argument, arguments without a place."""
        known = {argument.name for argument in self.argument}
        used: set[str] = set()
        for index, step in enumerate(self.step):
            places = set(PLACE.findall(step.command))
            used |= places
            if places - known:
                yield Fault(f"step[{index}].command", step.command, "declared arguments in its places")
        for index, argument in enumerate(self.argument):
            if argument.name not in used:
                yield Fault(f"argument[{index}].name", argument.name, "a place in some command")


class InstrumentDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="instrument"):
    """One instrument that speaks SCPI over the network."""

    name: DeviceName
    prefix: PointPart
    """First part of the names of its points."""
    resource: ResourceName
    identity: Identity
    interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 1000
    timeout_ms: Annotated[int, Meta(ge=50, le=60_000)] = 3000
    """How long a command may take, its answer included."""
    error_query: Command | None = "SYST:ERR?"
    """Asked after every command until it says 0; None for an instrument that has no error queue."""
    files_bytes_max: Annotated[int, Meta(ge=1024 * 1024, le=2**40)] = 200_000_000
    """How much its transcripts and data files may take; the oldest go first."""
    data_bytes_max: Annotated[int, Meta(ge=1024, le=2**28)] = 16_777_216
    """How big one block of data may be."""
    seal_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    """How often the hash of the transcript is told."""
    query: list[Query] = field(default_factory=list)
    procedure: list[Procedure] = field(default_factory=list)

    names_once: ClassVar = {
        "query": ("point", "a point that no other query has"),
        "procedure": ("name", "a name that no other procedure has"),
    }

    def faults(self) -> Iterator[Fault]:
        """An address that is none, nothing to read."""
        address, *rest = self.resource.split("::")[1:]
        if any(int(part) > 255 for part in address.split(".")):
            yield Fault("resource", self.resource, "an IPv4 address")
        if rest[-1] == "SOCKET" and not 1 <= int(rest[0]) <= 65535:
            yield Fault("resource", self.resource, "a port from 1 to 65535")
        if not self.query:
            yield Fault("query", self.query, "at least one query: it shows that the instrument is there")
