import re
import stat
from pathlib import Path

import pytest

from provisioning.broker import CONFIGURATION, Listeners, configuration, write_configuration
from wire.frame import FRAME_BYTES_MAX

pytestmark = pytest.mark.requirement("G-7.2", "G-7.2a")


def listeners_of(text: str) -> list[dict[str, str]]:
    """Return the settings of each listener; those before the first are dropped."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "listener":
            found.append({})
        if found and key and not key.startswith("#"):
            found[-1][key] = value
    return found


def test_every_listener_wants_certificates_and_tls_1_3(tmp_path):
    listeners = listeners_of(configuration(tmp_path, Listeners()))
    assert [one["listener"] for one in listeners] == ["8883", "8884 127.0.0.1"]
    for one in listeners:
        assert one["allow_anonymous"] == "false"
        assert one["require_certificate"] == "true"
        assert one["use_identity_as_username"] == "true"
        assert one["tls_version"] == "tlsv1.3"
        assert one["acl_file"].startswith(str(tmp_path))


def test_frame_of_the_largest_size_passes(tmp_path):
    found = re.search(r"^max_packet_size (\d+)$", configuration(tmp_path, Listeners()), re.MULTILINE)
    assert found
    assert int(found[1]) > FRAME_BYTES_MAX + 100


def test_files_are_written_for_one_reader_and_again(authority, tmp_path, now):
    first = write_configuration(authority, tmp_path, Listeners())
    authority.issue_hub("later", now=now)
    again = write_configuration(authority, tmp_path, Listeners(gateway_port=1234))
    assert first == again == [path for path in first if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in again} == {0o600}
    assert sorted(tmp_path.iterdir()) == sorted(again)
    assert "user hub:later\n" in (tmp_path / "hub.acl").read_text()
    assert "listener 1234\n" in (tmp_path / CONFIGURATION).read_text()


def test_paths_are_those_that_the_broker_sees(authority, tmp_path):
    write_configuration(authority, tmp_path, Listeners(), seen_in=Path("/mosquitto/config"))
    text = (tmp_path / CONFIGURATION).read_text()
    assert "cafile /mosquitto/config/hub-ca.pem\n" in text
    assert str(tmp_path) not in text


def test_private_keys_of_the_authority_stay_out(authority, tmp_path):
    write_configuration(authority, tmp_path, Listeners())
    kept = [
        (authority.folder / name).read_bytes()
        for name in ("root-key.pem", "issuing-key.pem", "hub-ca-key.pem", "signing-key.pem", "share-name")
    ]
    for path in tmp_path.iterdir():
        assert not any(secret.strip() in path.read_bytes() for secret in kept)
