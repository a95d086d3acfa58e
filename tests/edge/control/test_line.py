"""What control says fits into a frame, whatever was configured."""

import asyncio
from collections.abc import Callable

from edge.control.line import ControlLine
from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import decode_body
from wire.control import CauseNow, ControlStatus, InterlockNow

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
