"""Shuts the gateway's machine down in order: watches what drivers tell of power and ignition, flushes, stops.

It looks at events, readings and gaps as the recorder accepts them and knows no driver: whatever feeds
`<ups>/power` is a UPS, whatever feeds the ignition's point is an ignition. When to go is in `rules.shutdown`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rules.shutdown import (
    Ignition,
    Limits,
    Power,
    Seen,
    Verdict,
    hear_battery,
    hear_ignition,
    hear_power,
    verdict,
)
from wire.messages import Event, Gap, Layout, Poll, Position, Scalar
from wire.settings.base import Fault
from wire.settings.shutdown import ShutdownSection

LOG = logging.getLogger(__name__)
COMMAND_TIMEOUT_S = 30.0
COMMIT_S = 10.0
_POWER_EVENTS: Mapping[str, Power] = {
    "power_lost": "battery",
    "power_restored": "mains",
    "power_unknown": "unknown",
}
_IGNITION_EVENTS: Mapping[str, Ignition] = {"ignition_on": "on", "ignition_off": "off"}
_POWER_COUNTS: Mapping[int, Power] = {1: "mains", 2: "battery"}
_IGNITION_COUNTS: Mapping[int, Ignition] = {0: "off", 1: "on"}
_LOW_BIT = 1 << 2
"""LB among the bits of the point `flags` of a UPS."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a shutdown is carried out with."""

    tell: Callable[[str, Mapping[str, Scalar]], None]
    """Journal an event of the gateway."""
    flush: Callable[[float], Awaitable[None]]
    """Commit the journal and give the uplink so many seconds to send what waits."""
    stop: Callable[[], None]
    """Have the gateway stop as on SIGTERM."""
    now_s: Callable[[], float]


