"""Live views: while somebody looks, the newest frame of a camera goes to the hub, again and again.

Without a view nothing runs. Frames that come while one is on its way are passed over.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from edge.media.link import Body, Link, LinkError
from edge.media.source import MediaSource
from wire.media import FRAME_BYTES_MAX, LiveWanted, media_path

AGAIN_S = 1.0
_GONE = 410

OpenLink = Callable[[], AbstractAsyncContextManager[Link]]


class LiveViews:
    """The views of one gateway, each a task of the group."""

    def __init__(
        self,
        gateway: str,
        sources: Callable[[], Sequence[MediaSource]],
        link: OpenLink,
        *,
        tasks: asyncio.TaskGroup,
        now: Callable[[], float],
    ) -> None:
        """`now` is monotonic seconds."""
        self._gateway = gateway
        self._sources = sources
        self._link = link
        self._tasks = tasks
        self._now = now
        self._views: dict[str, tuple[_View, asyncio.Task[None]]] = {}

    def show(self, wanted: Sequence[LiveWanted]) -> None:
        """Begin and go on with these views, and end all others."""
        names = {one.session for one in wanted}
        for session in [session for session in self._views if session not in names]:
            self._views.pop(session)[1].cancel()
        for one in wanted:
            view, task = self._views.get(one.session, (None, None))
            if view is None or task is None or task.done():
                view = _View(
                    one, media_path(self._gateway, "live", one.session), self._sources, now=self._now
                )
                self._views[one.session] = view, self._tasks.create_task(view.run(self._link))
            view.until = self._now() + one.for_s


class _View:
    """One camera that somebody looks at."""

    def __init__(
        self,
        wanted: LiveWanted,
        target: str,
        sources: Callable[[], Sequence[MediaSource]],
        *,
        now: Callable[[], float],
    ) -> None:
        self._wanted = wanted
        self._target = target
        self._sources = sources
        self._now = now
        self._newest = b""
        self._came = asyncio.Event()
        self.until = now() + wanted.for_s

    async def run(self, open_link: OpenLink) -> None:
        """Send frames until nobody looks any more."""
        async with open_link() as link, asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read())
            try:
                await self._send(link)
            finally:
                reading.cancel()

    async def _read(self) -> None:
        while True:
            source = next((one for one in self._sources() if one.camera == self._wanted.camera), None)
            if source is not None:
                await source.live(self._show)
            await asyncio.sleep(AGAIN_S)

    def _show(self, frame: bytes) -> None:
        if len(frame) <= FRAME_BYTES_MAX:
            self._newest = frame
            self._came.set()

    async def _send(self, link: Link) -> None:
        while (left_s := self.until - self._now()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self._came.wait()
            except TimeoutError:
                return
            self._came.clear()
            began = self._now()
            try:
                target = f"{self._target}?n={int(began * 1000)}"
                answer = await link.ask("POST", target, body=Body.of(self._newest))
            except LinkError:
                await asyncio.sleep(AGAIN_S)
                continue
            if answer.status == _GONE:
                return
            await asyncio.sleep(max(0.0, began + 1 / self._wanted.fps - self._now()))
