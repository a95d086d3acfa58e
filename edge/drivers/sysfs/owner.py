"""One thread that reads what may block, with a deadline for each piece of work.

The kernel cannot be told to give a read up. Work that runs over its deadline keeps its thread until it ends;
until then the owner starts nothing else, so that at most one thread of each owner is ever stuck.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class StuckError(Exception):
    """The work was not done by its deadline, or the work before it still runs."""


class Owner:
    """Of one bus, or of one sensor. `close` it when nothing more is to be read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads: ThreadPoolExecutor | None = None
        self._last: Future[Any] | None = None

    @property
    def stuck(self) -> bool:
        """Whether work still runs that nobody waits for."""
        return self._last is not None and not self._last.done()

    async def call(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return what the work returns or raise what it raises (no `TimeoutError`); `StuckError`."""
        if self.stuck:
            raise StuckError("the read before this one has not returned yet")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        future = self._last = self._threads.submit(work)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise StuckError(f"a read took longer than {timeout_s:g} s") from None

    def close(self) -> None:
        """Let the thread go, at once or as soon as its read returns."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