async def run_command(command: Sequence[str]) -> int:
    """Run the command that ends the machine; return its exit code, 127 when it cannot be started or hangs."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        LOG.error("shutdown: %s: %s", command[0], error.strerror)
        return 127
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 127


class Shutdown:
    """The one who decides that the machine goes down."""

    def __init__(self, settings: ShutdownSection, layouts: Callable[[], Sequence[Layout]]) -> None:
        """`layouts` gives the lists of points that polls use now."""
        self._settings = settings
        self._layouts = layouts
        self._limits = Limits(
            delay_s=settings.delay_s,
            charge_min_pct=settings.charge_min_pct,
            runtime_min_s=settings.runtime_min_s,
            unknown_s=settings.unknown_s,
            unknown_from_mains_s=settings.unknown_from_mains_s,
            ignition_off_s=settings.ignition_off_s,
        )
        self._seen = Seen()
        self._changed = asyncio.Event()
        self.agreed = False
        """Whether the gateway stops for a shutdown; the command is to be run then."""

    def faults(self) -> list[Fault]:
        """Return what these settings name and no device feeds."""
        fed = {point for layout in self._layouts() for point in layout.points}
        ups, ignition = self._settings.ups, self._settings.ignition
        found = []
        if ups is not None and f"{ups}/power" not in fed:
            found.append(Fault("shutdown.ups", ups, f"the prefix of a UPS that feeds {ups}/power"))
        if ignition is not None and ignition not in fed:
            found.append(Fault("shutdown.ignition", ignition, "a point that a device feeds"))
        return found

    def look(self, item: Poll | Position | Event | Gap, now_s: float) -> None:
        """Take note of what was accepted."""
        before = self._seen
        if isinstance(item, Event):
            self._event(item, now_s)
        elif isinstance(item, Gap):
            if item.to_tick is None:
                self._state(item.point, None, now_s)
        elif isinstance(item, Poll):
            self._poll(item, now_s)
        if self._seen != before:
            self._changed.set()

    def _event(self, event: Event, now_s: float) -> None:
        settings = self._settings
        if settings.ups is not None and event.subject == f"{settings.ups}/power":
            if event.kind in _POWER_EVENTS:
                self._seen = hear_power(self._seen, _POWER_EVENTS[event.kind], now_s, limits=self._limits)
        elif event.subject == settings.ignition and event.kind in _IGNITION_EVENTS:
            self._seen = hear_ignition(self._seen, _IGNITION_EVENTS[event.kind], now_s)

    def _state(self, point: str, count: int | None, now_s: float) -> None:
        settings = self._settings
        if settings.ups is not None and point == f"{settings.ups}/power":
            power = _POWER_COUNTS.get(count, "unknown") if count is not None else "unknown"
            self._seen = hear_power(self._seen, power, now_s, limits=self._limits)
        elif point == settings.ignition:
            ignition = _IGNITION_COUNTS.get(count, "unknown") if count is not None else "unknown"
            self._seen = hear_ignition(self._seen, ignition, now_s)

    def _poll(self, poll: Poll, now_s: float) -> None:
        layout = next((layout for layout in self._layouts() if layout.id == poll.layout), None)
        if layout is None or len(layout.points) != len(poll.counts):
            return
        counts = dict(zip(layout.points, poll.counts, strict=True))
        exponents = dict(zip(layout.points, layout.exponents, strict=True))
        ups, ignition = self._settings.ups, self._settings.ignition
        if ups is not None and f"{ups}/power" in counts:
            # The power first: a battery that tells nothing because contact was lost is not a better one.
            self._state(f"{ups}/power", counts[f"{ups}/power"], now_s)
            flags = counts.get(f"{ups}/flags")
            self._seen = hear_battery(
                self._seen,
                now_s,
                self._limits,
                low=flags is not None and bool(flags & _LOW_BIT),
                charge_pct=_value(counts, exponents, f"{ups}/battery_charge"),
                runtime_s=_value(counts, exponents, f"{ups}/battery_runtime"),
            )
        if ignition is not None and ignition in counts:
            self._state(ignition, counts[ignition], now_s)

    # --- carrying it out ------------------------------------------------------------------------------

    async def run(self, means: Means) -> None:
        """Wait for a reason, then flush and stop the gateway; runs until cancelled."""
        planned = Verdict()
        while True:
            self._changed.clear()
            now = verdict(self._seen, self._limits)
            self._tell_plan(planned, now, means)
            planned = now
            if now.is_due(means.now_s()):
                if await self._go(now, means):
                    await asyncio.Event().wait()  # until the gateway has stopped
                planned = Verdict()
                continue
            wait_s = None if now.due_s is None else max(0.01, now.due_s - means.now_s())
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    def _tell_plan(self, before: Verdict, now: Verdict, means: Means) -> None:
        """Tell a reason that came up, and that the last one is gone."""
        if now.due_s is not None and before.due_s is None:
            in_s = max(0, round(now.due_s - means.now_s()))
            LOG.warning("shutdown: %s; in %s s", now.reason, in_s)
            means.tell("shutdown_planned", {"reason": now.reason, "in_s": in_s})
        elif now.due_s is None and before.due_s is not None:
            LOG.warning("shutdown: cancelled")
            means.tell("shutdown_cancelled", {"reason": before.reason})

    async def _go(self, why: Verdict, means: Means) -> bool:
        """Flush, and stop unless the reason went away meanwhile."""
        means.tell("shutdown_started", {"reason": why.reason})
        with suppress(TimeoutError):  # a disk that hangs must not keep the machine up
            async with asyncio.timeout(self._settings.drain_s + COMMIT_S):
                await means.flush(self._settings.drain_s)
        if not verdict(self._seen, self._limits).is_due(means.now_s()):
            LOG.warning("shutdown: cancelled")
            means.tell("shutdown_cancelled", {"reason": why.reason})
            return False
        LOG.warning("shutdown: %s", why.reason)
        self.agreed = True
        means.stop()
        return True


def _value(counts: Mapping[str, int | None], exponents: Mapping[str, int], point: str) -> float | None:
    count = counts.get(point)
    # Whole numbers of the resolution become the float that is nearest to them.
    return None if count is None else count / 10 ** -exponents[point]
