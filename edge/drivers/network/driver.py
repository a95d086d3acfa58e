"""Looks at the machine's interfaces every interval and tells when another one takes over.

It keeps the data budget, too, and asks for the modem. Decoding is in `decode` and `modem`. The counters go on
over restarts; what was sent while nobody counted is not in them.
"""

import asyncio
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.network.budget import Budget, Ledger
from edge.drivers.network.decode import (
    Bearer,
    NetworkError,
    Sent,
    bearer_of,
    counter,
    default_interface,
    grown,
    wifi_level,
)
from edge.drivers.network.manager import TIMEOUT_S, look_at_modem
from edge.drivers.network.modem import STATE_WORDS, TECHNOLOGY_WORDS, Modem, ModemError
from edge.drivers.network.points import Feed, Look, Totals
from edge.journal.sieve import Pace
from wire.messages import TICKS_PER_S, Event, Scalar
from wire.settings.network import NetworkDevice
from wire.status import GapCause

TOTALS = "totals"
LEDGER = "budget"
OPERATOR = "operator"
_OURS = ("eth", "en", "wl", "ww", "ppp")


class NetworkDriver(Declared):
    """One `[[device]]` with driver = "network". Implements `edge.driver.Driver` and `Pacer`."""

    def __init__(self, settings: NetworkDevice, given: Given, *, modem_timeout_s: float = TIMEOUT_S) -> None:
        self._modem_timeout_s = modem_timeout_s
        self._settings = settings
        self._root = Path(settings.root)
        self._given = given
        self._budget = Budget(settings.budget)
        self._feed = Feed(settings, self._budget, wifi=self._has_wifi())
        self._mobile: Collection[str] = settings.mobile
        """The mobile links that the last look found."""
        super().__init__(
            settings.name,
            points=self._feed.points,
            layouts=self._feed.layouts,
            late=GapCause.GATEWAY,  # nothing else can hold up a look at its own kernel
        )

    def pace(self) -> Pace:
        """Return what the budget lets go out now."""
        return self._budget.pace()

    def carried(self, size: int) -> None:
        """Count a batch until the next look."""
        self._budget.carried(size)

    async def run(self, emit: Emitter) -> None:
        """Look every interval until cancelled; `DeviceUnavailable` when the kernel cannot be understood."""
        kept = emit.recall(LEDGER)
        self._budget.resume(msgspec.msgpack.decode(kept, type=Ledger) if kept else Ledger())
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch_modem(emit))
                try:
                    await self._keep_looking(emit)
                finally:
                    watching.cancel()
        except* DeviceUnavailable as errors:
            failure = errors.exceptions[0]
        self._budget.blind()
        raise failure

    async def _keep_looking(self, emit: Emitter) -> None:
        totals = self._recalled(emit)
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._given.monotonic_ns()
        while True:
            look = self._look()
            self._mobile = look.mobile
            tick = ticks(self._given.monotonic_ns())
            before, totals = totals, self._counted(totals, look)
            news = self._budget.looked(
                totals.mobile - before.mobile,
                metered=look.bearer in (Bearer.MOBILE, Bearer.NONE),
                utc_s=self._utc_s(tick),
            )
            emit.remember(TOTALS, msgspec.msgpack.encode(totals))
            emit.remember(LEDGER, msgspec.msgpack.encode(self._budget.ledger))
            await self._tell_change(before, totals, bearer=look.bearer, tick=tick, emit=emit)
            if news:
                await emit.event(self._news(tick))
            for poll in self._feed.polls(look, totals, tick=tick):
                await emit.poll(poll)
            due_ns = max(due_ns + interval_ns, self._given.monotonic_ns())
            await asyncio.sleep((due_ns - self._given.monotonic_ns()) / 1e9)

    async def _watch_modem(self, emit: Emitter) -> None:
        """Ask for the modem every interval; one that cannot be asked is silent, and nothing else is."""
        interval_s = self._settings.interval_ms / 1000
        while self._settings.modem:
            try:
                modem = await self._look_at_modem()
            except ModemError as error:
                names, tick = self._feed.modem.points, ticks(self._given.monotonic_ns())
                await emit.silent(names, cause=GapCause.RADIO, reason=str(error), tick=tick)
            else:
                tick = ticks(self._given.monotonic_ns())
                await self._tell_operator(modem, tick=tick, emit=emit)
                await emit.poll(self._feed.modem_poll(modem, tick=tick))
            await asyncio.sleep(interval_s)

    async def _look_at_modem(self) -> Modem:
        signal_s = math.ceil(self._settings.interval_ms / 1000)
        return await look_at_modem(self._mobile, signal_s=signal_s, timeout_s=self._modem_timeout_s)

    async def _tell_operator(self, modem: Modem, *, tick: int, emit: Emitter) -> None:
        code, name = modem.operator
        before = (emit.recall(OPERATOR) or b"").decode()
        if code and code != before:
            emit.remember(OPERATOR, code.encode())
            data: dict[str, Scalar] = {"operator": name or code, "code": code, "before": before}
            await emit.event(Event("operator_changed", self.name, tick, data))

    async def _tell_change(
        self, before: Totals, now: Totals, *, bearer: Bearer, tick: int, emit: Emitter
    ) -> None:
        if now.changes == before.changes:
            return
        data: dict[str, Scalar] = {
            "from": Bearer(before.bearer or 0).name.lower(),
            "to": bearer.name.lower(),
            "interface_before": before.interface or "",
        }
        await emit.event(Event("bearer_changed", now.interface or self.name, tick, data))

    def _news(self, tick: int) -> Event:
        spent: dict[str, Scalar] = {
            f"{name}_bytes": self._budget.spent(name) for name in self._budget.names()
        }
        stride = self._budget.pace().stride
        if stride == 0:
            return Event("budget_spent", self.name, tick, spent)
        if stride == 1:
            return Event("budget_full_rate", self.name, tick, spent)
        return Event("budget_thinning", self.name, tick, {"stride": stride, **spent})

    def _utc_s(self, tick: int) -> int | None:
        offset = self._given.clock().offset_ticks
        return None if offset is None else (tick + offset) // TICKS_PER_S

    # --- totals --------------------------------------------------------------------------------------

    def _recalled(self, emit: Emitter) -> Totals:
        kept = emit.recall(TOTALS)
        boot = self._read("proc/sys/kernel/random/boot_id").strip()
        if kept is None:
            # What the kernel counted before is not ours to tell: the totals begin here.
            return Totals(boot, 0, 0, _pairs(self._look().counters))
        totals = msgspec.msgpack.decode(kept, type=Totals)
        if totals.boot == boot:
            return totals
        return msgspec.structs.replace(totals, boot=boot, counters={})

    def _counted(self, totals: Totals, look: Look) -> Totals:
        before = {name: Sent(*pair) for name, pair in totals.counters.items()}
        more = grown(before, look.counters)
        mobile = grown(before, {name: sent for name, sent in look.counters.items() if name in look.mobile})
        changed = totals.bearer is not None and totals.interface != look.interface
        return Totals(
            totals.boot,
            totals.sent + more.sent,
            totals.received + more.received,
            _pairs(look.counters),
            totals.mobile + mobile.sent + mobile.received,
            totals.changes + changed,
            look.interface,
            int(look.bearer),
        )

    # --- the kernel ----------------------------------------------------------------------------------

    def _look(self) -> Look:
        try:
            interface = default_interface(self._read("proc/net/route"))
            bearer = self._bearer(interface)
            level = None
            if interface and bearer is Bearer.WIFI:
                level = wifi_level(self._read("proc/net/wireless"), interface)
            counters = dict(self._counters())
            mobile = frozenset(name for name in counters if self._bearer(name) is Bearer.MOBILE)
            return Look(interface, bearer, level, counters, mobile)
        except NetworkError as error:
            raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None

    def _has_wifi(self) -> bool:
        """Whether the kernel knows an interface with Wi-Fi now."""
        uevents = sorted((self._root / "sys/class/net").glob("*/uevent"))
        try:
            return any("DEVTYPE=wlan" in self._read(str(one.relative_to(self._root))) for one in uevents)
        except DeviceUnavailable:
            return False

    def _bearer(self, interface: str | None) -> Bearer:
        uevent = self._read(f"sys/class/net/{interface}/uevent") if interface else ""
        return bearer_of(interface, uevent, mobile=self._settings.mobile)

    def _counters(self) -> Iterator[tuple[str, Sent]]:
        """Yield the counters of every interface that leaves the machine."""
        for folder in sorted((self._root / "sys/class/net").iterdir()):
            known = folder.name.startswith(_OURS) or folder.name in self._settings.mobile
            if not known and not (folder / "device").exists():
                continue
            inside = f"sys/class/net/{folder.name}/statistics"
            try:
                sent, received = self._read(f"{inside}/tx_bytes"), self._read(f"{inside}/rx_bytes")
            except DeviceUnavailable:
                if folder.exists():
                    raise
                continue  # a modem was pulled out this very moment
            yield folder.name, Sent(counter(sent), counter(received))

    def _read(self, name: str) -> str:
        try:
            return (self._root / name).read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise DeviceUnavailable(f"{name}: {error.strerror or 'unreadable'}", GapCause.GATEWAY) from None

    async def probe(self) -> Sequence[ProbeLine]:
        """Look once, and ask for the modem once."""
        return [self._probe_link(), *([await self._probe_modem()] if self._settings.modem else ())]

    async def _probe_modem(self) -> ProbeLine:
        what = f"{self.name}: modem"
        try:
            modem = await self._look_at_modem()
        except ModemError as error:
            return ProbeLine(what, ok=False, answer=str(error))
        words = [STATE_WORDS[str(modem.state)], TECHNOLOGY_WORDS[str(modem.technology)], modem.operator[1]]
        level = [] if modem.level_ddbm is None else [f"{modem.level_ddbm / 10:g} dBm"]
        return ProbeLine(what, ok=True, answer=", ".join([*filter(None, words), *level]))

    def _probe_link(self) -> ProbeLine:
        what = f"{self.name}: interfaces"
        try:
            look = self._look()
        except DeviceUnavailable as error:
            return ProbeLine(what, ok=False, answer=error.reason)
        level = "" if look.level_dbm is None else f", {look.level_dbm} dBm"
        answer = f"{look.bearer.name.lower()} {look.interface or ''}{level}".strip()
        return ProbeLine(what, ok=look.bearer is not Bearer.NONE, answer=answer)


def _pairs(counters: Mapping[str, Sent]) -> dict[str, tuple[int, int]]:
    return {name: (counts.sent, counts.received) for name, counts in counters.items()}
