"""Sets outputs: checks range and rate, writes through the driver, and believes only what is read back.

Drivers declare outputs and carry them out; nothing else of the gateway asks them to. It decides nothing about
when an output has to move.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, repeat
from typing import Literal, Protocol, TypeVar, runtime_checkable

from edge.control.offers import NotDoneError, RefusedError
from edge.control.rests import Rests
from edge.supervisor import UnexpectedError, contained
from wire.messages import Scalar
from wire.quantities import QUANTITIES

READ_BACK_SOON_S = (0.005, 0.005, 0.01, 0.02)
READ_BACK_EVERY_S = 0.05
"""A device is asked right after a write, then after these pauses, then so often, and last at its limit."""
REASON_MAX = 200
DIGITS_MAX = 18
"""Before the point and behind it; counts are 64-bit."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output as its driver declares it; values are counts of `10**exponent` of its unit.

    A switch has 0 and 1.
    """

    name: str
    """Unique in the gateway, e.g. `room-1/air-conditioner/setpoint`."""
    kind: Literal["switch", "setpoint"]
    low: int
    high: int
    exponent: int = 0
    quantity: str = ""
    """Of a setpoint, as in `wire.quantities`."""
    step_max: int | None = None
    """By how much one write may move a setpoint; None: by any amount."""
    apart_s: float = 0.0
    """How long an output rests between two writes; what protects a compressor or a relay."""
    read_back_s: float = 0.5
    """How long the device may take to confirm; a value that is contradicted longer was not set."""
    safe: int | None = None
    """The value in which it rests, towards safety; every other one permits something. None: not said."""

    def shown(self, counts: int) -> str:
        """Return a value, or how far one is from another, as a person reads it: in the output's unit."""
        unit = QUANTITIES[self.quantity].unit if self.quantity else ""
        return f"{Decimal(counts).scaleb(self.exponent):f} {unit}".rstrip()

    @property
    def range(self) -> str:
        """Its lowest and highest value."""
        return f"{Decimal(self.low).scaleb(self.exponent):f} to {self.shown(self.high)}"


class OutputError(NotDoneError):
    """An output was not set, or is not confirmed; the text is one short sentence for a person."""


@runtime_checkable
class OutputDriver(Protocol):
    """What a driver with outputs offers beside `edge.driver.Driver`."""

    @property
    def name(self) -> str:
        """The device's name in the settings."""

    @property
    def outputs(self) -> Sequence[Output]:
        """Everything it can set."""

    async def write(self, output: str, counts: int) -> None:
        """Set one output; `OutputError` when the device does not take it."""

    async def read_back(self, output: str) -> int | None:
        """Return what the device says the output is; None when it cannot be read."""


Tell = Callable[[str, Mapping[str, Scalar], str], None]
"""Journal an event: kind, data, subject."""
T = TypeVar("T")
Guard = Callable[[str], str | None]
"""Says of an output why it may not leave its safe state now; None: nothing is against it."""


@dataclass(slots=True)
class _Turn:
    """What stays of an output when another driver takes it over."""

    written_at: float | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    set_by: str = ""
    """Who set it last; empty: nobody since the gateway started."""
    made_safe: int = 0
    """How often its safe state was asked for: who asked for another one before that comes too late."""
    wanted: int | None = None
    """What was written last, confirmed or not; None: nothing since the gateway started."""
    failure: str = ""
    """Why it was not made safe when that was tried last, as it was told."""
    bug: str = ""
    """What its driver raised last that nobody expected, as it was logged."""


