"""What goes onto the boot partition: every profile is whole, and only what it names is on the gateway."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from cli.main import main
from provisioning.claim import Claim, read_claim, write_claim
from provisioning.first_boot import (
    PROFILES,
    FirstBoot,
    ProfileError,
    boot_files,
    broker_of,
    gateway_settings,
    load_profile,
)
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings

CLAIM = Claim(url="https://hub.example.org:8444", ca_sha256="ab" * 32, gateway="van-3", code="7K3M-Q9ZT")


@pytest.fixture
def firmware() -> Path:
    return Path(__file__).parents[2] / "firmware-config"


def _first(profile: str, **more: object) -> FirstBoot:
    return FirstBoot(CLAIM, profile, broker_of(CLAIM), **more)  # type: ignore[arg-type]


def test_the_profiles_are_those_of_the_folder(firmware: Path) -> None:
    found = {file.name.removesuffix(".toml") for file in (firmware / "profiles").glob("*.toml")}
    assert found == {*PROFILES, *(f"{name}.settings" for name in PROFILES)}


def test_every_file_belongs_to_a_profile(firmware: Path) -> None:
    files = firmware / "files"
    there = {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}
    assert there == {path for name in PROFILES for path in load_profile(firmware, name).files}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.requirement("G-7.2a")
def test_a_profile_makes_a_whole_cloud_config(name: str, firmware: Path) -> None:
    made = boot_files(_first(name), firmware)
    assert made["user-data"].startswith("#cloud-config\n")
    config = yaml.safe_load(made["user-data"])
    profile = load_profile(firmware, name)
    written = {file["path"]: file for file in config["write_files"]}
    assert set(written) == {
        *(f"/{path}" for path in profile.files),
        "/etc/heng/settings.toml",
        "/etc/heng/claim.json",
    }
    assert config["packages"] == profile.packages
    assert written["/etc/heng/claim.json"]["permissions"] == "0600"
    assert read_claim(written["/etc/heng/claim.json"]["content"].encode()) == CLAIM
    assert written["/usr/local/sbin/heng-install"]["permissions"] == "0755"
    assert json.loads(made["meta-data"])["local-hostname"] == "van-3"
    assert config["ssh_pwauth"] is False
    assert "ssh_authorized_keys" not in config


@pytest.mark.parametrize("name", PROFILES)
def test_the_first_settings_are_right(name: str, firmware: Path) -> None:
    text = gateway_settings(_first(name), firmware)
    settings, faults = check(tomllib.loads(text), GatewaySettings)
    assert not faults
    assert settings is not None
    assert (settings.gateway.id, settings.uplink.host, settings.uplink.port) == (
        "van-3",
        "hub.example.org",
        8883,
    )


@pytest.mark.parametrize("name", PROFILES)
def test_services_of_a_profile_come_with_its_packages(name: str, firmware: Path) -> None:
    brings = {
        "chrony": "chrony",
        "nftables": "nftables",
        "bluetooth": "bluez",
        "gpsd.socket": "gpsd",
        "nut-server": "nut-server",
    }
    profile = load_profile(firmware, name)
    assert {brings[service] for service in profile.services} <= set(profile.packages)


def test_only_keys_that_were_given_may_sign_in(firmware: Path) -> None:
    made = boot_files(_first("vehicle", ssh_keys=("ssh-ed25519 AAAA operator",)), firmware)
    config = yaml.safe_load(made["user-data"])
    assert config["ssh_authorized_keys"] == ["ssh-ed25519 AAAA operator"]
    assert config["disable_root"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = 1", "title"),
        ('title = "x"\npackages = ["a b"]\nservices = []\nfiles = []', "packages"),
        ('title = "x"\npackages = []\nservices = []\nfiles = ["/var/x"]', "files"),
        ('title = "x"\npackages = []\nservices = []\nfiles = []\nmore = 1', "more"),
        ("title =", "vehicle"),
    ],
)
def test_a_wrong_profile_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "vehicle.toml").write_text(text)
    with pytest.raises(ProfileError, match=said):
        load_profile(tmp_path, "vehicle")


def test_the_outside_reaches_nothing_by_default(firmware: Path) -> None:
    rules = (firmware / "files/etc/nftables.conf").read_text("utf-8")
    opened = re.findall(r"dport \{?([\d, ]+)\}? accept", rules)
    assert [port.strip() for port in opened] == ["68", "546"], "DHCP alone"
    assert rules.count("policy drop") == 2


def test_the_command_writes_everything_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim, out, wheel = tmp_path / "claim.json", tmp_path / "boot", tmp_path / "heng-0.1.0-py3-none-any.whl"
    claim.write_bytes(write_claim(CLAIM))
    wheel.write_bytes(b"wheel")
    words = ["first-boot", str(claim), "--profile", "vehicle", "--out", str(out), "--wheel", str(wheel)]
    assert main(words) == 2
    assert "expected a folder that is there" in capsys.readouterr().err
    out.mkdir()
    assert main([*words, "--broker", "broker.example.org"]) == 0
    told = capsys.readouterr().out
    assert "van-3, vehicle, publishes to broker.example.org:8883" in told
    assert CLAIM.code not in told
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {"user-data", "meta-data", "heng/requirements.txt", f"heng/{wheel.name}"}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command for a boot partition that is there."""
    claim, out, wheel = tmp_path / "claim.json", tmp_path / "boot", tmp_path / "heng-0.1.0-py3-none-any.whl"
    claim.write_bytes(write_claim(CLAIM))
    wheel.write_bytes(b"wheel")
    out.mkdir()
    return ["first-boot", str(claim), "--profile", "vehicle", "--out", str(out), "--wheel", str(wheel)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n-----END OPENSSH PRIVATE KEY-----\n", "private"),
        ("nonsense\n", "expected lines of public keys"),
    ],
)
def test_a_private_key_never_goes_onto_the_card(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    (tmp_path / "id_ed25519").write_text(text)
    assert main([*words, "--ssh-key", str(tmp_path / "id_ed25519")]) == 2
    assert expected in capsys.readouterr().err
    assert list((tmp_path / "boot").iterdir()) == []


def test_public_keys_go_onto_the_card(words: list[str], tmp_path: Path) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ someone@somewhere"
    (tmp_path / "id.pub").write_text(f"# mine\n{key}\n\n")
    assert main([*words, "--ssh-key", str(tmp_path / "id.pub")]) == 0
    config = yaml.safe_load((tmp_path / "boot" / "user-data").read_text())
    assert config["ssh_authorized_keys"] == [key]


@pytest.mark.parametrize(
    ("given", "told"), [("[2001:db8::1]", "2001:db8::1:8883"), ("[2001:db8::1]:1234", "2001:db8::1:1234")]
)
def test_a_broker_may_have_an_address_of_ipv6(
    words: list[str], capsys: pytest.CaptureFixture[str], given: str, told: str
) -> None:
    assert main([*words, "--broker", given]) == 0
    assert f"publishes to {told}" in capsys.readouterr().out
