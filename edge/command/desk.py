"""Takes commands as they come, has each judged, done and answered; begins nothing that is not on the disk.

What makes safe is begun at once. Everything else waits until fence, id and answer are durable, and is judged
by its deadline again right before it begins. A copy is answered with what became of the first one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from weakref import WeakValueDictionary

from msgspec.structs import replace

from edge.command.book import KeptBook, Memory
from edge.command.doing import Doer, ForbiddenError, OutputDoer
from edge.control.given import Given, Member, Part
from edge.control.line import Came
from edge.control.offers import NotDoneError, RefusedError
from edge.intake.limits import Bucket
from edge.supervisor import UnexpectedError, contained
from rules.command import (
    KINDS,
    SENTENCES,
    Entry,
    Instant,
    Judged,
    Place,
    Refusal,
    entered,
    is_late,
    judge,
    receipt_of,
)
from wire.codec import decode_body
from wire.control import Command, ControlStatus, Receipt, ReceiptState
from wire.errors import MessageError
from wire.messages import Scalar, as_text
from wire.topics import Channel

AT_ONCE_MAX = 32
"""So many may be waited for; what makes safe is not counted."""
STRAYS_PER_MINUTE = 60
"""Of what leaves no trace in the book, so many are journalled."""
LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class _Task:
    """A command that is to be done, or answered."""

    command: Command
    entry: Entry
    safe: bool = False


class CommandDesk(Member):
    """One gateway's."""

    def __init__(
        self,
        given: Given,
        *,
        place: Place,
        doers: Mapping[str, Doer],
        answer: Callable[[Receipt], None],
        changed: Callable[[], None],
    ) -> None:
        """`doers` by the part of the command's name before the dot; `changed` has the hub told the fence."""
        self._given = given
        self._place = place
        self._doers = doers
        self._answer = answer
        self._changed = changed
        memory = Memory(remember=given.remember, recall=given.recall, whole=given.kept_whole)
        self._book = KeptBook(memory, self._now())
        self._tasks: deque[_Task] = deque()
        self._some = asyncio.Event()
        self._doing: set[bytes] = set()
        self._broken = list(self._book.broken)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._strays = Bucket.full(STRAYS_PER_MINUTE, 0.0)
        self._book.saw(self._now())
        for doer in doers.values():
            if isinstance(doer, OutputDoer):
                doer.in_time = self._in_time

    @property
    def came(self) -> Mapping[Channel, Came]:
        """Commands."""
        return {Channel.DOWN_COMMAND: self._take}

    def parts(self) -> Mapping[str, Part]:
        """Return what does them."""
        return {"commands": self.run}

    def told(self, status: ControlStatus) -> ControlStatus:
        """Add the newest fence."""
        return replace(status, fence=self._book.now.fence)

    # --- what comes --------------------------------------------------------------------------------

    def _take(self, body: bytes) -> None:
        try:
            command = decode_body(body, Command)
        except MessageError as error:
            if self._strays.take(self._given.now_tick() / 100):
                self._given.tell("command_unreadable", {"reason": as_text(str(error))}, "")
            return
        self.take(command)

    def take(self, command: Command) -> None:
        """Judge a command that the hub signed, and have it done or answered."""
        now = self._now()
        self._book.saw(now)
        found = judge(command, self._book.now, now, place=self._place)
        if found.again is not None:
            if found.again.id not in self._doing:
                self._tell_hub(found.again)
            return
        entry = entered(command, found)
        if not found.remembered:
            if self._strays.take(now.tick / 100):
                self._journal(entry)
            self._tell_hub(entry)
            return
        safe = found.accepted and self._makes_safe(command)
        if found.accepted and not safe and len(self._doing) >= AT_ONCE_MAX:
            busy = Judged(ReceiptState.REFUSED, Refusal.BUSY.value, SENTENCES[Refusal.BUSY])
            entry = entered(command, busy)
        self._book.put(entry)
        self._doing.add(entry.id)
        self._tasks.append(_Task(command, entry, safe))
        self._some.set()

    def _makes_safe(self, command: Command) -> bool:
        if KINDS[command.name].safe:
            return True
        doer = self._doers.get("output")
        return command.name == "output.set" and isinstance(doer, OutputDoer) and doer.is_safe(command)

    # --- what is done ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do commands until cancelled; what was being done then is not known to be done."""
        await self._tell_broken()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_clock())
            while True:
                await self._some.wait()
                self._some.clear()
                while self._tasks:
                    tasks.create_task(self._done_with(self._tasks.popleft()))

    async def _watch_clock(self) -> None:
        """A clock that is looked at often cannot go back unseen."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._book.saw(self._now())

    async def _tell_broken(self) -> None:
        """Tell what an earlier run began and did not end."""
        waiting = {task.entry.id for task in self._tasks}
        for command in self._doing - waiting:
            entry = self._book.now.find(command)
            if entry is not None and not entry.final:
                self._broken.append(_failed(entry, Refusal.INTERRUPTED))
        self._doing &= waiting
        for entry in self._broken:
            self._put(entry)
        if self._broken:
            await self._given.settle()
        while self._broken:
            self._tell_hub(self._broken.pop())

    async def _done_with(self, task: _Task) -> None:
        """Do or refuse one command, and tell what became of it once that is durable."""
        entry = task.entry
        self._changed()
        if not entry.final:
            entry = await (self._at_once(task) if task.safe else self._in_turn(task))
            self._put(entry)
        else:
            self._journal(entry)
        await self._given.settle()
        self._doing.discard(entry.id)
        if task.safe:
            self._tell_hub(task.entry)
        self._tell_hub(entry)

    async def _at_once(self, task: _Task) -> Entry:
        """Begin what makes safe before anything else, the disk included; one commit then has all of it."""
        done = await self._begun(task)
        self._journal(task.entry)
        return done

    async def _in_turn(self, task: _Task) -> Entry:
        """Begin when it is durable that it was accepted, and only if its time is not over by then."""
        command, entry = task.command, task.entry
        self._journal(entry)
        with self._told(command):
            if not await self._given.settle():
                return _failed(entry, Refusal.DISK, state=ReceiptState.REFUSED)
            self._tell_hub(entry)
            turn = self._turns.setdefault(_thing(command), asyncio.Lock())
            async with turn:
                late = is_late(command, self._book.now, self._now())
                if late is not None:
                    return replace(entry, state=late.state, reason=late.reason, text=late.text)
                if forbidden := self._place.forbids(command):
                    return _failed(entry, Refusal.INTERLOCK, forbidden, state=ReceiptState.REFUSED)
                return await self._begun(task)

    def _told(self, command: Command) -> AbstractContextManager[None]:
        """Have what is about to be done told now, so that it is durable together with the command."""
        doer = self._doers.get("output")
        if command.name == "output.set" and isinstance(doer, OutputDoer):
            return doer.told(command)
        return nullcontext()

    async def _begun(self, task: _Task) -> Entry:
        """Do it, and return what became of it; a bug in who does it ends this command alone."""
        command, entry = task.command, task.entry
        doer = self._doers[command.name.partition(".")[0]]
        try:
            data = await contained(command.name, doer.do(command), expected=(RefusedError, NotDoneError))
        except ForbiddenError as error:
            return replace(entry, state=ReceiptState.REFUSED, reason=error.word, text=as_text(str(error)))
        except RefusedError as error:
            return _failed(entry, Refusal.NOT_POSSIBLE, str(error), state=ReceiptState.REFUSED)
        except (NotDoneError, UnexpectedError) as error:
            return _failed(entry, Refusal.NOT_DONE, str(error))
        return replace(entry, state=ReceiptState.EXECUTED, data=dict(data))

    # --- what is told ------------------------------------------------------------------------------

    def _put(self, entry: Entry) -> None:
        self._book.put(entry)
        self._journal(entry)

    def _journal(self, entry: Entry) -> None:
        told: dict[str, Scalar] = {
            **entry.data,
            "command": entry.id.hex(),
            "name": entry.name,
            "state": entry.state.value,
            "by": entry.by,
        }
        more = {"reason": entry.reason, "text": entry.text, "second": entry.second}
        told |= {word: value for word, value in more.items() if value}
        self._given.tell("command_receipt", told, "")

    def _tell_hub(self, entry: Entry) -> None:
        self._answer(receipt_of(entry, gateway=self._given.settings.gateway.id, now=self._now()))

    def _in_time(self, command: Command) -> bool:
        return is_late(command, self._book.now, self._now()) is None

    def _now(self) -> Instant:
        return Instant(self._given.boot, self._given.now_tick(), self._given.utc_ms())


def _thing(command: Command) -> tuple[str, str]:
    """Return what a command is about: there one is done after the other."""
    room = command.name.partition(".")[0]
    word = {"output": "output", "instrument": "device", "portal": "portal", "regulation": "name"}.get(room)
    return room, str(command.arguments.get(word or "interlock", ""))


def _failed(
    entry: Entry, reason: Refusal, text: str = "", *, state: ReceiptState = ReceiptState.FAILED
) -> Entry:
    return replace(entry, state=state, reason=reason.value, text=as_text(text or SENTENCES[reason]))
