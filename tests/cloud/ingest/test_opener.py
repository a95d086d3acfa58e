"""Births and declarations survive an outage, and what inflates is handed over in parts."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from cloud.ingest.counters import Counters
from cloud.ingest.opener import Opener
from cloud.ingest.shelf import Shelf
from cloud.ingest.strangers import BYTES_MAX, MESSAGES_MAX, Strangers
from cloud.mqtt import Arrived, Mailbox
from cloud.settings import Broker, HubSettings
from cloud.supervisor import Health
from cloud.tools import Tools
from wire import frame
from wire.codec import encode_body
from wire.layouts import make_layout
from wire.messages import GatewayStatus, PointDeclaration, Points, Poll
from wire.topics import Channel, build

pytestmark = pytest.mark.slow

POINTS = ("room/air/temperature", "room/air/humidity")
COMMIT_BYTES = 64 * 1024
KEYS = "SELECT count(*) FROM gateway_keys k JOIN gateways g ON g.id = k.gateway_id WHERE g.name = %s"


def now():
    return datetime.now(UTC)


class Bench:
    """An opener with a mailbox, on the connection of a test's laboratory."""

    def __init__(self, laboratory, identity, hub_identity, dsn):
        self.laboratory, self.identity = laboratory, identity
        settings = HubSettings(dsn, Broker("127.0.0.1", 1), hub_identity.folder, commit_bytes=COMMIT_BYTES)
        tools = Tools(settings, hub_identity, Health(), Random(1), now)
        self.mailbox = Mailbox(settings.queue_messages, settings.queue_bytes)
        self.groups = asyncio.Queue(maxsize=100)
        self.opener = Opener(
            tools,
            Shelf(tools),
            mailbox=self.mailbox,
            groups=self.groups,
            counters=Counters(CollectorRegistry()),
        )

    def put(self, channel, message):
        topic = build(self.identity.gateway, channel)
        payload = frame.encode(topic, encode_body(message), self.identity.signer)
        self.mailbox.put(Arrived(topic, payload, now()))

    def birth(self):
        name = self.identity.gateway
        proof = self.identity.key_proof()
        return GatewayStatus(
            gateway=name, session=bytes(16), online=True, boot=bytes(16), software="t", key_proof=proof
        )

    def declaration(self, point):
        declared = [PointDeclaration(name=point, quantity="temperature", exponent=0, period_ms=1000)]
        return Points(gateway=self.identity.gateway, points=declared, layouts=[make_layout([point], [0])])

    async def until(self, statement, *parameters):
        """Run the opener until the statement finds something."""
        async with self.running():
            while True:
                if (await self.laboratory.rows(statement, *parameters))[0][0]:
                    break
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self):
        async with asyncio.timeout(45), asyncio.TaskGroup() as group:
            task = group.create_task(self.opener.run(lambda: None, None))
            yield
            task.cancel()


@pytest.fixture
def at_bench(in_laboratory, gateway_identity, hub_identity, schema_dsn):
    """A function that runs a scene with a bench."""

    def play(scene):
        async def prepared(laboratory):
            identity = gateway_identity(laboratory.gateway.name)
            await scene(Bench(laboratory, identity, hub_identity, schema_dsn))

        in_laboratory(prepared)

    return play


def test_birth_and_declaration_that_meet_an_outage_are_stored_after_it(at_bench, schema_dsn):
    async def scene(bench):
        def cut():
            """End the opener's session before it takes what arrived."""
            with psycopg.connect(schema_dsn, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE application_name = 'heng ingest opening' AND datname = current_database()"
                )
            bench.put(Channel.UP_STATUS, bench.birth())
            bench.put(Channel.UP_POINTS, bench.declaration("late/a"))

        with pytest.raises(psycopg.OperationalError):
            await bench.opener.run(cut, None)
        assert await bench.laboratory.rows(KEYS, bench.identity.gateway) == [(0,)]
        await bench.until("SELECT count(*) FROM layouts WHERE 'late/a' = ANY (channels)")
        assert await bench.laboratory.rows(KEYS, bench.identity.gateway) == [(1,)]

    at_bench(scene)


def test_batches_that_inflate_are_handed_over_in_parts(at_bench):
    async def scene(bench):
        layout = await bench.laboratory.declare(POINTS)
        bench.put(Channel.UP_STATUS, bench.birth())
        await bench.until(KEYS, bench.identity.gateway)
        chain = bench.laboratory.chain()
        batches = [chain.seal(polls=[Poll(layout, 0, [1, 1])] * 2000) for _ in range(6)]
        body = len(encode_body(batches[0]))
        for batch in batches:
            bench.put(Channel.UP_BATCH, batch)
        assert len(bench.mailbox) == 6
        sizes = []
        async with bench.running():
            while sum(len(group) for group in sizes) < 6:
                group = await bench.groups.get()
                sizes.append([len(item.body) for item in group.batches])
        assert body < COMMIT_BYTES < 6 * body
        assert len(sizes) > 1
        assert all(sum(group[:-1]) < COMMIT_BYTES for group in sizes)

    at_bench(scene)


def test_strangers_are_remembered_within_bounds_and_the_newest_of_each():
    strangers = Strangers()
    for n in range(MESSAGES_MAX + 5):
        strangers.add(Arrived(f"heng/1/g{n}/up/status", b"x", now()))
    assert strangers.take()[0].topic == "heng/1/g5/up/status"
    assert strangers.take() == []
    large = bytes(BYTES_MAX // 4 + 1)
    for n in range(6):
        strangers.add(Arrived(f"heng/1/g{n}/up/points", large, now()))
    strangers.add(Arrived("heng/1/g5/up/points", b"newest", now()))
    found = strangers.take()
    assert [one.topic for one in found] == [f"heng/1/g{n}/up/points" for n in (3, 4, 5)]
    assert found[-1].payload == b"newest"


def test_births_of_strangers_are_heard_before_their_declarations():
    strangers = Strangers()
    strangers.add(Arrived("heng/1/g/up/points", b"p", now()))
    strangers.add(Arrived("heng/1/g/up/status", b"s", now()))
    assert [one.payload for one in strangers.take()] == [b"s", b"p"]
