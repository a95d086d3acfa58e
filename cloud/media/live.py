"""Live views: who looks at which camera, and the newest frame of each. Nothing of it is stored.

A session begins with its first viewer and ends a while after the last one has gone; until then the gateway
is asked for frames. Viewers that are slow skip frames.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from cloud.api.services import BusyError, NoFrameError
from wire.media import LiveWanted

VIEWERS_MAX = 32
SESSIONS_MAX = 16
"""Of one gateway."""
FIRST_S = 10.0
"""So long a viewer waits for a first frame."""
STALE_S = 15.0
"""A session ends when no frame came for so long: what stands still must not look alive."""
FPS = 2


@dataclass(slots=True)
class Session:
    """One camera that somebody looks at."""

    gateway: str
    camera: str
    token: str
    viewers: int = 0
    number: int = -1
    """Of the newest frame, as the gateway counts."""
    frame: bytes = b""
    frames: int = 0
    ended: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.TimerHandle | None = None

    def tell(self) -> None:
        """Wake everybody who waits for a frame."""
        news, self.news = self.news, asyncio.Event()
        news.set()


class LiveSessions:
    """All live views of a hub."""

    def __init__(
        self,
        *,
        token: Callable[[], str],
        changed: Callable[[str], None],
        grace_s: float,
        stale_s: float = STALE_S,
    ) -> None:
        """`token` gives secret names of sessions; `changed` is told which gateway is wanted anew.

        A session goes on for `grace_s` without a viewer, and for `stale_s` without a new frame.
        """
        self._stale_s = stale_s
        self._token = token
        self._grace_s = grace_s
        self._changed = changed
        self._sessions: dict[tuple[str, str], Session] = {}
        self._viewers = 0
        self._closed = False

    def wanted(self, gateway: str) -> list[LiveWanted]:
        """Return which cameras of a gateway somebody looks at."""
        return [
            LiveWanted(camera=one.camera, session=one.token, fps=FPS)
            for one in self._sessions.values()
            if one.gateway == gateway
        ]

    def find(self, gateway: str, token: str) -> Session | None:
        """Return a session of a gateway by its token."""
        return next(
            (one for one in self._sessions.values() if (one.gateway, one.token) == (gateway, token)), None
        )

    def take(self, session: Session, number: int, frame: bytes) -> bool:
        """Take a frame; False for one that is not newer than the last."""
        if session.ended or number <= session.number:
            return False
        session.number, session.frame = number, frame
        session.frames += 1
        session.tell()
        return True

    async def watch(self, gateway: str, camera: str) -> AsyncGenerator[bytes, None]:
        """Give frames while somebody takes them, each time the newest; ends when none comes any more.

        Raises `BusyError` at once and `NoFrameError` when no frame comes at first. Close it when it is not
        iterated to its end.
        """
        session = self._join(gateway, camera)
        try:
            seen, patience = 0, FIRST_S
            while not session.ended:
                if session.frames == seen and not await self._next(session, patience):
                    if seen:  # whoever comes next begins anew: a gateway that started again counts anew
                        self._end(session)
                    break
                if session.frames > seen:
                    seen, patience = session.frames, self._stale_s
                    yield session.frame
            if not seen:
                raise NoFrameError
        finally:
            self._leave(session)

    def close(self) -> None:
        """End all sessions, and let nobody in any more."""
        self._closed = True
        for session in list(self._sessions.values()):
            self._end(session)

    async def _next(self, session: Session, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await session.news.wait()
        except TimeoutError:
            return False
        return True

    def _join(self, gateway: str, camera: str) -> Session:
        session = self._sessions.get((gateway, camera))
        own = sum(one.gateway == gateway for one in self._sessions.values())
        if self._closed or self._viewers >= VIEWERS_MAX or (session is None and own >= SESSIONS_MAX):
            raise BusyError
        if session is None:
            session = Session(gateway, camera, self._token())
            self._sessions[gateway, camera] = session
            self._changed(gateway)
        if session.ending is not None:
            session.ending.cancel()
            session.ending = None
        session.viewers += 1
        self._viewers += 1
        return session

    def _leave(self, session: Session) -> None:
        session.viewers -= 1
        self._viewers -= 1
        if not session.viewers and not session.ended:
            session.ending = asyncio.get_running_loop().call_later(self._grace_s, self._end, session)

    def _end(self, session: Session) -> None:
        session.ended = True
        if session.ending is not None:
            session.ending.cancel()
        self._sessions.pop((session.gateway, session.camera), None)
        session.tell()
        self._changed(session.gateway)
