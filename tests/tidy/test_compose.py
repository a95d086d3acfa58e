"""docker-compose.yml and Dockerfile: pinned images, health checks, loopback alone, nobody anonymous."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud.enrol.settings import read_enrol_settings

Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> Services:
    found: Services = compose["services"]
    return found


def test_stack_is_database_broker_hub_and_demo(services: Services) -> None:
    assert set(services) == {"database", "prepare", "broker", "hub", "demo"}
    assert services["database"]["image"].startswith("timescale/timescaledb:")
    assert services["broker"]["image"].startswith("eclipse-mosquitto:2.0.")
    assert [name for name, service in services.items() if "profiles" in service] == ["demo"]


def test_every_image_has_a_fixed_version(services: Services) -> None:
    for name, service in services.items():
        repository, _, tag = service["image"].partition(":")
        assert tag, name
        assert tag != "latest", name
        assert ("build" in service) == (repository == "heng"), name


def test_whatever_stays_up_has_a_health_check(services: Services) -> None:
    unchecked = [name for name, service in services.items() if "healthcheck" not in service]
    assert unchecked == ["prepare"]
    waited = services["hub"]["depends_on"] | services["broker"]["depends_on"]
    assert {entry["condition"] for entry in waited.values()} == {
        "service_healthy",
        "service_completed_successfully",
    }


def _as_started(text: str) -> str:
    """Return a value as it is when .env says no more than it must."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_ports_are_published_on_loopback_alone(services: Services) -> None:
    published = [_as_started(port) for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_broker_runs_the_configuration_of_our_authority(root: Path, services: Services) -> None:
    """Its own default configuration would be another one; ours has no anonymous listener (tests/system)."""
    assert services["broker"]["command"] == ["mosquitto", "-c", "/var/lib/heng/broker/mosquitto.conf"]
    prepare = (root / "firmware-config/compose/prepare.sh").read_text("utf-8")
    assert 'heng broker config --dir "$trust/ca" --out "$trust/broker"' in prepare
    texts = prepare + (root / "docker-compose.yml").read_text("utf-8")
    assert "allow_anonymous" not in texts
    assert "mosquitto-no-auth" not in texts


def test_passwords_are_asked_for_and_never_written_down(root: Path, services: Services) -> None:
    text = (root / "docker-compose.yml").read_text("utf-8")
    assert "HOST_AUTH_METHOD" not in text
    assert "trust" not in services["database"]["environment"]["POSTGRES_INITDB_ARGS"]
    for value in re.findall(r"PASSWORD: (\S+)", text) + re.findall(r"heng_\w+:([^@\s]+)", text):
        assert value.startswith(("${HENG_OWNER_PASSWORD:?", "${HENG_HUB_PASSWORD:?"))


def test_hub_uses_the_role_that_owns_nothing(services: Services) -> None:
    assert services["hub"]["environment"]["HENG_DATABASE_URL"].startswith("postgresql://heng_hub:")


def test_hub_enrols_and_takes_media_on_loopback_until_it_is_told_an_address(services: Services) -> None:
    """Its network is the host's: where it listens is what its settings say."""
    given = {name: _as_started(value) for name, value in services["hub"]["environment"].items()}
    enrols = read_enrol_settings(given)
    assert enrols is not None
    assert (enrols.host, enrols.url, enrols.broker) == (
        "127.0.0.1",
        "https://localhost:8885",
        "mqtts://localhost:8883",
    )
    assert (given["HENG_MEDIA_HOST"], given["HENG_MEDIA_PORT"]) == ("127.0.0.1", "8886")
    volumes = dict(volume.split(":", 1) for volume in services["hub"]["volumes"])
    assert volumes == {"trust": "/var/lib/heng", "media": "/var/lib/heng-media"}
    written = [enrols.authority, enrols.revocations, given["HENG_MEDIA_FOLDER"]]
    assert all(str(path).startswith(tuple(volumes.values())) for path in written)


def test_listeners_for_gateways_share_one_address(services: Services) -> None:
    address = "${HENG_GATEWAY_ADDRESS:-127.0.0.1}"
    assert f"{address}:8883:8883" in services["broker"]["ports"]
    hub = services["hub"]["environment"]
    assert hub["HENG_ENROL_HOST"] == hub["HENG_MEDIA_HOST"] == address


def test_named_volumes_and_mounted_files_exist(root: Path, compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = (root / source).is_file() if source.startswith("./") else source in compose["volumes"]
            assert known, volume


def test_dockerfile_installs_pinned_requirements_and_runs_as_a_user(root: Path) -> None:
    text = (root / "Dockerfile").read_text("utf-8")
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps -e ." in line for line in installs)
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", text, re.MULTILINE)
    assert [stage for _, stage in stages] == ["browser", "hub", "demo"]
    assert all(":" in image or image in {"hub"} for image, _ in stages)
    hub = text.split(" AS hub")[1].split("FROM ")[0]
    assert "\nUSER heng\n" in hub
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((root / name).exists() for name in source.split())
