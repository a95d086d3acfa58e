"""The interlocks of a gateway, as the rest of it knows them: shows them what comes, asks and acts.

How they run is in `edge.control.engine`, how outputs are held in `edge.control.holder`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec import structs

from edge.control.engine import Engine
from edge.control.given import Given, Member, Part, Seen
from edge.control.hearers import Hearers
from edge.control.holder import Holder
from edge.control.loop import ControlLoop
from edge.control.observing import Observing
from edge.control.picture import locked, picture
from edge.control.pulse import Pulse
from edge.control.runner import Runner, begun, moment
from edge.control.surroundings import outputs_of, sets_itself, surroundings
from edge.control.telling import asked_of
from edge.control.work import WorkDesk
from rules.access.request import EntryLock
from rules.interlock.acts import act
from rules.interlock.commands import command_refusal
from rules.interlock.configured import Surroundings, make_rule, rule_faults
from rules.interlock.inputs import Asked, EndBypass, ReadBack, Trip
from rules.interlock.model import EffectKind, Interlock, Plant
from rules.interlock.plan import Plan, make_plan
from rules.interlock.reasons import Reason
from rules.interlock.state import Phase, Stepped
from wire.control import LISTED_MAX, ControlStatus, InterlockNow
from wire.settings.interlock import InterlockSettings

LOG = logging.getLogger(__name__)
ATTEMPTS = 3
ENDING_S = 2.0
NOT_KEPT = "the disk takes nothing now, and nothing is permitted that it does not know"
OVERTAKEN = "it changed again and again while it was written down: look again, then decide"


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a person's act."""

    refused: Reason | None = None
    """Why the rules refused it."""
    failed: str = ""
    """Why it could not be done although nothing was against it: a sentence. Nothing was permitted."""

    @property
    def done(self) -> bool:
        """Whether it counts."""
        return self.refused is None and not self.failed


@dataclass(frozen=True, slots=True)
class Held:
    """Why a device may not do something now."""

    interlock: str
    reason: Reason


