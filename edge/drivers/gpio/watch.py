"""One run of the driver: takes edges, waits for what is due, and tells what became of it."""

from collections.abc import Sequence

from edge.driver import Emitter, MonotonicNs, ticks
from edge.drivers.gpio.decode import (
    Calm,
    Changed,
    Chatter,
    Contact,
    Glitch,
    Outcome,
    due_ns,
    edge,
    settle,
)
from edge.drivers.gpio.pins import Edges, Pins
from edge.drivers.gpio.points import Input, Parts
from wire.messages import Event, Scalar

CHECK_NS = 1_000_000_000
"""How often levels are read without an edge: one that the library missed is seen then."""
GLITCHES_NS = 60_000_000_000
"""How often pulses too short to count are told."""


class Watch:
    """Watches opened pins until cancelled."""

    def __init__(self, parts: Parts, pins: Pins, edges: Edges, *, emit: Emitter, now_ns: MonotonicNs) -> None:
        self._parts = parts
        self._pins = pins
        self._edges = edges
        self._emit = emit
        self._now_ns = now_ns
        self._by_pin = {one.pin: one for one in parts.watched}
        self._said: dict[str, int | None] = {}
        self._ticks: dict[str, int] = {}

    async def run(self) -> None:
        """Watch; `DeviceUnavailable` when a pin can no longer be read."""
        for one in self._parts.watched:
            await self._begin(one)
        check_ns = tell_ns = self._now_ns()
        glitches_ns = tell_ns + GLITCHES_NS
        while True:
            now_ns = self._now_ns()
            await self._take()
            await self._settle(now_ns)
            if now_ns >= check_ns:
                await self._check(now_ns)
                check_ns = now_ns + CHECK_NS
            await self._tell_states(now_ns, all_of_them=now_ns >= tell_ns)
            if now_ns >= tell_ns:
                tell_ns = now_ns + self._parts.interval_ns
            if now_ns >= glitches_ns:
                await self._tell_glitches(now_ns)
                glitches_ns = now_ns + GLITCHES_NS
            await self._look_at_contacts(now_ns)
            await self._edges.wait((self._due_ns(min(check_ns, tell_ns)) - self._now_ns()) / 1e9)

    async def _begin(self, one: Input) -> None:
        """Take the level that is there; tell it if it is not what the last run left."""
        level = self._pins.read(one.pin)
        one.contact, one.glitches = Contact(level), 0
        if one.kind is None:
            return
        state, before = one.state_at(level), self._emit.recall(one.name)
        if before != _kept(state) and (before is not None or state == 1):
            await self._event(one.kind.events[state], one.name, at_ns=self._now_ns(), data={"away": True})
        self._emit.remember(one.name, _kept(state))

    async def _take(self) -> None:
        taken, lost = self._edges.take()
        for found in taken:
            one = self._by_pin[found.pin]
            level = found.level
            if level is None:
                level = one.contact.level if one.contact.seen is None else one.contact.seen
            one.contact, outcomes = edge(one.contact, one.rules, at_ns=found.at_ns, level=level)
            await self._outcomes(one, outcomes)
        if lost:
            await self._event("edges_lost", self._parts.device, at_ns=self._now_ns(), data={"edges": lost})

    async def _settle(self, now_ns: int) -> None:
        for one in self._parts.watched:
            one.contact, outcomes = settle(one.contact, one.rules, now_ns=now_ns)
            await self._outcomes(one, outcomes)

    async def _check(self, now_ns: int) -> None:
        """Read every level; what changed without an edge is taken as one."""
        for one in self._parts.watched:
            level = self._pins.read(one.pin)
            if one.contact.settled and level != one.contact.level:
                one.contact, _ = edge(one.contact, one.rules, at_ns=now_ns, level=level)

    async def _outcomes(self, one: Input, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            data: dict[str, Scalar] = {"edges": outcome.edges}
            if isinstance(outcome, Glitch):
                one.glitches += 1
            elif isinstance(outcome, Chatter):
                await self._event("input_chatter", one.name, at_ns=outcome.at_ns, data=data)
                await self._state(one, None, outcome.at_ns)
            elif isinstance(outcome, Calm):
                await self._event("input_chatter_ended", one.name, at_ns=outcome.at_ns, data=data)
                await self._changed(one, outcome, data, told=not outcome.changed)
            else:
                await self._changed(one, outcome, data, told=False)

    async def _changed(
        self, one: Input, outcome: Changed | Calm, data: dict[str, Scalar], *, told: bool
    ) -> None:
        state = one.state_at(outcome.level)
        await self._state(one, state, outcome.at_ns)
        if one.kind is not None and not told:
            await self._event(one.kind.events[state], one.name, at_ns=outcome.at_ns, data=data)
            self._emit.remember(one.name, _kept(state))

    async def _state(self, one: Input, state: int | None, at_ns: int) -> None:
        """Tell the state of an input; that of a contact is told with its output."""
        if one.kind is not None:
            # An edge told while states were being told may bear an earlier time than theirs.
            tick = self._ticks[one.name] = max(ticks(at_ns), self._ticks.get(one.name, 0))
            await self._emit.poll(self._parts.points[one.name].poll(state, tick))

    async def _tell_states(self, now_ns: int, *, all_of_them: bool) -> None:
        """Tell outputs that changed, or everything; not an input that is about to say something else."""
        for switch in self._parts.switches:
            if all_of_them or self._said.get(switch.name, -1) != switch.state:
                self._said[switch.name] = switch.state
                poll = self._parts.points[switch.name].poll(switch.state, ticks(now_ns))
                await self._emit.poll(poll)
        for one in self._parts.inputs if all_of_them else ():
            if one.contact.settled or one.contact.chatters:
                await self._state(one, one.state, now_ns)

    async def _tell_glitches(self, now_ns: int) -> None:
        for one in self._parts.watched:
            if one.glitches:
                await self._event("input_glitches", one.name, at_ns=now_ns, data={"count": one.glitches})
                one.glitches = 0

    async def _look_at_contacts(self, now_ns: int) -> None:
        """Tell once when a contact says for too long that its output is not what it was told to be."""
        for switch in self._parts.switches:
            data: dict[str, Scalar] = {"counts": switch.wanted, "contact": switch.state}
            if switch.state == switch.wanted:
                if switch.told:
                    await self._event("output_contact_right", switch.name, at_ns=now_ns, data=data)
                switch.differs_ns, switch.told = None, False
            elif switch.differs_ns is None:
                switch.differs_ns = now_ns
            elif not switch.told and now_ns - switch.differs_ns >= switch.read_back_ns:
                switch.told = True
                await self._event("output_contact_wrong", switch.name, at_ns=now_ns, data=data)

    def _due_ns(self, latest_ns: int) -> int:
        dues = [due_ns(one.contact, one.rules) for one in self._parts.watched]
        dues += [
            switch.differs_ns + switch.read_back_ns
            for switch in self._parts.switches
            if switch.differs_ns is not None and not switch.told
        ]
        return min([latest_ns, *(due for due in dues if due is not None)])

    async def _event(self, kind: str, subject: str, *, at_ns: int, data: dict[str, Scalar]) -> None:
        await self._emit.event(Event(kind, subject, ticks(at_ns), data))


def _kept(state: int) -> bytes:
    return b"1" if state else b"0"
