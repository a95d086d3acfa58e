"""A gateway's real media channel with a camera that only shows; shared by tests of live views."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager

from edge.media.channel import MediaChannel, MediaGiven
from edge.media.source import Outgoing
from edge.supervisor import Backoff
from provisioning.identity import GatewayIdentity
from wire.settings.media import MediaSection


class LiveCamera:
    """Shows frames, and has neither pictures nor recordings; implements `edge.media.source.MediaSource`."""

    def __init__(self, name: str, camera: str, *, frames: Iterator[bytes], every_s: float) -> None:
        self.name = name
        self.camera = camera
        self.looking = 0
        """How many look."""
        self.dark = False
        """Whether it shows nothing."""
        self._frames = frames
        self._every_s = every_s

    def pictures(self, most: int, *, but: Collection[str] = ()) -> Sequence[Outgoing]:
        return []

    def sent(self, picture: Outgoing) -> None:
        raise AssertionError(picture)

    def recorded(self, from_ms: int, to_ms: int) -> Sequence[Outgoing]:
        return []

    def recording_until(self, to_ms: int) -> bool:
        return False

    async def live(self, show: Callable[[bytes], None]) -> None:
        self.looking += 1
        try:
            for frame in self._frames:
                if not self.dark:
                    show(frame)
                await asyncio.sleep(self._every_s)
        finally:
            self.looking -= 1


@asynccontextmanager
async def channel_of(url: str, identity: GatewayIdentity, source: LiveCamera) -> AsyncIterator[None]:
    """The gateway's channel to a hub's media listener."""
    given = MediaGiven(
        settings=MediaSection(url=url, retry_s=0.1, retry_max_s=1.0),
        identity=identity,
        drivers=lambda: [source],  # type: ignore[list-item]
        tell=lambda *_, **__: None,
        now=time.monotonic,
        judge_dates=lambda: True,
        backoff=lambda first, most: Backoff(first, most, random=lambda: 1.0),
    )
    running = asyncio.create_task(MediaChannel(given).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
