"""Identifies an instrument, reads its declared queries, and carries out declared procedures.

The conversation is in `session`, the connection and its thread in `visa`, decoding in `decode`. One task owns
the instrument: procedures that others ask for wait in a queue and are done between two readings.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edge.control.offers import Done, NotDoneError, Overhear
from edge.driver import Declared, DeviceUnavailable, Emitter, Given, ProbeLine, ticks
from edge.drivers.exact import exponent_for
from edge.drivers.instrument.decode import (
    AnswerError,
    Identification,
    QueuedError,
    commands_of,
    identification,
    measured,
    strangeness,
    text_of,
)
from edge.drivers.instrument.session import IDENTIFY, Session
from edge.drivers.instrument.transcript import Files, FilesError, Seal
from edge.drivers.instrument.visa import VisaError, open_resource
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll, Scalar
from wire.settings.instrument import InstrumentDevice, Query, Step
from wire.status import GapCause, Status

WAITING_MAX = 16
"""So many procedures may wait; one more is refused."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Values that one command answers, and their layout."""

    command: str
    queries: Sequence[Query]
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Wish:
    """A procedure that somebody waits for."""

    procedure: str
    arguments: Mapping[str, str]
    commands: Sequence[str]
    by: str
    overhear: Overhear
    answered: "asyncio.Future[Done]"


