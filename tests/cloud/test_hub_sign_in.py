"""A hub whose password is wrong says so and ends; waiting would change nothing."""

import asyncio

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud.hub import ROOMS, run_hub
from cloud.settings import HubSettings, SettingsError, broker_of_url
from cloud.store.sign_in import sign_in_fault


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("password", ["not-the-password", None])
def test_refused_password_is_a_fault_of_the_settings(lab, hub_identity, password):
    given = conninfo_to_dict(lab.hub_dsn)
    del given["password"]
    dsn = make_conninfo(**given, **({} if password is None else {"password": password}))
    settings = HubSettings(dsn, broker_of_url("mqtts://127.0.0.1:1"), hub_identity.folder, port=0)

    async def scene():
        await run_hub(settings, ROOMS, environment={}, stop=asyncio.Event(), ready=print)

    with pytest.raises(SettingsError) as refused:
        asyncio.run(scene())
    (fault,) = refused.value.faults
    assert fault.startswith(f"HENG_DATABASE_URL: user {given['user']} at {given['host']}: ")
    assert "expected a user and password that the server accepts" in fault
    assert "not-the-password" not in fault


def test_unreachable_server_is_no_fault_of_the_settings():
    dsn = "postgresql://heng_hub:secret@127.0.0.1:1/heng"
    with pytest.raises(psycopg.OperationalError) as unreachable:
        psycopg.connect(dsn)
    assert sign_in_fault(dsn, unreachable.value) == ""
