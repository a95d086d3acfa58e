"""ffmpeg as a child: the commands, its start and its certain end.

The stream's address goes in through standard input, because a command line can be read by every user of the
machine and would end up in logs. A child ends with the block that started it, and with this process.
"""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from edge.driver import DeviceUnavailable
from edge.drivers.camera.complaints import UNKNOWN, reason_of
from edge.drivers.camera.decode import AHEAD_US, scrub
from wire.settings.camera import CameraDevice
from wire.status import GapCause

LOG = logging.getLogger(__name__)
END_S = 3.0
OUTPUT_MAX = 4 * 1024 * 1024
PROTOCOLS = "pipe,tcp,udp,rtp,rtsp,http,https,tls,crypto"
TEXT_MAX = 160
LOG_MAX = 1000
LINE_BYTES_MAX = 65_536


class FfmpegError(Exception):
    """ffmpeg is not there or did not do what it should; the text names no secret."""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password of a camera, if it wants any."""

    user: str = ""
    password: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be told, in every spelling."""
        both = (self.password, quote(self.password, safe=""), f"{self.user}:{self.password}")
        return tuple(one for one in both if self.password and one)

    def into(self, url: str) -> str:
        """Return an address with user and password in it."""
        if not self.user:
            return url
        parts = urlsplit(url)
        netloc = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@{parts.netloc}"
        return urlunsplit(parts._replace(netloc=netloc))


def read_login(file: Path) -> Login:
    """Return the two lines of a credentials file; `DeviceUnavailable` when it is not as it should be."""
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceUnavailable(f"{file.name}: {error}"[:TEXT_MAX], GapCause.GATEWAY) from None
    if mode & 0o077:
        raise DeviceUnavailable(f"{file.name} can be read by others: expected mode 600", GapCause.GATEWAY)
    if len(lines) < 2 or not lines[0]:
        raise DeviceUnavailable(f"{file.name}: expected a user and a password, a line each", GapCause.GATEWAY)
    return Login(lines[0], lines[1])


def source(settings: CameraDevice, url: str, login: Login) -> bytes:
    """Return what ffmpeg reads from its standard input: a list with one address and its options."""
    timeout_us = settings.silence_s * 1_000_000
    lines = ["ffconcat version 1.0", f"file '{login.into(url)}'"]
    if url.startswith("rtsp:"):
        lines += [f"option rtsp_transport {settings.transport}", f"option timeout {timeout_us}"]
    else:
        lines += ["option use_wallclock_as_timestamps 1", f"option rw_timeout {timeout_us}"]
    return "\n".join([*lines, ""]).encode()


def recorder(settings: CameraDevice, pattern: Path) -> list[str]:
    """Return the arguments that record into segments, report on standard output, and look for a freeze."""
    ending = container(settings)
    reads = ["-f", "concat", "-safe", "0", "-protocol_whitelist", PROTOCOLS, "-skip_frame", "nokey"]
    words = [
        "-hide_banner",
        "-loglevel",
        "level+info",
        "-nostats",
        "-progress",
        "pipe:1",
        "-stats_period",
        "1",
    ]
    words += [*reads, "-i", "pipe:0", "-map", "0:v:0", "-c", "copy", "-muxdelay", "0", "-muxpreload", "0"]
    words += ["-output_ts_offset", f"{AHEAD_US // 1_000_000}", "-fflags", "+flush_packets", "-f", "segment"]
    words += ["-segment_time", str(settings.segment_s), "-segment_atclocktime", "1"]
    words += ["-segment_list", "pipe:1", "-segment_list_type", "csv"]
    if ending == "mkv":
        words += ["-segment_format", "matroska", "-segment_format_options", "live=1:cluster_time_limit=200"]
    else:
        words += ["-segment_format", "mpegts"]
    words += [str(pattern)]
    if settings.frozen_s:
        look = f"scale=64:36,freezedetect=n=0.001:d={settings.frozen_s}"
        words += ["-map", "0:v:0", "-vsync", "passthrough", "-vf", look, "-f", "null", "-"]
    return words


def viewer(settings: CameraDevice) -> list[str]:
    """Return the arguments that make JPEG on standard output out of MPEG-TS on standard input.

    One thread, no queue: it costs what key frames cost, unless all frames are wanted.
    """
    skip = ["-skip_frame", "nokey"] if settings.live_frames == "key" else []
    words = ["-v", "quiet", "-threads", "1", "-flags", "low_delay", *skip, "-fflags", "nobuffer"]
    words += ["-probesize", "500000", "-analyzeduration", "1000000", "-f", "mpegts", "-i", "pipe:0"]
    smaller = f"scale='min({settings.live_width_max},iw)':-2"
    words += ["-map", "0:v:0", "-vsync", "passthrough", "-vf", smaller, "-q:v", "6", "-threads", "1"]
    return [*words, "-f", "mjpeg", "-flush_packets", "1", "pipe:1"]


def container(settings: CameraDevice) -> str:
    """Return the ending of the segments: MPEG-TS cannot carry MJPEG."""
    return "ts" if (settings.url or "rtsp:").startswith("rtsp:") else "mkv"


def program(name: str) -> list[str]:
    """Return the words that start a program so that it ends with us (util-linux); `FfmpegError`."""
    path, guard = shutil.which(name), shutil.which("setpriv")
    if path is None:
        raise FfmpegError(f"{name} is not installed")
    return [*([guard, "--pdeathsig", "KILL", "--"] if guard else []), path]


@asynccontextmanager
async def child(
    words: Sequence[str], *, given: bytes | None = b""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a child while the context is open. On the way out it is gone, whatever it did.

    What is `given` is all of its standard input; with None that stays open.
    """
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        if given is not None:
            process.stdin.write(given)
            process.stdin.close()
        yield process
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a child by its own number: kindly, so that its last segment is whole, then by force."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(END_S):
                await process.communicate()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
    await process.wait()


async def output_of(
    words: Sequence[str], *, timeout_s: float, secrets: Sequence[str] = (), given: bytes = b""
) -> bytes:
    """Run a child to its end and return what it wrote; `FfmpegError`."""
    try:
        async with asyncio.timeout(timeout_s), child(words, given=given) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            said, wrong = await asyncio.gather(_all(process.stdout), _all(process.stderr))
            code = await process.wait()
    except TimeoutError:
        raise FfmpegError(f"not done within {timeout_s:g} s") from None
    if code:
        text = wrong.decode("utf-8", "replace").strip()
        reason = reason_of([text])
        level = logging.WARNING if reason == UNKNOWN else logging.INFO
        LOG.log(level, "ffmpeg: %s", scrub(text, secrets)[-LOG_MAX:])
        raise FfmpegError(reason)
    return said


async def _all(stream: asyncio.StreamReader) -> bytes:
    """Read to the end; what is beyond a bound is thrown away."""
    found = bytearray()
    while data := await stream.read(LINE_BYTES_MAX):
        found += data[: OUTPUT_MAX - len(found)]
    return bytes(found)
