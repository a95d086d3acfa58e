"""Keeps the parts of a hub process running; the only place in the hub that catches broadly.

A part that fails is started again with jittered backoff. What is logged is the change of state: once when
a part is lost, once when it is back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from random import Random

import psycopg

from cloud.mqtt import BrokerLost

_log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
CANCEL_AGAIN_S = 4.0
"""So long a part may take to end; longer than open requests are given."""
_EXPECTED = (BrokerLost, psycopg.OperationalError, OSError)
"""What an outage looks like; anything else is a fault of ours and is logged with its traceback."""


class Health:
    """Which parts work at this moment, for `/ready` and the log."""

    def __init__(self) -> None:
        self._lost: dict[str, str] = {}
        self._known: set[str] = set()

    def up(self, part: str) -> None:
        """The part works."""
        if part in self._lost:
            del self._lost[part]
            _log.info("%s is back", part)
        self._known.add(part)

    def lost(self, part: str, reason: str) -> bool:
        """The part does not work; return whether that is news."""
        news = part not in self._lost
        self._lost[part] = reason
        self._known.discard(part)
        return news

    def missing(self, parts: tuple[str, ...]) -> dict[str, str]:
        """Return the parts of these that do not work, with the reason."""
        return {
            part: self._lost.get(part, "has not started yet") for part in parts if part not in self._known
        }


async def supervise(
    part: str,
    run: Callable[[Callable[[], None]], Awaitable[None]],
    *,
    health: Health,
    random: Random,
) -> None:
    """Run a part until cancelled; `run` is given a function to call once it works."""
    wait_s = FIRST_WAIT_S
    worked = False

    def up() -> None:
        nonlocal worked
        _stop_if_cancelled()
        worked = True
        health.up(part)

    while True:
        worked = False
        try:
            await run(up)
            reason = "ended"
        except _EXPECTED as error:
            reason = str(error) or type(error).__name__
            if health.lost(part, reason):
                _log.warning("%s is lost: %s", part, reason)
        except Exception as error:  # noqa: BLE001 - the one place for it
            reason = repr(error)
            health.lost(part, reason)
            _log.exception("%s failed", part)
        else:
            health.lost(part, reason)
        _stop_if_cancelled()
        wait_s = FIRST_WAIT_S if worked else min(LONGEST_WAIT_S, wait_s * 2)
        await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))


async def end(parts: Collection[asyncio.Task[None]], *, again_s: float = CANCEL_AGAIN_S) -> None:
    """Cancel parts until all have ended: a library may keep a cancellation to itself (`_stop_if_cancelled`).

    A loop that such a part is in goes on as if nothing had been said, for ever.
    """
    while lasting := [part for part in parts if not part.done()]:
        for part in lasting:
            part.cancel()
        await asyncio.wait(lasting, timeout=again_s)


async def contain(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do one piece of work of many whose failure is none of the others': it is logged, and that is all."""
    try:
        await work()
    except Exception:  # noqa: BLE001 - as above
        _log.exception("%s failed", what)


def _stop_if_cancelled() -> None:
    """Raise again a cancellation that a library kept to itself.

    psycopg raises the server's error for a cancelled statement, and `asyncio.wait_for` of Python 3.11, which
    aiomqtt and psycopg's pool wait with, loses a cancellation that comes with the result.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