class InstrumentDriver(Declared):
    """One `[[device]]` with driver = "instrument". Implements `edge.driver.Driver`."""

    def __init__(self, settings: InstrumentDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._groups = _groups(settings)
        self._files = Files(given.folder / settings.name, bytes_max=settings.files_bytes_max)
        self._wishes: asyncio.Queue[_Wish] | None = None
        self._strange = ""
        super().__init__(
            settings.name,
            points=[_declare(settings, query) for query in settings.query],
            layouts=[group.layout for group in self._groups],
            late=GapCause.BUS,  # the instrument, which answered late
        )

    async def execute(
        self,
        procedure: str,
        arguments: Mapping[str, str],
        *,
        by: str,
        overhear: Overhear = lambda kind, text: None,
    ) -> Done:
        """Carry out a declared procedure, `edge.control.offers.ProcedureDriver` says how."""
        commands = commands_of(self._settings.procedure, procedure, arguments)
        if self._wishes is None:
            raise NotDoneError(f"{self.name}: the instrument is not reachable")
        if self._wishes.full():
            raise NotDoneError(f"{self.name}: {WAITING_MAX} procedures wait already")
        answered: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        wish = _Wish(procedure, dict(arguments), commands, by=by, overhear=overhear, answered=answered)
        self._wishes.put_nowait(wish)
        return await answered

    async def run(self, emit: Emitter) -> None:
        """Read until cancelled; `DeviceUnavailable` when it is silent, makes no sense or is another one."""
        session = Session(self._settings, self._given, emit, files=self._files)
        timeout_s = self._settings.timeout_ms / 1000
        wishes: asyncio.Queue[_Wish] = asyncio.Queue(WAITING_MAX)
        try:
            async with (
                open_resource(self._settings.resource, timeout_s=timeout_s) as resource,
                session.recorded(resource),
            ):
                await self._identify(session, emit)
                await session.drain()
                self._wishes = wishes
                await self._read(session, emit)
        except (VisaError, AnswerError) as error:
            raise DeviceUnavailable(str(error), GapCause.BUS) from None
        except FilesError as error:
            raise DeviceUnavailable(str(error), GapCause.STORAGE) from None
        finally:
            self._wishes = None
            _refuse_all(wishes, f"{self.name}: the connection was lost")

    async def _identify(self, session: Session, emit: Emitter) -> None:
        """Ask who it is before anything else; one that is not the declared one gets no command."""
        text, found = await _identity(session)
        strange = strangeness(found, self._settings.identity)
        if strange:
            if strange != self._strange:
                await session.event("instrument_strange", {"found": text[:160], "reason": strange})
            self._strange = strange
            session.note(f"not the declared instrument: {strange}")
            raise DeviceUnavailable(f"not the declared instrument: {strange}", GapCause.SENSOR)
        self._strange = ""
        if emit.recall("identity") != text.encode():
            data: dict[str, Scalar] = {
                "maker": found.maker,
                "model": found.model,
                "serial": found.serial,
                "firmware": found.firmware,
            }
            await session.event("instrument_identified", data)
            emit.remember("identity", text.encode())

    async def _read(self, session: Session, emit: Emitter) -> None:
        interval_ns = self._settings.interval_ms * 1_000_000
        due_ns = self._given.monotonic_ns()
        while True:
            for group in self._groups:
                await emit.poll(await self._poll(group, session))
            await session.look()
            due_ns = max(due_ns + interval_ns, self._given.monotonic_ns())
            await self._serve(session, due_ns)

    async def _poll(self, group: _Group, session: Session) -> Poll:
        text, errors = await session.ask(group.command)
        tick = ticks(self._given.monotonic_ns())
        if errors:
            nothing = [(place, int(Status.DEVICE_ERROR)) for place in range(len(group.queries))]
            return Poll(group.layout.id, tick, [None] * len(group.queries), nothing)
        found = [
            measured(text, query, exponent)
            for query, exponent in zip(group.queries, group.layout.exponents, strict=True)
        ]
        flags = [(i, int(status)) for i, (_, status) in enumerate(found) if status is not Status.GOOD]
        return Poll(group.layout.id, tick, [count for count, _ in found], flags)

    async def _serve(self, session: Session, until_ns: int) -> None:
        """Carry out what others ask for until the next reading is due; one procedure may delay it.

        One that waits is done even when the readings themselves take longer than their interval.
        """
        assert self._wishes is not None
        served = False
        while (wish := await self._next(self._wishes, until_ns, late=not served)) is not None:
            if not wish.answered.done():  # who asked may have left
                served = True
                with session.overheard(wish.overhear):
                    await self._carry_out(wish, session)

    async def _next(self, wishes: "asyncio.Queue[_Wish]", until_ns: int, *, late: bool) -> _Wish | None:
        """Return what is to be done next; None when there is nothing until then. `late`: or waits already."""
        if late and not wishes.empty():
            return wishes.get_nowait()
        left_s = (until_ns - self._given.monotonic_ns()) / 1e9
        if left_s <= 0:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                return await wishes.get()
        return None

    async def _carry_out(self, wish: _Wish, session: Session) -> None:
        """Do it, tell it, and only then answer who asked: the event is there when the answer is."""
        answers: list[str] = []
        whole, done = len(wish.commands), 0
        why = "the connection was lost"
        told: Seal | None = None
        try:
            try:
                session.note(f"procedure {wish.procedure}")
                for step, command in zip(self._steps(wish.procedure), wish.commands, strict=True):
                    errors = await self._step(step, command, session=session, answers=answers)
                    if errors:
                        why = errors[0].text
                        break
                    done += 1
            finally:
                seal = session.sealed_now()
                await self._tell_procedure(wish, session, done=done, seal=seal)
                told = seal
        except FilesError as error:
            why = str(error)
            raise
        finally:
            if not wish.answered.done() and told is not None and done == whole:
                wish.answered.set_result(Done(answers, told.file, told.bytes, told.sha256))
            elif not wish.answered.done():
                text = f"{wish.procedure}: step {min(done + 1, whole)} of {whole}: {why}"
                wish.answered.set_exception(NotDoneError(text))

    def _steps(self, procedure: str) -> Sequence[Step]:
        return next(one.step for one in self._settings.procedure if one.name == procedure)

    async def _step(
        self, step: Step, command: str, *, session: Session, answers: list[str]
    ) -> list[QueuedError]:
        """Send one command, keep its answer, and return what the error queue holds."""
        if step.save:
            kept, errors = await session.fetch(command, step.save, timeout_ms=step.timeout_ms)
            answers.append(kept.file)
        elif "?" in command:
            answer, errors = await session.ask(command, timeout_ms=step.timeout_ms)
            answers.append(answer)
        else:
            errors = await session.tell(command, timeout_ms=step.timeout_ms)
        return errors

    async def _tell_procedure(self, wish: _Wish, session: Session, *, done: int, seal: Seal) -> None:
        arguments = " ".join(f"{name}={value}" for name, value in sorted(wish.arguments.items()))
        data: dict[str, Scalar] = {
            "procedure": wish.procedure,
            "arguments": arguments,
            "by": wish.by,
            "steps": len(wish.commands),
            "done": done,
            "file": seal.file,
            "bytes": seal.bytes,
            "sha256": seal.sha256,
        }
        await session.event("procedure_done" if done == len(wish.commands) else "procedure_failed", data)

    async def probe(self) -> Sequence[ProbeLine]:
        """Connect, identify it and ask every query once; no transcript is kept."""
        settings = self._settings
        timeout_s = settings.timeout_ms / 1000
        lines: list[ProbeLine] = []
        what = f"{self.name}: {settings.resource}"
        try:
            async with open_resource(settings.resource, timeout_s=timeout_s) as resource:
                text = text_of(await resource.ask(IDENTIFY, timeout_s=timeout_s))
                strange = strangeness(identification(text), settings.identity)
                lines.append(ProbeLine(what, ok=not strange, answer=strange or text[:120]))
                for group in self._groups if not strange else ():
                    what = f"{self.name}: {group.command}"
                    answer = text_of(await resource.ask(group.command, timeout_s=timeout_s))
                    fine = all(measured(answer, q, 0)[1] is not Status.INVALID for q in group.queries)
                    lines.append(ProbeLine(what, ok=fine, answer=answer[:120]))
        except (VisaError, AnswerError) as error:
            lines.append(ProbeLine(what, ok=False, answer=str(error)))
        return lines


async def _identity(session: Session) -> tuple[str, Identification]:
    text = await session.ask_plainly(IDENTIFY)
    return text, identification(text)


def _refuse_all(wishes: "asyncio.Queue[_Wish]", reason: str) -> None:
    while not wishes.empty():
        wish = wishes.get_nowait()
        if not wish.answered.done():
            wish.answered.set_exception(NotDoneError(reason))


def _groups(settings: InstrumentDevice) -> list[_Group]:
    by_command: dict[str, list[Query]] = {}
    for query in settings.query:
        by_command.setdefault(query.command, []).append(query)
    return [
        _Group(
            command,
            queries,
            make_layout(
                [f"{settings.prefix}/{query.point}" for query in queries],
                [exponent_for(query.step) for query in queries],
            ),
        )
        for command, queries in by_command.items()
    ]


def _declare(settings: InstrumentDevice, query: Query) -> PointDeclaration:
    return PointDeclaration(
        name=f"{settings.prefix}/{query.point}",
        quantity=query.quantity,
        kind=query.kind,
        exponent=exponent_for(query.step),
        period_ms=settings.interval_ms,
        device=settings.name,
    )
