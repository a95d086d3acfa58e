"""A disk that can be full: a small file system of its own, or a limit on the size of files.

A small tmpfs needs the right to mount; without it the running process's file size limit is lowered to
what its files already have, which fails writes in the same place (EFBIG instead of ENOSPC).
"""

import asyncio
import os
import resource
import shutil
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

SIZE_MB = 48
_CHUNK = bytes(64 * 1024)


async def _mount(*words: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait() == 0


class Disk:
    """Where one gateway keeps its data."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        """`mounted`: the folder is a file system of its own."""
        self.folder = folder
        self.mounted = mounted

    def fill(self, pid: int) -> str:
        """Leave no room for the process; return how."""
        if self.mounted:
            self._fill_up()
            return "no space left on its file system"
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        return "its files may not grow"

    def make_room(self, pid: int) -> None:
        """Undo `fill`."""
        if self.mounted:
            (self.folder / "filler").unlink(missing_ok=True)
        else:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def _fill_up(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (len(_CHUNK), 4096, 512):
                try:
                    while file.write(_CHUNK[:size]) == size:
                        pass
                except OSError:
                    continue


@asynccontextmanager
async def open_disk(folder: Path, *, keep: bool = False) -> AsyncIterator[Disk]:
    """Give an existing folder a small file system of its own where that is allowed.

    `keep` leaves a copy of what was on it in the folder.
    """
    mounted = os.geteuid() == 0 and await _mount(
        "mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "heng-faults", str(folder)
    )
    try:
        yield Disk(folder, mounted=mounted)
    finally:
        kept = folder.with_name(folder.name + ".kept")
        if mounted and keep:
            await asyncio.to_thread(shutil.copytree, folder, kept, symlinks=True, ignore=_sockets)
        if mounted and not await _mount("umount", str(folder)):
            await _mount("umount", "-l", str(folder))
        if kept.exists():
            await asyncio.to_thread(shutil.copytree, kept, folder, symlinks=True, dirs_exist_ok=True)
            await asyncio.to_thread(shutil.rmtree, kept)


def _sockets(folder: str, names: Sequence[str]) -> list[str]:
    """Return what is no file: it cannot be copied."""
    return [name for name in names if stat.S_ISSOCK((Path(folder) / name).lstat().st_mode)]
