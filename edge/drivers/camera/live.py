"""Frames of now, made from the recording as it grows, so that the camera is not asked a second time.

MJPEG is in the recording as it is; of anything else a child of ffmpeg makes pictures, as long as somebody
takes them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

from edge.drivers.camera.ffmpeg import FfmpegError, child, container, program, viewer
from edge.drivers.camera.jpeg import Jpegs
from edge.drivers.camera.recording import Recording
from wire.media import FRAME_BYTES_MAX
from wire.settings.camera import CameraDevice

LOOK_S = 0.1
_PIECE = 65_536


async def live_frames(settings: CameraDevice, recording: Recording, show: Callable[[bytes], None]) -> None:
    """Show JPEG pictures from the segment that grows on, until cancelled or the recording ends.

    The first ones are those that the segment has already: who wants now takes the newest.
    """
    jpegs = Jpegs(FRAME_BYTES_MAX)
    if container(settings) == "mkv":
        async with aclosing(_growing(recording)) as pieces:
            async for data in pieces:
                _show(jpegs, data, show)
        return
    with suppress(FfmpegError, OSError):  # it cannot be started: there is nothing to show
        await _decoded([*program("ffmpeg"), *viewer(settings)], recording, jpegs, show=show)


async def _decoded(
    words: Sequence[str], recording: Recording, jpegs: Jpegs, *, show: Callable[[bytes], None]
) -> None:
    async with child(words, given=None) as process, asyncio.TaskGroup() as tasks:
        assert process.stdin is not None
        assert process.stdout is not None
        feeding = tasks.create_task(_feed(recording, process.stdin))
        while data := await process.stdout.read(_PIECE):
            _show(jpegs, data, show)
        feeding.cancel()


def _show(jpegs: Jpegs, data: bytes, show: Callable[[bytes], None]) -> None:
    for picture in jpegs.feed(data):
        show(picture)


async def _feed(recording: Recording, into: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        async with aclosing(_growing(recording)) as pieces:
            async for data in pieces:
                into.write(data)
                await into.drain()
    into.close()


async def _growing(recording: Recording) -> AsyncGenerator[bytes, None]:
    """Give the bytes of a run from its newest segment on, as they are written; ends with the recording."""
    run, number = recording.run, recording.growing
    while _goes_on(recording, run):
        try:
            file = recording.part(number).open("rb")
        except OSError:
            await asyncio.sleep(LOOK_S)
            number = max(number, recording.growing)
            continue
        with file:
            while True:
                complete = recording.part(number + 1).is_file() or not _goes_on(recording, run)
                if data := file.read(_PIECE):
                    yield data
                    await asyncio.sleep(0)
                elif complete:
                    break
                else:
                    await asyncio.sleep(LOOK_S)
        number += 1


def _goes_on(recording: Recording, run: int) -> bool:
    return recording.active and recording.run == run
