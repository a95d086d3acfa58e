"""Tells the use of an instrument from what its meter reads, as events; the decision is in `rules.usage`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from edge.driver import Emitter
from rules.usage import Ended, Happened, Limits, Reading, Started, State, resume, see
from wire.messages import TICKS_PER_S, Event, PointDeclaration, Scalar
from wire.settings.modbus_outputs import UnitUsage


@dataclass(slots=True)
class UsageWatch:
    """Watches one meter; its state is kept for the next run."""

    subject: str
    key: str
    power: int
    """Index of the power in the unit's polls."""
    energy: int | None
    exponent: int
    """Of the energy's counts, which are kWh."""
    limits: Limits
    state: State | None = field(default=None)

    @classmethod
    def of(
        cls, usage: UnitUsage, *, device: str, prefix: str, points: Sequence[PointDeclaration]
    ) -> "UsageWatch":
        """Return the watch over a unit's points; its settings were checked before."""
        places = {point.name.removeprefix(f"{prefix}/"): place for place, point in enumerate(points)}
        power, energy = places[usage.power], places.get(usage.energy)
        exponent = points[power].exponent
        return cls(
            subject=usage.subject or prefix,
            key=f"modbus/{device}/{prefix}/usage",
            power=power,
            energy=energy,
            exponent=0 if energy is None else points[energy].exponent,
            limits=Limits(
                on=_counts(usage.on_w, exponent),
                off=_counts(usage.off_w, exponent),
                least=_ticks(usage.least_s),
                rest=_ticks(usage.rest_s),
                gap=_ticks(usage.gap_s),
            ),
        )

    async def seen(self, emit: Emitter, tick: int, counts: Sequence[int | None]) -> None:
        """Take in one poll of the unit and tell what it shows."""
        before = self.state or _recalled(emit.recall(self.key))
        energy = None if self.energy is None else counts[self.energy]
        self.state, happened = see(before, Reading(tick, counts[self.power], energy), self.limits)
        for one in happened:
            await emit.event(Event(_kind(one), self.subject, tick, self._data(one)))
        if happened or self.state.phase != before.phase:
            emit.remember(self.key, msgspec.json.encode(self.state))

    def _data(self, one: Happened) -> dict[str, Scalar]:
        session = one.session
        data: dict[str, Scalar] = {"session": session.number, "start_known": session.start_known}
        if isinstance(one, Started):
            started = one.tick if session.start is None else session.start
            return {**data, "ago_s": (one.tick - started) / TICKS_PER_S}
        data |= {
            "ago_s": (one.tick - one.end) / TICKS_PER_S,
            "end_known": one.end_known,
            "duration_s": one.duration_s,
            "gap_s": session.gap / TICKS_PER_S,
            "restarted": session.restarted,
            "energy": one.energy,
            "energy_exponent": self.exponent,
        }
        if one.energy is None:
            data["energy_reason"] = session.energy_lost
        return data


def _kind(one: Happened) -> str:
    return "usage_ended" if isinstance(one, Ended) else "usage_started"


def _recalled(kept: bytes | None) -> State:
    if kept is None:
        return State()
    try:
        return resume(msgspec.json.decode(kept, type=State))
    except msgspec.MsgspecError:
        return State()


def _counts(watts: Decimal, exponent: int) -> int:
    return int(watts.scaleb(-exponent))


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS_PER_S)
