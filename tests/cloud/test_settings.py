from pathlib import Path

import pytest

from cloud.hub import ROOMS, settings_of
from cloud.settings import Broker, SettingsError, broker_of_url, from_environment

GOOD = {
    "HENG_DATABASE_URL": "postgresql://heng_hub:x@127.0.0.1:5432/heng",
    "HENG_MQTT_URL": "mqtts://broker.example:8884",
    "HENG_IDENTITY": "/identity",
}


def test_environment_is_read_and_options_win():
    settings = from_environment({**GOOD, "HENG_HTTP_PORT": "9000", "HENG_SUSPECT_AFTER_S": "7"})
    assert (settings.port, settings.suspect_after_s, settings.identity) == (9000, 7.0, Path("/identity"))
    assert settings.broker == Broker("broker.example", 8884)
    assert settings.host == "127.0.0.1", "nothing listens beyond this machine unless told to"
    assert from_environment({**GOOD, "HENG_HTTP_PORT": "9000"}, port=0).port == 0


def test_every_fault_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        from_environment({"HENG_MQTT_URL": "mqtt://plain", "HENG_HTTP_PORT": "99999"})
    told = " ".join(caught.value.faults)
    assert len(caught.value.faults) == 4
    for name in ("HENG_DATABASE_URL", "HENG_MQTT_URL", "HENG_IDENTITY", "HENG_HTTP_PORT"):
        assert name in told


@pytest.mark.parametrize(
    "url", ["mqtt://h:1", "mqtts://", "mqtts://h:99999", "mqtts://user@h:1", "h:1", "mqtts://[h", ""]
)
def test_broker_url_is_mqtts_with_host(url):
    with pytest.raises(SettingsError):
        broker_of_url(url)


def test_password_of_the_database_is_never_repeated_in_a_fault():
    with pytest.raises(SettingsError) as caught:
        from_environment({**GOOD, "HENG_DATABASE_URL": "postgresql://a:secret@[bad"})
    assert "secret" not in str(caught.value)


def test_password_of_the_broker_is_never_repeated_in_a_fault():
    with pytest.raises(SettingsError) as caught:
        from_environment({**GOOD, "HENG_MQTT_URL": "mqtts://a:secret@h:1"})
    assert "secret" not in str(caught.value)


def test_faults_of_the_pages_come_with_all_others(tmp_path):
    wrong = {
        "HENG_MQTT_URL": "mqtt://plain",
        "HENG_SUSPECT_AFTER_S": "9" * 5000,
        "HENG_TILE_URL": "https://[bad",
        "HENG_TILE_KIND": "bd09",
    }
    with pytest.raises(SettingsError) as caught:
        settings_of(wrong, ROOMS, port=70_000)
    told = [fault.split()[0].rstrip(":") for fault in caught.value.faults]
    assert told == [
        "HENG_DATABASE_URL",
        "HENG_MQTT_URL",
        "HENG_IDENTITY",
        "--port",
        "HENG_SUSPECT_AFTER_S",
        "HENG_TILE_URL",
        "HENG_TILE_KIND",
    ]
    with pytest.raises(SettingsError, match="make setup"):
        settings_of({**GOOD, "HENG_WEB_LIBRARIES": str(tmp_path)}, ROOMS)


def test_room_without_pages_needs_nothing_of_the_pages(tmp_path):
    settings = settings_of({**GOOD, "HENG_TILE_KIND": "bd09"}, ("ingest",))
    assert settings.identity == Path("/identity")


def test_beyond_this_machine_pages_need_certificate_and_key(tmp_path):
    with pytest.raises(SettingsError) as caught:
        from_environment({**GOOD, "HENG_HTTP_HOST": "0.0.0.0"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "HENG_HTTP_CERTIFICATE",
        "HENG_HTTP_KEY",
    ]
    files = {"HENG_HTTP_CERTIFICATE": tmp_path / "cert.pem", "HENG_HTTP_KEY": tmp_path / "key.pem"}
    for path in files.values():
        path.write_text("", "utf-8")
    given = {**GOOD, "HENG_HTTP_HOST": "0.0.0.0", **{name: str(path) for name, path in files.items()}}
    assert from_environment(given).certificate == tmp_path / "cert.pem"
    with pytest.raises(SettingsError) as caught:
        from_environment({**given, "HENG_HTTP_KEY": str(tmp_path / "nothing")})
    assert "HENG_HTTP_KEY" in caught.value.faults[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_neither(host):
    assert from_environment({**GOOD, "HENG_HTTP_HOST": host}).host == host
