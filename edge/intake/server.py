"""A small HTTP/1.1 server for one device of the settings: takes whole requests, one after the other.

It knows neither who may post nor what is posted. Every request waits in one queue for the driver, so that
what goes wrong with one is the driver's, and its supervisor's; a full queue is told to the sender.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

from edge.driver import DeviceUnavailable
from wire.settings.intake import HttpIntake, is_lan
from wire.status import GapCause

WAITING_MAX = 64
HEADER_BYTES_MAX = 16 * 1024
LINGER_S = 1.0
LINGER_READS = 64
_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request; shows neither its body nor its headers."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lower-case name; of a field that came twice the last."""
    body: bytes
    peer: str

    def __repr__(self) -> str:
        return f"Request({self.method} {len(self.body)} bytes from {self.peer})"


@dataclass(slots=True)
class Call:
    """A request that waits for its answer."""

    request: Request
    _answer: asyncio.Future[tuple[int, str]]

    @property
    def is_over(self) -> bool:
        """Whether its sender was told to come again, or has gone: what it posts again must not come twice."""
        return self._answer.done()

    def answer(self, status: int, text: str = "") -> None:
        """Answer it; one that has gone away does not hear it."""
        if not self._answer.done():
            self._answer.set_result((status, text))


@dataclass(slots=True)
class Server:
    """A running server, as its driver sees it."""

    refused: int = 0
    """Connections from outside, and those beyond the most that there may be."""
    calls: asyncio.Queue[Call] = field(default_factory=lambda: asyncio.Queue(WAITING_MAX))

    async def next(self, seconds: float) -> Call | None:
        """Return the next request whose sender still waits, None when none came in time."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                while (call := await self.calls.get()).is_over:
                    pass
                return call
        except TimeoutError:
            return None


@asynccontextmanager
async def serving(settings: HttpIntake) -> AsyncIterator[Server]:
    """Serve while the context is open; `DeviceUnavailable` when the address cannot be had."""
    server = Server()
    networks = [ipaddress.ip_network(peer) for peer in settings.peers]
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        if len(connections) >= settings.connections_max or not _may_come(peer, networks):
            server.refused += 1
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _Connection(settings, server, reader, writer=writer, peer=peer).serve()
            await _leave(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            connections.discard(task)
            writer.transport.abort()

    try:
        listening = await asyncio.start_server(connected, settings.address, settings.port, limit=_READ_BYTES)
    except OSError as error:
        reason = f"{settings.address} port {settings.port}: {error.strerror or error}"
        raise DeviceUnavailable(reason, GapCause.GATEWAY) from None
    try:
        yield server
    finally:
        listening.close()
        ending = list(connections)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await listening.wait_closed()


class _Connection:
    """One connection: as many requests as it brings, one at a time."""

    def __init__(
        self,
        settings: HttpIntake,
        server: Server,
        reader: asyncio.StreamReader,
        *,
        writer: asyncio.StreamWriter,
        peer: str,
    ) -> None:
        self._settings = settings
        self._server = server
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)

    async def serve(self) -> None:
        """Serve until either side closes; `TimeoutError` for a peer that is too slow."""
        while True:
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    request = await self._request()
            except h11.RemoteProtocolError as error:
                await self._send(error.error_status_hint, "")
                return
            if request is None:
                return
            status, text = (413, "too large") if isinstance(request, _TooLarge) else await self._ask(request)
            await self._send(status, text)
            if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
                return
            self._http.start_next_cycle()

    async def _request(self) -> "Request | _TooLarge | None":
        """Return a whole request; None when there is none any more."""
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
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._settings.body_max_kb * 1024:
                    return _TooLarge()
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _made(head, bytes(body), self._peer)
            else:
                return None

    async def _ask(self, request: Request) -> tuple[int, str]:
        if request.path != self._settings.path:
            return 404, ""
        if request.method not in ("POST", "PUT"):
            return 405, ""
        answer: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        try:
            self._server.calls.put_nowait(Call(request, answer))
        except asyncio.QueueFull:
            return 503, "busy"
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await answer
        except TimeoutError:
            return 503, "busy"

    async def _send(self, status: int, text: str) -> None:
        body = text.encode()
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        if status in (400, 413):
            headers.append(("connection", "close"))
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        self._writer.write(self._http.send(h11.Response(status_code=status, headers=headers)) or b"")
        self._writer.write(self._http.send(h11.Data(data=body)) or b"")
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")
        async with asyncio.timeout(self._settings.timeout_s):
            await self._writer.drain()


async def _leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the peer read its answer: closing while it still writes would take that from it."""
    writer.write_eof()
    async with asyncio.timeout(LINGER_S):
        for _ in range(LINGER_READS):
            if not await reader.read(_READ_BYTES):
                return


class _TooLarge:
    """Stands for a request of which the rest is not read."""


def _made(head: h11.Request, body: bytes, peer: str) -> Request:
    path = head.target.decode("ascii", "replace").partition("?")[0]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(head.method.decode("ascii", "replace"), path, headers, body, peer)


def _may_come(peer: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address is on the LAN, or in one of the networks that may connect."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks) if networks else is_lan(address)
