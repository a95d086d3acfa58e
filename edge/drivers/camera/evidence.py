"""Pictures of moments: who wants one, where it is in the recording, its hash at birth.

It reads no stream; `driver` says how the stream's times lie. What cannot be had is told as well.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge.driver import Emitter, Given, ticks
from edge.drivers.camera import onvif
from edge.drivers.camera.clock import ask_clock
from edge.drivers.camera.decode import Timeline
from edge.drivers.camera.ffmpeg import FfmpegError
from edge.drivers.camera.pictures import WITHIN_US, Frame, frames_around, picture_of
from edge.drivers.camera.recording import Recording
from edge.drivers.camera.upload import Waiting
from wire.messages import TICK_MS, Event, Scalar
from wire.settings.camera import CameraDevice

AFTER_S = 1.2
"""So long after a moment its pictures are taken: what comes after it has to be on the disk."""
WISHES_MAX = 64
CLOCK_EVERY_S = 600.0
REASON_MAX = 160
TRIES = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """A moment of which somebody wants pictures."""

    tick: int
    reason: str
    timer: bool = False


class Evidence:
    """The pictures of one camera."""

    def __init__(self, settings: CameraDevice, given: Given, recording: Recording) -> None:
        self._settings = settings
        self._given = given
        self._recording = recording
        self._folder = given.folder / settings.name
        self.waiting = Waiting(
            self._folder / "pictures", camera=settings.name, bytes_max=settings.pictures_bytes_max
        )
        """Pictures that the hub does not have yet."""
        self._wishes: deque[Wish] = deque(maxlen=WISHES_MAX)
        self._wished = asyncio.Event()
        self._clock: tuple[int, int] | None = None

    @property
    def wished(self) -> int:
        """Of how many moments pictures are still to be taken."""
        return len(self._wishes)

    def wish(self, wish: Wish) -> None:
        """Have pictures taken of a moment; of too many the oldest are forgotten."""
        self._wishes.append(wish)
        self._wished.set()

    async def begin(self, emit: Emitter) -> None:
        """Mend what a power cut left of the pictures that wait, and tell what is lost; raises `OSError`."""
        self.waiting.mend()
        await self._tell_dropped(emit)

    async def work(self, timeline: Timeline, emit: Emitter) -> None:
        """Take pictures until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_pictures(timeline, emit))
            tasks.create_task(self._ask_clock())
            tasks.create_task(self._wish_by_the_clock())

    async def finish(self, timeline: Timeline, emit: Emitter) -> None:
        """After a stream broke: take what it still showed of the moments wished.

        Who cuts a camera off does so right after the event that matters.
        """
        while self._wishes:
            wish = self._wishes[0]
            await self._fulfil(wish, timeline, emit)
            self._done(wish)

    def _done(self, wish: Wish) -> None:
        """Let a wish go; of too many it may have been forgotten meanwhile."""
        if self._wishes and self._wishes[0] is wish:
            self._wishes.popleft()

    # --- pictures ----------------------------------------------------------------------------------------

    async def _wish_by_the_clock(self) -> None:
        while self._settings.snapshot_s:
            await asyncio.sleep(self._settings.snapshot_s)
            self.wish(Wish(ticks(self._given.monotonic_ns()), "timer", timer=True))

    async def _ask_clock(self) -> None:
        settings, given = self._settings, self._given
        while True:
            if settings.onvif is not None:
                self._clock = await onvif.ask_clock(settings.onvif, given)
            elif settings.url is not None:
                self._clock = await ask_clock(
                    settings.url, monotonic_ns=given.monotonic_ns, clock=given.clock
                )
            await asyncio.sleep(CLOCK_EVERY_S)

    async def _take_pictures(self, timeline: Timeline, emit: Emitter) -> None:
        while True:
            while not self._wishes:
                self._wished.clear()
                await self._wished.wait()
            wish = self._wishes[0]
            due_ns = wish.tick * TICK_MS * 1_000_000 + int(AFTER_S * 1e9)
            await asyncio.sleep(max(0.0, (due_ns - self._given.monotonic_ns()) / 1e9))
            await self._fulfil(wish, timeline, emit)
            self._done(wish)

    async def _fulfil(self, wish: Wish, timeline: Timeline, emit: Emitter) -> None:
        """Take the pictures of one moment; what cannot be had is told as well."""
        before: Frame | None = None
        after: Frame | None = None
        why = "no frame within a second"
        if timeline.known:
            at_us = timeline.us(wish.tick * TICK_MS * 1_000_000)
            try:
                before, after = await self._frames_around(at_us)
            except (FfmpegError, OSError) as error:
                why = str(error)[:REASON_MAX]
        else:
            why = "the camera was not there"
        wanted = [("timer", before or after)] if wish.timer else [("before", before), ("after", after)]
        for kind, frame in wanted:
            if frame is not None:
                why = await self._take(frame, kind, wish, timeline=timeline, emit=emit)
                if not why:
                    continue
            data: dict[str, Scalar] = {"kind": kind, "reason": wish.reason, "why": why}
            await self._event("picture_missing", data, emit, tick=wish.tick)

    async def _frames_around(self, at_us: int) -> tuple[Frame | None, Frame | None]:
        """Look the frames up; again when a file was completed meanwhile and has another name."""
        found: tuple[Frame | None, Frame | None] = (None, None)
        for _ in range(TRIES):
            parts = list(self._recording.holding(at_us - WITHIN_US, at_us + WITHIN_US))
            found = await frames_around(parts, at_us)
            if self._recording.still(parts):
                break
        return found

    async def _picture(self, frame: Frame, target: Path) -> None:
        try:
            await picture_of(frame, target)
        except FfmpegError:
            moved = self._recording.now_at(frame.file)
            if moved == frame.file:
                raise
            await picture_of(replace(frame, file=moved), target)

    async def _take(self, frame: Frame, kind: str, wish: Wish, *, timeline: Timeline, emit: Emitter) -> str:
        """Make one picture and tell it with its hash; return why not, or nothing."""
        frame_ns = timeline.ns(frame.at_us)
        tick, clock = max(0, ticks(frame_ns)), self._given.clock()
        utc_ms = None if clock.offset_ticks is None else (tick + clock.offset_ticks) * TICK_MS
        target = self._folder / "picture.part"
        try:
            await self._picture(frame, target)
            note = self.waiting.add(target, kind=kind, reason=wish.reason, tick=tick, utc_ms=utc_ms)
        except (FfmpegError, OSError) as error:
            return str(error)[:REASON_MAX]
        ahead_ms, bound_ms = self._clock or (None, None)
        data: dict[str, Scalar] = {
            "kind": kind,
            "reason": wish.reason,
            "sha256": note.sha256,
            "bytes": note.bytes,
            "away_ms": frame_ns // 1_000_000 - wish.tick * TICK_MS,
            "jitter_ms": timeline.jitter_ms,
            "camera_ahead_ms": ahead_ms,
            "camera_bound_ms": bound_ms,
        }
        await self._event("picture", data, emit, tick=tick)
        await self._tell_dropped(emit)
        return ""

    async def _tell_dropped(self, emit: Emitter) -> None:
        with suppress(OSError):  # what cannot be looked at now is so after the next picture
            for digest in self.waiting.prune():
                await self._event("picture_dropped", {"sha256": digest}, emit)

    async def _event(
        self, kind: str, data: dict[str, Scalar], emit: Emitter, *, tick: int | None = None
    ) -> None:
        at = ticks(self._given.monotonic_ns()) if tick is None else tick
        await emit.event(Event(kind, self._settings.prefix, max(0, at), data))
