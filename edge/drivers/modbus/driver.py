"""Polls the units of one Modbus line, TCP or RTU, and emits a poll per unit and round; sets outputs between.

The units that answer are read first. A unit that does not answer is silent and asked more and more rarely,
behind the others and in what is left of their interval, so that it does not hold them up; the one that
answered last keeps its pace, so that a slow neighbour cannot starve it. Decoding is in `decode`, the
connection in `bus`.
"""

import asyncio
import logging
from collections.abc import Sequence

from edge.candidates import Candidates
from edge.control.outputs import Output, OutputError
from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.modbus.bus import Bus, BusError, ConnectionLostError, NoAnswerError, RefusedError
from edge.drivers.modbus.catalogue import profiles_of
from edge.drivers.modbus.decode import decode_block, refuse_block
from edge.drivers.modbus.frames import Question
from edge.drivers.modbus.outputs import bind
from edge.drivers.modbus.rounds import MS, TICK_NS, first_round, next_round
from edge.drivers.modbus.strangers import ROOM_S, Strangers
from edge.drivers.modbus.units import Unit, make_unit
from wire.messages import Poll
from wire.settings.modbus import ModbusDevice, ModbusRtuDevice, chosen_outputs
from wire.status import GapCause

LOG = logging.getLogger(__name__)
RETRY_MAX_S = 30.0
RETRY_LEAST_S = 0.01
"""So long may the answer to a retry take, however little is left of the interval."""
WHOLE_EVERY = 4
"""Where little is left of an interval, every so-many-th retry gets the whole time-out."""
FAILURES_MAX = 5
"""So often may the unit that answered last fail until the whole line counts as lost."""


