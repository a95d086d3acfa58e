"""Runs the regulations of a gateway: looks every second and when something changes, and writes when due.

What is decided is `rules.regulation`; outputs are set through their one owner. Each regulation goes on by
itself: a device that does not answer keeps no other one waiting.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation

from msgspec.structs import replace

from edge.command.doing import Data, number, text
from edge.control.given import Member, Part, Seen
from edge.control.offers import RefusedError
from edge.control.outputs import Output, OutputError
from edge.control.room import Shared
from edge.regulation.readings import Readings
from edge.regulation.rules import ValueFault, counts_of, fact_of, make_rule
from rules.access.words import JobState
from rules.interlock.model import ticks
from rules.regulation import (
    UNKNOWN,
    Demand,
    Manual,
    Phase,
    Rule,
    State,
    Stepped,
    Told,
    View,
    demand,
    look,
    next_write,
    written,
)
from wire.control import Command, ControlStatus, RegulationNow
from wire.messages import Scalar
from wire.settings.regulation import RegulationSettings, zone_of

LOOK_S = 1.0
MANUAL_S = 8 * 3600.0
"""So long does a value set by hand last where nobody said how long."""
MANUAL_MAX_S = 24 * 3600.0
AUTO = "auto"
EVENTS: Mapping[Told, str] = {told: f"regulation_{told.value}" for told in Told}

Present = Callable[[str], bool | None]
"""Whether somebody is in a zone; None: no door tells."""


@dataclass(slots=True)
class _One:
    """One regulation."""

    settings: RegulationSettings
    output: Output
    rule: Rule
    zone: tzinfo
    state: State = field(default_factory=State)
    view: View | None = None
    manual: Manual | None = None
    held: dict[str, int] = field(default_factory=dict)
    """Fact -> the tick at which it was true last."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Regulations(Member):
    """All regulations of one gateway."""

    def __init__(self, shared: Shared, present: Present = lambda _: None) -> None:
        """`present` says whether somebody is in a zone."""
        self._given = shared.given
        self._interlocks = shared.interlocks
        self._work = shared.work
        self._changed = shared.status_changed
        self._present = present
        self._all = [self._made(one) for one in self._given.settings.regulation]
        points = {one.settings.point for one in self._all if one.settings.point}
        points |= {wish.count for one in self._all for wish in one.settings.when if wish.count}
        self._readings = Readings(self._given, points, self._work.calibrations)
        if self._all:
            self._interlocks.changed.add(self.wake)
            self._work.changed.add(self.wake)

    def _made(self, settings: RegulationSettings) -> _One:
        output = self._given.outputs.output(settings.output)
        return _One(settings, output, make_rule(settings, output), zone_of(settings.time_zone))

    def wake(self) -> None:
        """Look at once."""
        for one in self._all:
            one.wake.set()

    def replan(self) -> None:
        """Look at once: each goes on with the output as it is declared now when it looks."""
        self.wake()

    def look(self, item: Seen) -> None:
        """Take note of the points that are asked for."""
        if self._readings.look(item):
            self.wake()

    def parts(self) -> Mapping[str, Part]:
        """Return what runs them."""
        return {"regulation": self.run} if self._all else {}

    def told(self, status: ControlStatus) -> ControlStatus:
        """Add every regulation as it stands."""
        return replace(status, regulations=tuple(self._now(one) for one in self._all))

    def _now(self, one: _One) -> RegulationNow:
        state, output = one.state, one.output
        wanted = state.wanted(one.rule)
        unsure = one.view is not None and one.view.demand == UNKNOWN
        called = state.called and state.phase is not Phase.SETTLED
        reason = state.reason or ("it is not known what is wished for" if unsure else state.demand.why)
        return RegulationNow(
            name=one.settings.name,
            state="called" if called else state.phase.value,
            output=output.name,
            wanted="" if wanted is None else output.shown(wanted),
            set="" if state.is_set is None else output.shown(state.is_set),
            reason=reason[:200],
        )

    # --- by hand -------------------------------------------------------------------------------------

    async def do(self, command: Command) -> Data:
        """Carry out `regulation.set`: a value by hand for a while, or `auto`."""
        name, value = text(command, "name"), text(command, "value")
        one = next((one for one in self._all if one.settings.name == name), None)
        if one is None:
            names = ", ".join(one.settings.name for one in self._all) or "there is none"
            raise RefusedError(f"name {name}: expected one of {names}")
        if value == AUTO:
            one.manual = None
            one.wake.set()
            return {"regulation": name, "value": AUTO}
        for_s = number(command, "seconds", MANUAL_S)
        if not 1 <= for_s <= MANUAL_MAX_S:
            raise RefusedError(f"seconds: {for_s:g}: expected 1 to {MANUAL_MAX_S:g}")
        try:
            counts = counts_of(Decimal(value[:40]), one.output)
        except ValueFault as error:
            raise RefusedError(f"value: {value[:40]}: expected {error}") from None
        except (InvalidOperation, ValueError):
            raise RefusedError(f"value: {value[:40]}: expected a number, or {AUTO}") from None
        one.manual = Manual(counts, self._given.now_tick() + ticks(for_s), command.by)
        one.wake.set()
        return {"regulation": name, "value": one.output.shown(counts), "seconds": for_s}

    # --- by itself -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for one in self._all:
                tasks.create_task(self._follow(one))

    async def _follow(self, one: _One) -> None:
        while True:
            one.wake.clear()
            self.step(one)
            await self._write(one)
            if not one.wake.is_set():
                try:
                    async with asyncio.timeout(LOOK_S):
                        await one.wake.wait()
                except TimeoutError:
                    continue

    def step(self, one: _One) -> None:
        """Look at one regulation."""
        tick = self._given.now_tick()
        self._follow_device(one)
        newest = None
        if one.settings.point is not None:
            newest = self._readings.newest(one.settings.point, within=ticks(one.settings.stale_after_s))
        one.view = View(
            demand=self._demand(one, tick),
            released=self._interlocks.releases(one.output.name),
            value=None if newest is None else newest.value,
            taken=0 if newest is None else newest.tick,
        )
        self._took(one, look(one.state, one.rule, one.view, tick=tick))

    def _follow_device(self, one: _One) -> None:
        """Go on with the output as its device declares it now: devices change while the gateway runs."""
        with suppress(OutputError, ValueFault):  # what is not there, or cannot be, is told when it is set
            output = self._given.outputs.output(one.output.name)
            if output != one.output:
                one.rule = make_rule(one.settings, output)
                one.output = output
                one.state = replace(one.state, is_set=None)

    def _demand(self, one: _One, tick: int) -> Demand:
        local = None
        utc_ms = self._given.utc_ms()
        if utc_ms is not None:
            here = datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(one.zone)
            local = here.weekday(), here.hour * 60 + here.minute
        if one.manual is not None and tick >= one.manual.until:
            one.manual = None
        return demand(one.rule, self._facts(one, tick), local, manual=one.manual, tick=tick)

    def _facts(self, one: _One, tick: int) -> dict[str, bool | None]:
        found: dict[str, bool | None] = {}
        for wish in one.settings.when:
            name = fact_of(wish)
            if not name:
                continue
            now: bool | None
            if wish.job is not None:
                now = any(job.zone == wish.job and job.state is JobState.RUNNING for job in self._work.jobs())
            elif wish.present is not None:
                now = self._present(wish.present)
            else:
                newest = self._readings.newest(wish.count or "", within=ticks(one.settings.stale_after_s))
                now = None if newest is None else newest.value >= 1
            if now:
                one.held[name] = tick
            since = one.held.get(name)
            if not now and since is not None and tick - since <= ticks(wish.keep_s):
                now = True
            found[name] = now
        return found

    async def _write(self, one: _One) -> None:
        counts = next_write(one.state, one.rule, self._given.now_tick())
        if counts is None:
            return
        name, outputs = one.output.name, self._given.outputs
        if one.state.is_set is None:
            there = await outputs.read_back(name)
            one.state = replace(one.state, is_set=there)
            counts = next_write(one.state, one.rule, self._given.now_tick())
            if counts is None:
                return
            if counts == there:
                self._done(one, counts, was_there=True)
                return
        try:
            await outputs.set(name, counts, by=f"regulation {one.settings.name}: {one.state.demand.why}")
        except OutputError as error:
            self._done(one, counts, failed=str(error))
        else:
            self._done(one, counts)

    def _done(self, one: _One, counts: int, *, failed: str = "", was_there: bool = False) -> None:
        tick = self._given.now_tick()
        one.wake.set()
        self._took(one, written(one.state, one.rule, counts, tick=tick, failed=failed, was_there=was_there))

    def _took(self, one: _One, found: Stepped) -> None:
        before, one.state = one.state, found.state
        for told in found.told:
            self._given.tell(EVENTS[told], self._data(one), one.settings.name)
        if found.told or before.phase is not found.state.phase or before.is_set != found.state.is_set:
            self._changed()

    def _data(self, one: _One) -> dict[str, Scalar]:
        state, view = one.state, one.view
        wanted = state.wanted(one.rule)
        data: dict[str, Scalar] = {"output": one.output.name, "why": state.demand.why}
        if wanted is not None:
            data["value"] = one.output.shown(wanted)
        if state.trim:
            data["correction"] = one.output.shown(state.trim)
        if one.settings.point is not None and view is not None:
            data |= {"point": one.settings.point, "reading": None if view.value is None else str(view.value)}
        asked = state.demand.range
        if asked.low is not None:
            data["low"] = str(asked.low)
        if asked.high is not None:
            data["high"] = str(asked.high)
        if state.reason:
            data["reason"] = state.reason
        return data

    @property
    def names(self) -> Sequence[str]:
        """Their names in the settings."""
        return [one.settings.name for one in self._all]
