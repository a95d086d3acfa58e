"""The readers of one RS-485 line: cards, PINs, tamper, power, and whether each reader is there.

Decoding is in `decode`; the line belongs to the thread of `bus`, which lives as long as `run`. A card's
number stays in this process: `edge.presenting` gives the credential to who decides, the journal its hash.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from edge.control.offers import Feedback, NotDoneError
from edge.driver import Declared, Emitter, Given, ProbeLine
from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.bus import Bus
from edge.drivers.osdp.decode import KeyUnfitError
from edge.drivers.osdp.feedback import show
from edge.drivers.osdp.keys import ReaderKeys
from edge.drivers.osdp.pairing import Pairing
from edge.drivers.osdp.reader import Outgoing, Reader, Silence
from edge.drivers.osdp.station import NotThereError, Station
from edge.presenting import presenter
from wire.messages import Event, Poll
from wire.settings.osdp import OsdpDevice
from wire.status import GapCause

LOG = logging.getLogger(__name__)
WAITING_MAX = 500
"""So much may wait for the journal before the readers are no longer asked."""
PROBE_S = 5.0
T = TypeVar("T")


class OsdpDriver(Declared):
    """One `[[device]]` with driver = "osdp". Implements `edge.driver.Driver`."""

    def __init__(self, settings: OsdpDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._folder = given.folder / settings.name
        self._readers = {
            reader.name: Reader(reader, f"{settings.prefix}/{reader.name}", device=settings)
            for reader in settings.reader
        }
        self._bus: Bus | None = None
        self._stations: dict[str, Station] = {}
        self._pairings: dict[str, Pairing] = {}
        self._journalling: Outgoing = None
        """What the journal has not taken yet."""
        super().__init__(
            settings.name,
            points=[point for reader in self._readers.values() for point in reader.points],
            layouts=[layout for reader in self._readers.values() for layout in reader.layouts],
            late=GapCause.BUS,  # the line, on which a reader answered late
        )

    # --- for the rooms that decide -----------------------------------------------------------------

    @property
    def readers(self) -> Sequence[str]:
        """The names of its readers."""
        return list(self._readers)

    async def show(self, reader: str, feedback: Feedback) -> list[str]:
        """Show and sound something; returns which parts the reader has. `NotDoneError`."""
        return await self._order(partial(show, self._station(reader), feedback))

    async def pair(self, reader: str, say: Callable[[str], None]) -> None:
        """Pair a reader, `edge.control.offers.ReaderDriver` says how; `NotDoneError`."""
        station = self._station(reader)
        if reader in self._pairings:
            raise NotDoneError(f"reader {reader} is being paired already")
        since = await self._order(station.paired)
        if since and station.secure:
            raise NotDoneError(
                f"reader {reader} is paired, {since}, and has a session with its own key; to pair it again, "
                "put it back to its default key as its manual says, and ask again when its session is lost"
            )
        if since:
            say(f"it was paired, {since}; its key is kept until the reader has taken a new one")
        pairing = self._pairings[reader] = Pairing(self._given.monotonic_ns)
        try:
            await self._order(station.open_install)
            await pairing.ended(say, why=lambda: station.why)
        finally:
            del self._pairings[reader]
            if self._bus is not None:
                self._bus.order(partial(station.give_up_install, "nobody waits for it any more"))

    def _station(self, reader: str) -> Station:
        try:
            return self._stations[reader]
        except KeyError:
            raise NotDoneError(f"reader {reader}: not one that runs on {self.name}") from None

    async def _order(self, work: Callable[[], T]) -> T:
        if self._bus is None:
            raise NotDoneError(f"{self.name} is not running")
        future: Future[T] = self._bus.order(work)
        try:
            while not future.done():
                await asyncio.wait([asyncio.wrap_future(future)])
            return future.result()
        except (NotThereError, KeyUnfitError) as error:
            raise NotDoneError(str(error)) from None
        except CancelledError:
            raise NotDoneError(f"{self.name} is not running any more") from None

    # --- the gateway's ---------------------------------------------------------------------------

    async def run(self, emit: Emitter) -> None:
        """Keep the readers' sessions until cancelled; a lost line is opened again every 2 s from within.

        `DeviceUnavailable` only when the key of credentials cannot be used.
        """
        presenting = await presenter(self._given)
        for reader in self._readers.values():
            reader.begin(presenting)
        queue: asyncio.Queue[Outgoing] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        happened = partial(self._happened, queue)

        def tell(happening: told.Happening) -> None:
            loop.call_soon_threadsafe(happened, happening)

        bus = self._make_bus(tell, behind=lambda: queue.qsize() > WAITING_MAX)
        with ThreadPoolExecutor(1, thread_name_prefix=self.name) as pool:
            running = loop.run_in_executor(pool, bus.run)
            running.add_done_callback(lambda _: queue.put_nowait(None))
            self._bus = bus
            try:
                await self._serve(queue, bus, emit)
                await running
            finally:
                self._bus, self._stations = None, {}
                for pairing in self._pairings.values():
                    pairing.take(None)
                bus.stop()
                await asyncio.wait([running])
                bus.close()
                await self._drain(queue, emit)

    async def _drain(self, queue: asyncio.Queue[Outgoing], emit: Emitter) -> None:
        """Journal what the readers told before the end."""
        last, self._journalling = self._journalling, None
        for outgoing in (last, *(queue.get_nowait() for _ in range(queue.qsize()))):
            if outgoing is not None:
                await _emit(outgoing, emit)

    def _make_bus(self, tell: Callable[[told.Happening], None], *, behind: Callable[[], bool]) -> Bus:
        settings, now_ns = self._settings, self._given.monotonic_ns
        self._stations = {
            reader.name: Station(
                reader.name,
                reader.address,
                keys=ReaderKeys(self._folder, reader.name),
                tell=tell,
                now_ns=now_ns,
                offline_s=settings.offline_s,
            )
            for reader in settings.reader
        }
        stations = list(self._stations.values())
        return Bus(settings.path, settings.baud, stations, tell=tell, now_ns=now_ns, behind=behind)

    def _happened(self, queue: asyncio.Queue[Outgoing], happening: told.Happening) -> None:
        """Take what the thread tells into the journal's queue."""
        if isinstance(happening, told.LineOpened):
            LOG.info("%s: the serial line is open", self.name)
        elif isinstance(happening, told.LineLost):
            LOG.warning("%s: %s", self.name, happening.reason)
        elif isinstance(happening, told.ForeignCommand):
            data = {"address": happening.address}
            tick = happening.at_ns // 10_000_000
            queue.put_nowait(Event("bus_foreign_command", self._settings.prefix, tick, dict(data)))
        else:
            if (pairing := self._pairings.get(happening.reader)) is not None:
                pairing.take(happening)
            for one in self._readers[happening.reader].took(happening):
                queue.put_nowait(one)

    async def _serve(self, queue: asyncio.Queue[Outgoing], bus: Bus, emit: Emitter) -> None:
        """Journal what the readers tell, and look after times; returns when the thread has ended."""
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._given.monotonic_ns()
        while True:
            now_ns = self._given.monotonic_ns()
            if now_ns >= due_ns:
                due_ns = max(due_ns + interval_ns, now_ns)
                for station in self._stations.values():
                    bus.order(station.ask_status)
                for reader in self._readers.values():
                    queue.put_nowait(reader.link(now_ns))
                    if (unknown := reader.unknown(now_ns)) is not None:
                        queue.put_nowait(unknown)
            for reader in self._readers.values():
                for event in reader.expire(now_ns):
                    queue.put_nowait(event)
            wakes = [due_ns, *(reader.due_ns for reader in self._readers.values() if reader.due_ns)]
            try:
                async with asyncio.timeout(max(0.0, (min(wakes) - now_ns) / 1e9)):
                    outgoing = await queue.get()
            except TimeoutError:
                continue
            if outgoing is None:
                return
            self._journalling = outgoing
            await _emit(outgoing, emit)
            self._journalling = None

    async def probe(self) -> Sequence[ProbeLine]:
        """Try for some seconds to have a session with every reader."""
        seen: dict[str, told.Happening] = {}

        def tell(happening: told.Happening) -> None:
            if isinstance(happening, told.LineLost | told.Online | told.KeyRefused | told.Offline):
                seen[happening.reader] = happening

        bus = self._make_bus(tell, behind=lambda: False)
        with ThreadPoolExecutor(1, thread_name_prefix=self.name) as pool:
            running = asyncio.get_running_loop().run_in_executor(pool, bus.run)
            try:
                for _ in range(int(PROBE_S / 0.05)):
                    if "" in seen or all(reader in seen for reader in self._readers):
                        break
                    await asyncio.wait([running], timeout=0.05)
            finally:
                self._stations = {}
                bus.stop()
                await asyncio.wait([running])
                bus.close()
        line = seen.get("")
        return [self._probe_line(name, line or seen.get(name)) for name in self._readers]

    def _probe_line(self, reader: str, seen: told.Happening | None) -> ProbeLine:
        what = f"{self.name}: reader {reader} on {self._settings.path}"
        if isinstance(seen, told.Online):
            return ProbeLine(what, ok=True, answer=f"secure session; {seen.identity}")
        answer = seen.reason if isinstance(seen, told.Trouble) else f"no secure session within {PROBE_S:g} s"
        return ProbeLine(what, ok=False, answer=answer)


async def _emit(outgoing: Event | Poll | Silence, emit: Emitter) -> None:
    if isinstance(outgoing, Event):
        await emit.event(outgoing)
    elif isinstance(outgoing, Poll):
        await emit.poll(outgoing)
    else:
        await emit.silent(outgoing.points, cause=GapCause.BUS, reason=outgoing.reason, tick=outgoing.tick)
