"""Without accounts nothing listens beyond this machine; with them the hub asks who is there, over TLS."""

import asyncio
import ssl
from urllib.parse import urlsplit

import pytest

from cloud.hub import run_hub
from cloud.identity.chain import read_head_lines
from cloud.settings import Broker, HubSettings, SettingsError
from cloud.store.audit_log import Entry, append

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]


def settings(lab, hub_identity, **given):
    return HubSettings(lab.hub_dsn, Broker("127.0.0.1", 1), hub_identity.folder, port=0, **given)


async def run(found, stop, told):
    await run_hub(found, ("web",), environment={}, stop=stop, ready=told.set_result)


def test_hub_without_accounts_listens_on_this_machine_alone(lab, hub_identity):
    async def scene():
        told = asyncio.get_running_loop().create_future()
        await run(settings(lab, hub_identity, host="0.0.0.0"), asyncio.Event(), told)

    with pytest.raises(SettingsError) as refused:
        asyncio.run(scene())
    assert "there is no account" in refused.value.faults[0]
    assert "heng people add-administrator" in refused.value.faults[0]


def test_hub_with_accounts_asks_over_tls_and_signs_the_audit_log(lab, hub_identity, ca, tmp_path):
    lab.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '1', 'Anna')")
    lab.execute("INSERT INTO accounts (organisation_id, person_id, login) SELECT 1, id, 'anna' FROM people")

    async def write(connection):
        async with connection.transaction():
            entry = Entry("command", "root", "account.invite", "account anna")
            await append(connection, [entry], at=(await one(connection)))

    async def one(connection):
        return (await (await connection.execute("SELECT now()")).fetchone())[0]

    lab.run(write)
    server = ca.broker_folder
    heads = tmp_path / "heads"

    async def scene():
        stop, told = asyncio.Event(), asyncio.get_running_loop().create_future()
        found = settings(
            lab,
            hub_identity,
            host="0.0.0.0",
            certificate=server / "tls-cert.pem",
            key=server / "tls-key.pem",
            audit_heads=heads,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(run(found, stop, told))
            where = urlsplit(await told)
            assert where.scheme == "https"
            unchecked = ssl._create_unverified_context()
            reader, writer = await asyncio.open_connection("127.0.0.1", where.port, ssl=unchecked)
            writer.write(b"GET /api/sites HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
            writer.close()
            while not await asyncio.to_thread(heads.exists):
                await asyncio.to_thread(lab.execute, "SELECT pg_sleep(0.05)")
            stop.set()
        return status

    assert b" 401 " in asyncio.run(scene())
    (head,) = read_head_lines(heads)
    assert head.public_key == hub_identity.signer.public_key
