"""One input or output of the driver as the rest of the gateway sees it: a point, and what it says now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.control.outputs import Output
from edge.drivers.gpio.decode import KINDS, Contact, Kind, Rules
from edge.drivers.gpio.pins import state_of
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll
from wire.settings.gpio import GpioDevice, GpioInput, GpioOutput, InputKind, Level, Pull
from wire.status import PointKind, Status

CONTACT_RULES = Rules(settle_ns=10_000_000, chatter_ns=1_000_000_000)
"""Of a relay's own contact: it bounces for a few milliseconds."""
OUTPUT_STATES = {"0": "off", "1": "on"}


@dataclass(slots=True)
class Input:
    """A watched pin: an input of its own, or the contact of an output."""

    name: str
    pin: int
    active: Level
    pull: Pull
    rules: Rules
    kind: Kind | None
    contact: Contact = field(default_factory=lambda: Contact(0))
    glitches: int = 0
    """Pulses since they were told last."""

    @property
    def state(self) -> int | None:
        """0 or 1, None while it cannot be known."""
        return None if self.contact.chatters else state_of(self.contact.level, self.active)

    def state_at(self, level: int) -> int:
        """Return the state that a level means."""
        return state_of(level, self.active)


@dataclass(slots=True)
class Switch:
    """An output: what it was told to be, and since when its contact says something else."""

    name: str
    settings: GpioOutput
    contact: Input | None
    wanted: int
    differs_ns: int | None = None
    told: bool = False

    @property
    def safe(self) -> int:
        """Its state before and after anybody sets it."""
        return int(self.settings.safe == "on")

    @property
    def read_back_ns(self) -> int:
        """How long its contact may take."""
        return self.settings.read_back_ms * 1_000_000

    @property
    def state(self) -> int | None:
        """What it is: what its contact says, or what it was told where it has none."""
        return self.wanted if self.contact is None else self.contact.state

    def level(self, state: int) -> int:
        """Return the level that makes it so."""
        return state_of(state, self.settings.active)

    def declared(self) -> Output:
        """Return it as `edge.control` knows it."""
        return Output(
            self.name,
            "switch",
            0,
            1,
            apart_s=self.settings.apart_s,
            read_back_s=self.settings.read_back_ms / 1000,
            safe=self.safe,
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that one device of the settings has."""

    device: str
    inputs: Sequence[Input]
    switches: Sequence[Switch]
    points: Mapping[str, "StatePoint"]
    interval_ns: int

    @property
    def watched(self) -> Sequence[Input]:
        """Inputs, and the contacts of outputs."""
        contacts = (switch.contact for switch in self.switches)
        return [*self.inputs, *(one for one in contacts if one is not None)]


def make_parts(settings: GpioDevice) -> Parts:
    """Return inputs and outputs as the settings describe them, with their points."""
    switches = [make_switch(settings, one) for one in settings.output]
    words = {f"{settings.prefix}/{one.name}": words_of(one.kind) for one in settings.input}
    words |= {switch.name: OUTPUT_STATES for switch in switches}
    points = {
        name: StatePoint(name, states, device=settings.name, interval_ms=settings.interval_ms)
        for name, states in words.items()
    }
    return Parts(
        device=settings.name,
        inputs=[make_input(settings, one) for one in settings.input],
        switches=switches,
        points=points,
        interval_ns=settings.interval_ms * 1_000_000,
    )


def make_input(settings: GpioDevice, one: GpioInput) -> Input:
    """Return an input as its settings describe it; what they leave open is up to its kind."""
    kind = KINDS[one.kind]
    return Input(
        name=f"{settings.prefix}/{one.name}",
        pin=one.pin,
        active=one.active or kind.active,
        pull=one.pull or kind.pull,
        rules=Rules(one.settle_ms * 1_000_000, one.chatter_ms * 1_000_000),
        kind=kind,
    )


def make_switch(settings: GpioDevice, one: GpioOutput) -> Switch:
    """Return an output in its safe state, with its contact if it has one."""
    name = f"{settings.prefix}/{one.name}"
    contact = None
    if one.contact_pin is not None:
        contact = Input(name, one.contact_pin, one.contact_active, one.contact_pull, CONTACT_RULES, None)
    return Switch(name, one, contact, int(one.safe == "on"))


class StatePoint:
    """A point of kind state with a layout of its own: inputs change alone."""

    def __init__(self, name: str, states: dict[str, str], *, device: str, interval_ms: int) -> None:
        self.declared = PointDeclaration(
            name=name,
            quantity="state",
            kind=PointKind.STATE,
            period_ms=interval_ms,
            device=device,
            states=states,
        )
        self.layout: Layout = make_layout([name], [0])

    def poll(self, state: int | None, tick: int) -> Poll:
        """Return what it says; a state that cannot be known is absent."""
        flags = [(0, int(Status.UNKNOWN))] if state is None else []
        return Poll(layout=self.layout.id, tick=tick, counts=[state], flags=flags)


def words_of(kind: InputKind) -> dict[str, str]:
    """Return the states of a kind as a point declares them."""
    return {str(state): word for state, word in enumerate(KINDS[kind].states)}
