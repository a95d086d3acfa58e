"""What a process holds: tasks, threads, files, sockets and children."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILES = Path("/proc/self/fd")


@dataclass(frozen=True)
class Held:
    """At one moment."""

    tasks: int
    threads: int
    files: int
    sockets: int
    children: int

    def more_than(self, before: "Held") -> Mapping[str, int]:
        """Return what there is more of, by name."""
        names = self.__dataclass_fields__
        return {name: more for name in names if (more := getattr(self, name) - getattr(before, name)) > 0}


def held() -> Held:
    """Return what this process holds now."""
    kinds: Counter[bool] = Counter()
    for file in FILES.iterdir():
        with suppress(OSError):
            kinds[str(file.readlink()).startswith("socket:")] += 1
    return Held(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        files=kinds[False],
        sockets=kinds[True],
        children=sum(parent == os.getpid() for parent in _parents()),
    )


async def settled(before: Held, within_s: float) -> Mapping[str, int]:
    """Return what there is more of than before, once there is no more or the time is up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    more = held().more_than(before)
    while more and loop.time() < end:
        await asyncio.sleep(0.05)
        more = held().more_than(before)
    return more


async def whole_pool(size: int = 2) -> None:
    """Give the loop a pool of threads for what blocks, with all of its threads there from the start."""
    pool = ThreadPoolExecutor(size, thread_name_prefix="pool")
    asyncio.get_running_loop().set_default_executor(pool)
    together = threading.Barrier(size)
    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(size)))


def _parents() -> list[int]:
    """Return the parent of every process that is there, those that ended and were not waited for included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append(int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]))
    return found