class ModbusDriver(Declared):
    """One `[[device]]` with driver = "modbus" or "modbus-rtu".

    Implements `edge.driver.Driver` and `edge.control.outputs.OutputDriver`.
    """

    def __init__(self, settings: ModbusDevice | ModbusRtuDevice, given: Given) -> None:
        """Raises `ProfileError` when a unit asks for a profile or point that is not there."""
        self._settings = settings
        self._monotonic_ns = given.monotonic_ns
        profiles = profiles_of(settings)
        self._answered: Unit | None = None
        self._units = [make_unit(settings, unit, profiles[unit.profile]) for unit in settings.unit]
        self._outputs = {
            f"{unit.prefix}/{own.output}": bind(
                f"{unit.prefix}/{own.output}", place, profile=profile, own=own
            )
            for place, unit in enumerate(settings.unit)
            for profile, own in chosen_outputs(unit, profiles[unit.profile])
        }
        self._bus = _bus(settings)
        self._strangers = Strangers(
            [unit.address for unit in settings.unit],
            every_s=settings.candidates_s,
            device=settings.name,
            candidates=Candidates.of(settings.name, given),
        )
        self._turn_to_ask = asyncio.Lock()
        super().__init__(
            settings.name,
            points=[point for unit in self._units for point in unit.points],
            layouts=[unit.layout for unit in self._units],
            late=GapCause.BUS,  # all units share the line: one that answers slowly holds up the others
        )

    async def run(self, emit: Emitter) -> None:
        """Poll every interval until cancelled; `DeviceUnavailable` when no unit can be reached."""
        interval_ns = self._settings.interval_ms * MS
        try:
            async with self._bus:
                due_ns, wait_ns = first_round(self._monotonic_ns())
                await asyncio.sleep(wait_ns / 1e9)
                while True:
                    await self._round(emit, until_ns=due_ns + interval_ns)
                    due_ns, wait_ns = next_round(due_ns, self._monotonic_ns(), interval_ns)
                    await asyncio.sleep(wait_ns / 1e9)
        except ConnectionLostError as error:
            raise DeviceUnavailable(str(error), GapCause.BUS) from None

    async def probe(self) -> Sequence[ProbeLine]:
        """Connect and read every unit once."""
        where = self._bus.where
        try:
            async with self._bus:
                connected = ProbeLine(f"{self.name}: connect to {where}", ok=True, answer="connected")
                return [connected, *[await self._probe_unit(unit) for unit in self._units]]
        except ConnectionLostError as error:
            return [ProbeLine(f"{self.name}: connect to {where}", ok=False, answer=str(error))]

    # --- outputs: only `edge.control.outputs.Outputs` calls these --------------------------------------

    @property
    def outputs(self) -> Sequence[Output]:
        """The outputs that the settings of the units name."""
        return [output.declared for output in self._outputs.values()]

    async def write(self, output: str, counts: int) -> None:
        """Set one output between two reads; `OutputError` when the unit does not take it."""
        bound = self._outputs[output]
        unit = self._units[bound.unit]
        try:
            await self._ask(unit, bound.write_question(counts), unit.timeout_s)
        except BusError as error:
            raise OutputError(f"{output}: {error}") from None

    async def read_back(self, output: str) -> int | None:
        """Return what the unit says the output is; None when it says nothing."""
        bound = self._outputs[output]
        unit = self._units[bound.unit]
        try:
            return bound.count_of(await self._ask(unit, bound.read_question, unit.timeout_s))
        except BusError as error:
            LOG.info("%s: %s: %s", self.name, output, error)
            return None

    # --- polling -----------------------------------------------------------------------------------------

    async def _ask(self, unit: Unit, question: Question, timeout_s: float) -> list[int]:
        """Ask when nobody else does; or a `BusError`."""
        async with self._turn_to_ask:
            return await self._ask_now(unit, question, timeout_s)

    async def _ask_now(self, unit: Unit, question: Question, timeout_s: float) -> list[int]:
        """Ask when the unit wants to be asked; the caller has the turn."""
        await self._left_alone(unit)
        try:
            return await self._bus.ask(unit.address, question, timeout_s=timeout_s)
        finally:
            unit.free_ns = self._monotonic_ns() + int(unit.gap_s * 1e9)

    async def _left_alone(self, unit: Unit) -> None:
        wait_ns = unit.free_ns - self._monotonic_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / 1e9)

    async def _reopen(self) -> None:
        async with self._turn_to_ask:
            await self._bus.reopen()

    async def _round(self, emit: Emitter, *, until_ns: int) -> None:
        """Read every unit that is due; raise `ConnectionLostError` when the whole line is lost.

        `until_ns` is when the next round is due.
        """
        now_ns = self._monotonic_ns()
        due = [unit for unit in self._units if unit.due_ns <= now_ns]
        failed: list[tuple[Unit, BusError]] = []
        for unit in sorted(due, key=self._turn):
            timeout_s = self._patience_s(unit, until_ns)
            if unit.failures and failed and timeout_s <= RETRY_LEAST_S:
                continue  # its turn comes with the next round
            try:
                poll = await self._read(unit, timeout_s)
            except BusError as failure:
                failed.append((unit, failure))
                self._put_off(unit, failure)
                if isinstance(failure, ConnectionLostError):
                    await self._reopen()
            else:
                self._answered = unit
                self._back(unit)
                await emit.poll(poll)
                if unit.usage is not None:
                    await unit.usage.seen(emit, poll.tick, poll.counts)
        if failed and self._line_is_lost():
            raise ConnectionLostError(str(failed[0][1]))
        for unit, error in failed:
            cause = GapCause.BUS if isinstance(error, ConnectionLostError) else GapCause.SENSOR
            tick = ticks(self._monotonic_ns())
            await emit.silent(unit.layout.points, cause=cause, reason=str(error), tick=tick)
        await self._look_around(emit, until_ns)

    async def _look_around(self, emit: Emitter, until_ns: int) -> None:
        """Ask one address that is not configured, if that is wanted and costs no reading."""
        now_ns = self._monotonic_ns()
        if not self._strangers.due(now_ns) or until_ns - now_ns < ROOM_S * 1e9:
            return
        async with self._turn_to_ask:
            await self._strangers.look(emit, self._bus.ask, now_ns)

    def _turn(self, unit: Unit) -> tuple[bool, bool, int]:
        """Who answers goes first, then who did last, then who waits longest."""
        return unit.failures > 0, unit is not self._answered, unit.due_ns

    def _patience_s(self, unit: Unit, until_ns: int) -> float:
        """Return how long an answer of the unit may take now."""
        whole_s = unit.timeout_s
        if not self._bus.hurried:
            return whole_s
        left_s = (until_ns - 2 * TICK_NS - self._monotonic_ns()) / 1e9 / len(unit.blocks)
        scarce = left_s < whole_s / 2
        if not unit.failures or (scarce and unit.failures % WHOLE_EVERY == 0):
            return whole_s
        return min(whole_s, max(RETRY_LEAST_S, left_s))

    def _back(self, unit: Unit) -> None:
        if unit.failures:
            LOG.warning("%s: unit %d: back", self.name, unit.address)
        unit.failures = unit.due_ns = 0

    def _line_is_lost(self) -> bool:
        if any(unit.failures == 0 for unit in self._units):
            return False
        last = self._answered
        return last is None or len(self._units) == 1 or last.failures >= FAILURES_MAX

    def _put_off(self, unit: Unit, failure: BusError) -> None:
        if not unit.failures:
            LOG.warning("%s: unit %d: %s", self.name, unit.address, failure)
        base_s = max(self._settings.interval_ms, self._settings.timeout_ms) / 1000
        doubled = 0 if unit is self._answered else min(unit.failures, 8)
        wait_s = max(self._bus.rest_s(unit.address), min(RETRY_MAX_S, base_s * 2**doubled))
        unit.failures += 1
        unit.due_ns = self._monotonic_ns() + int(wait_s * 1e9)

    async def _read(self, unit: Unit, timeout_s: float | None = None) -> Poll:
        """Return one poll, timed in the middle between first question and last answer."""
        counts: list[int | None] = [None] * len(unit.points)
        flags: list[tuple[int, int]] = []
        async with self._turn_to_ask:  # a write waits, so that one poll is of one moment
            await self._left_alone(unit)
            asked_ns = self._monotonic_ns()
            for block in unit.blocks:
                try:
                    question = Question(block.function, block.start, block.count)
                    registers = await self._ask_now(unit, question, timeout_s or unit.timeout_s)
                except RefusedError:
                    refuse_block(block, flags)
                else:
                    decode_block(block, registers, counts=counts, flags=flags)
            answered_ns = self._monotonic_ns()
        if answered_ns - asked_ns > len(unit.blocks) * self._patience_ns(unit):
            raise NoAnswerError("the answer was read too late to say when it was measured")
        middle_ns = (asked_ns + answered_ns) // 2
        return Poll(layout=unit.layout.id, tick=ticks(middle_ns), counts=counts, flags=sorted(flags))

    def _patience_ns(self, unit: Unit) -> int:
        """Return how long one block may take with everything that belongs to it."""
        return int((unit.timeout_s + unit.gap_s + self._bus.overhead_s) * 1e9)

    async def _probe_unit(self, unit: Unit) -> ProbeLine:
        what = f"{self.name}: unit {unit.address}"
        try:
            poll = await self._read(unit)
        except BusError as error:
            if isinstance(error, ConnectionLostError):
                await self._reopen()
            return ProbeLine(what, ok=False, answer=str(error))
        return ProbeLine(what, ok=any(count is not None for count in poll.counts), answer=unit.said(poll))


def _bus(settings: ModbusDevice | ModbusRtuDevice) -> Bus:
    """Return the line, not yet open; each kind's library is imported only where it is used."""
    if isinstance(settings, ModbusRtuDevice):
        from edge.drivers.modbus.rtu import RtuBus

        return RtuBus(settings)
    from edge.drivers.modbus.tcp import TcpBus

    return TcpBus(settings)
