"""Shows people at readers what became of them, one after the other; a slow reader holds up nobody else."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from edge.control.given import Part
from edge.control.offers import Feedback, NotDoneError, ReaderDriver
from edge.driver import Driver
from wire.settings.osdp import OsdpDevice
from wire.settings.portal import PortalSettings, readers_of

LOG = logging.getLogger(__name__)
WAITING_MAX = 4
"""So much may wait at a reader; what is older than that is of no use to anybody there."""


class Showing:
    """The readers at doors of one gateway that can show something."""

    def __init__(
        self,
        portals: Iterable[PortalSettings],
        devices: Iterable[object],
        drivers: Callable[[], Sequence[Driver]],
    ) -> None:
        at_doors = {reader for portal in portals for _, reader, _ in portal.readers()}
        places = readers_of([one for one in devices if isinstance(one, OsdpDevice)])
        self._places = {reader: place for reader, place in places.items() if reader in at_doors}
        self._drivers = drivers
        self._waiting: Mapping[str, asyncio.Queue[Feedback]] = {
            reader: asyncio.Queue(WAITING_MAX) for reader in self._places
        }

    def show(self, reader: str, feedback: Feedback) -> None:
        """Show something at a reader (subject of its events); nothing where it can show nothing."""
        waiting = self._waiting.get(reader)
        if waiting is None:
            return
        if waiting.full():
            waiting.get_nowait()
        with suppress(asyncio.QueueFull):
            waiting.put_nowait(feedback)

    def parts(self) -> Mapping[str, Part]:
        """Return what is to be kept running, by reader."""
        return {reader: partial(self._run, reader) for reader in self._waiting}

    async def _run(self, reader: str) -> None:
        device, name = self._places[reader]
        while True:
            feedback = await self._waiting[reader].get()
            known = [one for one in self._drivers() if isinstance(one, ReaderDriver)]
            driver = next((one for one in known if one.name == device), None)
            if driver is None:
                continue
            try:
                await driver.show(name, feedback)
            except NotDoneError as error:
                LOG.info("reader %s: %s", reader, error)
