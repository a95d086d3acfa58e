"""The two ways in which packs come: posted over HTTP by known senders, or published to a broker on the LAN.

Both give one pack after the other and know nothing of what is in it.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiomqtt

from edge.driver import DeviceUnavailable, Emitter, MonotonicNs
from edge.intake.senders import Accepted, KeyFileError, Refusal, Senders, read_key, read_password
from edge.intake.server import Call, Server, serving
from wire.settings.intake import HttpIntake, MqttIntake, Sender
from wire.status import GapCause

WAITING_MAX = 256
FAREWELL_S = 1.0
_QUIET_LOG = logging.getLogger("edge.drivers.senml.mqtt")
"""What the library itself has to say; changes of state are the supervisor's to log."""


class Pack(Protocol):
    """A pack that waits for a word whether it was taken."""

    @property
    def body(self) -> bytes:
        """What was sent."""

    @property
    def sender(self) -> str:
        """Who sent it: the sender's name, or the topic."""

    def taken(self) -> None:
        """Say that it was taken."""

    def refused(self, reason: str) -> None:
        """Say that it was refused; `reason` is for a person at the sender."""


class Way(Protocol):
    """An open way in."""

    refusals: Counter[str]
    """What was refused before it got here, by the reason; cleared by whoever tells it."""

    async def next(self, seconds: float) -> Pack | None:
        """Return the next pack, None when none came in time; `DeviceUnavailable` when the way is gone."""


@dataclass(frozen=True, slots=True)
class _Posted:
    call: Call
    accepted: Accepted
    way: "_Http"

    @property
    def body(self) -> bytes:
        return self.call.request.body

    @property
    def sender(self) -> str:
        return self.accepted.sender.name

    def taken(self) -> None:
        self.way.took(self.accepted)
        self.call.answer(204)

    def refused(self, reason: str) -> None:
        self.way.refusals["not a pack"] += 1
        self.call.answer(400, reason)


@dataclass(slots=True)
class _Http:
    server: Server
    senders: Senders
    emit: Emitter | None
    monotonic_ns: MonotonicNs
    refusals: Counter[str] = field(default_factory=Counter)

    async def next(self, seconds: float) -> Pack | None:
        call = await self.server.next(seconds)
        if self.server.refused:
            self.refusals["connection not allowed"] += self.server.refused
            self.server.refused = 0
        if call is None:
            return None
        accepted = self.senders.judge(call.request, self.monotonic_ns() / 1e9)
        if isinstance(accepted, Refusal):
            self.refusals[accepted.reason] += 1
            call.answer(accepted.status, accepted.reason)
            return None
        return _Posted(call, accepted, self)

    def took(self, accepted: Accepted) -> None:
        self.senders.took(accepted)
        if accepted.counter is not None and self.emit is not None:
            self.emit.remember(f"counter/{accepted.sender.name}", str(accepted.counter).encode())


@asynccontextmanager
async def over_http(
    settings: HttpIntake,
    senders: Sequence[Sender],
    folder: Path,
    *,
    emit: Emitter | None,
    monotonic_ns: MonotonicNs,
) -> AsyncIterator[Way]:
    """Listen for senders while the context is open; `DeviceUnavailable`.

    `emit` keeps the counters of signed requests; None for a look that takes none.
    """
    try:
        keys = {one.name: await asyncio.to_thread(read_key, folder, one.name) for one in senders}
    except KeyFileError as error:
        raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None
    known = Senders(senders, keys, now_s=monotonic_ns() / 1e9)
    for sender in senders:
        kept = None if emit is None else emit.recall(f"counter/{sender.name}")
        if kept is not None:
            known.counters[sender.name] = int(kept)
    async with serving(settings) as server:
        yield _Http(server, known, emit, monotonic_ns)


@dataclass(frozen=True, slots=True)
class _Published:
    body: bytes
    sender: str
    way: "_Mqtt"

    def taken(self) -> None:
        """Say nothing: who publishes asks nobody."""

    def refused(self, reason: str) -> None:
        self.way.refusals["not a pack"] += 1


@dataclass(slots=True)
class _Mqtt:
    bytes_max: int
    came: asyncio.Queue[aiomqtt.Message | str] = field(default_factory=lambda: asyncio.Queue(WAITING_MAX))
    """What was published; a text says why nothing comes any more."""
    refusals: Counter[str] = field(default_factory=Counter)

    async def next(self, seconds: float) -> Pack | None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                message = await self.came.get()
        except TimeoutError:
            return None
        if isinstance(message, str):
            raise DeviceUnavailable(f"the broker was lost: {message}", GapCause.BUS)
        if message.retain:
            self.refusals["retained: nobody knows how old it is"] += 1
            return None
        if len(message.payload) > self.bytes_max:
            self.refusals["too large"] += 1
            return None
        return _Published(message.payload, str(message.topic), self)

    async def listen(self, client: aiomqtt.Client) -> None:
        """Take what comes until cancelled or until the line breaks.

        Waiting for the library with a time limit could lose a message that comes at its very end.
        """
        try:
            async for message in client.messages:
                await self.came.put(message)
        except aiomqtt.MqttError as error:
            await self.came.put(str(error))


@asynccontextmanager
async def over_mqtt(settings: MqttIntake, folder: Path) -> AsyncIterator[Way]:
    """Listen to a broker while the context is open; `DeviceUnavailable`."""
    try:
        password = await asyncio.to_thread(read_password, folder, "mqtt") if settings.user else None
    except KeyFileError as error:
        raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None
    way = _Mqtt(settings.body_max_kb * 1024)
    lost: DeviceUnavailable | None = None
    try:
        async with _left_in_time(_client(settings, password)) as client, asyncio.TaskGroup() as tasks:
            await client.subscribe([(topic, 1) for topic in settings.topics])
            listening = tasks.create_task(way.listen(client))
            try:
                yield way
            except DeviceUnavailable as error:  # a group would wrap it
                lost = error
            finally:
                listening.cancel()
    except* aiomqtt.MqttError as errors:
        reason = f"broker {settings.host} port {settings.port}: {errors.exceptions[0]}"
        lost = DeviceUnavailable(reason, GapCause.BUS)
    if lost is not None:
        _heed_cancellation()
        raise lost from None


def _client(settings: MqttIntake, password: str | None) -> aiomqtt.Client:
    return aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.user or None,
        password=password,
        identifier=f"heng-intake-{secrets.token_hex(6)}",
        keepalive=settings.keepalive_s,
        timeout=settings.timeout_s,
        max_queued_incoming_messages=WAITING_MAX,
        logger=_QUIET_LOG,
    )


@asynccontextmanager
async def _left_in_time(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """Connect; the broker gets no longer than `FAREWELL_S` to take note when the line is left."""
    async with client:
        try:
            yield client
        finally:
            client.timeout = FAREWELL_S
            _heed_end(client)


def _heed_end(client: aiomqtt.Client) -> None:
    """Take note of why the line broke, if it did: whoever is stopped at that moment asks no more.

    The library leaves it to who reads, and asyncio complains of an error that nobody took note of.
    """
    ended = client._disconnected
    if ended.done() and not ended.cancelled():
        ended.exception()


def _heed_cancellation() -> None:
    """Raise a cancellation that came as the line broke: the error of the line has hidden it."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
