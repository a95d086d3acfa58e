"""A broker that is lost while acknowledgements are published must not count as a cancellation."""

import asyncio
import ssl

import aiomqtt
import pytest

from cloud.mqtt import BrokerLost, Publisher


class LostClient(aiomqtt.Client):
    """A client whose broker goes away while it waits for the broker's word."""

    async def publish(self, *_: object, **__: object) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        raise aiomqtt.MqttError("Operation timed out")


async def _counted_cancellations() -> int:
    client = LostClient("127.0.0.1", 1, tls_context=ssl.create_default_context())
    with pytest.raises(BrokerLost, match="timed out"):
        await Publisher(client).publish_all([("a", b"1"), ("b", b"2")])
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def test_lost_broker_leaves_the_publishing_task_uncancelled() -> None:
    assert asyncio.run(_counted_cancellations()) == 0
