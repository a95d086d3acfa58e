"""Looks at the machine's interfaces every interval and tells when another bearer takes over.

Decoding is in `decode`. The counters go on over restarts; what was sent while nobody counted is not in them.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.driver import DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.network.decode import (
    BEARER_WORDS,
    Bearer,
    NetworkError,
    Sent,
    bearer_of,
    counter,
    default_interface,
    grown,
    wifi_level,
)
from wire.layouts import make_layout
from wire.messages import Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.network import NetworkDevice
from wire.status import GapCause, PointKind, Status

TOTALS = "totals"


class _Look(msgspec.Struct, frozen=True):
    """What was found at one moment."""

    interface: str | None
    bearer: Bearer
    level_dbm: int | None
    counters: dict[str, Sent]


class _Totals(msgspec.Struct, array_like=True):
    """What is kept over restarts: the totals, and the kernel's counters that they reach to."""

    boot: str
    sent: int
    received: int
    counters: dict[str, tuple[int, int]]


class NetworkDriver:
    """One `[[device]]` with driver = "network". Implements `edge.driver.Driver`."""

    def __init__(self, settings: NetworkDevice, given: Given) -> None:
        self._settings = settings
        self._root = Path(settings.root)
        self._monotonic_ns = given.monotonic_ns
        self._bearer: Bearer | None = None
        period_ms = settings.interval_ms

        def point(last: str, quantity: str, kind: PointKind = PointKind.ANALOG) -> PointDeclaration:
            states = BEARER_WORDS if kind is PointKind.STATE else {}
            name = f"{settings.prefix}/{last}"
            return PointDeclaration(
                name=name,
                quantity=quantity,
                kind=kind,
                period_ms=period_ms,
                device=settings.name,
                states=states,
            )

        self._points = (
            point("bearer", "state", PointKind.STATE),
            point("signal", "signal_level"),
            point("sent", "data_volume", PointKind.COUNTER),
            point("received", "data_volume", PointKind.COUNTER),
        )
        self._layout = make_layout([one.name for one in self._points], [0, 0, 0, 0])

    @property
    def name(self) -> str:
        """The device's name in the settings."""
        return self._settings.name

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """Bearer, signal, bytes sent and received."""
        return self._points

    @property
    def layouts(self) -> Sequence[Layout]:
        """One."""
        return [self._layout]

    @property
    def late(self) -> GapCause:
        """Nothing but the gateway itself can hold up a look at its own kernel."""
        return GapCause.GATEWAY

    async def run(self, emit: Emitter) -> None:
        """Look every interval until cancelled; `DeviceUnavailable` when the kernel cannot be understood."""
        totals = self._recalled(emit)
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._monotonic_ns()
        while True:
            look = self._look()
            tick = ticks(self._monotonic_ns())
            await self._tell_change(look, tick=tick, emit=emit)
            totals = self._counted(totals, look)
            emit.remember(TOTALS, msgspec.msgpack.encode(totals))
            await emit.poll(self._poll(look, totals, tick=tick))
            due_ns = max(due_ns + interval_ns, self._monotonic_ns())
            await asyncio.sleep((due_ns - self._monotonic_ns()) / 1e9)

    async def _tell_change(self, look: _Look, *, tick: int, emit: Emitter) -> None:
        before, self._bearer = self._bearer, look.bearer
        if before is not None and before is not look.bearer:
            data: dict[str, Scalar] = {"from": before.name.lower(), "to": look.bearer.name.lower()}
            await emit.event(Event("bearer_changed", look.interface or self.name, tick, data))

    def _poll(self, look: _Look, totals: _Totals, *, tick: int) -> Poll:
        counts = [int(look.bearer), look.level_dbm, totals.sent, totals.received]
        flags = [] if look.level_dbm is not None else [(1, int(Status.NOT_MEASURED))]
        return Poll(layout=self._layout.id, tick=tick, counts=counts, flags=flags)

    # --- totals --------------------------------------------------------------------------------------

    def _recalled(self, emit: Emitter) -> _Totals:
        kept = emit.recall(TOTALS)
        boot = self._read("proc/sys/kernel/random/boot_id").strip()
        if kept is None:
            # What the kernel counted before is not ours to tell: the totals begin here.
            return _Totals(boot, 0, 0, _pairs(self._look().counters))
        totals = msgspec.msgpack.decode(kept, type=_Totals)
        return totals if totals.boot == boot else _Totals(boot, totals.sent, totals.received, {})

    def _counted(self, totals: _Totals, look: _Look) -> _Totals:
        before = {name: Sent(*pair) for name, pair in totals.counters.items()}
        more = grown(before, look.counters)
        sent, received = totals.sent + more.sent, totals.received + more.received
        return _Totals(totals.boot, sent, received, _pairs(look.counters))

    # --- the kernel ----------------------------------------------------------------------------------

    def _look(self) -> _Look:
        try:
            interface = default_interface(self._read("proc/net/route"))
            uevent = self._read(f"sys/class/net/{interface}/uevent") if interface else ""
            bearer = bearer_of(interface, uevent, mobile=self._settings.mobile)
            level = None
            if interface and bearer is Bearer.WIFI:
                level = wifi_level(self._read("proc/net/wireless"), interface)
            return _Look(interface, bearer, level, self._counters())
        except NetworkError as error:
            raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None

    def _counters(self) -> dict[str, Sent]:
        """Return the counters of every interface that leaves the machine."""
        found: dict[str, Sent] = {}
        for folder in sorted((self._root / "sys/class/net").iterdir()):
            if not (folder / "device").exists() and not folder.name.startswith(
                ("eth", "en", "wl", "ww", "ppp")
            ):
                continue
            inside = f"sys/class/net/{folder.name}/statistics"
            sent, received = self._read(f"{inside}/tx_bytes"), self._read(f"{inside}/rx_bytes")
            found[folder.name] = Sent(counter(sent), counter(received))
        return found

    def _read(self, name: str) -> str:
        try:
            return (self._root / name).read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise DeviceUnavailable(f"{name}: {error.strerror or 'unreadable'}", GapCause.GATEWAY) from None

    async def probe(self) -> Sequence[ProbeLine]:
        """Look once."""
        what = f"{self.name}: interfaces"
        try:
            look = self._look()
        except DeviceUnavailable as error:
            return [ProbeLine(what, ok=False, answer=error.reason)]
        level = "" if look.level_dbm is None else f", {look.level_dbm} dBm"
        answer = f"{look.bearer.name.lower()} {look.interface or ''}{level}".strip()
        return [ProbeLine(what, ok=look.bearer is not Bearer.NONE, answer=answer)]


def _pairs(counters: dict[str, Sent]) -> dict[str, tuple[int, int]]:
    return {name: (counts.sent, counts.received) for name, counts in counters.items()}
