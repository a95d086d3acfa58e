"""One interlock as it runs: its rule, its state, and whether its effects are released.

It turns what the gateway takes in into what the rules observe. It writes nothing and waits for nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edge.control.given import Given
from edge.control.holder import Holder
from rules.interlock.inputs import Happening, Moment
from rules.interlock.matrix import breach_s, cause_words, worst_s
from rules.interlock.model import CheckDue, EffectKind, Happened, Plant
from rules.interlock.plan import Plan, point_of
from rules.interlock.restart import begin, replanned, restart, restore
from rules.interlock.state import State, Stepped, Why
from rules.interlock.step import next_due
from wire.messages import TICK_MS, Event
from wire.settings.interlock import InterlockSettings

KEPT = "@interlock/"
"""What begins the keys under which states are kept; no device is called so."""


def moment(given: Given) -> Moment:
    """Return now, as interlocks know it."""
    utc_ms = given.utc_ms()
    return Moment(given.boot.hex(), given.now_tick(), None if utc_ms is None else utc_ms // TICK_MS)


@dataclass(slots=True)
class Runner:
    """One interlock."""

    settings: InterlockSettings
    plan: Plan
    plant: Plant
    state: State
    released: bool = False
    """Whether it is healthy, and the disk knows it."""
    due: int | None = None
    """The tick at which to look again."""
    kept_tick: int | None = None
    """When its state was last written down."""
    overtaken: bool = False
    """Whether its state was written down again while a permit was on its way to the disk."""
    holders: list[Holder] = field(default_factory=list)
    points: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    """Kinds of events that it listens to."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Cause -> what it watches, in words."""
    breach_s: float = 0.0
    """From a breach that is told to the confirmed safe state, at most."""
    worst_s: float = 0.0
    """The same, also when a sensor is lost."""

    @property
    def name(self) -> str:
        """As in the settings."""
        return self.settings.name

    @property
    def key(self) -> str:
        """Under which its state is kept."""
        return KEPT + self.name

    def look_again(self, now: Moment) -> None:
        """Find out when time alone may change something."""
        self.due = next_due(self.state, self.plan, now)

    def listen(self) -> None:
        """Find out what it has to hear of, and what is said of it."""
        conditions = [watched.condition for watched in self.plan.watched]
        points = [point_of(condition) for condition in conditions]
        self.points = frozenset(
            [*(point for point in points if point), *(fitting.fit.point for fitting in self.plan.fits)]
        )
        kinds: set[str] = set()
        for condition in conditions:
            if isinstance(condition, Happened):
                kinds |= {condition.kind, condition.ends} - {""}
            elif isinstance(condition, CheckDue):
                kinds |= set(condition.after)
        self.kinds = frozenset(kinds)
        self.words = {cause.name: cause_words(cause, self.plant) for _, cause in self.plan.rule.causes()}
        self.breach_s = breach_s(self.plan.rule, self.plant)
        self.worst_s = worst_s(self.plan.rule, self.plant)

    def hears(self, event: Event) -> Sequence[Happening]:
        """Return what an event is to it."""
        return [Happening(event.kind, event.subject)] if event.kind in self.kinds else []

    def targets(self, kind: EffectKind) -> Iterator[str]:
        """Yield zones, portals or outputs of one kind of effect."""
        return (effect.target for effect in self.plan.rule.effects if effect.kind is kind)

    def replan(self, plan: Plan, plant: Plant, now: Moment) -> Stepped | None:
        """Go on with what is known of its sensors now; what is to be taken over when its rule changed too."""
        before, self.plan, self.plant = self.plan, plan, plant
        self.listen()
        if before.fingerprint != plan.fingerprint:
            return restart(self.state.kept, plan, now)
        self.state = replanned(self.state, before, plan)
        self.look_again(now)
        return None


def begun(settings: InterlockSettings, plan: Plan, plant: Plant, *, given: Given) -> tuple[Runner, Stepped]:
    """Return an interlock at the start of the gateway, and what changed by that."""
    now = moment(given)
    data = given.recall(KEPT + settings.name)
    if not given.kept_whole:
        stepped = restore(None, plan, now)
    elif data is None:
        stepped = begin(plan, now, Why.NEW)
    else:
        stepped = restore(data, plan, now)
    runner = Runner(settings, plan, plant, stepped.state)
    runner.listen()
    return runner, stepped
