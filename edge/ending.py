"""How a gateway ends: outputs of interlocks are made safe first, and no device holds the end up."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

LOG = logging.getLogger(__name__)
SAFE_S = 10.0
"""So long may locks and equipment take to be made safe."""


async def end_control(
    ended: Callable[[], Coroutine[Any, Any, None]],
    changing: Sequence[asyncio.Task[None]],
    *,
    within_s: float = SAFE_S,
) -> None:
    """End what sets outputs; `ended` makes those of interlocks safe, first and waiting for no other.

    What goes wrong here ends nothing else: the journal is still to be written.
    """
    others = end(changing, within_s=within_s)
    found = await asyncio.gather(ended(), others, return_exceptions=True)  # In this order at every bus.
    for error in found:
        if error is not None:
            LOG.error("control did not end as it should", exc_info=error)


async def end(tasks: Sequence[asyncio.Task[None]], *, within_s: float | None = None) -> None:
    """Cancel tasks and wait; what they end with, such as a door that is locked, may take `within_s`."""
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=within_s)
        for task in late:
            LOG.error("a part of the gateway did not end within %s s: %s", within_s, task.get_coro())
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
