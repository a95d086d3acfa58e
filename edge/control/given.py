"""What control works with, and what each of its members is to the gateway."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.control.line import Came
from edge.control.outputs import Outputs
from edge.credential import Presented
from edge.driver import Driver
from wire.control import ControlStatus
from wire.messages import Event, Gap, Layout, PointDeclaration, Poll, Position, Scalar
from wire.settings.gateway import GatewaySettings
from wire.topics import Channel

Seen = Poll | Position | Event | Gap
Part = Callable[[], Awaitable[None]]
Tell = Callable[[str, Mapping[str, Scalar], str], None]
"""Journal an event: kind, data, subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What control works with."""

    settings: GatewaySettings
    boot: bytes
    folder: Path
    """Where the gateway keeps its data."""
    outputs: Outputs
    drivers: Callable[[], Sequence[Driver]]
    points: Callable[[], Sequence[PointDeclaration]]
    layouts: Callable[[], Sequence[Layout]]
    tell: Tell
    remember: Callable[[str, bytes], None]
    """Keep a small value, durable with the next commit."""
    recall: Callable[[str], bytes | None]
    settle: Callable[[], Awaitable[bool]]
    """Has what was told and kept on the disk, and says whether it is."""
    now_tick: Callable[[], int]
    utc_ms: Callable[[], int | None]
    """UTC where it is trusted."""
    kept_whole: bool
    """Whether what was kept before can be believed to be all there was."""
    taken_at: Callable[[], float | None] = lambda: None
    """When the disk took something last, in seconds of `now_tick`; None: nobody says."""


class Member:
    """One part of control; what it does not take part in stays as here."""

    @property
    def came(self) -> Mapping[Channel, Came]:
        """Who takes the bodies that the hub signed, by channel; asked once, at the start."""
        return {}

    def spoiled(self, channel: Channel, reason: str) -> None:
        """Take note that something came down which the hub did not sign, or not whole; it goes no further."""

    def look(self, item: Seen) -> None:
        """Take note of what was measured or happened, at once: in the loop, before the disk has it.

        Never raises, never blocks. What is told by a member comes by here too, before `tell` returns.
        """

    def presented(self, presented: Presented) -> None:
        """Take a credential at a reader; in the loop, must not block."""

    def replan(self) -> None:
        """Go on with the points and outputs that the devices declare now; in the loop, must not block."""

    def parts(self) -> Mapping[str, Part]:
        """Return what is to be kept running, by name; one that ends unexpectedly is told and begun again."""
        return {}

    def told(self, status: ControlStatus) -> ControlStatus:
        """Return the state of control with this member's fields filled in (`msgspec.structs.replace`)."""
        return status
