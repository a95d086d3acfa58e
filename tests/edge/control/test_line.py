"""What control says fits into a frame, whatever was configured."""

import asyncio
from collections.abc import Callable

import pytest

from edge.control.line import RECEIPTS_MAX, ControlLine
from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import decode_body
from wire.control import CauseNow, ControlStatus, InterlockNow, Receipt, ReceiptState

_WORDS = [f"{number:08d}" * 25 for number in range(256)]


class Client:
    """Implements `edge.control.line.Client`."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.came = asyncio.Event()

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        self.sent.append(payload)
        self.came.set()


def test_state_that_is_too_large_is_told_without_its_causes(
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    identity = gateway_identity("tells-much")
    causes = tuple(CauseNow(name=word, group=word, words=word, point=word, state="normal") for word in _WORDS)
    one = InterlockNow(name="room", rule="1", phase="healthy", breach=0, causes=causes)
    status = ControlStatus(gateway="tells-much", boot=b"1" * 16, tick=1, interlocks=(one,) * 6)
    client = Client()

    async def run() -> None:
        line = ControlLine("tells-much")
        line.tell(status)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(line.send(client, identity))
            await client.came.wait()
            sending.cancel()

    asyncio.run(run())
    told = decode_body(frame.decode(client.sent[0]).body, ControlStatus)
    assert [len(one.causes) for one in told.interlocks] == [0] * 6


def receipt(number: int) -> Receipt:
    command = number.to_bytes(16, "big")
    return Receipt(gateway="answers", command=command, state=ReceiptState.EXECUTED, boot=b"1" * 16, tick=1)


class Failing(Client):
    """Is given receipts while it sends the first, and loses the connection."""

    def __init__(self, line: ControlLine, meanwhile: list[Receipt], *, breaks: bool) -> None:
        super().__init__()
        self.line = line
        self.meanwhile = meanwhile
        self.breaks = breaks

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        while self.meanwhile:
            self.line.answer(self.meanwhile.pop(0))
        if self.breaks:
            raise ConnectionError("gone")
        await super().publish(topic, payload, qos=qos, retain=retain)

    @property
    def numbers(self) -> list[int]:
        sent = [decode_body(frame.decode(one).body, Receipt) for one in self.sent]
        return [int.from_bytes(one.command, "big") for one in sent]


async def _sent(client: Failing, identity: GatewayIdentity, count: int) -> list[int]:
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(client.line.send(client, identity))
        while len(client.sent) < count:
            client.came.clear()
            await client.came.wait()
        await asyncio.sleep(0)
        sending.cancel()
    return client.numbers


def test_receipt_that_comes_while_as_many_wait_as_may_costs_no_other_than_the_oldest(
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    async def run() -> None:
        identity, line = gateway_identity("answers"), ControlLine("answers")
        for number in range(RECEIPTS_MAX):
            line.answer(receipt(number))
        client = Failing(line, [receipt(RECEIPTS_MAX)], breaks=False)
        assert await _sent(client, identity, RECEIPTS_MAX + 1) == list(range(RECEIPTS_MAX + 1))

    asyncio.run(run())


def test_receipt_that_was_not_sent_goes_first_over_the_next_connection_unless_too_many_wait(
    gateway_identity: Callable[[str], GatewayIdentity],
) -> None:
    async def run() -> None:
        identity, line = gateway_identity("answers"), ControlLine("answers")
        line.answer(receipt(0))
        with pytest.raises(ConnectionError):
            await line.send(Failing(line, [receipt(1)], breaks=True), identity)
        assert await _sent(Failing(line, [], breaks=False), identity, 2) == [0, 1]
        line.answer(receipt(0))
        newer = [receipt(number) for number in range(1, RECEIPTS_MAX + 1)]
        with pytest.raises(ConnectionError):
            await line.send(Failing(line, newer, breaks=True), identity)
        sent = await _sent(Failing(line, [], breaks=False), identity, RECEIPTS_MAX)
        assert sent == list(range(1, RECEIPTS_MAX + 1))

    asyncio.run(run())
