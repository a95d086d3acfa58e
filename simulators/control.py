"""Lets another process switch faults of a running scenario: one JSON object a line, one answer a line.

`{"device": "lab-1/room-1", "unit": 2, "fault": "silence"}` is answered by `{"ok": true}` or by
`{"ok": false, "error": "…"}`; so is `{"device": "lab-1/readers/entrance", "do": "card"}`, which has somebody
do something, with what there is to tell of it. It listens on 127.0.0.1 alone and is no part of a product.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from simulators.running import Running


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to switch; without `unit` every unit of a Modbus line."""

    device: str
    fault: str
    unit: int | None = None


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do, and with what: `<gateway>/<name>/<part>`."""

    device: str
    do: str


def obey(state: Running, line: bytes) -> bytes:
    """Do what a line says and return the answer."""
    told: dict[str, object] = {}
    try:
        wish = msgspec.json.decode(line)
        if isinstance(wish, dict) and "do" in wish:
            act = msgspec.convert(wish, Act)
            told = state.act(act.device, act.do)
        else:
            fault = msgspec.convert(wish, Switch)
            state.switch(fault.device, fault.fault, unit=fault.unit)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        return msgspec.json.encode({"ok": False, "error": str(error)}) + b"\n"
    return msgspec.json.encode({"ok": True, **told}) + b"\n"


@asynccontextmanager
async def control_server(state: Running, port: int = 0) -> AsyncIterator[int]:
    """Listen while the context is open, on any port that is free when it is 0; gives the port."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(obey(state, line))
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            writers.discard(writer)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
