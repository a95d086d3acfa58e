"""Runs a gateway, and again when its settings asked for a start: each run begins with what counts then.

The process stays; journal, drivers and uplink are closed in order and made anew. What is on trial is tried by
one run: however that ends, the next one begins with what ran well.
"""

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from edge.assembly import AssemblyError
from edge.heap import keep_large_blocks_apart
from edge.journal.errors import JournalInUseError
from edge.main import Gateway, Shadow
from edge.shadow.sources import Sources
from edge.shutdown import run_command
from edge.world import World
from provisioning.identity import GatewayIdentity
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings

LOG = logging.getLogger(__name__)
Alive = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run begins with."""

    settings: GatewaySettings
    identity: GatewayIdentity
    set_aside: Sequence[Fault] = ()
    tries: bool = False
    """Whether the settings are on trial."""


class Lives:
    """The runs of one gateway within one process."""

    def __init__(
        self,
        sources: Sources,
        made: Callable[[GatewaySettings, Shadow, GatewayIdentity], Gateway],
        *,
        load: Callable[[GatewaySettings], GatewayIdentity | None],
        world: World,
    ) -> None:
        """`made` builds a gateway or raises `AssemblyError`; `load` reads the identity anew."""
        self._sources = sources
        self._made = made
        self._load = load
        self._world = world

    def run(self, first: Beginning) -> None:
        """Run until the gateway is to stay down; raises `AssemblyError` and `JournalInUseError`."""
        loop = asyncio.new_event_loop()
        good = first
        now = self._tried(first)
        alive = None
        again = False
        while True:
            gateway = self._built(now)
            if gateway is None:
                now = good
                continue
            if again:
                alive = partial(self._world.manager.keep_alive, partial(_is_alive, gateway))
            loop.run_until_complete(serve(gateway, alive))
            if not gateway.again:
                return
            again = True
            good = self._as_it_counts(good)
            now = self._tried(good)

    def _built(self, now: Beginning) -> Gateway | None:
        """Return the gateway; None where what is on trial makes none, and what ran well is next."""
        shadow = Shadow(self._sources, now.set_aside, now.tries)
        try:
            return self._made(now.settings, shadow, now.identity)
        except AssemblyError:
            if now.tries:
                return None
            raise

    def _tried(self, good: Beginning) -> Beginning:
        """Return what is on trial for this start, or what counts."""
        settings = self._sources.begin()
        return good if settings is None else replace(good, settings=settings, tries=True, set_aside=())

    def _as_it_counts(self, before: Beginning) -> Beginning:
        """Return what counts now; a file that somebody broke meanwhile stops no gateway that ran."""
        found = self._sources.in_force()
        settings = before.settings if found.settings is None else found.settings
        identity = self._load(settings) or before.identity
        return Beginning(settings, identity, found.set_aside)


def _is_alive(gateway: Gateway) -> bool:
    return gateway.alive


async def serve(gateway: Gateway, alive: Alive | None = None) -> None:
    """Run a gateway until SIGTERM or SIGINT; SIGHUP has it read its settings again.

    `alive` gives signs of life meanwhile, where a service manager waits for them before the journal is open.
    """
    keep_large_blocks_apart()
    stop = asyncio.Event()

    def end_it() -> None:
        gateway.ended()
        stop.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(left_behind)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end_it)
    loop.add_signal_handler(signal.SIGHUP, gateway.settings_changed)
    await (gateway.run(stop) if alive is None else _alive_meanwhile(gateway.run(stop), alive))
    LOG.info("gateway stopped")
    if gateway.last_command:
        code = await run_command(gateway.last_command)
        LOG.log(logging.ERROR if code else logging.INFO, "shutdown: the command ended with %s", code)


async def _alive_meanwhile(run: Coroutine[Any, Any, None], alive: Alive) -> None:
    """Run, with signs of life from the first moment; raises `JournalInUseError` as `run` does."""
    in_use: JournalInUseError | None = None
    async with asyncio.TaskGroup() as tasks:
        living = tasks.create_task(alive())
        try:
            await run
        except JournalInUseError as error:
            in_use = error
        living.cancel()
    if in_use is not None:
        raise in_use


def left_behind(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handle what no task of the loop awaits: a socket that was closed before its watch began is no error.

    The MQTT library asks for the watch from a thread; after a pause the line may have timed out by then.
    """
    error = context.get("exception")
    closed = isinstance(error, OSError) and error.errno == errno.EBADF
    refused = isinstance(error, ValueError) and str(error).startswith("Invalid file descriptor")
    watch = any(word in str(context.get("message")) for word in ("add_writer", "add_reader"))
    if watch and (closed or refused):
        LOG.debug("uplink: a line was closed before it was watched")
    else:
        loop.default_exception_handler(context)


def end(code: int) -> None:
    """End the process although a thread may still wait for a broker that does not answer.

    The MQTT library connects in a thread that cannot be interrupted; everything durable is closed by now.
    """
    logging.shutdown()
    os._exit(code)
