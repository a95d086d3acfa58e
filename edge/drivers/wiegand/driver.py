"""Listens to the two wires of a card reader and tells cards and PINs, numbers left out.

Wiegand goes one way and in clear: nothing can be asked of the reader, and it cannot be seen whether it is
the one that was fitted. What frames are is in `decode`.
"""

from collections.abc import Sequence

from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.gpio.pins import Edges, Pins, open_pins
from edge.drivers.wiegand.decode import Frame, Key, Line, Noise, pulse, read, silent
from edge.presenting import Door, presenter
from wire.layouts import make_layout
from wire.messages import Event, PointDeclaration, Poll, Scalar
from wire.settings.gpio import WiegandDevice
from wire.status import GapCause, PointKind

_POINTS = ("line", "frames", "unreadable")
_STATES = {"0": "low", "1": "idle"}
CHECK_NS = 1_000_000_000
"""How often the wires are looked at: both are high while nothing is sent."""


class WiegandDriver(Declared):
    """One `[[device]]` with driver = "wiegand". Implements `edge.driver.Driver`."""

    def __init__(self, settings: WiegandDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        points = [_declare(settings, point) for point in _POINTS]
        self._layout = make_layout([point.name for point in points], [0] * len(_POINTS))
        super().__init__(
            settings.name,
            points=points,
            layouts=[self._layout],
            late=GapCause.GATEWAY,  # it looks at its own pins
        )

    async def run(self, emit: Emitter) -> None:
        """Listen until cancelled; `DeviceUnavailable` when pins or the credentials' key cannot be had."""
        settings = self._settings
        door = Door(settings.prefix, await presenter(self._given), pin_timeout_s=settings.pin_timeout_s)
        pins = open_pins()
        # A pulse is over long before anybody could look: that it fell is all there is to know.
        edges = Edges(self._given.monotonic_ns, lambda _: 0)
        wires = (settings.d0_pin, settings.d1_pin)
        try:
            for pin in wires:
                pins.be_input(pin, settings.pull)
            with pins.watched(wires, edges, falling=True):
                await _Run(self, pins, edges, emit=emit, door=door).listen()
        finally:
            for pin in wires:
                pins.release(pin)

    async def probe(self) -> Sequence[ProbeLine]:
        """Look at the wires once; they stay inputs, as a gateway that runs may need them."""
        settings = self._settings
        what = f"{self.name}: Wiegand on pins {settings.d0_pin} and {settings.d1_pin}"
        try:
            pins = open_pins()
            levels = []
            for pin in (settings.d0_pin, settings.d1_pin):
                pins.be_input(pin, settings.pull)
                levels.append(pins.read(pin))
        except DeviceUnavailable as error:
            return [ProbeLine(what, ok=False, answer=error.reason)]
        idle = levels == [1, 1]
        answer = "idle" if idle else "a wire is low: no power at the reader, or the wires are swapped or cut"
        return [ProbeLine(what, ok=idle, answer=answer)]

    # --- what a run needs ------------------------------------------------------------------------

    @property
    def settings(self) -> WiegandDevice:
        """Its settings."""
        return self._settings

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return self._given.monotonic_ns()

    def poll(self, counts: list[int | None], tick: int) -> Poll:
        """Return a poll of the points."""
        return Poll(layout=self._layout.id, tick=tick, counts=counts)


class _Run:
    """One run of the driver."""

    def __init__(self, driver: WiegandDriver, pins: Pins, edges: Edges, *, emit: Emitter, door: Door) -> None:
        self._driver = driver
        self._settings = driver.settings
        self._pins = pins
        self._edges = edges
        self._emit = emit
        self._door = door
        self._line = Line()
        self._silence_ns = driver.settings.silence_ms * 1_000_000
        self._frames = self._unreadable = 0
        self._idle = True

    async def listen(self) -> None:
        driver = self._driver
        check_ns = tell_ns = driver.now_ns()
        while True:
            now_ns = driver.now_ns()
            await self._take()
            self._line, frame = silent(self._line, now_ns=now_ns, silence_ns=self._silence_ns)
            await self._frame(frame)
            await self._tell(self._door.expire(now_ns))
            if now_ns >= check_ns and self._line.bits == 0:
                await self._check(now_ns)
                check_ns = now_ns + CHECK_NS
            if now_ns >= tell_ns:
                counts: list[int | None] = [int(self._idle), self._frames, self._unreadable]
                await self._emit.poll(driver.poll(counts, ticks(now_ns)))
                tell_ns = now_ns + self._settings.interval_ms * 1_000_000
            await self._edges.wait((self._due_ns(check_ns, tell_ns) - driver.now_ns()) / 1e9)

    def _due_ns(self, check_ns: int, tell_ns: int) -> int:
        dues = [tell_ns]
        dues.append(check_ns if self._line.bits == 0 else self._line.last_ns + self._silence_ns)
        if self._door.due_ns is not None:
            dues.append(self._door.due_ns)
        return min(dues)

    async def _take(self) -> None:
        taken, lost = self._edges.take()
        for edge in taken:
            bit = int(edge.pin == self._settings.d1_pin)
            self._line, frame = pulse(self._line, bit, at_ns=edge.at_ns, silence_ns=self._silence_ns)
            await self._frame(frame)
        if lost:
            await self._event("edges_lost", self._driver.now_ns(), {"edges": lost})

    async def _check(self, now_ns: int) -> None:
        """Both wires are high while nothing is sent; one that is low tells of a reader without power."""
        idle = all(self._pins.read(pin) for pin in (self._settings.d0_pin, self._settings.d1_pin))
        if idle != self._idle:
            self._idle = idle
            await self._event("reader_line_idle" if idle else "reader_line_low", now_ns, {})

    async def _frame(self, frame: Frame | None) -> None:
        if frame is None:
            return
        self._frames += 1
        at_ns = frame.last_ns
        found = read(frame, self._settings.formats, keypad=self._settings.keypad)
        if isinstance(found, Noise):
            self._unreadable += 1
            await self._tell([self._door.unreadable(frame.bits, found.reason, at_ns)])
        elif isinstance(found, Key):
            await self._tell(self._door.keys(found.key, at_ns))
        else:
            await self._tell([self._door.card(found, frame.bits, at_ns)])

    async def _event(self, kind: str, at_ns: int, data: dict[str, Scalar]) -> None:
        await self._tell([self._door.event(kind, at_ns, data)])

    async def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            await self._emit.event(event)


def _declare(settings: WiegandDevice, point: str) -> PointDeclaration:
    line = point == "line"
    return PointDeclaration(
        name=f"{settings.prefix}/{point}",
        quantity="state" if line else "count",
        kind=PointKind.STATE if line else PointKind.COUNTER,
        period_ms=settings.interval_ms,
        device=settings.name,
        states=_STATES if line else {},
    )
