"""What the thread of a bus tells the loop. No repr shows a card's number or a pressed key."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Base: which reader (empty: the line itself), and when (monotonic ns)."""

    reader: str
    at_ns: int


@dataclass(frozen=True, kw_only=True)
class Trouble(Happening):
    """Base: what is not well, or over, and why."""

    reason: str


class Lost(Trouble):
    """The secure session ended."""


class Offline(Trouble):
    """There has been no secure session for too long."""


class KeyRefused(Trouble):
    """Our key for the reader is unfit, or the reader has another one."""


class LineLost(Trouble):
    """The serial line cannot be used."""


class LineOpened(Happening):
    """The serial line is open."""


class StatusUnknown(Happening):
    """The reader does not tell its local status."""


@dataclass(frozen=True, kw_only=True)
class Online(Happening):
    """A secure session runs."""

    away_ns: int
    """Since the reader was last heard in a session, be it that nobody asked it."""
    sessions: int
    identity: str
    """Vendor, model, version, serial number and firmware, as numbers."""


@dataclass(frozen=True, kw_only=True)
class CardSeen(Happening):
    """A card was held to the reader."""

    bits: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class KeysPressed(Happening):
    """Keys were pressed."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class StatusSeen(Happening):
    """The reader told its local status."""

    report: bytes


@dataclass(frozen=True, kw_only=True)
class ClearText(Happening):
    """A reply came in clear while a secure session ran: somebody may be at the cable."""

    reply: int


@dataclass(frozen=True, kw_only=True)
class ForeignCommand(Happening):
    """A command that is not ours is on the line."""

    address: int


@dataclass(frozen=True, kw_only=True)
class InstallOpened(Happening):
    """The reader may be paired now."""

    until_ns: int


@dataclass(frozen=True, kw_only=True)
class InstallClosed(Trouble):
    """The reader may not be paired any more."""

    paired: bool
