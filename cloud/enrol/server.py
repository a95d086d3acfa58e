"""A small HTTP/1.1 server over TLS 1.3 that sees client certificates, expired ones too.

It takes one request a connection. OpenSSL checks the chain of a certificate that is shown, and refuses the
connection when it does not hold; dates are left to the desk, which judges them by rule. Everything is
bounded: connections, those of one address, time, size. Requests are parsed by h11. It knows nothing of
enrolment.
"""

import asyncio
import contextlib
import http
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11
from cryptography import x509

from provisioning.certificates import PARSE_FAULTS

HEADER_BYTES_MAX = 8 * 1024
_READ_BYTES = 8 * 1024
_DRAIN_BYTES_MAX = 256 * 1024
_DRAIN_S = 0.5
_ONCE = frozenset({"authorization", "content-type", "content-transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much strangers may ask of this process."""

    connections: int = 64
    per_address: int = 16
    handshake_s: float = 5.0
    total_s: float = 20.0
    body_bytes: int = 8 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request; shows neither its headers nor its body."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    address: str
    certificate: x509.Certificate | None
    """Of the client; its chain leads to our root, its dates were not judged."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path} from {self.address})"


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(status: int, text: str = "", **headers: str) -> Response:
    """Return an answer in words; `_` in names of headers stands for `-`."""
    said = text or http.HTTPStatus(status).phrase
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, f"{said}\n".encode(), headers=named)


Handle = Callable[[Request], Awaitable[Response]]
Refused = Callable[[str, str], None]
"""(address, reason) of what never came to be handled."""


class Server:
    """Accepts connections on a listening socket and has each request handled."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        context: Callable[[], ssl.SSLContext],
        handle: Handle,
        refused: Refused = lambda _address, _reason: None,
        limits: Limits | None = None,
    ) -> None:
        """`context` is asked for each connection, so that a renewed certificate is shown at once."""
        self._listener = listener
        self._context = context
        self._handle = handle
        self._refused = refused
        self._limits = limits or Limits()
        self._open: Counter[str] = Counter()

    async def run(self) -> None:
        """Serve until cancelled; raises `OSError` when no connection can be accepted."""
        loop = asyncio.get_running_loop()
        self._listener.settimeout(0)
        async with asyncio.TaskGroup() as group:
            while True:
                connection, peer = await loop.sock_accept(self._listener)
                address = str(peer[0])
                if (
                    self._open.total() >= self._limits.connections
                    or self._open[address] >= self._limits.per_address
                ):
                    connection.close()
                    self._refused(address, "too many connections")
                    continue
                self._open[address] += 1
                group.create_task(self._serve(connection, address))

    async def _serve(self, connection: socket.socket, address: str) -> None:
        """Serve one connection; whatever its far end does is no error of ours."""
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._talk(connection, address)
        except ssl.SSLError as error:
            self._refused(address, error.reason or str(error))
        except TimeoutError:
            self._refused(address, "too slow")
        except OSError as error:
            self._refused(address, error.strerror or "connection lost")
        except h11.ProtocolError:
            self._refused(address, "no HTTP")
        finally:
            self._open[address] -= 1
            self._open += Counter()  # drops what has come to zero

    async def _talk(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_READ_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._context(), ssl_handshake_timeout=self._limits.handshake_s
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await _Exchange(reader, writer, self._limits, address=address).run(self._handle, self._refused)
            writer.close()
            await writer.wait_closed()
        finally:
            transport.abort()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits, *, address: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._address = address
        self._bodiless = False
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)

    async def run(self, handle: Handle, refused: Refused) -> None:
        """Have one request handled; what is none is told to `refused`."""
        try:
            found = await self._request()
        except h11.RemoteProtocolError as error:
            found = plain(error.error_status_hint or 400)
        if found is None:
            return
        if isinstance(found, Request):
            await self._send(await handle(found))
            return
        refused(self._address, f"{found.status} {http.HTTPStatus(found.status).phrase}")
        await self._send(found)
        await self._drain()

    async def _request(self) -> Request | Response | None:
        """Return a whole request, or what is answered to what is none; None when nothing came."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._writer.write(self._http.send(go_on) or b"")
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Request):
                head = event
                self._bodiless = event.method == b"HEAD"
                if _length(event) > self._limits.body_bytes:
                    return plain(413)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._limits.body_bytes:
                    return plain(413)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._made(head, bytes(body))
            else:
                return None

    def _made(self, head: h11.Request, body: bytes) -> Request | Response:
        headers: dict[str, str] = {}
        for name, value in head.headers:
            word = name.decode("latin-1").lower()
            if word in headers and word in _ONCE:
                return plain(400, f"{word}: expected once")
            headers[word] = value.decode("latin-1")
        try:
            certificate = self._certificate()
        except PARSE_FAULTS:
            return plain(403, "client certificate: cannot be read")
        method = head.method.decode("ascii", "replace")
        path = head.target.decode("ascii", "replace")
        return Request(method, path, headers, body, self._address, certificate)

    def _certificate(self) -> x509.Certificate | None:
        tls = self._writer.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        return x509.load_der_x509_certificate(der) if der else None

    async def _send(self, response: Response) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            *response.headers.items(),
        ]
        sent = [h11.Response(status_code=response.status, headers=headers), h11.EndOfMessage()]
        if response.body and not self._bodiless:
            sent.insert(1, h11.Data(data=response.body))
        for event in sent:
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def _drain(self) -> None:
        """Read what is still being sent: closing before would take the answer from the far end."""
        left = _DRAIN_BYTES_MAX
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while left > 0 and (read := await self._reader.read(_READ_BYTES)):
                    left -= len(read)


def _length(head: h11.Request) -> int:
    """Return the announced length of a body, 0 when none is; h11 has checked that it is a number."""
    return next((int(value) for name, value in head.headers if name == b"content-length"), 0)


def server_context(certificate: str, key: str, *, authorities: str, no_check_time: int) -> ssl.SSLContext:
    """Return the listener's TLS 1.3 context.

    A client certificate may be shown; then its chain must lead to `authorities` (PEM text). Sessions are
    never resumed: a resumed one would not be asked for its certificate again.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=authorities)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | no_check_time)
    return context
