"""MP4 that browsers play, made of segments by ffmpeg; a convenience, no evidence: that is the segment itself.

H.264 is put into another container as it is, anything else is encoded anew. A few results are kept, so that a
browser may ask for them piece by piece.
"""

import asyncio
import logging
import shutil
from contextlib import suppress
from pathlib import Path

from cloud.api.services import VideoError

_log = logging.getLogger(__name__)
AT_ONCE = 2
KEPT_MAX = 32
TIMEOUT_S = 60.0
SECONDS_MAX = 900
BYTES_MAX = 500_000_000
_DEMUXERS = {"video/mp2t": "mpegts", "video/x-matroska": "matroska"}
_TEXT_MAX = 200


class Videos:
    """What was made, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, segment: Path, content_type: str) -> Path:
        """Return an MP4 of a segment, which is named by its hash; `VideoError` says why there is none."""
        target = self._folder / f"{segment.name}.mp4"
        async with self._turns:
            if not target.is_file():
                await self._make(segment, target, _DEMUXERS[content_type])
        with suppress(OSError):
            target.touch()
        return target

    async def _make(self, segment: Path, target: Path, demuxer: str) -> None:
        reads = ["-protocol_whitelist", "file", "-f", demuxer, "-i", f"file:{segment}"]
        shown = ["-select_streams", "v:0", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]
        codec = (await _run("ffprobe", ["-v", "error", *reads, *shown])).strip()
        coder = ["-c:v", "copy"] if codec == b"h264" else ["-c:v", "libx264", "-preset", "veryfast"]
        bounds = ["-t", str(SECONDS_MAX), "-fs", str(BYTES_MAX), "-threads", "1", "-pix_fmt", "yuv420p"]
        part = target.with_suffix(".part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._prune()
            words = ["-v", "error", "-nostdin", "-y", *reads, "-map", "0:v:0", *coder, *bounds]
            await _run("ffmpeg", [*words, "-movflags", "+faststart", "-f", "mp4", str(part)])
            part.replace(target)
        except OSError as error:
            raise VideoError(f"the disk: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)

    def _prune(self) -> None:
        """Let the oldest go, so that there is room for one more."""
        found = sorted((file.stat().st_mtime_ns, file) for file in self._folder.glob("*.mp4"))
        for _, file in found[: max(0, len(found) - KEPT_MAX + 1)]:
            file.unlink(missing_ok=True)


async def _run(name: str, words: list[str]) -> bytes:
    """Run a program of ffmpeg to its end and return what it wrote; `VideoError`."""
    path, guard = shutil.which(name), shutil.which("setpriv")
    if path is None:
        raise VideoError(f"{name} is not installed on the hub")
    before = [guard, "--pdeathsig", "KILL", "--"] if guard else []
    process = await asyncio.create_subprocess_exec(
        *before,
        path,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, wrong = await process.communicate()
    except TimeoutError:
        raise VideoError(f"not done within {TIMEOUT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        _log.info("media: %s: %s", name, wrong.decode("utf-8", "replace").strip()[-_TEXT_MAX:])
        raise VideoError("ffmpeg makes no video of it")
    return said
