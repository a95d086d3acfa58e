"""Keeps a rolling recording of one camera, tells a heartbeat, and takes pictures of moments.

ffmpeg reads and records; this only follows what it reports. Decoding is in `decode`, the child in `ffmpeg`,
the files in `recording`, pictures of moments in `evidence`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.camera.alarms import follow_alarms
from edge.drivers.camera.complaints import FULL, UNKNOWN, reason_of
from edge.drivers.camera.decode import Closed, Progress, Report, Timeline, frozen, scrub
from edge.drivers.camera.evidence import REASON_MAX, Evidence, Wish
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
from edge.drivers.camera.live import live_frames
from edge.drivers.camera.offers import offered_picture, offered_segment
from edge.drivers.camera.onvif import find_stream
from edge.drivers.camera.onvif_soap import Identity
from edge.drivers.camera.pictures import first_frame
from edge.drivers.camera.recording import Recording
from edge.media.source import Outgoing
from wire.layouts import make_layout
from wire.messages import TICK_MS, Event, PointDeclaration, Poll, Scalar
from wire.settings.camera import CameraDevice
from wire.status import GapCause, PointKind, Status

LOG = logging.getLogger(__name__)
CONNECT_NS = 10_000_000_000
"""So much longer the first frame may take: ffmpeg looks at a stream for up to 5 s before it goes on."""
LAST_WORDS_S = 1.0
MOVING, FROZEN = 1, 2


class CameraDriver(Declared):
    """One `[[device]]` with driver = "camera". Implements `edge.driver.Driver`."""

    def __init__(self, settings: CameraDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._folder = given.folder / settings.name
        points = _declare(settings)
        self._layout = make_layout([p.name for p in points], [p.exponent for p in points])
        self._recording = Recording(self._folder / "recording", ending=container(settings))
        self._evidence = Evidence(settings, given, self._recording)
        self._unnamed: deque[Closed] = deque()
        self._frozen = False
        self._complaint = ""
        """What ffmpeg's words came to since a frame was seen."""
        super().__init__(
            settings.name,
            points=points,
            layouts=[self._layout],
            late=GapCause.SENSOR,  # the camera, which sent nothing
        )

    @property
    def wished(self) -> int:
        """Of how many moments pictures are still to be taken."""
        return self._evidence.wished

    def noticed(self, event: Event) -> None:
        """Have pictures taken of an event of one of the kinds in `snapshot_on`."""
        if event.kind in self._settings.snapshot_on:
            self.snapshot(tick=event.tick, reason=f"{event.kind} {event.subject}")

    def snapshot(self, *, tick: int, reason: str) -> None:
        """Have pictures taken of a moment (monotonic tick): the last before it and the first after it.

        They follow as events `picture` or `picture_missing`; of too many wishes the oldest are forgotten.
        """
        self._evidence.wish(Wish(tick, reason[:REASON_MAX]))

    # --- for the media channel ----------------------------------------------------------------------------

    @property
    def camera(self) -> str:
        """First part of the names of its points."""
        return self._settings.prefix

    def pictures(self, most: int, *, but: Collection[str] = ()) -> Sequence[Outgoing]:
        """Return pictures that wait, the oldest first."""
        waiting = self._evidence.waiting.oldest(most, but=but)
        return [offered_picture(file, note, camera=self.camera) for file, note in waiting]

    def sent(self, picture: Outgoing) -> None:
        """Let a picture go: the hub has it."""
        self._evidence.waiting.remove(picture.file)

    def recorded(self, from_ms: int, to_ms: int) -> Sequence[Outgoing]:
        """Return complete segments that hold any of a stretch (UTC), in order."""
        found = self._recording.between(from_ms, to_ms)
        return [
            offered_segment(file, segment, camera=self.camera, device=self.name) for file, segment in found
        ]

    def recording_until(self, to_ms: int) -> bool:
        """Whether what was recorded before a time may still be on its way to a complete segment."""
        offset = self._given.clock().offset_ticks
        if not self._recording.active or offset is None:
            return False
        now_ms = (ticks(self._given.monotonic_ns()) + offset) * TICK_MS
        until = self._recording.complete_until()
        return (until is None or until < to_ms) and now_ms < to_ms + 2000 * self._settings.segment_s + 5000

    async def live(self, show: Callable[[bytes], None]) -> None:
        """Show frames of now as JPEG, as they come, until cancelled or the camera ends."""
        if self._recording.active:
            await live_frames(self._settings, self._recording, show)

    # --- running -----------------------------------------------------------------------------------------

    async def run(self, emit: Emitter) -> None:
        """Record until cancelled; `DeviceUnavailable` when no frame comes. No child is left."""
        try:
            words, login, url = await self._prepare(emit)
        except DeviceUnavailable:
            await self._evidence.finish(Timeline(), emit)  # no stream, no picture: that is told now
            raise
        await self._record(words, login, emit, url=url)

    async def _prepare(self, emit: Emitter) -> tuple[Sequence[str], Login, str]:
        """Return what ffmpeg is run with, who logs in, and where the stream is; `DeviceUnavailable`."""
        login = read_login(self._folder / "credentials") if self._settings.login else Login()
        run = int(emit.recall("run") or b"0") + 1
        emit.remember("run", str(run).encode())
        self._unnamed.clear()
        try:
            pattern = await asyncio.to_thread(self._recording.begin, run)
            await self._evidence.begin(emit)
            words = [*program("ffmpeg"), *recorder(self._settings, pattern)]
        except OSError as error:
            raise DeviceUnavailable(f"recording: {error.strerror}", GapCause.STORAGE) from None
        except FfmpegError as error:
            raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None
        url, identity = await find_stream(self._settings, login, self._given)
        if identity is not None:
            await self._tell_identity(identity, emit)
        return words, login, url

    async def _tell_identity(self, identity: Identity, emit: Emitter) -> None:
        """Tell what the camera says it is, when that is new: it may be another one."""
        data: dict[str, Scalar] = asdict(identity)
        known = repr(data).encode()
        if emit.recall("identity") != known:
            tick = ticks(self._given.monotonic_ns())
            await emit.event(Event("camera_identified", self._settings.prefix, tick, data))
            emit.remember("identity", known)

    async def _record(self, words: Sequence[str], login: Login, emit: Emitter, *, url: str) -> None:
        timeline = Timeline()
        said: deque[str] = deque(maxlen=5)
        failure: DeviceUnavailable | None = None
        async with (
            child(words, given=source(self._settings, url, login)) as process,
            asyncio.TaskGroup() as tasks,
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            listening = tasks.create_task(self._listen(process.stderr, said, emit))
            working = tasks.create_task(self._evidence.work(timeline, emit))
            watching = tasks.create_task(follow_alarms(self._settings, login, self._given, emit=emit))
            self._recording.active = True
            try:
                await self._follow(process.stdout, timeline, emit)
                await asyncio.wait({listening}, timeout=LAST_WORDS_S)
            except DeviceUnavailable as error:
                failure = error
            finally:
                self._recording.active = False
            listening.cancel()
            working.cancel()
            watching.cancel()
        with suppress(OSError):  # what has no name yet keeps its first one
            self._name_all(timeline)
        await self._evidence.finish(timeline, emit)
        if failure is not None:
            raise failure
        reason = reason_of(said)
        if said:
            level = logging.WARNING if reason == UNKNOWN != self._complaint else logging.INFO
            LOG.log(level, "%s: ffmpeg: %s", self.name, scrub(" ".join(said), login.secrets))
        self._complaint = reason
        raise DeviceUnavailable(reason, GapCause.STORAGE if reason == FULL else GapCause.BUS)

    async def _follow(self, output: asyncio.StreamReader, timeline: Timeline, emit: Emitter) -> None:
        """Follow ffmpeg's report until it ends; `DeviceUnavailable` when no new frame comes for too long."""
        now_ns = self._given.monotonic_ns()
        report, beat = Report(), Beat(now_ns, 0, 0, now_ns)
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
                    heard_ns, frames, self._complaint = now_ns, progress.frames, ""
                    timeline.heard(progress, now_ns)
                    beat = await self._beat(beat, progress, emit)
                case Closed() as closed:
                    await self._keep(closed, timeline, emit)

    async def _beat(self, beat: "Beat", progress: Progress, emit: Emitter) -> "Beat":
        """Tell the heartbeat when it is time; return where the next one begins."""
        now_ns = self._given.monotonic_ns()
        passed_ns = now_ns - beat.since_ns
        if now_ns < beat.due_ns and beat.frames:
            return beat
        after = beat.after(progress, now_ns, period_ns=self._settings.heartbeat_s * 1_000_000_000)
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
            self._recording.closed(closed)
            self._unnamed.append(closed)
            if timeline.settled:
                self._name_all(timeline)
            offset = clock.offset_ticks
            utc_ms = None if offset is None else (ticks(self._given.monotonic_ns()) + offset) * TICK_MS
            self._recording.prune(
                bytes_max=self._settings.recording_bytes_max,
                age_max_h=self._settings.recording_age_max_h,
                utc_ms=utc_ms,
            )
        except OSError as error:
            raise DeviceUnavailable(f"recording: {error.strerror}", GapCause.STORAGE) from None

    def _name_all(self, timeline: Timeline) -> None:
        while self._unnamed:
            self._recording.name(self._unnamed.popleft(), timeline, self._given.clock())

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
                kind = "camera_frozen" if now else "camera_moving"
                await emit.event(Event(kind, self._settings.prefix, ticks(self._given.monotonic_ns()), {}))
            if b"[error]" in line or b"[fatal]" in line:
                said.append(line.decode("utf-8", "replace").strip())

    # --- probing -----------------------------------------------------------------------------------------

    async def probe(self) -> Sequence[ProbeLine]:
        """Look at the stream once, without recording it."""
        settings = self._settings
        what = f"{self.name}: {settings.onvif or settings.url}"
        try:
            login = read_login(self._folder / "credentials") if settings.login else Login()
            url, identity = await find_stream(settings, login, self._given)
            said = await _look(settings, url, login)
        except (DeviceUnavailable, FfmpegError) as error:
            return [ProbeLine(what, ok=False, answer=str(error))]
        shown = f"; {identity.maker} {identity.model} {identity.serial}" if identity is not None else ""
        return [ProbeLine(what, ok=bool(said), answer=(said or "no video in it") + shown)]


@dataclass(frozen=True, slots=True)
class Beat:
    """Where a heartbeat begins, and when it is due to be told."""

    since_ns: int
    frames: int
    at_us: int
    due_ns: int

    def after(self, progress: Progress, now_ns: int, *, period_ns: int) -> "Beat":
        """Return the next one: reports come once a second, and their lateness must not gather."""
        due_ns = self.due_ns + period_ns
        if not self.frames or due_ns <= now_ns + period_ns // 4:
            due_ns = now_ns + period_ns
        return Beat(now_ns, progress.frames, progress.at_us, due_ns)


async def _look(settings: CameraDevice, url: str, login: Login) -> str:
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
    said = await output_of(
        words, timeout_s=timeout_s, secrets=login.secrets, given=source(settings, url, login)
    )
    return said.decode("ascii", "replace").strip()


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
