"""Runs the drivers for ever, and contains what nobody expected: the only place that catches broadly.

A device that cannot be reached makes its points silent and is tried again, more and more rarely. A bug in
one driver is logged with its traceback, told as an event, and costs the others nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from edge.driver import DeviceUnavailable, Driver
from edge.recorder import Recorder
from wire.messages import Poll, Position
from wire.status import GapCause

LOG = logging.getLogger(__name__)
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
_REASON_MAX = 200

_Found = TypeVar("_Found")


class UnexpectedError(Exception):
    """Something that was to be done ended by a bug; the text names the error, the log has its traceback."""


class Backoff:
    """Waits that double up to a longest one, each shortened by chance so that not all come at once."""

    def __init__(self, first_s: float, longest_s: float, *, random: Callable[[], float]) -> None:
        """`random` gives numbers from 0 to 1."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random
        self._failures = 0
        self._started_at: float | None = None

    def started(self, now: float) -> None:
        """An attempt begins."""
        self._started_at = now

    def wait_s(self, now: float) -> float:
        """Return how long to wait after an attempt that ended now; a long one was a success."""
        if self._started_at is not None and now - self._started_at > self._longest_s:
            self._failures = 0
        wait = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return wait * (0.5 + 0.5 * self._random())

    def succeeded(self) -> None:
        """Begin anew with the first wait."""
        self._failures = 0


class Supervisor:
    """Keeps one driver running."""

    def __init__(
        self,
        driver: Driver,
        recorder: Recorder,
        *,
        backoff: Backoff,
        now: Callable[[], float],
        now_tick: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`now` is monotonic seconds."""
        self._driver = driver
        self._recorder = recorder
        self._backoff = backoff
        self._now = now
        self._now_tick = now_tick
        self._sleep = sleep
        self._reason = ""
        """Why nothing is read; empty while something is."""
        self._crash = ""
        """The last bug told since something was read."""
        self.crashes = 0
        """How often the driver ended by something else than an unavailable device."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._backoff.started(self._now())
            await self._attempt()
            await self._sleep(self._backoff.wait_s(self._now()))

    async def _attempt(self) -> None:
        watched = _Watched(self._driver.name, self._recorder, self._answered)
        try:
            await self._driver.run(watched)
        except DeviceUnavailable as error:
            await self._unavailable(error.reason, error.cause)
        except Exception as error:  # noqa: BLE001
            await self._crashed(error)
        else:
            await self._unavailable("driver ended", GapCause.GATEWAY)

    def _answered(self) -> None:
        """Something was read: the device is there."""
        self._backoff.succeeded()
        if self._reason:
            LOG.warning("%s: back", self._driver.name)
            self._reason = self._crash = ""

    async def _unavailable(self, reason: str, cause: GapCause) -> None:
        level = logging.INFO if self._reason else logging.WARNING  # Reasons vary within one outage.
        if reason != self._reason:
            LOG.log(level, "%s: %s", self._driver.name, reason)
        self._reason = reason
        points = [point.name for point in self._driver.points]
        await self._recorder.silent(points, cause=cause, reason=reason, tick=self._now_tick())

    async def _crashed(self, error: Exception) -> None:
        self.crashes += 1
        reason = f"{type(error).__name__}: {error}"[:_REASON_MAX]
        if reason != self._crash:
            LOG.error("%s: unexpected error", self._driver.name, exc_info=error)
        self._reason = self._crash = reason
        self._recorder.tell(
            "driver_failed", {"reason": reason, "count": self.crashes}, subject=self._driver.name
        )
        points = [point.name for point in self._driver.points]
        await self._recorder.silent(points, cause=GapCause.GATEWAY, reason=reason, tick=self._now_tick())


async def keep_running(
    name: str,
    run: Callable[[], Awaitable[None]],
    recorder: Recorder,
    *,
    backoff: Backoff,
    now: Callable[[], float],
) -> None:
    """Run a part of the gateway for ever; what it did not expect is logged, told, and it starts again."""
    while True:
        backoff.started(now())
        try:
            await run()
        except Exception as error:
            LOG.error("%s: unexpected error", name, exc_info=error)
            recorder.tell(
                "part_failed", {"reason": f"{type(error).__name__}: {error}"[:_REASON_MAX]}, subject=name
            )
        await asyncio.sleep(backoff.wait_s(now()))


async def contained(
    name: str, doing: Awaitable[_Found], *, expected: tuple[type[Exception], ...], known: str = ""
) -> _Found:
    """Return what one thing among others gives; a bug in it is logged and raised as `UnexpectedError`.

    `expected` errors are raised as they are. A bug that is `known`, the text of the last one, is not logged
    again.
    """
    try:
        return await doing
    except expected:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:_REASON_MAX]
        if reason != known:
            LOG.error("%s: unexpected error", name, exc_info=error)
        raise UnexpectedError(reason) from error


class _Watched:
    """The recorder, as a driver sees it: the first thing read tells that the device is there."""

    def __init__(self, name: str, recorder: Recorder, answered: Callable[[], None]) -> None:
        self._name = name
        self._answered: Callable[[], None] | None = answered
        self.event = recorder.event
        self.silent = recorder.silent
        self.time = recorder.time
        self._recorder = recorder

    async def poll(self, poll: Poll) -> None:
        """Pass on one poll."""
        self._there()
        await self._recorder.poll(poll)

    async def position(self, position: Position) -> None:
        """Pass on one fix."""
        self._there()
        await self._recorder.position(position)

    def remember(self, key: str, value: bytes) -> None:
        """Keep a value under the driver's name."""
        self._recorder.remember(f"{self._name}/{key}", value)

    def recall(self, key: str) -> bytes | None:
        """Return what this driver kept."""
        return self._recorder.recall(f"{self._name}/{key}")

    def _there(self) -> None:
        if self._answered:
            self._answered()
            self._answered = None
