"""Carries out what is asked at the local socket: finds the device, has it done, waits until it is durable.

It decides nothing: outputs are `edge.control.outputs`' and all else is the drivers' own to refuse.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, assert_never

from edge.control.offers import Feedback, NotDoneError, ProcedureDriver, ReaderDriver, RefusedError
from edge.control.outputs import Outputs
from edge.driver import Driver
from edge.local.asks import Ask, ListOutputs, Look, PairReader, RunProcedure, SetOutput, ShowFeedback
from edge.local.server import Caller, Line
from edge.tap import Tap

BY = "local"
"""Where it was asked, in events; the system's user stands behind it."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class Desk:
    """What a running gateway does for the owner of its data folder."""

    def __init__(
        self,
        *,
        drivers: Callable[[], Sequence[Driver]],
        outputs: Outputs,
        tap: Tap,
        settle: Callable[[], Awaitable[bool]],
    ) -> None:
        """`settle` has every event so far on the disk, and says whether it is: a full one takes nothing."""
        self._drivers = drivers
        self._outputs = outputs
        self._tap = tap
        self._settle = settle

    async def answer(self, ask: Ask, caller: Caller) -> Line:
        """Return what was done, and whether the events about it are durable as they should be.

        `RefusedError` or `NotDoneError`.
        """
        if isinstance(ask, Look):
            await self._tap.show_to(caller)
            return {}
        if isinstance(ask, ListOutputs):
            return {"outputs": self._outputs.described(), "away": await self._outputs.away()}
        durable = False
        try:
            done = await self._do(ask, caller)
        finally:
            durable = await self._settle()
        return {**done, "durable": durable}

    async def _do(self, ask: SetOutput | RunProcedure | PairReader | ShowFeedback, caller: Caller) -> Line:
        if isinstance(ask, SetOutput):
            counts = self._outputs.counts(ask.output, ask.value)
            await self._outputs.set(ask.output, counts, by=_by(caller))
            return {"output": ask.output, "value": ask.value}
        if isinstance(ask, RunProcedure):
            return await self._run(ask, caller)
        driver = self._of_reader(ask.device, ask.reader)
        if isinstance(ask, PairReader):
            await driver.pair(ask.reader, lambda text: caller.say({"tell": text}))
            return {"paired": ask.reader}
        if isinstance(ask, ShowFeedback):
            return await self._show(ask, driver)
        assert_never(ask)

    async def _run(self, ask: RunProcedure, caller: Caller) -> Line:
        known = [driver for driver in self._drivers() if isinstance(driver, ProcedureDriver)]
        driver = _named(ask.device, known, "with procedures")
        done = await driver.execute(
            ask.procedure,
            ask.arguments,
            by=_by(caller),
            overhear=lambda kind, text: caller.say({"heard": {"kind": kind, "text": text}}),
        )
        return {"answers": done.answers, "file": done.file, "bytes": done.bytes, "sha256": done.sha256}

    async def _show(self, ask: ShowFeedback, driver: ReaderDriver) -> Line:
        feedback = Feedback(
            colour=ask.colour, blink=ask.blink, seconds=ask.seconds, beeps=ask.beeps, text=ask.text
        )
        if not feedback.parts:
            raise RefusedError("nothing to show: expected a light, a buzzer or a text")
        shown = await driver.show(ask.reader, feedback)
        if not shown:
            parts = " and no ".join(feedback.parts)
            raise NotDoneError(f"reader {ask.reader}: it says that it has no {parts}")
        return {"shown": shown, "missing": [part for part in feedback.parts if part not in shown]}

    def _of_reader(self, device: str, reader: str) -> ReaderDriver:
        known = [driver for driver in self._drivers() if isinstance(driver, ReaderDriver)]
        driver = _named(device, known, "with readers")
        if reader not in driver.readers:
            raise RefusedError(f"reader {reader}: expected one of {device} ({', '.join(driver.readers)})")
        return driver


def _by(caller: Caller) -> str:
    return f"{BY}: {caller.user}" if caller.user else BY


def _named(name: str, known: Sequence[N], what: str) -> N:
    for one in known:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in known) or "there is none"
    raise RefusedError(f"device {name}: expected one {what} ({names})")