class Interlocks(Member):
    """All interlocks of one gateway."""

    def __init__(self, given: Given, work: WorkDesk) -> None:
        """The settings' faults were found before (`edge.control.surroundings.control_faults`)."""
        self._given = given
        self._work = work
        self.changed = Hearers()
        self._runners: list[Runner] = []
        self.engine = Engine(given, self._runners, self.changed)
        self._observing = Observing(self._runners, given.layouts)
        self._looking = False
        self._waiting: deque[Seen] = deque()
        self._acting: dict[str, asyncio.Lock] = {}
        section = given.settings.control
        name = section.enable_output
        self._pulse = Pulse(given.outputs, name, section.pulse_ms) if name is not None else None
        self._loop = ControlLoop(given, self.engine, self._pulse)
        self._owners: dict[str, Runner] = {}
        self._shown: dict[str, tuple[object, ...]] = {}
        """What of each interlock the others heard with its read-backs."""
        self._doubts: Mapping[str, str] = {}
        given.outputs.guard(self._objection)
        for settings in given.settings.interlock:
            self._begin(settings)
        work.changed.add(self.replan)

    # --- for others ----------------------------------------------------------------------------------------

    @property
    def names(self) -> Sequence[str]:
        """The interlocks' names in the settings."""
        return [runner.name for runner in self._runners]

    def locks(self) -> Sequence[EntryLock]:
        """Return what interlocks that are not released lock: entries of portals."""
        return [lock for runner in self._runners for lock in locked(runner)]

    async def act(self, interlock: str, asked: Asked) -> Acted:
        """Do what a person asks of an interlock; what permits is on the disk before it counts."""
        runner = next((one for one in self._runners if one.name == interlock), None)
        if runner is None:
            return Acted(failed=f"no interlock is called {interlock}")
        if isinstance(asked, Trip | EndBypass):
            tried = self._try(runner, asked)
            self.engine.adopt(runner, tried)
            return Acted(tried.refused)
        async with self._acting[interlock]:
            return await self._permitted(runner, asked)

    def command_refusal(self, device: str, command: str) -> Held | None:
        """Return which interlock keeps a device or an output from doing a command, and why."""
        for runner in self._runners:
            reason = command_refusal(runner.state, runner.plan, device=device, command=command)
            if reason is None and not runner.released and self._owners.get(device) is runner:
                reason = Reason.TRIPPED if runner.state.phase is Phase.HEALTHY else None
            if reason is not None:
                return Held(runner.name, reason)
        return None

    def releases(self, output: str) -> bool:
        """Return whether others may set this output: no interlock owns it, or its owner released it."""
        return self._objection(output) is None

    def held_zones(self) -> Mapping[str, Sequence[str]]:
        """Return zone -> the interlocks that hold its work."""
        found: dict[str, list[str]] = {}
        for runner in self._runners:
            if not runner.released:
                for zone in runner.targets(EffectKind.HOLD_WORK):
                    found.setdefault(zone, []).append(runner.name)
        return found

    def now(self) -> Sequence[InterlockNow]:
        """Return every interlock as it stands."""
        at = moment(self._given)
        return [picture(runner, at) for runner in self._runners]

    def troubles(self) -> Mapping[str, str]:
        """Return the outputs that interlocks own and that are not as they were told to be, and why."""
        return {holder.name: why for holder in self._holders() if (why := holder.trouble)}

    # --- as a member ---------------------------------------------------------------------------------------

    def look(self, item: Seen) -> None:
        """Show the interlocks what was taken in; what they tell meanwhile comes after it."""
        self._waiting.append(item)
        if self._looking:
            return
        self._looking = True
        try:
            while self._waiting:
                for runner, inputs in self._observing.of(self._waiting.popleft()):
                    self.engine.feed(runner, inputs)
                    self._loop.wake_for(runner)
        finally:
            self._looking = False

    def told(self, status: ControlStatus) -> ControlStatus:
        """Return the state of control with the interlocks filled in."""
        return structs.replace(status, interlocks=tuple(self.now())[:LISTED_MAX])

    def parts(self) -> Mapping[str, Part]:
        """Return the control loop, what holds each output, and what watches the journal."""
        parts: dict[str, Part] = {}
        if self._pulse is not None:
            parts["enable output"] = self._pulse.run
        if self._runners:
            parts |= {"interlock permits": self._loop.permit, "interlock journal": self._loop.watch_journal}
        if self._runners or self._pulse is not None:
            parts["interlocks"] = self._loop.turn
        for holder in self._holders():
            parts |= {f"interlock output {holder.name}: {what}": run for what, run in holder.parts().items()}
        return parts

    # --- for the gateway -----------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the control loop turns, as far as there is one."""
        idle = not self._runners and self._pulse is None
        return idle or self._loop.alive

    def replan(self) -> None:
        """Go on with the points, outputs and calibrations that are known now; a changed rule alone trips."""
        around = self._around()
        plant, now = around.plant(), moment(self._given)
        for runner in self._runners:
            plan = _planned(make_rule(runner.settings, around.points), plant)
            if plan is not None and (stepped := runner.replan(plan, plant, now)) is not None:
                self.engine.adopt(runner, stepped)
        self._observing.listen()
        self._doubt([runner.settings for runner in self._runners], around)
        self.changed.tell()

    async def ended(self) -> None:
        """Leave every output that interlocks own in its safe state, and their states written down.

        Takes `ENDING_S` at most; what is not safe by then is logged.
        """
        doing = [_in_time(holder.name, holder.make_safe()) for holder in self._holders()]
        if self._pulse is not None:
            doing.append(_in_time(self._pulse.name, self._pulse.end()))
        *_, error = await asyncio.gather(*doing, self._write_down(), return_exceptions=True)
        if error is not None:
            raise error

    # --- inside --------------------------------------------------------------------------------------------

    async def _write_down(self) -> None:
        for runner in self._runners:
            self.engine.feed(runner)
            self.engine.keep(runner)
            runner.released = False

    def _begin(self, settings: InterlockSettings) -> None:
        around = self._around()
        plan = make_plan(make_rule(settings, around.points), around.plant())
        runner, stepped = begun(settings, plan, around.plant(), given=self._given)
        self._runners.append(runner)
        self._acting[runner.name] = asyncio.Lock()
        outputs = {output.name: output for output in outputs_of(self._given.drivers())}
        for _, effect in settings.outputs():
            self._owners[effect.target] = runner
            holder = Holder(
                self._given.outputs,
                effect.target,
                by=f"interlock {runner.name}",
                read_back=effect.read_back,
                sets=sets_itself(effect, outputs.get(effect.target), self._given.settings),
                said=partial(self._read_back, runner),
            )
            runner.holders.append(holder)
        self.engine.adopt(runner, stepped)

    def _doubt(self, rules: Sequence[InterlockSettings], around: Surroundings) -> None:
        """Tell once what a new calibration leaves of a rule: it may be one that could never be reset."""
        found = {fault.path: fault.expectation for fault in rule_faults(rules, around)}
        for path, reason in found.items():
            if self._doubts.get(path) != reason:
                self._given.tell("interlock_doubtful", {"reason": reason}, path)
        self._doubts = found

    def _around(self) -> Surroundings:
        return surroundings(
            self._given.settings,
            self._given.points(),
            outputs_of(self._given.drivers()),
            calibrations=self._work.calibrations(),
        )

    def _holders(self) -> Sequence[Holder]:
        return [holder for runner in self._runners for holder in runner.holders]

    def _objection(self, output: str) -> str | None:
        """Return why others may not set an output."""
        if self._pulse is not None and output == self._pulse.name:
            return "it shows that control lives, nothing else sets it"
        owner = self._owners.get(output)
        if owner is None or owner.released:
            return None
        return f"interlock {owner.name} holds it in its safe state"

    def _read_back(self, runner: Runner, output: str, agrees: bool) -> None:
        self.engine.feed(runner, [ReadBack(output, agrees)])
        self._loop.wake_for(runner)
        kept = runner.state.kept
        shown = (kept.breach, kept.phase, runner.released, *(one.confirmed for one in runner.holders))
        if self._shown.get(runner.name) != shown:
            self._shown[runner.name] = shown
            self.changed.tell()

    def _try(self, runner: Runner, asked: Asked) -> Stepped:
        return act(runner.state, runner.plan, asked, at=moment(self._given))

    async def _permitted(self, runner: Runner, asked: Asked) -> Acted:
        """Have it decided; whatever comes of it, the disk gets what is so, even with nobody waiting."""
        try:
            return await self._decided(runner, asked)
        finally:
            self.engine.keep(runner)

    async def _decided(self, runner: Runner, asked: Asked) -> Acted:
        """Write down what would come of it; it counts when the disk has it and nothing came between."""
        kind, data = asked_of(asked)
        for attempt in range(ATTEMPTS):
            self.engine.feed(runner)
            tried = self._try(runner, asked)
            if tried.refused is not None:
                break
            if not attempt:
                self._given.tell(kind, data, runner.name)
            self.engine.keep(runner, tried.state.kept)
            if not await self._given.settle():
                return Acted(failed=NOT_KEPT)
            if not runner.overtaken:
                break
        else:
            return Acted(failed=OVERTAKEN)
        done = self._try(runner, asked)
        self.engine.adopt(runner, done, durable=done.refused is None)
        return Acted(done.refused)


async def _in_time(name: str, making_safe: Coroutine[Any, Any, object]) -> None:
    """Wait until an output is safe, but not for ever; whatever is raised stops no other."""
    try:
        async with asyncio.timeout(ENDING_S):
            (end,) = await asyncio.gather(making_safe, return_exceptions=True)
    except TimeoutError:
        LOG.error("%s: not made safe within %g s", name, ENDING_S)
        return
    if isinstance(end, BaseException):
        LOG.error("%s: not made safe: unexpected error", name, exc_info=end)


def _planned(rule: Interlock, plant: Plant) -> Plan | None:
    """Return the plan; None where something that it names is not there any more: the old one goes stale."""
    try:
        return make_plan(rule, plant)
    except KeyError:
        return None
