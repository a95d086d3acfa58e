"""What a driver with pictures offers to the media channel; the channel knows no other thing of a camera."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from wire.media import Description


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file that may go to the hub."""

    file: Path
    description: Description
    sha256: str
    """Of a picture: its hash at birth. Of a segment: empty, it is made while the file is sent."""


@runtime_checkable
class MediaSource(Protocol):
    """A camera."""

    @property
    def name(self) -> str:
        """The device's name in the settings."""

    @property
    def camera(self) -> str:
        """First part of the names of its points."""

    def pictures(self, most: int, *, but: Collection[str] = ()) -> Sequence[Outgoing]:
        """Return pictures that wait, the oldest first, without those of these hashes."""

    def sent(self, picture: Outgoing) -> None:
        """Let a picture go: the hub has it."""

    def recorded(self, from_ms: int, to_ms: int) -> Sequence[Outgoing]:
        """Return complete segments that hold any of a stretch (UTC), in order."""

    def recording_until(self, to_ms: int) -> bool:
        """Whether what was recorded before a time (UTC) may still be on its way to a complete segment."""

    async def live(self, show: Callable[[bytes], None]) -> None:
        """Show frames of now as JPEG, as they come, until cancelled or the camera ends."""
