"""One watched connection to gpsd: lines in, with a bound on their length and on the wait for them.

It interprets nothing; `decode` does. It never reconnects.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LINE_BYTES_MAX = 64 * 1024


class GpsdError(Exception):
    """gpsd cannot be reached, went away or sends what is no line."""


class GpsdLines:
    """The lines of an open connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self, timeout_s: float) -> bytes:
        """Return the next line without its end; `TimeoutError` when none comes in time, or `GpsdError`."""
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._reader.readuntil(b"\n")
        except TimeoutError:
            raise  # it is an OSError too, but no lost connection
        except asyncio.LimitOverrunError:
            raise GpsdError(f"gpsd sent a line of more than {LINE_BYTES_MAX} bytes") from None
        except (asyncio.IncompleteReadError, OSError):
            raise GpsdError("gpsd closed the connection") from None
        return line.rstrip(b"\r\n")


@asynccontextmanager
async def watch(
    host: str, port: int, *, receiver: str | None, timeout_s: float, raw: bool = False
) -> AsyncIterator[GpsdLines]:
    """Connect, ask for JSON reports (of one receiver, or of all) and give the lines; `GpsdError`.

    `raw` asks for the receiver's own messages between them: sentences, and packets as hexadecimal.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX)
    except TimeoutError:
        raise GpsdError(f"no answer from {host} port {port} within {timeout_s:.0f} s") from None
    except OSError as error:
        raise GpsdError(f"cannot connect to gpsd at {host} port {port}: {error.strerror or error}") from None
    try:
        wish: dict[str, object] = {"enable": True, "json": True}
        if receiver is not None:
            wish["device"] = receiver
        if raw:
            wish["raw"] = 1
        writer.write(b"?WATCH=" + json.dumps(wish).encode() + b"\n")
        yield GpsdLines(reader)
    finally:
        writer.close()
