"""The local socket is its owner's alone; one question gets one answer, and who leaves ends what is done."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.control.offers import NotDoneError, RefusedError
from edge.local.asks import ASK_BYTES_MAX, SOCKET_NAME, Ask, SetOutput
from edge.local.server import CALLERS_MAX, Caller, Line, Local

ASK = b'{"ask":"set","output":"lamp","value":"1"}\n'
Answer = Callable[[Ask, Caller], Awaitable[Line]]


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="heng-test-") as name:
        yield Path(name)


@asynccontextmanager
async def served(folder: Path, answer: Answer) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(Local(folder, answer).run())
    try:
        for _ in range(500):
            if (folder / SOCKET_NAME).is_socket():
                break
            await asyncio.sleep(0.01)
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def lines(folder: Path, asked: bytes) -> list[dict[str, object]]:
    reader, writer = await asyncio.open_unix_connection(folder / SOCKET_NAME)
    try:
        writer.write(asked)
        async with asyncio.timeout(45):
            return [json.loads(line) async for line in reader]
    finally:
        writer.close()


async def obedient(ask: Ask, caller: Caller) -> Line:
    assert isinstance(ask, SetOutput)
    if ask.output == "wrong":
        raise RefusedError("wrong: expected lamp")
    if ask.output == "dead":
        raise NotDoneError("dead: no answer")
    caller.say({"tell": "half"})
    return {"value": ask.value}


def test_question_gets_its_lines_and_an_end(folder: Path) -> None:
    async def story() -> None:
        async with served(folder, obedient):
            assert await lines(folder, ASK) == [{"tell": "half"}, {"done": {"value": "1"}}]
            wrong = await lines(folder, ASK.replace(b"lamp", b"wrong"))
            dead = await lines(folder, ASK.replace(b"lamp", b"dead"))
            assert wrong == [{"failed": "wrong: expected lamp", "wrong": True}]
            assert dead == [{"failed": "dead: no answer", "wrong": False}]

    asyncio.run(story())


@pytest.mark.parametrize(
    "asked",
    [
        b"\n",
        b"\xff\xfe\n",
        b'{"ask":"format"}\n',
        b'{"ask":"set","output":"lamp"}\n',
        b'{"ask":"set","output":"lamp","value":1}\n',
        b'{"ask":"set","output":"lamp","value":"1","force":true}\n',
        b'{"ask":"look","text":"' + b"x" * ASK_BYTES_MAX * 2 + b'"}\n',
    ],
)
def test_what_is_no_question_is_refused_and_nothing_is_done(asked: bytes, folder: Path) -> None:
    async def story() -> None:
        async with served(folder, obedient):
            (line,) = await lines(folder, asked)
            assert line["wrong"] is True
            assert str(line["failed"]).startswith("expected a question in one line of JSON")

    asyncio.run(story())


def test_socket_is_its_owners_alone_and_goes_with_the_gateway(folder: Path) -> None:
    async def story() -> None:
        async with served(folder, obedient):
            assert (folder / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
        assert not (folder / SOCKET_NAME).exists()

    asyncio.run(story())


def test_what_a_killed_gateway_left_is_no_hindrance(folder: Path) -> None:
    async def story() -> None:
        (folder / SOCKET_NAME).touch()
        async with served(folder, obedient):
            assert len(await lines(folder, ASK)) == 2

    asyncio.run(story())


class Slow:
    """Answers never; tells what begins and what was ended."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    async def __call__(self, _: Ask, caller: Caller) -> Line:
        self.begun += 1
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ended += 1
            caller.say({"tell": "too late"})
        return {}

    async def until(self, begun: int, ended: int) -> None:
        for _ in range(1000):
            if (self.begun, self.ended) == (begun, ended):
                return
            await asyncio.sleep(0.01)
        raise AssertionError((self.begun, self.ended))


def test_caller_that_leaves_ends_what_is_done_for_it(folder: Path) -> None:
    async def story() -> None:
        slow = Slow()
        async with served(folder, slow):
            _, writer = await asyncio.open_unix_connection(folder / SOCKET_NAME)
            writer.write(ASK)
            await slow.until(1, 0)
            writer.transport.abort()
            await slow.until(1, 1)

    asyncio.run(story())


def test_end_of_the_gateway_ends_every_answer(folder: Path) -> None:
    async def story() -> None:
        slow = Slow()
        async with served(folder, slow):
            reader, writer = await asyncio.open_unix_connection(folder / SOCKET_NAME)
            writer.write(ASK)
            await slow.until(1, 0)
        assert slow.ended == 1
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()

    asyncio.run(story())


def test_one_caller_too_many_is_told_so(folder: Path) -> None:
    async def story() -> None:
        slow = Slow()
        async with served(folder, slow):
            writers = []
            for number in range(CALLERS_MAX):
                _, writer = await asyncio.open_unix_connection(folder / SOCKET_NAME)
                writer.write(ASK)
                writers.append(writer)
                await slow.until(number + 1, 0)
            (line,) = await lines(folder, ASK)
            assert line == {"failed": "16 others ask already: expected fewer at once", "wrong": False}
            for writer in writers:
                writer.close()
            await slow.until(CALLERS_MAX, CALLERS_MAX)

    asyncio.run(story())


def test_place_where_no_socket_can_be_made_costs_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        running = asyncio.create_task(Local(tmp_path / ("x" * 120), obedient).run())
        await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