@dataclass(slots=True)
class _Owned:
    driver: OutputDriver
    output: Output
    turn: _Turn
    counts: int | None = None
    """The last value that was confirmed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """That an output is to be set, as it was told."""

    output: Output
    told: Mapping[str, Scalar]
    made_safe: int
    """As `_Turn.made_safe` was then."""


async def _nothing_to_settle() -> bool:
    return True


def _still_wanted() -> bool:
    return True


class Outputs:
    """Every output of the gateway."""

    def __init__(
        self,
        drivers: Iterable[object],
        *,
        tell: Tell,
        now: Callable[[], float],
        settle: Callable[[], Awaitable[bool]] = _nothing_to_settle,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rests: Rests | None = None,
    ) -> None:
        """`now` is monotonic seconds; without `rests` each rest ends with the process.

        `settle` makes durable what was told and kept, and says whether it is.
        `ValueError` when two drivers declare one name.
        """
        self._owned: dict[str, _Owned] = {}
        self._tell = tell
        self._now = now
        self._settle = settle
        self._sleep = sleep
        self._rests = rests
        self._guards: list[Guard] = []
        self.own(drivers)

    def guard(self, guard: Guard) -> None:
        """Have this asked before an output is set to anything but its safe state."""
        self._guards.append(guard)

    def own(self, drivers: Iterable[object]) -> None:
        """Own the outputs of these drivers from now on; those without outputs are passed over.

        An output that was there before keeps its rest. `ValueError` when two drivers declare one name.
        """
        owned: dict[str, _Owned] = {}
        for driver in drivers:
            if not isinstance(driver, OutputDriver):
                continue
            for output in driver.outputs:
                if output.name in owned:
                    other = owned[output.name].driver.name
                    raise ValueError(f"output {output.name} of {driver.name}: {other} has one of that name")
                owned[output.name] = self._continued(driver, output)
        self._owned = owned

    def _continued(self, driver: OutputDriver, output: Output) -> _Owned:
        before = self._owned.get(output.name)
        if before is None:
            last = self._rests.last(output.name) if self._rests and output.apart_s else None
            return _Owned(driver, output, _Turn(last))
        if before.driver is driver:
            return before
        return _Owned(driver, output, before.turn)

    @property
    def names(self) -> Sequence[str]:
        """The names of all outputs."""
        return list(self._owned)

    def output(self, name: str) -> Output:
        """Return an output's declaration; `OutputError` when there is none of that name."""
        return self._find(name).output

    def described(self) -> Sequence[str]:
        """Return a line for each output: its name, its range and its unit."""
        return [f"{owned.output.name}: {owned.output.range}" for owned in self._owned.values()]

    async def away(self) -> Mapping[str, str]:
        """Return name -> what it says, of every output that is not where it was declared to rest."""
        found: dict[str, str] = {}
        for name, owned in list(self._owned.items()):
            output = owned.output
            said = None if output.safe is None else await self._said(owned)
            if output.safe is not None and said is not None and said != output.safe:
                found[name] = (
                    f"is {output.shown(said)}, rests at {output.shown(output.safe)}{self._who(owned)}"
                )
        return found

    def _who(self, owned: _Owned) -> str:
        """Return by whom and when it was set, as far as this run knows."""
        turn = owned.turn
        if not turn.set_by or turn.written_at is None:
            return ""
        minutes = int(self._now() - turn.written_at) // 60
        return f"; set {f'{minutes} min ago' if minutes else 'just now'}, {turn.set_by}"

    def counts(self, name: str, value: str) -> int:
        """Return the counts of a decimal value; `RefusedError` for an unknown output or too many places."""
        if name not in self._owned:
            raise RefusedError(f"output {name}: expected one of {', '.join(self._owned) or 'none'}")
        exponent = self._owned[name].output.exponent
        counts = _number(value).scaleb(-exponent)
        whole = int(counts)
        if whole != counts:
            raise RefusedError(f"value {value}: expected at most {-exponent} places")
        return whole

    def ask(self, name: str, counts: int, *, by: str) -> Wanted | None:
        """Tell at once that an output is to be set, for who has something made durable anyway.

        It is handed to `set`, or to `forgo`. None where others have to be waited for, where it is towards
        safety, or would be refused: `set` waits, or says why.
        """
        owned = self._owned.get(name)
        if owned is None or counts == owned.output.safe or owned.turn.busy.locked():
            return None
        if owned.output.step_max is not None and owned.counts is None:
            return None
        try:
            self._check(owned, counts)
            self._check_step(owned, counts)
        except OutputError:
            return None
        return self._asked(owned.output, counts, by=by, made_safe=owned.turn.made_safe)

    def _asked(self, output: Output, counts: int, *, by: str, made_safe: int) -> Wanted:
        told = _told(output, counts, by=by)
        self._tell("output_asked", told, output.name)
        self._rest(output)
        return Wanted(output, told, made_safe)

    def forgo(self, asked: Wanted, reason: str) -> None:
        """Tell that what was asked for was not tried, and why."""
        self._tell_outcome(asked.output.name, asked.told, reason)

    async def set(
        self,
        name: str,
        counts: int,
        *,
        by: str,
        confirm: bool = True,
        still_wanted: Callable[[], bool] = _still_wanted,
        asked: Wanted | None = None,
    ) -> None:
        """Set an output and wait until the device confirms it; `OutputError` tells why not.

        Without `confirm` it is not read back: for what cannot be. `by` says who or what asked. Everything
        that was written is told as an event, confirmed or not; what was refused before it was written is the
        caller's to tell. What permits something is durable before it happens, what is towards safety
        happens first. `still_wanted` is asked right before what permits is written, as the disk and others
        may have been waited for by then. `asked` is what `ask` returned for this.
        """
        output, turn = self._find(name).output, self._find(name).turn
        if counts == output.safe:
            turn.made_safe += 1
            async with turn.busy:
                owned = await self._checked(name, counts)
                with self._outcome(name, _told(output, counts, by=by)):
                    self._rest(output)
                    await self._write(owned, counts, by=by, confirm=confirm)
            return
        if asked is None:
            made_safe = turn.made_safe
            async with turn.busy:
                await self._checked(name, counts)
            asked = self._asked(output, counts, by=by, made_safe=made_safe)
        with self._outcome(name, asked.told):
            await self._make_durable(output, counts)  # nobody waits for the disk who wants it safe
            async with turn.busy:
                owned = await self._checked(name, counts)
                if owned.output != asked.output:
                    raise OutputError(f"{name}: its settings changed meanwhile")
                if turn.made_safe != asked.made_safe:
                    raise OutputError(f"{name}: its safe state was asked for meanwhile")
                if not still_wanted():
                    raise OutputError(f"{name}: its time is over meanwhile")
                await self._write(owned, counts, by=by, confirm=confirm)

    # --- for those who own an output: interlocks, and what shows that control lives -----------------------

    async def make_safe(self, name: str, *, by: str, confirm: bool = True, tell_failure: bool = True) -> None:
        """Write an output's safe value at once and wait until it is confirmed; `OutputError` tells why not.

        Nothing is waited for before it is written: no rest, no turn, no disk. Whoever is setting it meanwhile
        fails. Tried again and again for the same reason, it is told once.
        """
        owned = self._find(name)
        output, turn = owned.output, owned.turn
        if output.safe is None:
            raise OutputError(f"{name}: nobody said which value is towards safety")
        turn.made_safe += 1
        told = _told(output, output.safe, by=by)
        try:
            await self._write(owned, output.safe, by=by, confirm=confirm)
        except OutputError as error:
            if tell_failure and turn.failure != str(error):
                turn.failure = str(error)
                self._tell("output_failed", {"value": told["value"], "by": by, "reason": str(error)}, name)
            raise
        finally:
            self._rest(output)
        turn.failure = ""
        self._tell("output_set", told, name)

    async def pulse(self, name: str, counts: int) -> None:
        """Write an output without a word about it and without reading it back; `OutputError`."""
        await self._find(name).driver.write(name, counts)

    async def read_back(self, name: str) -> int | None:
        """Return what the device says an output is; None when it cannot be read, or is not there."""
        owned = self._owned.get(name)
        return None if owned is None else await self._said(owned)

    def wanted(self, name: str) -> int | None:
        """Return what was written last, confirmed or not; None when nothing was since the start."""
        owned = self._owned.get(name)
        return None if owned is None else owned.turn.wanted

    @contextmanager
    def _outcome(self, name: str, told: Mapping[str, Scalar]) -> Iterator[None]:
        """Tell how it ended, whatever happens."""
        reason: str | None = "interrupted"
        try:
            yield
            reason = None
        except OutputError as error:
            reason = str(error)
            raise
        finally:
            self._tell_outcome(name, told, reason)

    def _tell_outcome(self, name: str, told: Mapping[str, Scalar], reason: str | None) -> None:
        if reason is None:
            self._tell("output_set", told, name)
        else:
            failed = {key: value for key, value in told.items() if key != "exponent"}
            self._tell("output_failed", {**failed, "reason": reason}, name)

    async def _checked(self, name: str, counts: int) -> _Owned:
        """Return who owns an output now that it is this one's turn; `OutputError` when it may not be set."""
        owned = self._find(name)
        self._check(owned, counts)
        await self._know(owned)
        self._check_step(owned, counts)
        return owned

    def _rest(self, output: Output) -> None:
        if self._rests and output.apart_s:
            self._rests.written(output.name)

    async def _make_durable(self, output: Output, counts: int) -> None:
        """Have on the disk what is about to be done; `OutputError` when it may not be done without that."""
        name = output.name
        if not await self._settle() and output.safe is not None:
            shown = output.shown(counts)
            raise OutputError(f"{name}: {shown} is not its safe state, and the disk takes nothing now")

    async def _write(self, owned: _Owned, counts: int, *, by: str, confirm: bool) -> None:
        owned.turn.written_at, owned.turn.set_by, owned.turn.wanted = self._now(), by, counts
        owned.counts = None
        await _asked(owned, owned.driver.write(owned.output.name, counts))
        if confirm:
            await self._confirm(owned, counts)
        owned.counts = counts

    async def _said(self, owned: _Owned) -> int | None:
        """Return what the device says; None when it cannot be read, for whatever reason."""
        try:
            return await _asked(owned, owned.driver.read_back(owned.output.name))
        except OutputError:
            return None

    def _find(self, name: str) -> _Owned:
        try:
            return self._owned[name]
        except KeyError:
            raise OutputError(f"{name}: no output of that name; known are {', '.join(self._owned)}") from None

    def _check(self, owned: _Owned, counts: int) -> None:
        output = owned.output
        if counts != output.safe:
            for guard in self._guards:
                if (reason := guard(output.name)) is not None:
                    raise OutputError(f"{output.name}: {reason}")
        if not output.low <= counts <= output.high:
            raise OutputError(f"{output.name}: {output.shown(counts)}: expected {output.range}")
        written_at = owned.turn.written_at
        rested = None if written_at is None else self._now() - written_at
        if rested is not None and rested < output.apart_s:
            raise OutputError(
                f"{output.name}: written {rested:.1f} s ago: expected {output.apart_s:g} s of rest"
            )

    async def _know(self, owned: _Owned) -> None:
        """Read a setpoint back whose value is not known, where that decides how far it may move."""
        output = owned.output
        if owned.counts is None and output.step_max is not None:
            owned.counts = await self._said(owned)
            if owned.counts is None:
                raise OutputError(
                    f"{output.name}: the device does not say where it stands, and it may move by "
                    f"at most {output.shown(output.step_max)}"
                )

    def _check_step(self, owned: _Owned, counts: int) -> None:
        output = owned.output
        if output.step_max is None or owned.counts is None:
            return
        moved = abs(counts - owned.counts)
        if moved > output.step_max:
            raise OutputError(
                f"{output.name}: {output.shown(counts)} is {output.shown(moved)} from "
                f"{output.shown(owned.counts)}: expected at most {output.shown(output.step_max)}"
            )

    async def _confirm(self, owned: _Owned, counts: int) -> None:
        output = owned.output
        end = self._now() + output.read_back_s
        pauses = chain(READ_BACK_SOON_S, repeat(READ_BACK_EVERY_S))
        while (said := await self._said(owned)) != counts:
            left_s = end - self._now()
            if left_s <= 0:
                told = "says nothing" if said is None else f"says {output.shown(said)}"
                raise OutputError(
                    f"{output.name}: {output.shown(counts)} was written, the device {told} after "
                    f"{output.read_back_s:g} s"
                )
            await self._sleep(min(next(pauses), left_s))


async def _asked(owned: _Owned, asked: Awaitable[T]) -> T:
    """Return a driver's answer; a bug of one driver is an `OutputError`, and ends nobody who has to go on."""
    name, turn = owned.output.name, owned.turn
    try:
        return await contained(name, asked, expected=(OutputError,), known=turn.bug)
    except UnexpectedError as error:
        turn.bug = str(error)
        raise OutputError(f"{name}: its driver failed: {error}"[:REASON_MAX]) from error


def _told(output: Output, counts: int, *, by: str) -> dict[str, Scalar]:
    return {"counts": counts, "exponent": output.exponent, "value": output.shown(counts), "by": by}


def _number(value: str) -> Decimal:
    """Return a number that is not too long to reckon with; `RefusedError`."""
    try:
        number = Decimal(value)
    except (ArithmeticError, ValueError):
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > DIGITS_MAX or len(value) > 2 * DIGITS_MAX:
        raise RefusedError(f"value {value[:40]}: expected a number of at most {DIGITS_MAX} digits")
    return number
