"""One HTTPS connection to the hub's media listener: signed requests, one after the other.

It is opened when it is needed and kept. A body is not sent before the hub has said that it wants it.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO
from urllib.parse import urlsplit

import h11

from wire.frame import Signer
from wire.media import (
    ANSWER_BYTES_MAX,
    DESCRIPTION_HEADER,
    HASH_HEADER,
    HEADER_BYTES_MAX,
    KEY_HEADER,
    SIGNATURE_HEADER,
    signed_media,
)

CONNECT_S = 15.0
ANSWER_S = 30.0
STALLED_S = 30.0
"""So long a piece of a body may take."""
EXPECT_ABOVE = 65_536
_READ_BYTES = 65_536


class LinkError(Exception):
    """The hub cannot be reached, or does not answer as it should."""


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """What the hub answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: a file from its beginning, its length and hash."""

    file: BinaryIO
    length: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """Return bytes as a body."""
        return cls(BytesIO(data), len(data), hashlib.sha256(data).hexdigest())


class Link:
    """A connection; use it for one request at a time."""

    def __init__(
        self,
        url: str,
        *,
        signer: Signer,
        tls: Callable[[], ssl.SSLContext],
        bytes_s: float | None = None,
    ) -> None:
        """`url` is `https://host[:port]`; `tls` gives the context of each new connection.

        Bodies go no faster than `bytes_s`.
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 443
        self._name = parts.netloc
        self._signer = signer
        self._tls = tls
        self._bytes_s = bytes_s
        self._open: _Open | None = None

    async def ask(
        self,
        method: str,
        target: str,
        *,
        body: Body | None = None,
        description: str = "",
        answer_s: float = ANSWER_S,
    ) -> HubAnswer:
        """Send a request and return the answer; `LinkError`. `answer_s` is how long the hub may think."""
        given = body or Body.of(b"")
        reused = self._open is not None
        try:
            return await self._ask(method, target, given, description=description, answer_s=answer_s)
        except LinkError:
            if not reused:
                raise
        return await self._ask(method, target, given, description=description, answer_s=answer_s)

    async def _ask(
        self, method: str, target: str, body: Body, *, description: str, answer_s: float
    ) -> HubAnswer:
        """Do it once. A connection that was kept may have been closed meanwhile: who asks tries again."""
        try:
            if self._open is None:
                self._open = await self._connect()
            head = self._head(method, target, body, description=description)
            answer, kept = await self._open.ask(head, body, answer_s)
        except TimeoutError:
            self.close()
            raise LinkError(f"{self._host}: no answer in time") from None
        except (OSError, ssl.SSLError, h11.ProtocolError) as error:
            self.close()
            raise LinkError(f"{self._host}: {str(error) or type(error).__name__}"[:160]) from None
        except BaseException:
            self.close()
            raise
        if not kept:
            self.close()
        return answer

    async def _connect(self) -> "_Open":
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                self._host, self._port, ssl=self._tls(), limit=_READ_BYTES
            )
        return _Open(reader, writer, self._bytes_s)

    def _head(self, method: str, target: str, body: Body, *, description: str) -> h11.Request:
        signed = signed_media(method, target, description=description, sha256=body.sha256)
        headers = [
            ("host", self._name),
            ("content-length", str(body.length)),
            (KEY_HEADER, self._signer.key_id.hex()),
            (HASH_HEADER, body.sha256),
            (SIGNATURE_HEADER, self._signer.sign(signed).hex()),
        ]
        if description:
            headers.append((DESCRIPTION_HEADER, description))
        if body.length > EXPECT_ABOVE:
            headers.append(("expect", "100-continue"))
        return h11.Request(method=method, target=target, headers=headers)

    def close(self) -> None:
        """Close the connection, if there is one; the next request opens another."""
        if self._open is not None:
            self._open.abort()
            self._open = None


class _Open:
    """An open connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_s: float | None
    ) -> None:
        self._piece = _READ_BYTES if bytes_s is None else max(1, min(_READ_BYTES, int(bytes_s)))
        self._pause_s = 0.0 if bytes_s is None else self._piece / bytes_s
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES_MAX)
        self._begun: object = None
        """The head of an answer that came before the body was sent."""

    async def ask(self, head: h11.Request, body: Body, answer_s: float) -> tuple[HubAnswer, bool]:
        """Return the answer, and whether the connection can be used again."""
        self._writer.write(self._http.send(head) or b"")
        body.file.seek(0)
        if body.length <= EXPECT_ABOVE or await self._wanted(answer_s):
            with suppress(ConnectionError):  # a hub that refuses in the middle has answered
                await self._send(body)
        answer = await self._answer(answer_s)
        if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
            return answer, False
        self._http.start_next_cycle()
        return answer, True

    async def _wanted(self, answer_s: float) -> bool:
        """Whether the hub wants the body; else its answer has begun."""
        async with asyncio.timeout(answer_s):
            event = await self._event()
        if isinstance(event, h11.InformationalResponse):
            return event.status_code == 100
        self._begun = event
        return False

    async def _send(self, body: Body) -> None:
        left = body.length
        while left:
            data = body.file.read(min(left, self._piece))
            if not data:
                raise OSError("the file became shorter while it was sent")
            left -= len(data)
            self._writer.write(self._http.send(h11.Data(data=data)) or b"")
            async with asyncio.timeout(STALLED_S):
                await self._writer.drain()
            if self._pause_s and left:
                await asyncio.sleep(self._pause_s)
        self._writer.write(self._http.send(h11.EndOfMessage()) or b"")

    async def _answer(self, answer_s: float) -> HubAnswer:
        status, found = 0, bytearray()
        async with asyncio.timeout(answer_s):
            event, self._begun = self._begun or await self._event(), None
            while not isinstance(event, h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    found += event.data
                elif not isinstance(event, h11.InformationalResponse):
                    raise ConnectionResetError("the hub closed the connection")
                if len(found) > ANSWER_BYTES_MAX:
                    raise ConnectionAbortedError("the answer is too long")
                event = await self._event()
        return HubAnswer(status, bytes(found))

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event

    def abort(self) -> None:
        """Close it at once."""
        self._writer.transport.abort()
