"""Takes the events of access terminals on the LAN and tells who was identified by which factor.

What is posted is read in `decode` and forgotten; neither it nor a part of it is logged. It decides nothing:
a terminal that says "granted" has said so, and no more.
"""

import asyncio
from collections.abc import Sequence

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.terminal.decode import Happening, TerminalError, read
from edge.intake.senders import KeyFileError, Refusal, Senders, read_key
from edge.intake.server import Call, Server, serving
from edge.presenting import Presenter, presenter
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Scalar
from wire.settings.intake import Sender
from wire.settings.terminal import TerminalDevice
from wire.status import GapCause, PointKind

LOOK_S = 1.0
REFUSALS_NS = 60_000_000_000
"""How often refused requests are told."""


class TerminalDriver(Declared):
    """One `[[device]]` with driver = "terminal". Implements `edge.driver.Driver`."""

    def __init__(self, settings: TerminalDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._points = {sender.name: _declare(settings, sender) for sender in settings.sender}
        self._layouts = {name: make_layout([point.name], [0]) for name, point in self._points.items()}
        super().__init__(
            settings.name,
            points=self._points.values(),
            layouts=self._layouts.values(),
            late=GapCause.SENSOR,  # the terminal, which posts by itself
        )

    async def run(self, emit: Emitter) -> None:
        """Serve until cancelled; `DeviceUnavailable` when address or keys cannot be had."""
        presenting = await presenter(self._given)
        try:
            keys = await asyncio.to_thread(self._keys)
        except KeyFileError as error:
            raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None
        now_s = self._given.monotonic_ns() / 1e9
        senders = Senders(self._settings.sender, keys, now_s=now_s)
        for sender in self._settings.sender:
            kept = emit.recall(f"counter/{sender.name}")
            if kept is not None:
                senders.counters[sender.name] = int(kept)
        async with serving(self._settings.http) as server:
            await _Run(self, senders, server, emit=emit, presenter=presenting).serve()

    def _keys(self) -> dict[str, bytes]:
        folder = self._given.folder / self.name
        return {sender.name: read_key(folder, sender.name) for sender in self._settings.sender}

    async def probe(self) -> Sequence[ProbeLine]:
        """Open the address once, and make keys that are missing."""
        http = self._settings.http
        what = f"{self.name}: {http.address} port {http.port}"
        try:
            keys = await asyncio.to_thread(self._keys)
            async with serving(http):
                pass
        except (DeviceUnavailable, KeyFileError) as error:
            return [ProbeLine(what, ok=False, answer=str(error))]
        return [ProbeLine(what, ok=True, answer=f"free; {len(keys)} keys")]

    # --- what a run needs ------------------------------------------------------------------------

    @property
    def settings(self) -> TerminalDevice:
        """Its settings."""
        return self._settings

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._given.monotonic_ns()

    def subject(self, sender: str) -> str:
        """Return the subject of a terminal's events."""
        return f"{self._settings.prefix}/{sender}"

    def poll(self, sender: str, count: int, tick: int) -> Poll:
        """Return a poll of a terminal's point."""
        return Poll(layout=self._layouts[sender].id, tick=tick, counts=[count])

    def point(self, sender: str) -> str:
        """Return the name of a terminal's point."""
        return self._points[sender].name


class _Run:
    """One run of the driver."""

    def __init__(
        self, driver: TerminalDriver, senders: Senders, server: Server, *, emit: Emitter, presenter: Presenter
    ) -> None:
        self._driver = driver
        self._senders = senders
        self._server = server
        self._emit = emit
        self._presenter = presenter
        self._requests = dict.fromkeys((sender.name for sender in driver.settings.sender), 0)
        self._heard_ns = dict.fromkeys(self._requests, driver.now_ns())
        self._refused: dict[str, int] = {}
        self._told_ns = driver.now_ns() - REFUSALS_NS

    async def serve(self) -> None:
        while True:
            call = await self._server.next(LOOK_S)
            if call is not None:
                await self._take(call)
            now_ns = self._driver.now_ns()
            await self._look_for_silence(now_ns)
            await self._tell_refusals(now_ns)

    async def _take(self, call: Call) -> None:
        now_ns = self._driver.now_ns()
        accepted = self._senders.judge(call.request, now_ns / 1e9)
        if isinstance(accepted, Refusal):
            self._refuse(accepted.reason)
            call.answer(accepted.status, accepted.reason)
            return
        sender = accepted.sender.name
        try:
            posted = read(
                call.request.body, call.request.headers.get("content-type", ""), self._driver.settings.map
            )
        except TerminalError as error:
            self._refuse("not what the mapping expects")
            call.answer(400, str(error))
            return
        self._requests[sender] += 1
        self._heard_ns[sender] = now_ns
        await self._emit.poll(self._driver.poll(sender, self._requests[sender], ticks(now_ns)))
        if posted.happening is not None:
            await self._tell(sender, posted.happening, posted.dropped, now_ns=now_ns)
        self._senders.took(accepted)
        if accepted.counter is not None:
            self._emit.remember(f"counter/{sender}", str(accepted.counter).encode())
        call.answer(200)

    async def _tell(self, sender: str, happening: Happening, dropped: int, *, now_ns: int) -> None:
        person = happening.person
        subject = self._driver.subject(sender)
        granted = happening.granted
        known = self._presenter.present(subject, person, now_ns) if granted else self._presenter.told(person)
        data: dict[str, Scalar] = {"factor": happening.factor, "masked": person.masked, **known}
        data |= {"door": happening.door} if happening.door else {}
        data |= {"terminal_time": happening.time} if happening.time else {}
        data |= {"dropped": dropped} if dropped else {}
        kind = "person_identified" if granted else "person_refused"
        await self._emit.event(Event(kind, subject, ticks(now_ns), data))

    def _refuse(self, reason: str) -> None:
        self._refused[reason] = self._refused.get(reason, 0) + 1

    async def _tell_refusals(self, now_ns: int) -> None:
        if self._server.refused:
            self._refused["connection not allowed"] = self._server.refused
            self._server.refused = 0
        if not self._refused or now_ns - self._told_ns < REFUSALS_NS:
            return
        self._told_ns = now_ns
        for reason, count in self._refused.items():
            data: dict[str, Scalar] = {"reason": reason, "count": count}
            await self._emit.event(Event("intake_refused", self._driver.name, ticks(now_ns), data))
        self._refused.clear()

    async def _look_for_silence(self, now_ns: int) -> None:
        silence_s = self._driver.settings.silence_s
        if not silence_s:
            return
        for sender, heard_ns in self._heard_ns.items():
            if now_ns - heard_ns >= silence_s * 1_000_000_000:
                await self._emit.silent(
                    [self._driver.point(sender)],
                    cause=GapCause.SENSOR,
                    reason=f"the terminal posted nothing for {silence_s} s",
                    tick=ticks(now_ns),
                )


def _declare(settings: TerminalDevice, sender: Sender) -> PointDeclaration:
    return PointDeclaration(
        name=f"{settings.prefix}/{sender.name}/requests",
        quantity="count",
        kind=PointKind.COUNTER,
        device=settings.name,
    )
