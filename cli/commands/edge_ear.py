"""What a driver speaks to where no gateway runs: it hears that the device is there, and keeps nothing."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from edge.driver import TimeHint
from wire.messages import Event, Poll, Position, Scalar
from wire.status import GapCause


class Ear:
    """Implements `edge.driver.Emitter`."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def poll(self, poll: Poll) -> None:
        """Hear a poll."""
        self.heard.set()

    async def position(self, position: Position) -> None:
        """Hear a fix."""
        self.heard.set()

    async def event(self, event: Event) -> None:
        """Hear an event."""
        self.heard.set()

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        """Hear that nothing answers: that is known then, too."""
        self.heard.set()

    def time(self, hint: TimeHint) -> None:
        """Nobody asks for the time here."""

    def remember(self, key: str, value: bytes) -> None:
        """Nothing is kept."""

    def recall(self, key: str) -> bytes | None:
        """Nothing was kept."""
        return None


def printed(kind: str, data: Mapping[str, Scalar], subject: str) -> None:
    """Show an event that no journal takes."""
    print(f"{kind} {subject} {dict(data)}", file=sys.stderr)
