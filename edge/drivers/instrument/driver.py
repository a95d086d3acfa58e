"""Identifies an instrument, reads its declared queries, and carries out declared procedures.

The conversation is in `session`, the connection and its thread in `visa`, decoding in `decode`. One task owns
the instrument: procedures that others ask for wait in a queue and are done between two readings.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.driver import DeviceUnavailable, Emitter, Given, ProbeLine, ticks
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
from edge.drivers.instrument.transcript import Files, FilesError
from edge.drivers.instrument.visa import VisaError, open_resource
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll, Scalar
from wire.settings.instrument import InstrumentDevice, Query
from wire.status import GapCause, Status

WAITING_MAX = 16
"""So many procedures may wait; one more is refused."""


class ProcedureError(Exception):
    """A procedure was not carried out, or not to its end; the text is one short sentence for a person."""


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
    answered: "asyncio.Future[list[str]]"


class InstrumentDriver:
    """One `[[device]]` with driver = "instrument". Implements `edge.driver.Driver`."""

    def __init__(self, settings: InstrumentDevice, given: Given) -> None:
        self._settings = settings
        self._given = given
        self._points = [_declare(settings, query) for query in settings.query]
        self._groups = _groups(settings)
        self._files = Files(given.folder / settings.name, bytes_max=settings.files_bytes_max)
        self._wishes: asyncio.Queue[_Wish] | None = None
        self._strange = ""

    @property
    def name(self) -> str:
        """The device's name in the settings."""
        return self._settings.name

    @property
    def points(self) -> Sequence[PointDeclaration]:
        """One for every query."""
        return self._points

    @property
    def layouts(self) -> Sequence[Layout]:
        """One for every command."""
        return [group.layout for group in self._groups]

    @property
    def late(self) -> GapCause:
        """The instrument, which answered late."""
        return GapCause.BUS

    async def execute(self, procedure: str, arguments: Mapping[str, str]) -> list[str]:
        """Carry out a declared procedure and return the answers of its queries, a file's name for data.

        `RefusedError` before anything is sent, `ProcedureError` when it was not done to its end.
        """
        commands = commands_of(self._settings.procedure, procedure, arguments)
        if self._wishes is None:
            raise ProcedureError(f"{self.name}: the instrument is not reachable")
        if self._wishes.full():
            raise ProcedureError(f"{self.name}: {WAITING_MAX} procedures wait already")
        answered: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._wishes.put_nowait(_Wish(procedure, dict(arguments), commands, answered))
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
        """Carry out what others ask for until the next reading is due; one procedure may delay it."""
        assert self._wishes is not None
        while (left_s := (until_ns - self._given.monotonic_ns()) / 1e9) > 0:
            try:
                async with asyncio.timeout(left_s):
                    wish = await self._wishes.get()
            except TimeoutError:
                return
            await self._carry_out(wish, session)

    async def _carry_out(self, wish: _Wish, session: Session) -> None:
        steps = next(one.step for one in self._settings.procedure if one.name == wish.procedure)
        session.note(f"procedure {wish.procedure}")
        answers: list[str] = []
        errors: list[QueuedError] = []
        done = 0
        try:
            for step, command in zip(steps, wish.commands, strict=True):
                if step.save:
                    seal, errors = await session.fetch(command, step.save, timeout_ms=step.timeout_ms)
                    answers.append(seal.file)
                elif "?" in command:
                    answer, errors = await session.ask(command, timeout_ms=step.timeout_ms)
                    answers.append(answer)
                else:
                    errors = await session.tell(command, timeout_ms=step.timeout_ms)
                if errors:
                    break
                done += 1
        finally:
            if done < len(steps) and not wish.answered.done():
                why = errors[0].text if errors else "the connection was lost"
                place = f"step {done + 1} of {len(steps)}"
                wish.answered.set_exception(ProcedureError(f"{wish.procedure}: {place}: {why}"))
            await self._tell_procedure(wish, session, done)
        if not wish.answered.done():
            wish.answered.set_result(answers)

    async def _tell_procedure(self, wish: _Wish, session: Session, done: int) -> None:
        seal = session.sealed_now()
        arguments = " ".join(f"{name}={value}" for name, value in sorted(wish.arguments.items()))
        data: dict[str, Scalar] = {
            "procedure": wish.procedure,
            "arguments": arguments,
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
            wish.answered.set_exception(ProcedureError(reason))


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
