"""HTTP/1.1 of one connection, by h11: requests one after the other, each handed on with the way to its body.

Every size and every wait is bounded; what is no request is answered with a status and ends the connection.
Sources: RFC 9110, RFC 9112.
"""

import asyncio
import contextlib
import http
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import h11
from cryptography import x509

SLOWEST_BYTES_S = 2_000
"""A body that comes more slowly, as a whole, is given up."""
SEND_S = 15.0
_READ_BYTES = 65_536
_LINGER_S = 0.5
_LINGER_BYTES_MAX = 4 * 1024 * 1024
_ONCE = frozenset({"authorization", "content-type", "content-transfer-encoding"})
_OWN = "heng-"
"""Begins the names of our own fields; none of them may stand in a request twice."""


class BodyError(Exception):
    """The body did not come as its head said, too slowly, or is too large."""

    def __init__(self, text: str, status: int = 408) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large the requests of a connection may be."""

    head_bytes: int
    requests: int | None = None
    """Of a connection; None: any number."""
    keeps: bool = True
    """Whether a connection stays open for another request; without it only where `keep-alive` asks for it."""
    idle_s: float = 20.0
    """How long a connection stays open without a request."""
    read_s: float = 20.0
    """How long may pass between two pieces of a request."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end."""

    address: str
    name: str = ""
    """Whom its certificate names; empty where nobody asks."""
    certificate: x509.Certificate | None = None
    """Checked as the TLS context says."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(status: int, text: str = "", **headers: str) -> Reply:
    """Return an answer in words; `_` in names of headers stands for `-`."""
    said = text or http.HTTPStatus(status).phrase
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, f"{said}\n".encode(), headers=named)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """The head of a request, and the way to its body; shows neither its headers nor its body."""

    peer: Peer
    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str]
    """By lower-case name."""
    length: int | None
    """Of the body; None when its head does not say."""
    body: Callable[[], AsyncIterator[bytes]]
    """Reads the body, once, in pieces; `BodyError`."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path} from {self.peer.address})"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def query(self, name: str) -> str:
        """Return a parameter of the query; empty when there is none."""
        with contextlib.suppress(ValueError):
            return parse_qs(self.target.partition("?")[2], max_num_fields=8).get(name, [""])[-1]
        return ""

    async def whole(self, most: int) -> bytes:
        """Return a body that is held in memory; `BodyError`, at once when its head says too much."""
        found = bytearray()
        if (self.length or 0) <= most:
            async for piece in self.body():
                found += piece
                if len(found) > most:
                    break
            else:
                return bytes(found)
        raise BodyError(f"body: expected at most {most} bytes", 413)


Handle = Callable[[Request], Awaitable[Reply]]
"""Answers a request; may raise `BodyError`."""


class Exchange:
    """One connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, peer: Peer, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._left = limits.requests

    async def run(self, handle: Handle, refused: Callable[[str], None]) -> None:
        """Have requests handled until either side ends; what is none is told to `refused`.

        Raises `TimeoutError` for a peer that is too slow, `OSError` for one that has gone.
        """
        while self._left is None or self._left > 0:
            self._left = None if self._left is None else self._left - 1
            try:
                head = await self._head()
            except h11.RemoteProtocolError as error:
                await self._send(_none(error.error_status_hint or 400, refused))
                await self._linger()
                return
            if head is None:
                return
            if not (self._limits.keeps or _asks_to_keep(head)):
                self._left = 0
            await self._send(await self._reply(head, handle, refused), bodiless=head.method == b"HEAD")
            if self._http.their_state not in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
                await self._linger()
                return
            if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
                return
            self._http.start_next_cycle()

    async def _head(self) -> h11.Request | None:
        """Return the next request; None when there is none any more."""
        patience = self._limits.idle_s
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            async with asyncio.timeout(patience):  # in small pieces: h11 judges the size of what is not whole
                self._http.receive_data(await self._reader.read(self._limits.head_bytes))
            patience = self._limits.read_s

    async def _reply(self, head: h11.Request, handle: Handle, refused: Callable[[str], None]) -> Reply:
        headers: dict[str, str] = {}
        for name, value in head.headers:
            word = name.decode("latin-1").lower()
            if word in headers and (word in _ONCE or word.startswith(_OWN)):
                return _none(400, refused, f"{word}: expected once")
            headers[word] = value.decode("latin-1")
        request = Request(
            peer=self._peer,
            method=head.method.decode("ascii", "replace"),
            target=head.target.decode("ascii", "replace"),
            headers=headers,
            length=None if "transfer-encoding" in headers else int(headers.get("content-length", "0")),
            body=self._body,
        )
        try:
            reply = await handle(request)
        except BodyError as error:
            return _none(error.status, refused, str(error))
        if request.length == 0 and self._http.their_state is h11.SEND_BODY:
            async for _ in self._body():
                pass
        return reply

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
                if loop.time() - began > self._limits.read_s + received / SLOWEST_BYTES_S:
                    raise BodyError(f"slower than {SLOWEST_BYTES_S} bytes a second")
                await self._more()
            else:
                raise BodyError("the body ended before its length")

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(self._limits.read_s):
                self._http.receive_data(await self._reader.read(_READ_BYTES))
        except TimeoutError:
            raise BodyError(f"nothing came for {self._limits.read_s:g} s") from None

    async def _send(self, reply: Reply, *, bodiless: bool = False) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "no-store"),
            *reply.headers.items(),
        ]
        if self._left == 0 or self._http.their_state not in (h11.DONE, h11.MUST_CLOSE):
            headers.append(("Connection", "close"))
        sent: list[h11.Event] = [h11.Response(status_code=reply.status, headers=headers), h11.EndOfMessage()]
        if reply.body and not bodiless:
            sent.insert(1, h11.Data(data=reply.body))
        for event in sent:
            self._writer.write(self._http.send(event) or b"")
        async with asyncio.timeout(SEND_S):
            await self._writer.drain()

    async def _linger(self) -> None:
        """Read what is still being sent: closing before would take the answer from the far end."""
        left = _LINGER_BYTES_MAX
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while left > 0 and (read := await self._reader.read(_READ_BYTES)):
                    left -= len(read)


def _asks_to_keep(head: h11.Request) -> bool:
    return any(name == b"connection" and value.lower() == b"keep-alive" for name, value in head.headers)


def _none(status: int, refused: Callable[[str], None], text: str = "") -> Reply:
    """Answer what is no request as it must be, and tell it."""
    refused(f"{status} {http.HTTPStatus(status).phrase}")
    return plain(status, text)
