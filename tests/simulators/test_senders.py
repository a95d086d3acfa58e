"""What terminals and SenML sensors send: by the documents, and the same bytes for the same seed."""

import asyncio
import json
from typing import Any

import pytest

from simulators.devices.senml import Sensor
from simulators.devices.terminal import Terminal

TRUTH = {"temperature": 21.0, "relative_humidity": 40.0}


def sensor(**more: Any) -> Sensor:
    return Sensor("urn:dev:x", TRUTH.__getitem__, **more)


def test_pack_has_base_fields_once_and_times_before_now() -> None:
    one = sensor(utc_s=lambda: 1_789_000_000.25)
    one.measure(0.0)
    one.measure(10.0)
    pack = json.loads(one.pack(10.0))
    assert pack[0] | {"v": 0} == {
        "bn": "urn:dev:x:",
        "bt": 1_789_000_000.25,
        "n": "temperature",
        "u": "Cel",
        "t": -10.0,
        "v": 0,
    }
    assert [record.get("t") for record in pack] == [-10.0, -10.0, None, None]
    assert all("bn" not in record for record in pack[1:])
    assert [f"{record['v']:.2f}" for record in pack] == [number for _, number in one.sent]


def test_same_seed_gives_the_same_pack_and_post() -> None:
    def pack(seed: int) -> bytes:
        one = sensor(seed=seed)
        one.measure(0.0)
        return one.pack(0.0)

    assert pack(1) == pack(1)
    assert pack(1) != pack(2)


@pytest.mark.parametrize("form", [True, False])
def test_terminal_posts_a_template_and_a_picture_too(*, form: bool) -> None:
    """So that a gateway has something to drop."""
    posted: list[bytes] = []

    async def scenario() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split()[1]) for line in head.splitlines() if b"Content-Length" in line)
            posted.append(head + await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for _ in range(2):
            terminal = Terminal("door", port, "k" * 32, form=form, signs=True)
            assert await terminal.identify("77", "face") == 200
        server.close()
        await server.wait_closed()
        assert await terminal.heartbeat() == 0, "nobody is there"

    asyncio.run(scenario())
    assert posted[0] == posted[1]
    assert b"featureData" in posted[0]
    assert (b"image/jpeg" if form else b"snapPicture") in posted[0]
    assert b"X-Heng-Counter: 1\r\n" in posted[0]
