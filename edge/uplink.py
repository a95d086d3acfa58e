"""The gateway's one MQTT client: says who it is and what it feeds, sends batches, believes signed acks.

Only a verified ack of the hub makes it forget a batch; PUBACKs mean nothing here. It decodes no reading.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiomqtt

from edge.backlog import BacklogTold, Waiting
from edge.control.line import ControlLine
from edge.driver import TimeHint
from edge.flight import Flights
from edge.journal.errors import JournalFullError
from edge.journal.file import BatchKey
from edge.journal.journal import Journal
from edge.journal.sealer import Sealed
from edge.recorder import Recorder
from edge.supervisor import Backoff
from edge.timekeeper import Timekeeper
from edge.verified import UnknownKeyError, verified
from provisioning.claim import bracketed
from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import encode_body
from wire.errors import FrameError, WireError
from wire.messages import TICK_MS, Ack, GatewayStatus, Points
from wire.settings.gateway import UplinkSection
from wire.shadow import Desired, Reported
from wire.topics import Channel, build

LOG = logging.getLogger(__name__)
FAREWELL_S = 1.0
_IDLE_S = 1.0
_QUIET_LOG = logging.getLogger("edge.uplink.mqtt")
"""What the library itself has to say; changes of state are logged here, once."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an uplink is built from."""

    settings: UplinkSection
    identity: GatewayIdentity
    boot: bytes
    software: str
    now: Callable[[], float]
    """Monotonic seconds, of the clock that `monotonic_ns` is of."""
    random_id: Callable[[], bytes]
    judge_dates: Callable[[], bool]
    """Whether the time is known well enough to judge the broker's certificate by its dates."""
    carried: Callable[[int], None] = lambda _: None
    """Is told of the bytes of every batch that goes out."""
    desired: Callable[[Desired], None] = lambda _: None
    """Is given every settings document that the hub signed."""
    control: ControlLine | None = None
    """Speaks with the hub about control."""


