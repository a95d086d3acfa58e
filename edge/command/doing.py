"""Who carries out a command, by its name. What forbids or fails is one sentence for a person.

A doer raises `ForbiddenError` or `RefusedError` before anything was done, `NotDoneError` afterwards.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Protocol

from edge.control.interlocks import Acted, Interlocks
from edge.control.offers import NotDoneError, ProcedureDriver, RefusedError
from edge.control.outputs import OutputError, Outputs, Wanted
from edge.driver import Driver
from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    BeginBypass,
    Enable,
    EndBypass,
    PassCheck,
    Person,
    Reset,
    Right,
    Trip,
)
from rules.interlock.reasons import SENTENCES
from wire.control import Command
from wire.messages import Scalar

Data = Mapping[str, Scalar]


class ForbiddenError(RefusedError):
    """An interlock, or the rules of a door, refused it; `word` is their reason."""

    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word


NOT_TRIED = "its command was not carried out"


class Doer(Protocol):
    """Carries out some commands."""

    async def do(self, command: Command) -> Data:
        """Do it and return what came of it."""


def by_of(command: Command) -> str:
    """Return who asked, as events say it."""
    return f"command: {command.by}"


def text(command: Command, name: str) -> str:
    """Return an argument that was judged to be a text; empty when it is not there."""
    value = command.arguments.get(name, "")
    return value if isinstance(value, str) else ""


def number(command: Command, name: str, otherwise: float = 0.0) -> float:
    """Return an argument that was judged to be a number."""
    value = command.arguments.get(name, otherwise)
    return float(value) if isinstance(value, int | float) else otherwise


class InterlockDoer:
    """`interlock.*`."""

    def __init__(self, interlocks: Interlocks) -> None:
        self._interlocks = interlocks

    async def do(self, command: Command) -> Data:
        """Have the interlock asked, and say where it stands then."""
        name = text(command, "interlock")
        judged(await self._interlocks.act(name, asked_of(command)))
        found = next((one for one in self._interlocks.now() if one.name == name), None)
        return {} if found is None else {"phase": found.phase, "breach": found.breach}


def judged(acted: Acted) -> None:
    """Raise why an act was refused, where it was; whatever it was, nothing was permitted then."""
    if acted.refused is not None:
        raise ForbiddenError(acted.refused.value, SENTENCES[acted.refused])
    if acted.failed:
        raise RefusedError(acted.failed)


def asked_of(command: Command) -> Asked:
    """Return what a command asks of an interlock."""
    known = {right.value: right for right in Right}
    by = Person(command.by, frozenset(known[word] for word in command.rights if word in known))
    second = Person(command.second, frozenset({Right.BYPASS})) if command.second else None
    breach = int(number(command, "breach"))
    match command.name.partition(".")[2]:
        case "trip":
            return Trip(by=by, reason=text(command, "reason"))
        case "acknowledge":
            return Acknowledge(by=by, breach=breach, comment=text(command, "comment"))
        case "reset":
            return Reset(by=by, breach=breach, reason=text(command, "reason"))
        case "enable":
            return Enable(by=by, breach=breach)
        case "bypass":
            return BeginBypass(
                by=by,
                cause=text(command, "cause"),
                second=second,
                reason=text(command, "reason"),
                seconds=number(command, "seconds"),
            )
        case "end_bypass":
            return EndBypass(by=by, cause=text(command, "cause"))
        case _:
            return PassCheck(by=by, cause=text(command, "cause"), record=text(command, "record"))


class OutputDoer:
    """`output.set`."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._asked: dict[bytes, Wanted] = {}
        """Command -> what was told ahead of it."""
        self.in_time: Callable[[Command], bool] = lambda _: True
        """Asked again right before what permits is written."""

    @contextmanager
    def told(self, command: Command) -> Iterator[None]:
        """Have what is to be set told ahead, so that one commit has it and the command on the disk.

        What was not done when the context ends is told as such; the receipt says why.
        """
        name = text(command, "output")
        with suppress(RefusedError):
            counts = self._outputs.counts(name, text(command, "value"))
            asked = self._outputs.ask(name, counts, by=by_of(command))
            if asked is not None:
                self._asked[command.id] = asked
        reason = "interrupted"
        try:
            yield
            reason = NOT_TRIED
        finally:
            self._forgo(command, reason)

    def _forgo(self, command: Command, reason: str) -> None:
        left = self._asked.pop(command.id, None)
        if left is not None:
            self._outputs.forgo(left, reason)

    async def do(self, command: Command) -> Data:
        """Set it, and return what the device confirmed; its safe value waits for no rest and no other."""
        name = text(command, "output")
        counts = self._outputs.counts(name, text(command, "value"))
        output = self._outputs.output(name)
        if not output.low <= counts <= output.high:
            raise RefusedError(f"{name}: {output.shown(counts)}: expected {output.range}")
        if counts == output.safe:
            self._forgo(command, NOT_TRIED)  # it was not the safe value when it was told
            await self._outputs.make_safe(name, by=by_of(command))
        else:
            in_time, asked = partial(self.in_time, command), self._asked.pop(command.id, None)
            await self._outputs.set(name, counts, by=by_of(command), still_wanted=in_time, asked=asked)
        value = f"{Decimal(counts).scaleb(output.exponent):f}"
        return {"output": name, "counts": counts, "exponent": output.exponent, "value": value}

    def is_safe(self, command: Command) -> bool:
        """Whether it is the output's safe value that is asked for."""
        try:
            name = text(command, "output")
            counts = self._outputs.counts(name, text(command, "value"))
            return counts == self._outputs.output(name).safe
        except (RefusedError, OutputError):
            return False


class InstrumentDoer:
    """`instrument.run`."""

    def __init__(self, drivers: Callable[[], Sequence[Driver]]) -> None:
        self._drivers = drivers

    async def do(self, command: Command) -> Data:
        """Carry out a declared procedure, and return its answers and where its transcript is."""
        name = text(command, "device")
        known = [driver for driver in self._drivers() if isinstance(driver, ProcedureDriver)]
        driver = next((one for one in known if one.name == name), None)
        if driver is None:
            names = ", ".join(one.name for one in known) or "there is none"
            raise RefusedError(f"device {name}: expected one with procedures ({names})")
        own = ("device", "procedure")
        arguments = {word: str(value) for word, value in command.arguments.items() if word not in own}
        done = await driver.execute(text(command, "procedure"), arguments, by=by_of(command))
        answers = "\n".join(done.answers)[:4000]
        return {"answers": answers, "file": done.file, "bytes": done.bytes, "sha256": done.sha256}


class NobodyDoer:
    """Stands for what this gateway is not set up for."""

    def __init__(self, what: str) -> None:
        self._what = what

    async def do(self, command: Command) -> Data:
        """Refuse."""
        raise RefusedError(f"this gateway has no {self._what}")


__all__ = ["Data", "Doer", "ForbiddenError", "NotDoneError", "RefusedError"]
