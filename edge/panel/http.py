"""A small HTTP/1.1 server for one page: short requests, whole answers, few connections. It knows no page.

Whoever is not among the peers is not answered at all; a request that names another host, or that a page of
another origin sends, is refused before anybody looks at it.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import h11

CONNECTIONS_MAX = 24
HEADER_BYTES_MAX = 8 * 1024
BODY_BYTES_MAX = 2 * 1024
FIELDS_MAX = 16
TIMEOUT_S = 10.0
LINGER_S = 1.0
_READ_BYTES = 8 * 1024
FORM = "application/x-www-form-urlencoded"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),  # with `no-referrer` a browser says that its own form comes from null
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request; shows neither its fields nor its headers."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case name; of a field that came twice the last."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: Sequence[tuple[str, str]] = field(default=())


Handle = Callable[[Request], Awaitable[Answer]]


class BadRequest(Exception):
    """What cannot be answered; `status` says why."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it listens, for whom, and by which names it may be called."""

    address: str
    port: int
    peers: Sequence[str] = ()
    """Networks; only this machine when empty."""
    names: Sequence[str] = ()

    @property
    def hosts(self) -> frozenset[str]:
        """What the `Host` of a request may be."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        named = {
            shown,
            *self.names,
            *(["localhost"] if ipaddress.ip_address(self.address).is_loopback else []),
        }
        return frozenset({f"{name}:{self.port}" for name in named} | (named if self.port == 80 else set()))

    def lets(self, peer: str) -> bool:
        """Whether somebody at this address may connect."""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address.is_loopback or any(address in ipaddress.ip_network(one) for one in self.peers)


class Server:
    """Serves until its `run` is cancelled."""

    def __init__(self, place: Place, handle: Handle) -> None:
        self._place = place
        self._handle = handle
        self._open: set[asyncio.Task[None]] = set()
        self.port = place.port
        """The one it listens on, once it does."""
        self.listens = asyncio.Event()

    async def run(self) -> None:
        """Listen; `OSError` when the address cannot be had."""
        place = self._place
        listening = await asyncio.start_server(self._connected, place.address, place.port, limit=_READ_BYTES)
        try:
            self.port = listening.sockets[0].getsockname()[1]
            self.listens.set()
            await listening.serve_forever()
        finally:
            listening.close()
            ending = list(self._open)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        if len(self._open) >= CONNECTIONS_MAX or not self._place.lets(peer):
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)
        while True:
            close = False
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    request = await self._request(http, reader)
                if request is None:
                    return
                answer = await self._handle(request)
            except h11.RemoteProtocolError as error:
                answer, close = Answer(error.error_status_hint), True
            except BadRequest as error:
                answer, close = Answer(error.status, str(error).encode()), True
            await _send(http, writer, answer, close=close)
            if close or (http.our_state, http.their_state) != (h11.DONE, h11.DONE):
                with suppress(OSError, TimeoutError):
                    writer.write_eof()
                    async with asyncio.timeout(LINGER_S):
                        await reader.read(_READ_BYTES)
                return
            http.start_next_cycle()

    async def _request(self, http: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > BODY_BYTES_MAX:
                    raise BadRequest(413)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._checked(head, bytes(body))
            else:
                return None

    def _checked(self, head: h11.Request, body: bytes) -> Request:
        method = head.method.decode("ascii", "replace")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path, _, query = head.target.decode("latin-1").partition("?")
        if headers.get("host", "").lower() not in self._hosts():
            raise BadRequest(421, "this page is not served under that name")
        if method not in ("GET", "POST"):
            raise BadRequest(405)
        form = ""
        if method == "POST":
            self._check_origin(headers)
            if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
                raise BadRequest(415)
            form = body.decode("latin-1")
        return Request(method, path, _fields(query), _fields(form), headers)

    def _hosts(self) -> frozenset[str]:
        place = self._place
        if place.port == 0:
            place = Place(address=place.address, port=self.port, names=place.names)
        return place.hosts

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        """Only the page itself posts: a browser says where a form came from."""
        origin = headers.get("origin", "").lower()
        if origin.partition("://")[2] not in self._hosts() or not origin.startswith("http://"):
            raise BadRequest(403, "only the page itself may ask this")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise BadRequest(403, "only the page itself may ask this")


def _fields(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError:
        raise BadRequest(400, "fields as a form sends them") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadRequest(400, "each field once")
    return dict(pairs)


async def _send(http: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, *, close: bool) -> None:
    if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    headers = [("content-type", answer.kind), ("content-length", str(len(answer.body)))]
    headers += [*_ALWAYS, *answer.headers, *([("connection", "close")] if close else [])]
    writer.write(http.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    writer.write(http.send(h11.Data(data=answer.body)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    async with asyncio.timeout(TIMEOUT_S):
        await writer.drain()
