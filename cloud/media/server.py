"""HTTPS for gateways alone: TLS 1.3, a client certificate is a must, sizes and times are bounded.

It does not know what is asked. A handler is given the head of a request and reads the body itself, so that
what is refused is refused before it is read. Sources: RFC 9110, RFC 9112 through h11.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import h11

from provisioning import identity
from provisioning.errors import IdentityError
from wire.errors import TopicError
from wire.media import HEADER_BYTES_MAX
from wire.topics import check_gateway_id

_log = logging.getLogger(__name__)

CONNECTIONS_MAX = 512
PER_GATEWAY_MAX = 8
HANDSHAKE_S = 10.0
IDLE_S = 90.0
"""So long a connection stays open between two requests."""
READ_S = 15.0
SLOWEST_BYTES_S = 2_000
"""A body that comes more slowly, as a whole, is given up."""
SEND_S = 15.0
_READ_BYTES = 65_536
_LINGER_S = 1.0
_LINGER_READS = 64


class BodyError(Exception):
    """The body did not come as its head said, or too slowly."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request, and the way to its body."""

    gateway: str
    """Whom the client certificate names."""
    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str]
    length: int
    body: Callable[[], AsyncIterator[bytes]]
    """Reads the body, once: `length` bytes in pieces; `BodyError`."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def query(self, name: str) -> str:
        """Return a parameter of the query; empty when there is none."""
        with suppress(ValueError):
            return parse_qs(self.target.partition("?")[2], max_num_fields=8).get(name, [""])[-1]
        return ""


Handler = Callable[[Request], Awaitable[Reply]]


def server_context(folder: Path, ca: Path) -> ssl.SSLContext:
    """Return the TLS side of the listener; `IdentityError` when the files cannot be used.

    `folder` holds key and certificate of the server, `ca` is the file of the root of all gateways.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(folder / identity.TLS_CERTIFICATE, folder / identity.TLS_KEY)
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise IdentityError(f"{folder}: media listener: certificate or CA cannot be used: {error}") from None
    return context


@asynccontextmanager
async def serving(
    listener: socket.socket, context: ssl.SSLContext, handle: Handler, *, read_s: float = READ_S
) -> AsyncIterator[None]:
    """Serve on a listening socket, which is not closed, while the context is open.

    `read_s` is how long may pass between two pieces of a request.
    """
    tasks: set[asyncio.Task[None]] = set()
    gateways: Counter[str] = Counter()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        gateway = _gateway_of(writer)
        if gateway is None or len(tasks) >= CONNECTIONS_MAX or gateways[gateway] >= PER_GATEWAY_MAX:
            writer.transport.abort()
            return
        tasks.add(task)
        gateways[gateway] += 1
        try:
            await _Connection(gateway, reader, writer, handle=handle, read_s=read_s).serve()
        except (OSError, TimeoutError, h11.ProtocolError, BodyError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            tasks.discard(task)
            gateways[gateway] -= 1
            writer.transport.abort()

    server = await asyncio.start_server(
        connected, sock=listener.dup(), ssl=context, ssl_handshake_timeout=HANDSHAKE_S, limit=_READ_BYTES
    )
    try:
        yield
    finally:
        server.close()
        ending = list(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


def _gateway_of(writer: asyncio.StreamWriter) -> str | None:
    """Return the one common name of the client's certificate, which the TLS layer has checked."""
    certificate = writer.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    try:
        return check_gateway_id(names[0]) if len(names) == 1 else None
    except TopicError:
        return None


class _Connection:
    """One connection: as many requests as it brings, one at a time."""

    def __init__(
        self,
        gateway: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        handle: Handler,
        read_s: float,
    ) -> None:
        self._gateway = gateway
        self._reader = reader
        self._writer = writer
        self._handle = handle
        self._read_s = read_s
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)

    async def serve(self) -> None:
        """Serve until either side closes; `TimeoutError` for a peer that is too slow."""
        while True:
            try:
                head = await self._head()
            except h11.RemoteProtocolError as error:
                await self._send(Reply(error.error_status_hint))
                return
            if head is None:
                return
            reply = await self._reply(head)
            await self._send(reply)
            if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
                await self._leave()
                return
            self._http.start_next_cycle()

    async def _head(self) -> h11.Request | None:
        """Return the next request; None when there is none any more."""
        patience = IDLE_S
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            async with asyncio.timeout(patience):
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            patience = self._read_s

    async def _reply(self, head: h11.Request) -> Reply:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        if "transfer-encoding" in headers:
            return Reply(411)
        request = Request(
            gateway=self._gateway,
            method=head.method.decode("ascii", "replace"),
            target=head.target.decode("ascii", "replace"),
            headers=headers,
            length=int(headers.get("content-length", "0")),
            body=self._body,
        )
        asked = self._http.they_are_waiting_for_100_continue
        try:
            reply = await self._handle(request)
        except BodyError as error:
            return Reply(408, str(error).encode())
        if not asked and not request.length and self._http.their_state is h11.SEND_BODY:
            await self._end_of(request)
        return reply

    async def _end_of(self, request: Request) -> None:
        async for _ in request.body():
            pass

    async def _body(self) -> AsyncIterator[bytes]:
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            self._writer.write(self._http.send(go_on) or b"")
        loop = asyncio.get_running_loop()
        began, received = loop.time(), 0
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                raise BodyError("the body ended before its length") from None
            if isinstance(event, h11.Data):
                received += len(event.data)
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            elif event is h11.NEED_DATA:
                if loop.time() - began > self._read_s + received / SLOWEST_BYTES_S:
                    raise BodyError(f"slower than {SLOWEST_BYTES_S} bytes a second")
                await self._more()
            else:
                raise BodyError("the body ended before its length")

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(self._read_s):
                self._http.receive_data(await self._reader.read(_READ_BYTES))
        except TimeoutError:
            raise BodyError(f"nothing came for {self._read_s:g} s") from None

    async def _send(self, reply: Reply) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("content-type", "application/json"), ("content-length", str(len(reply.body)))]
        if self._http.their_state not in (h11.DONE, h11.MUST_CLOSE):
            headers.append(("connection", "close"))
        self._writer.write(self._http.send(h11.Response(status_code=reply.status, headers=headers)) or b"")
        self._writer.write(self._http.send(h11.Data(data=reply.body)) or b"")
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(SEND_S):
            await self._writer.drain()

    async def _leave(self) -> None:
        """Let the gateway read its answer: closing while it still writes would take that from it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                for _ in range(_LINGER_READS):
                    if not await self._reader.read(_READ_BYTES):
                        return
