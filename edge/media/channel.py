"""The media channel: asks the hub what is wanted, and brings pictures, recordings and frames.

It runs beside the uplink and never in its way: connections of its own, one file at a time, and what the hub
does not take waits on the disk. What people ask for goes before pictures that wait.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from edge.driver import Driver
from edge.media.bearer import may_use
from edge.media.link import Link, LinkError
from edge.media.live import LiveViews
from edge.media.source import MediaSource
from edge.media.uploads import Uploads
from edge.supervisor import Backoff
from provisioning.identity import GatewayIdentity
from wire.errors import MessageError
from wire.media import POLL_S, SpanWanted, Wanted, media_path, read_wanted
from wire.messages import Scalar
from wire.settings.media import Bearer, MediaSection

LOG = logging.getLogger(__name__)
LOOK_S = 2.0
_PATIENCE_S = POLL_S + 20.0
_ASK_MAX_S = 15.0
"""Longest wait before the next question: people wait for what they asked for."""


class Tell(Protocol):
    """Journals an event of the gateway."""

    def __call__(self, kind: str, data: dict[str, Scalar], *, subject: str = "") -> None:
        """Take one event."""


@dataclass(frozen=True, slots=True)
class MediaGiven:
    """What the channel is built from."""

    settings: MediaSection
    identity: GatewayIdentity
    drivers: Callable[[], Sequence[Driver]]
    """Those of now."""
    tell: Tell
    now: Callable[[], float]
    """Monotonic seconds."""
    judge_dates: Callable[[], bool]
    backoff: Callable[[float, float], Backoff]
    """First and longest wait -> how long to wait."""


class MediaChannel:
    """Connects, and connects again, until cancelled."""

    def __init__(self, given: MediaGiven) -> None:
        self._given = given
        self._gateway = given.identity.gateway
        self._spans: Sequence[SpanWanted] = ()
        self._news = asyncio.Event()
        self._lost = ""

    async def run(self) -> None:
        """Ask, bring and show until cancelled."""
        async with (
            self._link() as asking,
            self._link(self._given.settings.kbit_s_max) as bringing,
            asyncio.TaskGroup() as tasks,
        ):
            live = LiveViews(self._gateway, self._sources, self._link, tasks=tasks, now=self._given.now)
            tasks.create_task(self._ask(asking, live))
            tasks.create_task(self._bring(bringing))

    def _sources(self) -> list[MediaSource]:
        return [driver for driver in self._given.drivers() if isinstance(driver, MediaSource)]

    @asynccontextmanager
    async def _link(self, kbit_s: int | None = None) -> AsyncIterator[Link]:
        identity = self._given.identity
        link = Link(
            self._given.settings.url,
            signer=identity.signer,
            tls=lambda: identity.tls_context(judge_dates=self._given.judge_dates()),
            bytes_s=None if kbit_s is None else kbit_s * 125.0,
        )
        try:
            yield link
        finally:
            link.close()

    def _may(self, allowed: Sequence[Bearer]) -> bool:
        return may_use(allowed, mobile=self._given.settings.mobile)

    # --- what is wanted ----------------------------------------------------------------------------------

    async def _ask(self, link: Link, live: LiveViews) -> None:
        settings = self._given.settings
        backoff = self._given.backoff(settings.retry_s, min(settings.retry_max_s, _ASK_MAX_S))
        seen = ""
        while True:
            backoff.started(self._given.now())
            try:
                wanted = await self._wanted(link, seen)
            except (LinkError, MessageError) as error:
                self._note(str(error))
                seen = ""
                await asyncio.sleep(backoff.wait_s(self._given.now()))
                continue
            backoff.succeeded()
            self._note("")
            seen = wanted.digest
            live.show(wanted.live if self._may(settings.live_on) else [])
            if wanted.spans != self._spans:
                self._spans = wanted.spans
                self._news.set()

    async def _wanted(self, link: Link, seen: str) -> Wanted:
        target = f"{media_path(self._gateway, 'wanted')}?seen={seen}"
        answer = await link.ask("GET", target, answer_s=_PATIENCE_S)
        if answer.status != 200:
            said = answer.body[:160].decode("utf-8", "replace")
            raise LinkError(f"the hub answered {answer.status}: {said}")
        wanted = read_wanted(answer.body)
        if wanted.gateway != self._gateway:
            raise LinkError("the hub answered for another gateway")
        return wanted

    def _note(self, reason: str) -> None:
        """Log changes of state, once."""
        if reason and not self._lost:
            LOG.warning("media: not connected: %s", reason)
        elif self._lost and not reason:
            LOG.warning("media: connected again")
        self._lost = reason

    # --- files -------------------------------------------------------------------------------------------

    async def _bring(self, link: Link) -> None:
        settings = self._given.settings
        backoff = self._given.backoff(settings.retry_s, settings.retry_max_s)
        uploads = Uploads(self._gateway, link, tell=self._given.tell, now=self._given.now)
        while True:
            backoff.started(self._given.now())
            self._news.clear()
            try:
                if self._may(settings.live_on):
                    await uploads.bring_spans(self._spans, self._sources())
                if self._may(settings.upload_on):
                    await uploads.bring_pictures(self._sources(), until=self._news.is_set)
            except LinkError as error:
                LOG.info("media: %s", error)
                wait_s = backoff.wait_s(self._given.now())
            else:
                backoff.succeeded()
                wait_s = LOOK_S
            await self._pause(wait_s)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until something else is wanted."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
