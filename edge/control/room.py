"""Control on site: everything that decides and acts in the gateway, wired; works with hub and broker dead.

`Control` is what the gateway knows of it: it is shown every reading and event, given every credential, runs
its parts, and speaks with the hub over its line. What is decided is in `rules`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.control.line import ControlLine
from edge.control.outputs import Outputs
from edge.credential import Presented
from edge.driver import Driver
from wire.messages import Event, Gap, PointDeclaration, Poll, Position, Scalar
from wire.settings.gateway import GatewaySettings

Seen = Poll | Position | Event | Gap
Part = Callable[[], Awaitable[None]]
Tell = Callable[[str, Mapping[str, Scalar], str], None]
"""Journal an event: kind, data, subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What control works with."""

    settings: GatewaySettings
    boot: bytes
    outputs: Outputs
    drivers: Callable[[], Sequence[Driver]]
    points: Callable[[], Sequence[PointDeclaration]]
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


class Control:
    """One gateway's; where nothing is to be controlled it does nothing."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self.line = ControlLine(given.settings.gateway.id, {})

    def look(self, item: Seen) -> None:
        """Take note of what was measured or happened, at once; it is not on the disk yet."""

    def presented(self, presented: Presented) -> None:
        """Take a credential at a reader."""

    def parts(self) -> Mapping[str, Part]:
        """Return what is to be kept running, by name."""
        return {}
