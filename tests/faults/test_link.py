"""A silent link neither forwards nor resets."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from cli.faults.link import Link, open_link


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def _connect(stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Link]:
    server = await stack.enter_async_context(await asyncio.start_server(_echo, "127.0.0.1", 0))
    link = await stack.enter_async_context(open_link(server.sockets[0].getsockname()[1]))
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    stack.callback(writer.close)
    return reader, writer, link


def test_silent_link_holds_bytes_back_and_delivers_them_later() -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            reader, writer, link = await _connect(stack)
            writer.write(b"one")
            assert await reader.readexactly(3) == b"one"
            link.go_silent()
            writer.write(b"two")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readexactly(1), 0.2)
            link.come_back()
            assert await asyncio.wait_for(reader.readexactly(3), 5) == b"two"

    asyncio.run(scenario())


def test_reset_link_drops_the_connection() -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            reader, writer, link = await _connect(stack)
            writer.write(b"one")
            await reader.readexactly(3)
            link.reset()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 5)

    asyncio.run(scenario())
