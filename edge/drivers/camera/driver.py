"""Keeps a rolling recording of one camera, tells a heartbeat, and takes pictures of moments.

ffmpeg reads and records; this only follows what it reports. Decoding is in `decode`, the child in `ffmpeg`,
the files in `recording`, pictures in `pictures`, what waits for the hub in `upload`.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.driver import DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.camera.clock import ask_clock
from edge.drivers.camera.decode import Closed, Progress, Report, Timeline, frozen, scrub
from edge.drivers.camera.ffmpeg import (
    FfmpegError,
    Login,
    child,
    container,
    output_of,
    program,
    read_login,
    recorder,
    source,
)
from edge.drivers.camera.pictures import WITHIN_US, Frame, first_frame, frames_around, picture_of
from edge.drivers.camera.recording import Recording
from edge.drivers.camera.upload import Endpoint, HttpsEndpoint, UploadError, Waiting
from wire.layouts import make_layout
from wire.messages import TICK_MS, Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.camera import CameraDevice
from wire.status import GapCause, PointKind, Status

AFTER_S = 1.2
"""So long after a moment its pictures are taken: what comes after it has to be on the disk."""
WISHES_MAX = 64
CLOCK_EVERY_S = 600.0
UPLOAD_FIRST_S, UPLOAD_LONGEST_S = 5.0, 600.0
UPLOAD_LOOK_S = 2.0
REASON_MAX = 160
CONNECT_NS = 10_000_000_000
"""So much longer the first frame may take: ffmpeg looks at a stream for up to 5 s before it goes on."""
TRIES = 3
LAST_WORDS_S = 1.0
MOVING, FROZEN = 1, 2


@dataclass(frozen=True, slots=True)
class Wish:
    """A moment of which somebody wants pictures."""

    tick: int
    reason: str
    timer: bool = False


class CameraDriver:
    """One `[[device]]` with driver = "camera". Implements `edge.driver.Driver`."""

    def __init__(self, settings: CameraDevice, given: Given, *, endpoint: Endpoint | None = None) -> None:
        """`endpoint` is where pictures go instead of `upload_url`."""
        self._settings = settings
        self._given = given
        self._folder = given.folder / settings.name
        self._points = _declare(settings)
        self._layout = make_layout([p.name for p in self._points], [p.exponent for p in self._points])
        self._recording = Recording(self._folder / "recording", ending=container(settings))
        self._waiting = Waiting(self._folder / "pictures", bytes_max=settings.pictures_bytes_max)
        self._endpoint = endpoint or _endpoint(settings)
        self._wishes: deque[Wish] = deque(maxlen=WISHES_MAX)
        self._wished = asyncio.Event()
        self._unnamed: deque[Closed] = deque()
        self._frozen = False
        self._clock: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The device's name in the settings."""
        return self._settings.name

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """Frame rate, recorded time, and whether the picture moves."""
        return self._points

    @property
    def layouts(self) -> Sequence[Layout]:
        """One layout of all points."""
        return [self._layout]

    @property
    def late(self) -> GapCause:
        """The camera, which sent nothing."""
        return GapCause.SENSOR

    @property
    def wished(self) -> int:
        """Of how many moments pictures are still to be taken."""
        return len(self._wishes)

    def noticed(self, event: Event) -> None:
        """Have pictures taken of an event of one of the kinds in `snapshot_on`."""
        if event.kind in self._settings.snapshot_on:
            self.snapshot(tick=event.tick, reason=f"{event.kind} {event.subject}")

    def snapshot(self, *, tick: int, reason: str) -> None:
        """Have pictures taken of a moment (monotonic tick): the last before it and the first after it.

        They follow as events `picture` or `picture_missing`; of too many wishes the oldest are forgotten.
        """
        self._wishes.append(Wish(tick, reason[:REASON_MAX]))
        self._wished.set()

    # --- running -----------------------------------------------------------------------------------------

    async def run(self, emit: Emitter) -> None:
        """Record until cancelled; `DeviceUnavailable` when no frame comes. No child is left."""
        login = read_login(self._folder / "credentials") if self._settings.login else Login()
        run = int(emit.recall("run") or b"0") + 1
        emit.remember("run", str(run).encode())
        self._unnamed.clear()
        try:
            pattern = await asyncio.to_thread(self._recording.begin, run)
            words = [*program("ffmpeg"), *recorder(self._settings, pattern)]
        except OSError as error:
            raise DeviceUnavailable(f"recording: {error.strerror}", GapCause.STORAGE) from None
        except FfmpegError as error:
            raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None
        try:
            await self._record(words, login, emit)
        except DeviceUnavailable:
            await self._upload_once(emit)
            raise

    async def _record(self, words: Sequence[str], login: Login, emit: Emitter) -> None:
        timeline = Timeline()
        said: deque[str] = deque(maxlen=5)
        failure: DeviceUnavailable | None = None
        async with (
            child(words, given=source(self._settings, login)) as process,
            asyncio.TaskGroup() as tasks,
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            listening = tasks.create_task(self._listen(process.stderr, said, emit))
            others = [
                tasks.create_task(self._take_pictures(timeline, emit)),
                tasks.create_task(self._upload(emit)),
                tasks.create_task(self._ask_clock()),
                tasks.create_task(self._wish_by_the_clock()),
            ]
            try:
                await self._follow(process.stdout, timeline, emit)
                await asyncio.wait({listening}, timeout=LAST_WORDS_S)
            except DeviceUnavailable as error:
                failure = error
            for task in (listening, *others):
                task.cancel()
        if failure is not None:
            raise failure
        reason = scrub(" ".join(said), login.secrets)[-REASON_MAX:] or "ffmpeg ended without a word"
        full = "No space left" in reason
        raise DeviceUnavailable(reason, GapCause.STORAGE if full else GapCause.BUS)

    async def _follow(self, output: asyncio.StreamReader, timeline: Timeline, emit: Emitter) -> None:
        """Follow ffmpeg's report until it ends; `DeviceUnavailable` when no new frame comes for too long."""
        report, beat = Report(), _Beat(self._given.monotonic_ns(), 0, 0)
        silence_ns = self._settings.silence_s * 1_000_000_000
        heard_ns, frames = beat.since_ns, 0
        while True:
            patience_ns = silence_ns if frames else silence_ns + CONNECT_NS
            left_s = (heard_ns + patience_ns - self._given.monotonic_ns()) / 1e9
            if left_s <= 0:
                reason = f"no new frame for {patience_ns // 1_000_000_000} s"
                raise DeviceUnavailable(reason, GapCause.SENSOR)
            try:
                async with asyncio.timeout(left_s):
                    line = await output.readline()
            except TimeoutError:
                continue
            except ValueError:
                continue  # a line beyond every bound
            if not line:
                return
            now_ns = self._given.monotonic_ns()
            match report.line(line):
                case Progress() as progress if progress.frames > frames:
                    heard_ns, frames = now_ns, progress.frames
                    timeline.heard(progress, now_ns)
                    beat = await self._beat(beat, progress, emit)
                case Closed() as closed:
                    await self._keep(closed, timeline, emit)

    async def _beat(self, beat: "_Beat", progress: Progress, emit: Emitter) -> "_Beat":
        """Tell the heartbeat when it is time; return where the next one begins."""
        now_ns = self._given.monotonic_ns()
        passed_ns = now_ns - beat.since_ns
        if passed_ns < self._settings.heartbeat_s * 1_000_000_000 and beat.frames:
            return beat
        after = _Beat(now_ns, progress.frames, progress.at_us)
        if not beat.frames:
            return after  # what was buffered while connecting tells no rate
        rate = (progress.frames - beat.frames) * 10**12 // passed_ns
        recorded_ms = max(0, progress.at_us - beat.at_us) // 1000
        state = FROZEN if self._frozen else MOVING
        counts: list[int | None] = [rate, recorded_ms, state if self._settings.frozen_s else None]
        flags = [] if self._settings.frozen_s else [(2, int(Status.NOT_MEASURED))]
        await emit.poll(Poll(self._layout.id, ticks(now_ns), counts, flags))
        return after

    async def _keep(self, closed: Closed, timeline: Timeline, emit: Emitter) -> None:
        """Name complete segments as soon as their time is sure, and let the oldest go."""
        clock = self._given.clock()
        try:
            if closed.number == 0:  # ffmpeg says of the first one that it began at zero
                first = await first_frame(self._recording.part(0))
                closed = replace(closed, start_us=closed.start_us if first is None else first)
            self._unnamed.append(closed)
            while self._unnamed and timeline.settled:
                self._recording.closed(self._unnamed.popleft(), timeline, clock)
            offset = clock.offset_ticks
            utc_ms = None if offset is None else (ticks(self._given.monotonic_ns()) + offset) * TICK_MS
            self._recording.prune(
                bytes_max=self._settings.recording_bytes_max,
                age_max_h=self._settings.recording_age_max_h,
                utc_ms=utc_ms,
            )
        except OSError as error:
            raise DeviceUnavailable(f"recording: {error.strerror}", GapCause.STORAGE) from None

    async def _listen(self, errors: asyncio.StreamReader, said: deque[str], emit: Emitter) -> None:
        """Follow what ffmpeg complains of, and when the picture freezes and moves."""
        self._frozen = False
        while True:
            try:
                line = await errors.readline()
            except ValueError:
                continue
            if not line:
                return
            if (now := frozen(line)) is not None and now is not self._frozen:
                self._frozen = now
                await self._event("camera_frozen" if now else "camera_moving", {}, emit)
            if b"[error]" in line or b"[fatal]" in line:
                said.append(line[:400].decode("utf-8", "replace").strip())

    async def _event(
        self, kind: str, data: dict[str, Scalar], emit: Emitter, *, tick: int | None = None
    ) -> None:
        at = ticks(self._given.monotonic_ns()) if tick is None else tick
        await emit.event(Event(kind, self._settings.prefix, max(0, at), data))

    # --- pictures ----------------------------------------------------------------------------------------

    async def _wish_by_the_clock(self) -> None:
        while self._settings.snapshot_s:
            await asyncio.sleep(self._settings.snapshot_s)
            self._wishes.append(Wish(ticks(self._given.monotonic_ns()), "timer", timer=True))
            self._wished.set()

    async def _ask_clock(self) -> None:
        while True:
            self._clock = await ask_clock(
                self._settings.url, monotonic_ns=self._given.monotonic_ns, clock=self._given.clock
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
            if self._wishes and self._wishes[0] is wish:
                self._wishes.popleft()

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
            note = self._waiting.add(
                target, camera=self.name, kind=kind, reason=wish.reason, tick=tick, utc_ms=utc_ms
            )
            gone = self._waiting.prune()
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
        for digest in gone:
            await self._event("picture_dropped", {"sha256": digest}, emit)
        return ""

    # --- upload ------------------------------------------------------------------------------------------

    async def _upload(self, emit: Emitter) -> None:
        wait_s = UPLOAD_FIRST_S
        while self._endpoint is not None:
            if await self._upload_once(emit):
                wait_s = UPLOAD_FIRST_S
                await asyncio.sleep(UPLOAD_LOOK_S)
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(UPLOAD_LONGEST_S, 2 * wait_s)

    async def _upload_once(self, emit: Emitter) -> bool:
        """Send what waits, oldest first; False as soon as one is not taken."""
        while self._endpoint is not None and (oldest := self._waiting.oldest()):
            picture, note = oldest
            try:
                await self._endpoint.put(picture, note)
            except UploadError:
                return False
            except FileNotFoundError:
                self._waiting.remove(picture)
                continue
            self._waiting.remove(picture)
            await self._event("picture_uploaded", {"sha256": note.sha256}, emit)
        return True

    # --- probing -----------------------------------------------------------------------------------------

    async def probe(self) -> Sequence[ProbeLine]:
        """Look at the stream once, without recording it."""
        settings = self._settings
        what = f"{self.name}: {settings.url}"
        try:
            login = read_login(self._folder / "credentials") if settings.login else Login()
            said = await _look(settings, login)
        except (DeviceUnavailable, FfmpegError) as error:
            return [ProbeLine(what, ok=False, answer=str(error))]
        return [ProbeLine(what, ok=bool(said), answer=said or "no video in it")]


@dataclass(frozen=True, slots=True)
class _Beat:
    """Where a heartbeat begins."""

    since_ns: int
    frames: int
    at_us: int


async def _look(settings: CameraDevice, login: Login) -> str:
    """Return codec and size of the stream; `FfmpegError`."""
    words = [
        *program("ffprobe"),
        *(
            "-v",
            "error",
            "-f",
            "concat",
            "-safe",
            "0",
            "-protocol_whitelist",
            "file,pipe,tcp,udp,rtp,rtsp,http",
        ),
        *("-select_streams", "v:0", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0"),
        "pipe:0",
    ]
    timeout_s = settings.silence_s + 5.0
    said = await output_of(words, timeout_s=timeout_s, secrets=login.secrets, given=source(settings, login))
    return said.decode("ascii", "replace").strip()


def _endpoint(settings: CameraDevice) -> Endpoint | None:
    if settings.upload_url is None:
        return None
    return HttpsEndpoint(settings.upload_url, tls=ssl.create_default_context())


def _declare(settings: CameraDevice) -> list[PointDeclaration]:
    period_ms = settings.heartbeat_s * 1000
    states = {str(MOVING): "moving", str(FROZEN): "frozen"}
    rows: list[tuple[str, str, PointKind, int, dict[str, str]]] = [
        ("frame_rate", "frequency", PointKind.ANALOG, -3, {}),
        ("recorded", "duration", PointKind.ANALOG, -3, {}),
        ("picture", "state", PointKind.STATE, 0, states),
    ]
    return [
        PointDeclaration(
            name=f"{settings.prefix}/{name}",
            quantity=quantity,
            kind=kind,
            exponent=exponent,
            period_ms=period_ms,
            device=settings.name,
            states=words,
        )
        for name, quantity, kind, exponent, words in rows
    ]
