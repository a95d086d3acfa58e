"""Real broker and database: a gateway is told of a job, signed and retained, and that it is held."""

import asyncio
from datetime import UTC, datetime
from random import Random

import aiomqtt
import pytest

from cloud import job_acts
from cloud.jobs.room import PARTS, JobsRoom
from cloud.operation.room import OperationRoom
from cloud.settings import HubSettings, broker_of_url
from cloud.supervisor import Health, end
from cloud.tools import Tools
from provisioning.keys import verify_ed25519
from rules.access.words import JobState
from rules.work import decode_work
from tests.cloud.jobs.conftest import Work
from wire import frame
from wire.topics import Channel, build

pytestmark = pytest.mark.requirement("G-6.4e", "H-7.3.1b")

SECONDS = 20.0


def test_gateway_hears_of_the_job_and_that_it_is_held_and_who_comes_later_does_too(
    work: Work, *, broker, hub_identity, gateway_identity
) -> None:
    work.now = datetime.now(UTC)
    work.lab.execute("UPDATE authorisations SET valid = '[2025-01-01,)'")
    work.status()
    work.measure(20.0, 20.0)
    job_id = work.start("R-1")
    work.close()
    work.connection = None
    identity = gateway_identity("gateway-1")
    topic = build("gateway-1", Channel.DOWN_WORK)

    async def heard(client: aiomqtt.Client, state: JobState) -> bool:
        """Return whether what says so was kept by the broker from before."""
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            taken = frame.decode(message.payload)
            signed = frame.signed_bytes(topic, taken.body)
            assert verify_ed25519(hub_identity.signer.public_key)(signed, taken.signature)
            if [one.state for one in decode_work(taken.body).jobs] == [state]:
                return bool(message.retain)
        return False

    def listening() -> aiomqtt.Client:
        tls = identity.tls_context()
        return aiomqtt.Client("127.0.0.1", broker.gateway_port, identifier="gateway-1", tls_context=tls)

    async def story() -> None:
        settings = HubSettings(work.lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)
        health = Health()
        tools = Tools(settings, hub_identity, health, Random(1), lambda: datetime.now(UTC))
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            rooms = [group.create_task(one.run()) for one in (JobsRoom(tools), OperationRoom(tools))]
            async with listening() as client:
                await client.subscribe(topic, qos=1)
                await heard(client, JobState.RUNNING)
                await asyncio.to_thread(work.tell, "interlock_tripped", at=datetime.now(UTC))
                await heard(client, JobState.HELD)
            async with listening() as client:
                await client.subscribe(topic, qos=1)
                assert await heard(client, JobState.HELD)
            assert health.missing(PARTS) == {}
            await end(rooms)

    asyncio.run(story())
    job = work.job(job_id).job
    assert job.holds[0].held_at - job.holds[0].from_at < 500
    work.act(lambda act: job_acts.finish(act, job_id, reason="over"))
