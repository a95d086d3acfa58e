"""One conversation with an instrument.

Every command goes into the transcript before it is sent, every answer after it came; the error queue is
emptied after each. It knows neither points nor pauses; `driver` does. Faults of the line come out as
`VisaError`, answers that make no sense as `AnswerError`, a disk that takes nothing as `FilesError`.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from edge.control.offers import Overhear
from edge.driver import Emitter, Given, ticks
from edge.drivers.instrument.decode import AnswerError, QueuedError, queued_error, text_of
from edge.drivers.instrument.transcript import Files, Kind, Seal, Transcript
from edge.drivers.instrument.visa import Resource, VisaTimeout
from wire.messages import TICKS_PER_S, Event, Scalar
from wire.settings.instrument import InstrumentDevice

ERRORS_MAX = 64
"""So many entries of an error queue are read; IEEE 488.2 queues hold fewer."""
AGAIN_TICKS = 3600 * TICKS_PER_S
TOLD_MAX = 100
IDENTIFY = "*IDN?"


class Session:
    """An open conversation."""

    def __init__(self, settings: InstrumentDevice, given: Given, emit: Emitter, *, files: Files) -> None:
        self._settings = settings
        self._given = given
        self._emit = emit
        self._files = files
        self._resource: Resource | None = None
        self._transcript: Transcript | None = None
        self._overhear: Overhear | None = None
        self._sealed_ns = 0
        self._told: OrderedDict[tuple[str, int], tuple[int, int]] = OrderedDict()

    # --- the instrument ----------------------------------------------------------------------------------

    async def ask(self, command: str, *, timeout_ms: int | None = None) -> tuple[str, list[QueuedError]]:
        """Return the answer of a query and what the error queue held after it."""
        text = await self.ask_plainly(command, timeout_ms=timeout_ms)
        return text, await self._drain(command)

    async def ask_plainly(self, command: str, *, timeout_ms: int | None = None) -> str:
        """Return the answer of a query and leave the error queue alone."""
        self._write("command", command)
        try:
            answer = await self._open_resource.ask(command, timeout_s=self._timeout_s(timeout_ms))
        except VisaTimeout as error:
            raise VisaTimeout(f"{command}: {error}") from None
        self._write("answer", answer.decode("ascii", "backslashreplace").rstrip("\r\n"))
        return text_of(answer)

    async def tell(self, command: str, *, timeout_ms: int | None = None) -> list[QueuedError]:
        """Send a command without an answer; return what the error queue held after it."""
        self._write("command", command)
        await self._open_resource.tell(command, timeout_s=self._timeout_s(timeout_ms))
        return await self._drain(command)

    async def fetch(
        self, command: str, ending: str, *, timeout_ms: int | None = None
    ) -> tuple[Seal, list[QueuedError]]:
        """Keep the data block that answers a query as a file; return its hash and the error queue."""
        self._write("command", command)
        data = await self._open_resource.fetch(
            command, timeout_s=self._timeout_s(timeout_ms), bytes_max=self._settings.data_bytes_max
        )
        seal = self._files.keep(data, ending)
        self._write("data", f"{seal.bytes} bytes, SHA-256 {seal.sha256}, {seal.file}")
        await self.event(
            "data_file",
            {"command": command, "file": seal.file, "bytes": seal.bytes, "sha256": seal.sha256},
        )
        await self._prune()
        return seal, await self._drain(command)

    async def drain(self) -> list[QueuedError]:
        """Empty the error queue of what happened before."""
        return await self._drain("")

    async def _drain(self, command: str) -> list[QueuedError]:
        query = self._settings.error_query
        found: list[QueuedError] = []
        while query is not None:
            error = queued_error(await self.ask_plainly(query))
            if error.code == 0:
                break
            found.append(error)
            await self._tell_error(error, command)
            if len(found) >= ERRORS_MAX:
                raise AnswerError(f"the error queue is not empty after {ERRORS_MAX} entries")
        return found

    async def _tell_error(self, error: QueuedError, command: str) -> None:
        """Tell an error; one that comes after every command is told once an hour, with its count."""
        now = ticks(self._given.monotonic_ns())
        key = (command, error.code)
        at, count = self._told.pop(key, (now - AGAIN_TICKS, 0))
        due = now - at >= AGAIN_TICKS
        self._told[key] = (now, 0) if due else (at, count + 1)
        while len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        if due:
            data: dict[str, Scalar] = {"command": command, "code": error.code, "text": error.text}
            await self.event("instrument_error", data | ({"repeated": count} if count else {}))

    @property
    def _open_resource(self) -> Resource:
        assert self._resource is not None
        return self._resource

    def _timeout_s(self, timeout_ms: int | None) -> float:
        return (timeout_ms or self._settings.timeout_ms) / 1000

    # --- the transcript ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def recorded(self, resource: Resource) -> AsyncIterator["Session"]:
        """Write a transcript while the context is open; on the way out it is closed and its hash told."""
        self._resource = resource
        await self._tell_left_behind()
        await self._begin()
        try:
            yield self
        finally:
            await self._end()
            self._resource = None

    async def look(self) -> None:
        """Tell the hash of the transcript when it is time, and go on in a new file when this one is full."""
        assert self._transcript is not None
        if self._transcript.full:
            await self._end()
            await self._begin()
        elif self._given.monotonic_ns() - self._sealed_ns >= self._settings.seal_s * 1_000_000_000:
            await self._seal("transcript_sealed")

    @contextmanager
    def overheard(self, overhear: Overhear) -> Iterator[None]:
        """Let somebody have every line of the transcript while the context is open."""
        self._overhear = overhear
        try:
            yield
        finally:
            self._overhear = None

    def note(self, text: str) -> None:
        """Write a remark into the transcript."""
        self._write("note", text)

    def sealed_now(self) -> Seal:
        """Return the hash of the transcript as it is."""
        assert self._transcript is not None
        return self._transcript.seal()

    def _write(self, kind: Kind, text: str) -> None:
        assert self._transcript is not None
        self._transcript.write(kind, text)
        if self._overhear is not None:
            self._overhear(kind, text)

    async def _tell_left_behind(self) -> None:
        name = (self._emit.recall("transcript") or b"").decode()
        if name and (seal := self._files.found(name)):
            await self._tell_seal("transcript_found", seal)

    async def _begin(self) -> None:
        number = int(self._emit.recall("session") or b"0")
        file, number = self._files.next_transcript(number)
        self._transcript = Transcript(file, monotonic_ns=self._given.monotonic_ns, clock=self._given.clock)
        self._emit.remember("session", str(number).encode())
        self._emit.remember("transcript", file.name.encode())
        self._sealed_ns = self._given.monotonic_ns()
        await self._prune()
        self.note(f"{self._settings.name} at {self._settings.resource}")

    async def _prune(self) -> None:
        """Let the oldest files go, but not the transcript that is being written."""
        assert self._transcript is not None
        count, gone = self._files.prune(spare=self._transcript.name)
        if count:
            await self.event("files_dropped", {"files": count, "bytes": gone})

    async def _end(self) -> None:
        transcript, self._transcript = self._transcript, None
        if transcript is None:
            return
        try:
            await self._tell_seal("transcript_closed", transcript.seal())
            self._emit.remember("transcript", b"")
        finally:
            transcript.close()

    async def _seal(self, kind: str) -> None:
        self._sealed_ns = self._given.monotonic_ns()
        await self._tell_seal(kind, self.sealed_now())

    async def _tell_seal(self, kind: str, seal: Seal) -> None:
        await self.event(
            kind, {"file": seal.file, "bytes": seal.bytes, "lines": seal.lines, "sha256": seal.sha256}
        )

    async def event(self, kind: str, data: dict[str, Scalar]) -> None:
        """Emit an event of this instrument."""
        tick = ticks(self._given.monotonic_ns())
        await self._emit.event(Event(kind, self._settings.prefix, tick, data))
