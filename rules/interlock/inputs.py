"""What an interlock hears: moments, readings, events, read-backs, and what people ask of it."""

from enum import StrEnum

from msgspec import Struct

from wire.messages import TICKS_PER_S


class Moment(Struct, frozen=True, order=False):
    """An instant of one boot. Delays count in ticks of the boot; UTC is told only while it can be trusted."""

    boot: str
    """Which monotonic clock `tick` is of; ticks of different boots have nothing to do with each other."""
    tick: int
    utc: int | None = None
    """UTC tick, None while time is not trusted."""

    def on(self, tick: int) -> "Moment":
        """Return the moment of another tick of the same boot, as this one sees it."""
        utc = None if self.utc is None else self.utc + tick - self.tick
        return Moment(self.boot, tick, utc)

    def since(self, earlier: "Moment") -> int | None:
        """Return the ticks that have passed; None when that cannot be known, or time went back."""
        if self.boot == earlier.boot:
            passed = self.tick - earlier.tick
        elif self.utc is None or earlier.utc is None:
            return None
        else:
            passed = self.utc - earlier.utc
        return passed if passed >= 0 else None


def seconds(ticks_: int) -> float:
    """Return ticks as seconds."""
    return ticks_ / TICKS_PER_S


# --- what is observed ---------------------------------------------------------------------------------


class Observed(Struct, frozen=True):
    """Base of what devices say; what is observed at one instant is given in one step, in any order."""


class Reading(Observed, frozen=True, tag="reading"):
    """A reading as it is stored: the count and the status, and the tick at which it was taken."""

    point: str
    tick: int
    count: int | None
    status: int = 0


class Lost(Observed, frozen=True, tag="lost"):
    """A gap of a point began. Points with a period are judged by their period all the same."""

    point: str
    cause: str = ""


class Happening(Observed, frozen=True, tag="event"):
    """An event happened."""

    kind: str
    subject: str = ""


class ReadBack(Observed, frozen=True, tag="read_back"):
    """Whether an output is what it was told to be; it is not when it cannot be read."""

    output: str
    agrees: bool


Seen = Reading | Lost | Happening | ReadBack


# --- what people ask ----------------------------------------------------------------------------------


class Right(StrEnum):
    """What a person may ask of an interlock. Tripping it needs none."""

    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    ENABLE = "enable"
    BYPASS = "bypass"
    CHECK = "check"


class Person(Struct, frozen=True):
    """Who asks, with the rights that were found for this interlock at this moment."""

    id: str
    rights: frozenset[Right] = frozenset()


class Act(Struct, frozen=True, kw_only=True):
    """Base of what people ask; every act names who asks."""

    by: Person


class Trip(Act, frozen=True, kw_only=True, tag="trip"):
    """Make safe; anybody may, and it is never refused."""

    reason: str = ""


class Acknowledge(Act, frozen=True, kw_only=True, tag="acknowledge"):
    """I have seen breach number so and so."""

    breach: int
    comment: str = ""


class Reset(Act, frozen=True, kw_only=True, tag="reset"):
    """Take the latch off. The outputs stay safe until it is enabled."""

    breach: int
    reason: str = ""


class Enable(Act, frozen=True, kw_only=True, tag="enable"):
    """Let it work again."""

    breach: int


class BeginBypass(Act, frozen=True, kw_only=True, tag="begin_bypass"):
    """Leave one cause out of the vote for a while."""

    cause: str
    second: Person | None
    reason: str
    seconds: float


class EndBypass(Act, frozen=True, kw_only=True, tag="end_bypass"):
    """Let the cause vote again."""

    cause: str


class PassCheck(Act, frozen=True, kw_only=True, tag="pass_check"):
    """The check of a device was passed; `record` says where it stands."""

    cause: str
    record: str


Asked = Trip | Acknowledge | Reset | Enable | BeginBypass | EndBypass | PassCheck
