"""Takes single pictures out of the rolling recording, at most a second away from what they are for.

Pictures are made by ffmpeg from the files of the recording, so that a moment that has passed can still be
seen; the gateway itself holds no frame.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.drivers.camera.decode import around, frames_of
from edge.drivers.camera.ffmpeg import FfmpegError, output_of, program
from edge.drivers.camera.recording import Part

WITHIN_US = 1_000_000
TIMEOUT_S = 20.0
HALF_US = 500


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a file."""

    file: Path
    at_us: int


async def frames_around(parts: Iterable[Part], at_us: int) -> tuple[Frame | None, Frame | None]:
    """Return the nearest frame before and after a moment; None where there is none within a second."""
    owner: dict[int, Path] = {}
    for part in parts:
        owner |= dict.fromkeys(await _frames(part.file), part.file)
    before, after = around(owner, at_us, WITHIN_US)
    return (
        None if before is None else Frame(owner[before], before),
        None if after is None else Frame(owner[after], after),
    )


async def first_frame(file: Path) -> int | None:
    """Return the time of the first frame of a file, in microseconds."""
    return next(iter(await _frames(file)), None)


async def _frames(file: Path) -> list[int]:
    """Return the times of a file's frames; none of a segment that has just begun."""
    look = ("-v", "quiet", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0")
    with suppress(FfmpegError):
        return frames_of(await output_of([*program("ffprobe"), *look, str(file)], timeout_s=TIMEOUT_S))
    return []


async def picture_of(frame: Frame, target: Path) -> None:
    """Write one frame as JPEG; `FfmpegError`. The camera's own pixels, in the best quality."""
    since = f"{(frame.at_us - HALF_US) / 1e6:.6f}"
    await output_of(
        [
            *program("ffmpeg"),
            *("-v", "error", "-nostdin", "-y", "-threads", "1", "-copyts", "-i", str(frame.file)),
            *("-vf", f"select=gte(t\\,{since})", "-frames:v", "1", "-q:v", "2", "-f", "image2"),
            *("-update", "1", str(target)),
        ],
        timeout_s=TIMEOUT_S,
    )
