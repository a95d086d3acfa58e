"""A birth that meets an outage of the database is taken in after it."""

from datetime import UTC, datetime
from random import Random

import psycopg
import pytest

from cloud.mqtt import Arrived
from cloud.settings import Broker, HubSettings
from cloud.store import directory, gateways
from cloud.store.gateways import NewKey
from cloud.supervisor import Health
from cloud.tools import Tools
from cloud.watch.hearing import Hearing
from cloud.watch.presence import Presence
from provisioning.keys import key_id_of
from wire import frame
from wire.codec import encode_body
from wire.messages import GatewayStatus
from wire.topics import Channel, build

pytestmark = pytest.mark.slow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def now():
    return datetime.now(UTC)


def test_birth_that_meets_an_outage_is_taken_in_after_it(lab, gateway_identity, hub_identity):
    identity = gateway_identity("gateway-1")
    proof = identity.key_proof()
    birth = GatewayStatus(
        gateway="gateway-1", session=b"s" * 16, online=True, boot=bytes(16), software="t", key_proof=proof
    )
    topic = build("gateway-1", Channel.UP_STATUS)
    settings = HubSettings(lab.dsn, Broker("127.0.0.1", 1), hub_identity.folder)
    hearing = Hearing(Tools(settings, hub_identity, Health(), Random(1), now), Presence())
    hearing.add([Arrived(topic, frame.encode(topic, encode_body(birth), identity.signer), AT)])

    async def learn(connection):
        async with connection.transaction():
            await directory.change(connection)
            key = proof.public_key
            await gateways.add_key(
                connection, NewKey(key_id_of(key), 1, 1, key, proof.certificate_pem, proof.signature)
            )

    async def cut(connection):
        connection.pgconn.finish()
        with pytest.raises(psycopg.OperationalError):
            await hearing.take_in(connection)

    async def after(connection):
        await hearing.take_in(connection)
        await hearing.take_in(connection)
        return await gateways.liveness(connection)

    lab.run(learn)
    lab.run(cut)
    assert [(row.online, row.session) for row in lab.run(after)] == [(True, b"s" * 16)]
    assert lab.execute("SELECT kind FROM events") == [("gateway_online",)]
