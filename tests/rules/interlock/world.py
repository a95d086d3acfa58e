"""A plant, rules and a run of one interlock for the tests of interlocks."""

from collections.abc import Sequence
from decimal import Decimal

from rules.interlock.acts import act
from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    Enable,
    Moment,
    Person,
    ReadBack,
    Reading,
    Reset,
    Right,
    Seen,
)
from rules.interlock.model import (
    Calibration,
    Cause,
    Condition,
    Effect,
    EffectKind,
    Fit,
    Group,
    Interlock,
    Limit,
    Output,
    Plant,
    Sensor,
    ticks,
)
from rules.interlock.plan import Plan, make_plan
from rules.interlock.restart import begin, restart
from rules.interlock.state import Change, ChangeKind, Phase, State, Stepped, Watch, decode_kept, encode_kept
from rules.interlock.step import step
from wire.status import PointKind

DAY = 24 * 3600 * 100
UTC = 20_000 * DAY
"""A UTC tick of 2024."""

ANNE = Person("anne", frozenset(Right))
BORIS = Person("boris", frozenset(Right))
NOBODY = Person("nobody")

CERTIFICATE = Calibration(
    indicated=(Decimal(0), Decimal(40)),
    correction=(Decimal("0.10"), Decimal("-0.30")),
    exponent=-3,
    expanded_uncertainty=Decimal("0.2"),
    calibrated_utc=UTC - 10 * DAY,
    due_utc=UTC + 90 * DAY,
)

PLANT = Plant(
    sensors={
        "t": Sensor(
            point="t", quantity="temperature", exponent=-2, period_s=1.0, low=Decimal(-40), high=Decimal(80)
        ),
        "u": Sensor(point="u", exponent=-2, period_s=1.0, calibration=CERTIFICATE),
        "h": Sensor(point="h", quantity="relative_humidity", exponent=-1, period_s=1.0),
        "door": Sensor(point="door", kind=PointKind.STATE),
        "ups": Sensor(point="ups", kind=PointKind.STATE, period_s=2.0),
    },
    outputs={"source": Output(name="source", safe=0), "mains": Output(name="mains", safe=0, read_back_s=2.0)},
    zones=frozenset({"room-2"}),
    portals=frozenset({"room-2/door"}),
)

WARM = Limit(point="t", low=Decimal(19), high=Decimal(25), deadband=Decimal("0.5"), guarded=False)
HOLD = Effect(kind=EffectKind.HOLD_WORK, target="room-2")
LOCK = Effect(kind=EffectKind.LOCK_ENTRY, target="room-2/door")
INHIBIT = Effect(kind=EffectKind.INHIBIT_OUTPUT, target="source")
UNREAD = Effect(kind=EffectKind.INHIBIT_OUTPUT, target="source", read_back=False)


def cause(
    condition: Condition = WARM,
    name: str = "warm",
    *,
    on: float = 0.0,
    off: float = 0.0,
    stale: float = 0.0,
    bypassable: bool = True,
) -> Cause:
    return Cause(
        name=name,
        condition=condition,
        on_delay_s=on,
        off_delay_s=off,
        stale_after_s=stale,
        bypassable=bypassable,
    )


def rule(
    *causes: Cause, needed: int = 1, effects: Sequence[Effect] = (HOLD,), fit: Sequence[Fit] = ()
) -> Interlock:
    group = Group(name="g", causes=causes or (cause(),), needed=needed)
    return Interlock(name="room", groups=(group,), effects=tuple(effects), fit=tuple(fit))


class Run:
    """One interlock under way; times in seconds of its boot."""

    def __init__(self, one: Interlock | Plan | None = None, plant: Plant = PLANT, *, boot: str = "b") -> None:
        self.plan = one if isinstance(one, Plan) else make_plan(one or rule(), plant)
        self.boot = boot
        self.utc: int | None = UTC
        self.changes: list[Change] = []
        self.refused = None
        self.state: State
        self._take(begin(self.plan, self.at(0)))

    def _take(self, stepped: Stepped) -> None:
        self.state = stepped.state
        self.changes += stepped.changes
        self.refused = stepped.refused

    def at(self, second: float) -> Moment:
        return Moment(self.boot, ticks(second), None if self.utc is None else self.utc + ticks(second))

    def see(self, second: float, *inputs: Seen, **counts: int) -> State:
        """Pass time to `second` and give readings by point, and other inputs."""
        readings = [Reading(point, ticks(second), count) for point, count in counts.items()]
        self._take(step(self.state, self.plan, self.at(second), inputs=[*readings, *inputs]))
        return self.state

    def ask(self, asked: Asked, second: float | None = None) -> State:
        at = self.state.kept.at if second is None else self.at(second)
        self._take(act(self.state, self.plan, asked, at=at))
        return self.state

    def release(self) -> State:
        """Acknowledge, reset, enable."""
        for kind in (Acknowledge, Reset, Enable):
            self.ask(kind(by=ANNE, breach=self.state.kept.breach))
            assert self.refused is None
        assert self.phase is Phase.HEALTHY
        return self.state

    def restart(self, second: float, *, boot: str | None = None, plan: Plan | None = None) -> State:
        """Restart from what was kept, through its bytes; `second` is of the new boot if there is one."""
        self.boot, self.plan = boot or self.boot, plan or self.plan
        kept = decode_kept(encode_kept(self.state.kept))
        assert kept == self.state.kept
        self._take(restart(kept, self.plan, self.at(second)))
        return self.state

    @property
    def phase(self) -> Phase:
        return self.state.phase

    @property
    def breach(self) -> int:
        return self.state.kept.breach

    @property
    def kinds(self) -> list[ChangeKind]:
        """What has changed since this was asked last."""
        found = [change.kind for change in self.changes]
        self.changes.clear()
        return found

    def watch(self, name: str = "warm") -> Watch:
        return next(watch for watch in self.state.watches if watch.cause == name)


def healthy(one: Interlock | None = None, **counts: int) -> Run:
    """Return an interlock that is healthy at 10 s; `counts` are readings of each second from 1 s on."""
    run = Run(one)
    for second in range(1, 11):
        run.see(second, ReadBack("source", agrees=True), **(counts or {"t": 2200}))
    run.release()
    run.changes.clear()
    return run
