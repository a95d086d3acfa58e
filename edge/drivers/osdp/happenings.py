"""What the thread of a bus tells the loop. No repr shows a card's number or a pressed key."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Base: which reader (empty: the line itself), and when (monotonic ns)."""

    reader: str
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Online(Happening):
    """A secure session runs."""

    away_ns: int
    sessions: int
    identity: str
    """Vendor, model, version, serial number and firmware, as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Happening):
    """The secure session ended."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline(Happening):
    """There has been no secure session for too long."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefused(Happening):
    """Our key for the reader is unfit, or the reader has another one."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSeen(Happening):
    """A card was held to the reader."""

    bits: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPressed(Happening):
    """Keys were pressed."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSeen(Happening):
    """The reader told its local status."""

    report: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUnknown(Happening):
    """The reader does not tell its local status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearText(Happening):
    """A reply came in clear while a secure session ran: somebody may be at the cable."""

    reply: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCommand(Happening):
    """A command that is not ours is on the line."""

    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOpened(Happening):
    """The reader may be paired now."""

    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallClosed(Happening):
    """The reader may not be paired any more."""

    paired: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOpened(Happening):
    """The serial line is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLost(Happening):
    """The serial line cannot be used."""

    reason: str