class _Line:
    """The work on one connection; the first piece that the line fails is what `until_broken` raises.

    A piece never fails inside the group: a group cancels its owner for that and, until Python 3.13, leaves
    the owner counted as cancelled, so that a real cancellation could not be told from a broken line.
    """

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._broken = asyncio.Event()
        self._error: BaseException | None = None

    def carry(self, work: Coroutine[None, None, None]) -> None:
        """Begin a piece of work; one that is cancelled before its first step is closed."""
        self._tasks.create_task(self._carry(work)).add_done_callback(lambda _: work.close())

    def leave(self, reason: str) -> None:
        """Have the line end as if it had failed."""
        self._error = self._error or aiomqtt.MqttError(reason)
        self._broken.set()

    async def until_broken(self) -> None:
        """Wait until a piece of work fails for the line, and raise its error."""
        await self._broken.wait()
        if self._error is not None:
            raise self._error

    async def _carry(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (aiomqtt.MqttError, OSError, ssl.SSLError) as error:
            self._error = self._error or error
            self._broken.set()


class Uplink:
    """Connects, and connects again, until cancelled."""

    def __init__(
        self,
        given: Given,
        *,
        journal: Journal,
        recorder: Recorder,
        timekeeper: Timekeeper,
        backoff: Backoff,
    ) -> None:
        self._given = given
        self._journal = journal
        self._recorder = recorder
        self._timekeeper = timekeeper
        self._backoff = backoff
        settings = given.settings
        self._flights = Flights(
            settings.window, resend_s=settings.resend_s, resend_max_s=settings.resend_max_s
        )
        self._identity = given.identity
        self._gateway = given.identity.gateway
        self._points_told = False
        self._batch_topic = build(self._gateway, Channel.UP_BATCH)
        self._ack_topic = build(self._gateway, Channel.DOWN_ACK)
        self._desired_topic = build(self._gateway, Channel.DOWN_DESIRED)
        self._control_topics = given.control.topics if given.control else []
        self._reported: Reported | None = None
        """What the hub is to know of the settings."""
        self._reported_told = True
        self._settled = asyncio.Event()
        """Set when a batch was acknowledged or the line was lost."""
        self._backlog_told = BacklogTold()
        self._problem: str | None = ""
        self._line: _Line | None = None
        self.unknown_key = False
        """Whether an ack came that is signed by a key of the hub that is not known."""

    @property
    def connected(self) -> bool:
        """Whether there is a line to the broker."""
        return self._problem is None

    def take_identity(self, identity: GatewayIdentity) -> None:
        """Go on with this identity: a new certificate begins a new line, which repeats what was in flight."""
        renewed = identity.certificate_pem != self._identity.certificate_pem
        self._identity = identity
        self.unknown_key = False
        if renewed and self._line is not None:
            self._line.leave("a new certificate is taken over")

    async def run(self) -> None:
        """Keep a connection."""
        while True:
            self._backoff.started(self._given.now())
            try:
                await self._connection()
            except* (aiomqtt.MqttError, OSError, ssl.SSLError) as errors:
                self._lost(errors.exceptions[0])
            self._journal.room = 0
            _heed_cancellation()
            await asyncio.sleep(self._backoff.wait_s(self._given.now()))

    def _lost(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        reason = str(error) or type(error).__name__
        if self._problem is None or not self._problem:
            LOG.warning("uplink: not connected to %s: %s", self._address(), reason)
        self._problem = reason
        self._settled.set()

    def _address(self) -> str:
        settings = self._given.settings
        return f"{bracketed(settings.host)}:{settings.port}"

    async def _connection(self) -> None:
        session = self._given.random_id()
        async with _left_in_time(self._client(session)) as client:
            self._flights.connected(self._given.now())
            self._journal.rewind()
            topics = [self._ack_topic, self._desired_topic, *self._control_topics]
            await client.subscribe([(topic, 1) for topic in topics])
            await self._announce(client, session)
            LOG.info("uplink: connected to %s", self._address())
            self._problem = None
            try:
                async with asyncio.TaskGroup() as tasks:
                    line = self._line = _Line(tasks)
                    line.carry(self._receive(client))
                    line.carry(self._send(client, line, session))
                    if self._given.control is not None:
                        line.carry(self._given.control.send(client, self._identity))
                    await line.until_broken()
            except asyncio.CancelledError:
                await self._farewell(client, session)
                raise
            finally:
                self._line = None

    async def _farewell(self, client: aiomqtt.Client, session: bytes) -> None:
        """Say on a clean stop what the will would say after a break."""
        topic, payload = self._status(session, online=False)
        with suppress(aiomqtt.MqttError):
            await client.publish(topic, payload, qos=1, retain=True, timeout=FAREWELL_S)

    async def drained(self, seconds: float) -> None:
        """Give what is ready or in flight so long to be sent and acknowledged."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (self._flights or self._journal.ready) and self._problem is None:
                    self._settled.clear()
                    await self._settled.wait()

    def _client(self, session: bytes) -> aiomqtt.Client:
        settings = self._given.settings
        new = settings.protocol == "mqtt5"
        will = aiomqtt.Will(*self._status(session, online=False), qos=1, retain=True)
        return aiomqtt.Client(
            settings.host,
            settings.port,
            identifier=self._gateway,
            protocol=aiomqtt.ProtocolVersion.V5 if new else aiomqtt.ProtocolVersion.V311,
            clean_session=None if new else True,
            will=will,
            keepalive=settings.keepalive_s,
            timeout=settings.timeout_s,
            max_inflight_messages=settings.window + 16,
            tls_context=self._identity.tls_context(judge_dates=self._given.judge_dates()),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), self._user_timeout()],
            logger=_QUIET_LOG,
        )

    def _user_timeout(self) -> tuple[int, int, int]:
        """Unacknowledged data end the connection as soon as a missing ping answer would."""
        return socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._given.settings.keepalive_s * 1000)

    def _status(self, session: bytes, *, online: bool, waiting: Waiting | None = None) -> tuple[str, bytes]:
        topic = build(self._gateway, Channel.UP_STATUS)
        status = GatewayStatus(
            gateway=self._gateway,
            session=session,
            online=online,
            boot=self._given.boot,
            software=self._given.software,
            key_proof=self._identity.key_proof(),
            readings_waiting=None if waiting is None else waiting.readings,
            batches_waiting=None if waiting is None else waiting.batches,
        )
        return topic, frame.encode(topic, encode_body(status), self._identity.signer)

    async def _announce(self, client: aiomqtt.Client, session: bytes) -> None:
        """Birth and points, retained and confirmed, before any batch; the settings with the first of them."""
        await self._be_born(client, session, await self._journal.unsent_now(()))
        await self._declare(client)
        self._reported_told = False

    async def _be_born(self, client: aiomqtt.Client, session: bytes, waiting: Waiting | None) -> None:
        self._backlog_told.told(waiting, self._given.now())
        topic, payload = self._status(session, online=True, waiting=waiting)
        await client.publish(topic, payload, qos=1, retain=True)

    async def _tell_backlog(self, client: aiomqtt.Client, session: bytes) -> None:
        """Tell the hub when much more or less waits than it was told."""
        if not self._backlog_told.is_due(self._given.now()):
            return
        waiting = await self._journal.unsent_now(self._flights.keys)
        if waiting is not None and self._backlog_told.is_news(waiting, self._given.now()):
            await self._be_born(client, session, waiting)

    def report(self, reported: Reported) -> None:
        """Tell the hub of the settings, now and after each new connection."""
        self._reported = reported
        self._reported_told = False
        self._journal.wake.set()

    async def _report(self, client: aiomqtt.Client) -> None:
        self._reported_told = True
        if self._reported is None:
            return
        topic = build(self._gateway, Channel.UP_REPORTED)
        data = frame.encode(topic, encode_body(self._reported), self._identity.signer)
        await client.publish(topic, data, qos=1, retain=True)

    def points_changed(self) -> None:
        """Declare the points again, before anything else is sent."""
        self._points_told = False
        self._journal.wake.set()

    async def _declare(self, client: aiomqtt.Client) -> None:
        topic = build(self._gateway, Channel.UP_POINTS)
        self._points_told = True
        declared = self._journal.declared()
        points = Points(
            self._gateway,
            declared.points,
            [*declared.layouts, *declared.earlier],
            retired=declared.retired,
            since_ms=self._utc_ms(declared.since),
            devices=declared.devices,
        )
        body = encode_body(points)
        await client.publish(topic, frame.encode(topic, body, self._identity.signer), qos=1, retain=True)

    def _utc_ms(self, since: tuple[bytes, int] | None) -> int | None:
        offset = self._timekeeper.reading().offset_ticks
        if since is None or offset is None or since[0] != self._given.boot:
            return None
        return (since[1] + offset) * TICK_MS

    # --- sending -------------------------------------------------------------------------------------

    async def _send(self, client: aiomqtt.Client, line: _Line, session: bytes) -> None:
        while True:
            self._journal.wake.clear()
            if not self._points_told:
                await self._declare(client)
            if not self._reported_told:
                await self._report(client)
            self._journal.room = self._flights.fresh_room()
            now = self._given.now()
            while self._journal.ready:
                sealed = self._journal.ready.popleft()
                if BatchKey(sealed.epoch, sealed.seq) not in self._flights:
                    self._fly(client, line, sealed, fresh=True)
            for key in self._flights.due(now):
                await self._again(client, line, key)
            await self._earlier(client, line)
            earlier = await self._backlog()
            for sealed in earlier:
                self._fly(client, line, sealed, fresh=False)
            self._journal.room = self._flights.fresh_room()
            await self._tell_backlog(client, session)
            await self._pause(refused=not earlier and self._journal.failing)

    async def _pause(self, *, refused: bool) -> None:
        """Wait for something to do; not at all while backlog may go, unless the disk refused it just now."""
        if not refused and self._flights.backlog_room() and self._journal.may_seal:
            return
        due = self._flights.next_due()
        wait_s = _IDLE_S if due is None else min(_IDLE_S, max(0.0, due - self._given.now()))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._journal.wake.wait()

    def _fly(
        self,
        client: aiomqtt.Client,
        line: _Line,
        sealed: Sealed,
        *,
        fresh: bool,
        earlier: bool = False,
    ) -> None:
        self._flights.add(sealed, self._given.now(), fresh=fresh, earlier=earlier)
        line.carry(self._publish(client, sealed.frame))

    async def _publish(self, client: aiomqtt.Client, data: bytes) -> None:
        self._given.carried(len(data))
        await client.publish(self._batch_topic, data, qos=1)

    async def _again(self, client: aiomqtt.Client, line: _Line, key: BatchKey) -> None:
        try:
            data = await self._journal.frame_of(key)
        except JournalFullError:
            return
        if data is None:
            self._flights.forget(key)
        elif key in self._flights:
            line.carry(self._publish(client, data))

    async def _earlier(self, client: aiomqtt.Client, line: _Line) -> None:
        """Send what was sealed before this connection, by an earlier process or as a line broke."""
        room = self._flights.earlier_room()
        for sealed in await self._journal.unsent(room) if room else ():
            if BatchKey(sealed.epoch, sealed.seq) not in self._flights:
                self._fly(client, line, sealed, fresh=False, earlier=True)

    async def _backlog(self) -> list[Sealed]:
        room = self._flights.backlog_room()
        return await self._journal.seal_backlog(room) if room and self._journal.may_seal else []

    # --- receiving -----------------------------------------------------------------------------------

    async def _receive(self, client: aiomqtt.Client) -> None:
        complained = False
        async for message in client.messages:
            try:
                received = self._verified(str(message.topic), message.payload)
            except WireError as error:
                if not complained:
                    LOG.warning("uplink: message refused: %s", error)
                complained = True
                continue
            if isinstance(received, Ack):
                await self._acknowledged(received)
            elif received is not None:
                self._given.desired(received)

    def _verified(self, topic: str, payload: object) -> Ack | Desired | None:
        """Return what one of the pinned hub keys signed for this gateway, or raise `WireError`.

        None: it was control's, and control has it.
        """
        try:
            if self._given.control is not None and topic in self._control_topics:
                self._given.control.take(topic, payload, self._identity)
                return None
            if topic == self._ack_topic:
                return verified(topic, payload, Ack, identity=self._identity)
            if topic == self._desired_topic:
                return verified(topic, payload, Desired, identity=self._identity)
        except UnknownKeyError:
            self.unknown_key = True
            raise
        raise FrameError(f"topic {topic[:120]!r}: expected {self._ack_topic} or {self._desired_topic}")

    async def _acknowledged(self, ack: Ack) -> None:
        now = self._given.now()
        verdict = self._flights.judge(ack, now)
        for key in verdict.done:
            self._journal.acknowledge(key)
        if verdict.done:
            self._backoff.succeeded()
        if verdict.sent_at is not None:
            self._hint(ack, sent_at=verdict.sent_at, now=now)
        if ack.new_epoch and await self._journal.new_epoch(ack.new_epoch):
            LOG.warning("uplink: the hub knows another state of this journal; a new epoch begins")
            self._recorder.tell("journal_epoch", {"reason": "hub"})
        if verdict.done:
            self._journal.room = self._flights.fresh_room()
            self._journal.wake.set()
            self._settled.set()

    def _hint(self, ack: Ack, *, sent_at: float, now: float) -> None:
        """The hub signed between our sending and now: its time is good to half of that."""
        round_ms = (now - sent_at) * 1000
        middle_ns = int((now + sent_at) / 2 * 1e9)
        bound_ms = int(round_ms / 2) + 2
        self._timekeeper.hint(TimeHint("hub", middle_ns, ack.hub_time_ms * 1_000_000, bound_ms))


@asynccontextmanager
async def _left_in_time(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """Connect; the broker gets no longer than `FAREWELL_S` to take note when the line is left."""
    async with client:
        try:
            yield client
        finally:
            client.timeout = FAREWELL_S


def _heed_cancellation() -> None:
    """Raise a cancellation that came as the line broke: the error of the line has hidden it."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError
