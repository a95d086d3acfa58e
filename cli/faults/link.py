"""A TCP link between gateway and broker that can go silent without a reset, as a radio link does.

It passes bytes and never looks at them: TLS runs through it from end to end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 64 * 1024


class Link:
    """Forwards connections to one port of 127.0.0.1 until told to be silent."""

    def __init__(self, target_port: int) -> None:
        """`target_port` is looked up anew for every connection; set it when the far end has moved."""
        self.target_port = target_port
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def go_silent(self) -> None:
        """Stop forwarding in both directions; connections stay established, nothing is reset."""
        self._open.clear()

    def come_back(self) -> None:
        """Forward again, what waited first."""
        self._open.set()

    def reset(self) -> None:
        """Drop every connection, as a router does that lost its state."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end closes it."""
        self._writers.add(writer)
        far_writer: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._writers.add(far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, far_writer))
                group.create_task(self._forward(far_reader, writer))
        except* OSError:
            pass
        finally:
            for end in (writer, far_writer):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("one end closed")


@asynccontextmanager
async def open_link(target_port: int) -> AsyncIterator[Link]:
    """Listen on a free port of 127.0.0.1 for as long as the context lasts."""
    link = Link(target_port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        link.come_back()
        link.reset()
        server.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2)
