"""The server on the wire: whole requests or none, bounded in size, time and number, for the LAN alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge.driver import DeviceUnavailable
from edge.intake.server import WAITING_MAX, Server, serving
from simulators.processes import free_port
from wire.settings.check import check
from wire.settings.intake import HttpIntake

pytestmark = pytest.mark.requirement("G-7.2b")
POST = b"POST /in HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def running(
    answer: Callable[[bytes], tuple[int, str]] = lambda _: (200, "ok"), **more: Any
) -> AsyncIterator[tuple[Server, HttpIntake]]:
    """A server whose requests are answered at once."""
    port = free_port()
    settings = HttpIntake(**({"address": "127.0.0.1", "port": port, "path": "/in", "timeout_s": 1.0} | more))

    async def work() -> None:
        while True:
            call = await server.next(10)
            if call is not None:
                call.answer(*answer(call.request.body))

    async with serving(settings) as server:
        working = asyncio.ensure_future(work())
        try:
            yield server, settings
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def said(settings: HttpIntake, data: bytes, *, end: bool = False) -> bytes:
    """Send bytes and return everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
    try:
        writer.write(data)
        await writer.drain()
        if end:
            writer.write_eof()
        async with asyncio.timeout(45):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def run(scenario: Coroutine[object, object, None]) -> None:
    async def whole() -> None:
        await scenario
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(whole())


def status(data: bytes) -> int:
    return int(data.split(b" ", 2)[1]) if data else 0


def test_requests_of_one_connection_are_answered_in_their_order() -> None:
    async def scenario() -> None:
        async with running(lambda body: (200, body.decode())) as (_, settings):
            data = await said(
                settings,
                POST + b"Content-Length: 3\r\n\r\none"
                + POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
                + POST + b"Connection: close\r\nContent-Length: 5\r\n\r\nthree",
            )  # fmt: skip
            assert [part.split(b"\r\n\r\n")[1] for part in data.split(b"HTTP/1.1 200")[1:]] == [
                *(b"one", b"two", b"three")
            ]

    run(scenario())


def test_sender_that_asks_first_is_told_to_go_on() -> None:
    async def scenario() -> None:
        async with running() as (_, settings):
            reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
            writer.write(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert status(await reader.readline()) == 100
            await reader.readline()
            writer.write(b"{}")
            assert status(await reader.readline()) == 200
            writer.close()

    run(scenario())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405),
        (b"POST /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 404),
        (b"POST /in?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"POST /in HTTP/1.1\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (POST + b"X: " + b"y" * 20_000, 431),
        (POST + b"Content-Length: 2048\r\n\r\n" + b"x" * 2048, 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n", 413),
    ],
)
def test_bad_requests_are_refused(data: bytes, expected: int) -> None:
    async def scenario() -> None:
        async with running(body_max_kb=1) as (_, settings):
            assert status(await said(settings, data)) == expected

    run(scenario())


@pytest.mark.parametrize("data", [b"", POST, POST + b"Content-Length: 5\r\n\r\nab"])
def test_peer_that_stops_half_way_is_left(data: bytes) -> None:
    async def scenario() -> None:
        async with running() as (_, settings):
            before = asyncio.get_running_loop().time()
            assert status(await said(settings, data)) in (0, 400)
            assert asyncio.get_running_loop().time() - before < 5
            assert status(await said(settings, data, end=True)) in (0, 400)

    run(scenario())


def test_those_beyond_the_most_are_turned_away_and_room_comes_back() -> None:
    async def scenario() -> None:
        async with running(connections_max=2) as (server, settings):
            held = [await asyncio.open_connection("127.0.0.1", settings.port) for _ in range(2)]
            request = POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
            assert await said(settings, request) == b""
            assert server.refused == 1
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.1)
            assert status(await said(settings, request)) == 200

    run(scenario())


def test_only_the_networks_of_the_settings_may_come() -> None:
    async def scenario() -> None:
        async with running(peers=["192.168.77.0/24"]) as (server, settings):
            assert await said(settings, POST + b"Content-Length: 0\r\n\r\n") == b""
            assert server.refused == 1

    run(scenario())


def test_full_queue_is_told_to_senders_and_a_stop_answers_those_that_wait() -> None:
    async def scenario() -> None:
        port = free_port()
        settings = HttpIntake(address="127.0.0.1", port=port, path="/in", timeout_s=30.0, connections_max=256)
        request = POST + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        async with serving(settings), asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(said(settings, request)) for _ in range(WAITING_MAX)]
            await asyncio.sleep(0.2)
            assert status(await said(settings, request)) == 503
            for task in waiting:
                task.cancel()

    run(scenario())


def test_request_that_was_told_to_come_again_is_not_worked_on_as_well() -> None:
    """Its sender posts it again: a reading that is taken both times would be there twice."""

    async def scenario() -> None:
        settings = HttpIntake(address="127.0.0.1", port=free_port(), path="/in", timeout_s=0.2)
        async with serving(settings) as server:
            late = POST + b"Connection: close\r\nContent-Length: 4\r\n\r\nlate"
            assert status(await said(settings, late)) == 503
            assert await server.next(0) is None
            asked = asyncio.ensure_future(said(settings, late.replace(b"late", b"next")))
            call = await server.next(5)
            assert call is not None
            assert call.request.body == b"next"
            call.answer(200)
            assert status(await asked) == 200

    run(scenario())


def test_address_that_is_taken_is_told() -> None:
    async def scenario() -> None:
        async with running() as (_, settings):
            with pytest.raises(DeviceUnavailable, match=rf"127.0.0.1 port {settings.port}: "):
                async with serving(settings):
                    pass

    run(scenario())


@pytest.mark.slow
def test_nothing_is_left_after_many_runs() -> None:
    async def scenario() -> None:
        settings = HttpIntake(address="127.0.0.1", port=free_port(), path="/in")

        def files() -> int:
            return sum(1 for _ in Path("/proc/self/fd").iterdir())

        before = files()
        for _ in range(200):
            async with serving(settings):
                reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
                writer.write(POST)
                await writer.drain()
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        await asyncio.sleep(0)
        assert files() <= before + 1

    run(scenario())


# --- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "::ffff:0.0.0.0"]
)
def test_address_beyond_one_lan_is_refused_unless_asked_for(address: str) -> None:
    table: dict[str, object] = {"address": address, "port": 80}
    (fault,) = check(table, HttpIntake)[1]
    assert fault.expectation == "an address on a LAN, or every_interface = true"
    assert check(table | {"every_interface": True}, HttpIntake)[1] == []


def test_addresses_of_a_lan_are_taken() -> None:
    for address in (
        "127.0.0.1",
        "192.168.20.1",
        "10.0.0.1",
        "172.16.0.1",
        "fd00::1",
        "fe80::1",
        "169.254.1.1",
    ):
        assert check({"address": address, "port": 80}, HttpIntake)[1] == []


def test_what_is_no_address_or_network_is_named() -> None:
    table = {"address": "eth0", "port": 80, "peers": ["192.168.1.1/24", "lan"]}
    assert [fault.path for fault in check(table, HttpIntake)[1]] == ["address", "peers[0]", "peers[1]"]
