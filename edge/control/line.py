"""What control says to the hub and hears from it, over whatever connection there is now.

It owns no connection: the uplink gives it one. Bodies that the hub signed for this gateway go to those who
asked for their channel; the newest state and every receipt that was not sent yet go up. Receipts are copies
of what the journal carries: when too many wait for a connection, the oldest are left out here.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import structs

from edge.verified import signed_body
from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import encode_body
from wire.control import ControlStatus, Receipt
from wire.errors import FrameError, WireError
from wire.topics import Channel, build

LOG = logging.getLogger(__name__)
RECEIPTS_MAX = 1000

Came = Callable[[bytes], None]
"""Called in the loop with a body that the hub signed on this gateway's topic; must not block, nor raise."""


def _shortened(status: ControlStatus) -> ControlStatus:
    """Return what fits into a frame whatever was configured."""
    interlocks = tuple(structs.replace(one, causes=(), unmet=()) for one in status.interlocks)
    return structs.replace(status, interlocks=interlocks, inside=())


class Client(Protocol):
    """A connection, as far as it is used here."""

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Send, and return when the broker has it."""


class ControlLine:
    """One gateway's."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._came: dict[str, tuple[Channel, Came]] = {}
        self.spoiled: Callable[[Channel, str], None] = lambda _, __: None
        """Told of what came on one of `topics` and is not the hub's, or not whole."""
        self._status: ControlStatus | None = None
        self._status_told = True
        self._receipts: deque[Receipt] = deque(maxlen=RECEIPTS_MAX)
        self._some = asyncio.Event()

    def listen(self, came: Mapping[Channel, Came]) -> None:
        """Have bodies of these channels taken, each by one; before the first connection."""
        self._came |= {build(self._gateway, channel): (channel, take) for channel, take in came.items()}

    @property
    def topics(self) -> list[str]:
        """What the gateway listens to for it."""
        return list(self._came)

    def tell(self, status: ControlStatus) -> None:
        """Have the hub know this state, now and after each new connection."""
        self._status, self._status_told = status, False
        self._some.set()

    def answer(self, receipt: Receipt) -> None:
        """Send a receipt once."""
        self._receipts.append(receipt)
        self._some.set()

    def take(self, topic: str, payload: object, identity: GatewayIdentity) -> None:
        """Take what came on one of `topics`; `WireError` for what the hub did not sign."""
        channel, take = self._came[topic]
        bounds = frame.LARGE if channel is Channel.DOWN_RIGHTS else frame.ANY
        try:
            body = signed_body(topic, payload, identity=identity, word=channel.value, bounds=bounds)
        except WireError as error:
            self.spoiled(channel, str(error))
            raise
        take(body)

    async def send(self, client: Client, identity: GatewayIdentity) -> None:
        """Send on one connection until cancelled; raises what the connection raises."""
        self._status_told = self._status is None
        while True:
            self._some.clear()
            while self._receipts:
                await self._send_oldest(client, identity)
            if not self._status_told and self._status is not None:
                self._status_told = True
                await self._publish(client, identity, Channel.UP_CONTROL, message=self._status)
            elif not self._receipts:
                await self._some.wait()

    async def _send_oldest(self, client: Client, identity: GatewayIdentity) -> None:
        """Send the oldest receipt; it waits until it is sent, unless too many newer ones come meanwhile."""
        receipt = self._receipts[0]
        await self._publish(client, identity, Channel.UP_RESULT, message=receipt)
        if self._receipts and self._receipts[0] is receipt:
            self._receipts.popleft()

    async def _publish(
        self, client: Client, identity: GatewayIdentity, channel: Channel, *, message: ControlStatus | Receipt
    ) -> None:
        topic = build(self._gateway, channel)
        try:
            data = frame.encode(topic, encode_body(message), identity.signer)
        except FrameError as error:
            LOG.error("control: too much to tell, causes and people are left out: %s", error)
            assert isinstance(message, ControlStatus)
            data = frame.encode(topic, encode_body(_shortened(message)), identity.signer)
        await client.publish(topic, data, qos=1, retain=channel is Channel.UP_CONTROL)
