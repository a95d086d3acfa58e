"""The few bytes of MQTT 3.1.1 that a test needs to misbehave: connect as anyone, hang up without a word."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass


class RefusedError(Exception):
    """The broker hung up, or answered CONNECT with a code other than 0."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What a CONNECT packet says."""

    client_id: str
    user: str | None = None
    password: str | None = None
    will_topic: str | None = None
    will_payload: bytes = b"will"

    def packet(self) -> bytes:
        """Return the bytes of the packet (clean session, keep alive 60 s, will with QoS 1)."""
        flags = 0x02
        payload = _text(self.client_id)
        if self.will_topic is not None:
            flags |= 0x0C
            payload += _text(self.will_topic) + len(self.will_payload).to_bytes(2, "big") + self.will_payload
        if self.user is not None:
            flags |= 0x80
            payload += _text(self.user)
        if self.password is not None:
            flags |= 0x40
            payload += _text(self.password)
        body = _text("MQTT") + bytes((4, flags, 0, 60)) + payload
        return b"\x10" + _length(len(body)) + body


class Connection:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def is_open(self) -> bool:
        """Return whether the broker still answers a PING."""
        try:
            self._writer.write(b"\xc0\x00")
            await self._writer.drain()
            return await self._reader.readexactly(2) == b"\xd0\x00"
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0; it may be that the broker hangs up meanwhile."""
        body = _text(topic) + payload
        self._writer.write(b"\x30" + _length(len(body)) + body)
        with suppress(OSError):
            await self._writer.drain()

    def hang_up(self) -> None:
        """Close without DISCONNECT, so that the will is due."""
        self._writer.transport.abort()


async def connect(port: int, context: ssl.SSLContext | None, said: Connect) -> Connection:
    """Return an accepted connection, or raise `RefusedError` whichever way the broker says no."""
    try:
        host = "localhost" if context else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    except OSError as error:
        raise RefusedError(str(error)) from None
    try:
        writer.write(said.packet())
        await writer.drain()
        answer = await reader.readexactly(4)
    except (OSError, asyncio.IncompleteReadError) as error:
        writer.transport.abort()
        raise RefusedError(str(error)) from None
    if answer != b"\x20\x02\x00\x00":
        writer.transport.abort()
        raise RefusedError(f"CONNACK {answer.hex()}")
    return Connection(reader, writer)


def _length(number: int) -> bytes:
    """Return a "remaining length": 7 bits a byte, the lowest first."""
    low, rest = number % 128, number // 128
    return bytes((low | 0x80,)) + _length(rest) if rest else bytes((low,))


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
