"""Asks a camera what time it thinks it is: one request, of whose answer only the `Date` is looked at.

RTSP cameras are asked for OPTIONS, HTTP ones for HEAD; neither needs a password for the date.
"""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from edge.drivers.camera.decode import clock_offset
from wire.messages import TICK_MS, Clock

TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 16_384
_PORTS = {"rtsp": 554, "http": 80, "https": 443}


async def ask_clock(
    url: str, *, monotonic_ns: Callable[[], int], clock: Callable[[], Clock]
) -> tuple[int, int] | None:
    """Return how far a camera's clock is ahead and how sure that is, in ms; None when nobody can say."""
    gateway = clock()
    if gateway.offset_ticks is None or gateway.bound_ms is None:
        return None
    sent_ns = monotonic_ns()
    answer = await _head(url)
    back_ns = monotonic_ns()
    middle_ms = (sent_ns + back_ns) // 2_000_000
    return clock_offset(
        answer,
        utc_ms=middle_ms + gateway.offset_ticks * TICK_MS,
        bound_ms=gateway.bound_ms,
        round_trip_ms=-(-(back_ns - sent_ns) // 1_000_000),
    )


async def _head(url: str) -> bytes:
    """Return the head of the answer; nothing when there is none."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    if parts.scheme == "rtsp":
        lines = [f"OPTIONS {url} RTSP/1.0", "CSeq: 1", "User-Agent: heng"]
    else:
        lines = [f"HEAD {parts.path or '/'} HTTP/1.1", f"Host: {host}", "Connection: close"]
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=ANSWER_BYTES_MAX)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode("ascii", "replace"))
                return await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.transport.abort()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""
