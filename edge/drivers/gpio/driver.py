"""Watches contacts and switches relays, lamps and beepers on the board's pins.

What edges mean is in `decode`, the library in `pins`. It decides nothing: whoever switches an output asks
`edge.control.outputs`, and a stop leaves every output in its safe state, its pin still driven.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from edge.control.outputs import Output, OutputError
from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine
from edge.drivers.gpio.pins import Edges, Pins, open_pins
from edge.drivers.gpio.points import Switch, make_parts
from edge.drivers.gpio.watch import Watch
from wire.settings.gpio import GpioDevice
from wire.status import GapCause

LOG = logging.getLogger(__name__)


class GpioDriver(Declared):
    """One `[[device]]` with driver = "gpio". Implements `edge.driver.Driver` and `OutputDriver`."""

    def __init__(self, settings: GpioDevice, given: Given) -> None:
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        self._parts = make_parts(settings)
        self._switches = {switch.name: switch for switch in self._parts.switches}
        self._pins: Pins | None = None
        self._edges: Edges | None = None
        super().__init__(
            settings.name,
            points=[point.declared for point in self._parts.points.values()],
            layouts=[point.layout for point in self._parts.points.values()],
            late=GapCause.GATEWAY,  # nobody else stands between it and its pins
        )

    @property
    def outputs(self) -> Sequence[Output]:
        """Every output, for `edge.control.outputs`."""
        return [switch.declared() for switch in self._switches.values()]

    async def write(self, output: str, counts: int) -> None:
        """Switch an output; `OutputError` when the driver does not run or the pin cannot be set."""
        switch = self._switches[output]
        if self._pins is None or self._edges is None:
            raise OutputError(f"{output}: the pins of {self.name} are not open")
        try:
            self._pins.write(switch.settings.pin, switch.level(counts))
        except DeviceUnavailable as error:
            raise OutputError(f"{output}: {error.reason}") from None
        switch.wanted, switch.differs_ns = counts, None
        self._edges.wake()

    async def read_back(self, output: str) -> int | None:
        """Return what the output's contact says, or its own pin where it has none."""
        switch = self._switches[output]
        if self._pins is None:
            return None
        contact = switch.contact
        level = self._pins.glimpse(switch.settings.pin if contact is None else contact.pin)
        if level is None:
            return None
        return switch.level(level) if contact is None else contact.state_at(level)

    async def run(self, emit: Emitter) -> None:
        """Watch until cancelled; `DeviceUnavailable` when the pins cannot be had."""
        pins = open_pins()
        edges = Edges(self._monotonic_ns, pins.glimpse)
        with self._driven(pins), self._listened(pins, edges):
            self._pins, self._edges = pins, edges
            try:
                await Watch(self._parts, pins, edges, emit=emit, now_ns=self._monotonic_ns).run()
            finally:
                self._pins = self._edges = None

    @contextmanager
    def _driven(self, pins: Pins) -> Iterator[None]:
        """Drive the outputs while the context is open, from and to their safe states."""
        driven: list[Switch] = []
        try:
            for switch in self._parts.switches:
                switch.wanted, switch.differs_ns, switch.told = switch.safe, None, False
                pins.be_output(switch.settings.pin, switch.level(switch.safe))
                driven.append(switch)
            yield
        finally:
            for switch in driven:
                switch.wanted = switch.safe
                _make_safe(pins, switch)

    @contextmanager
    def _listened(self, pins: Pins, edges: Edges) -> Iterator[None]:
        """Have every watched pin an input while the context is open."""
        inputs: list[int] = []
        try:
            for one in self._parts.watched:
                pins.be_input(one.pin, one.pull)
                inputs.append(one.pin)
            with pins.watched(inputs, edges):
                yield
        finally:
            for pin in inputs:
                pins.release(pin)

    async def probe(self) -> Sequence[ProbeLine]:
        """Read every input once. Outputs are left alone: a check must not switch anything.

        Inputs stay as they are set: to release them would take their resistors from a gateway that runs.
        """
        lines: list[ProbeLine] = []
        for one in self._parts.inputs:
            what = f"{self.name}: {one.name} on pin {one.pin}"
            try:
                pins = open_pins()
                pins.be_input(one.pin, one.pull)
                level = pins.read(one.pin)
            except DeviceUnavailable as error:
                lines.append(ProbeLine(what, ok=False, answer=error.reason))
                continue
            word = self._parts.points[one.name].declared.states[str(one.state_at(level))]
            lines.append(ProbeLine(what, ok=True, answer=f"{word} (level {level})"))
        for switch in self._switches.values():
            what = f"{self.name}: {switch.name} on pin {switch.settings.pin}"
            lines.append(ProbeLine(what, ok=True, answer="an output, not tried"))
        return lines


def _make_safe(pins: Pins, switch: Switch) -> None:
    """Leave an output in its safe state; it stays driven, as nothing would hold its level otherwise."""
    try:
        pins.write(switch.settings.pin, switch.level(switch.safe))
    except DeviceUnavailable as error:
        LOG.warning("%s: not set to its safe state: %s", switch.name, error.reason)
