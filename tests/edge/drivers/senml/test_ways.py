"""The way through a broker, in moments that only a script can bring about."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.drivers.senml.ways import over_mqtt
from wire.settings.intake import MqttIntake

CONNECT, SUBSCRIBE = 1, 8
CONNACK = bytes((0x20, 2, 0, 0))


class Telling(asyncio.SelectorEventLoop):
    """Tells when a socket is no longer read: for the MQTT library, that its line broke."""

    def __init__(self) -> None:
        super().__init__()
        self.on_break: Callable[[], object] = lambda: None
        self.left: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.left.append(context))

    def remove_reader(self, file: Any) -> bool:
        self.on_break()
        return super().remove_reader(file)


async def briefly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker that confirms one subscription and drops the line."""
    while True:
        kind, length = await reader.readexactly(2)
        packet = await reader.readexactly(length)
        if kind >> 4 == CONNECT:
            writer.write(CONNACK)
        elif kind >> 4 == SUBSCRIBE:
            writer.write(bytes((0x90, 3)) + packet[:2] + b"\x00")
            await writer.drain()
            await asyncio.sleep(0.2)
            writer.transport.abort()
            return


def test_stop_in_the_moment_of_a_cut_leaves_no_error_behind(tmp_path: Path) -> None:
    """The line breaks, and before anybody has looked the gateway stops: nobody asks for the reason then."""
    loop = Telling()

    async def listen(port: int) -> None:
        settings = MqttIntake(host="127.0.0.1", port=port, topics=["sensors/+"], timeout_s=2.0)
        async with over_mqtt(settings, tmp_path) as way:
            loop.on_break = asyncio.current_task().cancel  # type: ignore[union-attr]
            await way.next(10.0)

    async def scenario() -> None:
        async with await asyncio.start_server(briefly, "127.0.0.1", 0) as server:
            running = asyncio.ensure_future(listen(server.sockets[0].getsockname()[1]))
            await asyncio.wait({running}, timeout=10)
            assert running.cancelled()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())
        gc.collect()
        assert loop.left == []
