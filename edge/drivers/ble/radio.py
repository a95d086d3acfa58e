"""One radio that is kept hearing: one bleak scanner, a watchdog, and the recovery ladder.

Whoever listens gets every advertisement and every deaf stretch in order, through a bounded queue. It decodes
nothing and knows no sensor.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError, BleakError

from edge.driver import Emitter, MonotonicNs, ticks
from edge.drivers.ble.bluez import (
    Adapter,
    Bluez,
    RadioError,
    authorize,
    authorized_file,
    bluez,
    short,
)
from edge.drivers.ble.decode import Heard
from edge.drivers.ble.ladder import Ladder, Quiet, Step, Timings
from edge.drivers.system_bus import BUS_FAULTS
from wire.messages import Event, Scalar
from wire.settings.ble import BleDevice

LOG = logging.getLogger(__name__)
QUEUE_MAX = 2000
_NOT_HEARD = -127
"""What bleak says of a device whose properties changed without an advertisement."""
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Deaf:
    """Between these moments nobody can have been heard."""

    from_ns: int
    to_ns: int


class Radio:
    """The radio of one `[[device]]`."""

    def __init__(
        self, settings: BleDevice, *, monotonic_ns: MonotonicNs, timings: Timings, sysfs: Path
    ) -> None:
        """`sysfs` is where the kernel shows devices, /sys."""
        self._settings = settings
        self._monotonic_ns = monotonic_ns
        self._timings = timings
        self._sysfs = sysfs
        self._queue: deque[Heard | Deaf] = deque(maxlen=QUEUE_MAX)
        self._filled = asyncio.Event()
        self._stir = asyncio.Event()
        self._ladder = Ladder(timings)
        self._quiet = Quiet(settings.patience_s, timings.settle_s)
        self._adapter: Adapter | None = None
        self._avoid = ""
        self._deaf_from_ns: int | None = monotonic_ns()
        self._data_ns: int | None = None
        self._bleak_ns: int | None = None
        self._alarmed = False
        self.heard_ns = monotonic_ns()
        """When anybody was heard last (at the beginning: when the radio was made)."""
        self.trouble = ""
        """Why nobody is heard; empty while all is well."""

    # --- what the driver asks --------------------------------------------------------------------------

    async def next(self, wait_s: float) -> Sequence[Heard | Deaf]:
        """Return what was heard since the last call, oldest first; nothing when nothing came in `wait_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._filled.wait()
        self._filled.clear()
        found = list(self._queue)
        self._queue.clear()
        return found

    async def run(self, emit: Emitter) -> None:
        """Listen until cancelled, whatever happens to the radio."""
        self._start()
        while True:
            reason = await self._listen(emit)
            await self._help(reason, emit)

    def _start(self) -> None:
        self.heard_ns = self._monotonic_ns()
        self._deaf_from_ns, self.trouble, self._alarmed = self.heard_ns, "", False
        self._ladder.down()
        self._quiet.broken()

    # --- listening -------------------------------------------------------------------------------------

    async def _listen(self, emit: Emitter) -> str:
        """Listen until something is wrong; return what."""
        try:
            async with bluez(self._stir.set, self._data_came, timeout_s=self._timings.call_s) as service:
                adapter = self._choose(await service.adapters())
                self._adapter = adapter
                if not adapter.powered:
                    return f"adapter {adapter.name} is switched off"
                service.watch(adapter)
                async with self._scan(adapter):
                    return await self._watch(service, emit)
        except RadioError as error:
            return str(error)

    def _choose(self, there: Sequence[Adapter]) -> Adapter:
        wanted = self._settings.adapters
        if wanted:
            there = [one for name in wanted for one in there if name in (one.name, one.address)]
        if not there:
            raise RadioError(f"there is no Bluetooth adapter {', '.join(wanted)}".rstrip())
        return next((one for one in there if one.address != self._avoid), there[0])

    @asynccontextmanager
    async def _scan(self, adapter: Adapter) -> AsyncIterator[None]:
        self._data_ns = self._bleak_ns = None
        scanner = BleakScanner(
            self._hear, bluez={"adapter": adapter.name, "filters": {"DuplicateData": True}}
        )
        try:
            try:
                async with asyncio.timeout(self._timings.call_s):
                    await scanner.start()
            except TimeoutError:
                raise RadioError(f"adapter {adapter.name} does not answer") from None
            except (BleakError, *BUS_FAULTS) as error:
                raise RadioError(f"adapter {adapter.name}: {_said(error)}") from None
            yield
        finally:
            # A scan that hangs or whose adapter is gone cannot be stopped; the next one begins all the same.
            with contextlib.suppress(BleakError, *BUS_FAULTS):
                async with asyncio.timeout(self._timings.call_s):
                    await scanner.stop()

    async def _watch(self, service: Bluez, emit: Emitter) -> str:
        started_ns = self._monotonic_ns()
        while True:
            self._stir.clear()
            if service.trouble:
                return service.trouble
            if self.trouble and self._deaf_from_ns is None:
                await self._recovered(emit)
            allowed_s = self._quiet.allowed_s(recovering=bool(self.trouble))
            quiet_s = (self._monotonic_ns() - max(self.heard_ns, started_ns)) / 1e9
            if quiet_s >= allowed_s:
                return f"nothing was heard for {allowed_s:.1f} s"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK_S, allowed_s - quiet_s)):
                    await self._stir.wait()

    def _hear(self, device: BLEDevice, advert: AdvertisementData) -> None:
        """Take one advertisement from bleak; without data it is none of a sensor, a tag or a phone."""
        if advert.rssi == _NOT_HEARD or not (advert.manufacturer_data or advert.service_data):
            return
        now_ns = self._bleak_ns = self._monotonic_ns()
        self._alive()
        properties = advert.platform_data[1]
        heard = Heard(
            address=device.address.upper(),
            random=properties.get("AddressType") == "random",
            rssi=advert.rssi,
            at_ns=now_ns,
            manufacturer=advert.manufacturer_data,
            service=advert.service_data,
        )
        self._queue.append(heard)
        self._filled.set()

    def _data_came(self) -> None:
        """Take note that an advertisement brought data."""
        self._data_ns = self._monotonic_ns()
        if self._deaf_from_ns is None:
            self._quiet.heard(self._data_ns)
        self._alive()

    def _alive(self) -> None:
        """The radio hears when BlueZ got data in this scan, and bleak passes them on."""
        if self._data_ns is None or self._bleak_ns is None:
            return
        self.heard_ns = min(self._data_ns, self._bleak_ns)
        if self._deaf_from_ns is not None:
            self._queue.append(Deaf(self._deaf_from_ns, self.heard_ns))
            self._deaf_from_ns = None
            self._stir.set()

    # --- the ladder ------------------------------------------------------------------------------------

    async def _help(self, reason: str, emit: Emitter) -> None:
        self._quiet.broken()
        if not self.trouble:
            LOG.warning("%s: %s", self._settings.name, reason)
            self.trouble = reason
        if self._deaf_from_ns is None:
            self._deaf_from_ns = self.heard_ns
        step = self._ladder.up()
        data: dict[str, Scalar] = {"adapter": self._adapter.name if self._adapter else "", "reason": reason}
        if step is not None:
            outcome = await self._take(step)
            if not self._ladder.climbs:
                await self._tell("radio_step", {**data, "step": step.value, "outcome": outcome}, emit)
        away_ms = (self._monotonic_ns() - self._deaf_from_ns) // 1_000_000
        if self._ladder.climbs and not self._alarmed and away_ms >= self._timings.alarm_s * 1000:
            self._alarmed = True
            await self._tell("radio_failed", {**data, "away_ms": away_ms}, emit)
        await asyncio.sleep(self._ladder.pause_s())

    async def _take(self, step: Step) -> str:
        """Do what a step says; return `done` or why it could not be done."""
        try:
            match step:
                case Step.SCAN_RESTART:
                    pass  # listening begins anew after every step
                case Step.POWER_CYCLE:
                    await self._power_cycle()
                case Step.REENUMERATION:
                    await self._reenumerate()
                case Step.SECOND_ADAPTER:
                    await self._change_adapter()
        except RadioError as error:
            return str(error)
        return "done"

    async def _power_cycle(self) -> None:
        async with bluez(self._stir.set, timeout_s=self._timings.call_s) as service:
            adapter = self._choose(await service.adapters())
            if adapter.powered:
                await service.power(adapter, on=False)
                await asyncio.sleep(self._timings.power_off_s)
            await service.power(adapter, on=True)

    async def _reenumerate(self) -> None:
        adapter = self._adapter
        file = authorized_file(adapter.name, self._sysfs) if adapter else None
        if adapter is None or file is None:
            raise RadioError("the adapter is on no USB")
        try:
            authorize(file, on=False)
            await asyncio.sleep(self._timings.usb_off_s)
        finally:
            authorize(file, on=True)
        try:
            async with (
                asyncio.timeout(self._timings.usb_back_s),
                bluez(self._stir.set, timeout_s=self._timings.call_s) as service,
            ):
                back = await self._until_there(adapter.address, service)
                if not back.powered:
                    await service.power(back, on=True)
        except TimeoutError:
            raise RadioError(f"adapter {adapter.name} did not come back") from None

    async def _until_there(self, address: str, service: Bluez) -> Adapter:
        while True:
            self._stir.clear()
            for one in await service.adapters():
                if one.address == address:
                    return one
            await self._stir.wait()  # every change of the adapters sets it

    async def _change_adapter(self) -> None:
        async with bluez(self._stir.set, timeout_s=self._timings.call_s) as service:
            there = await service.adapters()
        avoided, self._avoid = self._avoid, self._adapter.address if self._adapter else ""
        if self._choose(there).address == self._avoid:
            self._avoid = avoided
            raise RadioError("there is no other adapter")

    async def _recovered(self, emit: Emitter) -> None:
        LOG.warning("%s: hears again", self._settings.name)
        step = self._ladder.last
        data: dict[str, Scalar] = {
            "adapter": self._adapter.name if self._adapter else "",
            "step": step.value if step else "",
            "reason": self.trouble,
        }
        self.trouble, self._alarmed = "", False
        self._ladder.down()
        await self._tell("radio_recovered", data, emit)

    async def _tell(self, kind: str, data: dict[str, Scalar], emit: Emitter) -> None:
        await emit.event(Event(kind, self._settings.name, ticks(self._monotonic_ns()), data))

    # --- the probe -------------------------------------------------------------------------------------

    async def probe(self, listen_s: float, want: Callable[[Heard], bool]) -> tuple[str, bool]:
        """Listen for so long or until `want` is content.

        Returns what is wrong with the radio, and whether anybody was heard.
        """
        self._start()
        try:
            async with bluez(self._stir.set, self._data_came, timeout_s=self._timings.call_s) as service:
                adapter = self._choose(await service.adapters())
                async with self._scan(adapter), asyncio.timeout(listen_s):
                    while True:
                        for item in await self.next(listen_s):
                            if isinstance(item, Heard) and want(item):
                                return "", True
        except RadioError as error:
            return str(error), False
        except TimeoutError:
            return "", self._deaf_from_ns is None


def _said(error: BaseException) -> str:
    """Return an error of bleak or D-Bus in a few words."""
    if isinstance(error, BleakDBusError):
        return f"BlueZ says {short(error.dbus_error)}"
    return str(error)[:120] or type(error).__name__
