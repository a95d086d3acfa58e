"""The room in a hub: switched on by its settings, beside the others or as a process of its own."""

import asyncio

import pytest

from cli.embedded.processes import free_port
from cloud.enrol.settings import read_enrol_settings
from cloud.hub import run_hub, settings_of
from cloud.settings import HubSettings, SettingsError, broker_of_url
from provisioning import enrolment

SERVICES = {
    "HENG_DATABASE_URL": "postgresql://u:p@127.0.0.1/heng",
    "HENG_MQTT_URL": "mqtts://127.0.0.1:8884",
    "HENG_IDENTITY": "/somewhere",
}


@pytest.mark.slow
def test_hub_enrols_where_it_is_told_to(hub, broker, hub_identity, tmp_path):
    port = free_port()
    environment = {
        "HENG_ENROL_CA": str(hub.authority.folder),
        "HENG_ENROL_PORT": str(port),
        "HENG_ENROL_URL": f"https://localhost:{port}",
        "HENG_GATEWAY_BROKER_URL": f"mqtts://localhost:{broker.gateway_port}",
    }
    settings = HubSettings(hub.lab.hub_dsn, broker_of_url(broker.hub_url), hub_identity.folder, port=0)

    async def scene():
        stop, told = asyncio.Event(), asyncio.Event()
        reloaded = []
        async with asyncio.TaskGroup() as group:
            group.create_task(
                run_hub(
                    settings,
                    ("est",),
                    environment=environment,
                    stop=stop,
                    ready=lambda _: told.set(),
                    reload_broker=lambda: reloaded.append(True),
                )
            )
            await told.wait()
            for _ in range(100):
                place = hub.lab.execute("SELECT url FROM enrolment")
                if place == [(environment["HENG_ENROL_URL"],)] and reloaded:
                    break
                await asyncio.sleep(0.1)
            claim = await asyncio.to_thread(hub.claim_now, "room-1")
            made = await asyncio.to_thread(enrolment.enrol, claim, tmp_path / "identity")
            stop.set()
        return made

    made = asyncio.run(scene())
    assert made.fresh
    assert enrolment.place_of(made.identity.folder).broker == f"mqtts://localhost:{broker.gateway_port}"


def test_hub_without_an_authority_enrols_nobody():
    assert read_enrol_settings({}) is None
    assert settings_of(SERVICES, ("ingest", "est")).database_url


def test_room_alone_needs_an_authority():
    with pytest.raises(SettingsError, match="HENG_ENROL_CA: expected the folder"):
        settings_of(SERVICES, ("est",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HENG_ENROL_PORT", "0"),
        ("HENG_ENROL_PORT", "70000"),
        ("HENG_ENROL_URL", "http://hub"),
        ("HENG_ENROL_URL", "https://hub/path"),
        ("HENG_GATEWAY_BROKER_URL", "mqtt://hub:1883"),
        ("HENG_GATEWAY_BROKER_URL", "mqtts://hub"),
        ("HENG_CERTIFICATE_DAYS", "900"),
        ("HENG_RECOVER_DAYS", "many"),
    ],
)
def test_faulty_setting_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        read_enrol_settings({"HENG_ENROL_CA": "/ca", name: value})


def test_address_of_ipv6_is_written_with_its_brackets():
    found = read_enrol_settings({"HENG_ENROL_CA": "/ca", "HENG_ENROL_URL": "https://[2001:db8::1]:8885"})
    assert found is not None
    assert found.broker == "mqtts://[2001:db8::1]:8883"


def test_settings_follow_from_the_url():
    found = read_enrol_settings({"HENG_ENROL_CA": "/ca", "HENG_ENROL_URL": "https://hub.example:9000"})
    assert found is not None
    assert (found.host, found.broker) == ("127.0.0.1", "mqtts://hub.example:8883")
    assert (found.policy.certificate_days, found.policy.recover_days) == (90, 500)
