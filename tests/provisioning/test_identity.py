import pytest

from provisioning.ca import CertificateAuthority
from provisioning.errors import IdentityError
from provisioning.identity import GatewayIdentity, HubIdentity


@pytest.fixture
def lab(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    authority.issue_hub("main", now=now)
    return authority.issue_gateway("lab-1", tmp_path / "lab-1", now=now).folder


@pytest.mark.parametrize("name", ["tls-cert.pem", "batch-key.pem", "hub-keys.json", "key-proof.bin"])
def test_missing_file_is_named(lab, name):
    (lab / name).unlink()
    with pytest.raises(IdentityError, match=f"{name}: cannot be read"):
        GatewayIdentity.load(lab)


@pytest.mark.parametrize("name", ["tls-key.pem", "ca.pem"])
def test_file_that_only_tls_needs_is_missed_by_the_context(lab, name):
    (lab / name).unlink()
    identity = GatewayIdentity.load(lab)
    with pytest.raises(IdentityError, match="TLS key, certificate or CA"):
        identity.tls_context()


@pytest.mark.parametrize("text", ["", "{}", '["!"]', "[]", '["AAAA"]', "[1]"])
def test_damaged_hub_keys_are_refused(lab, text):
    (lab / "hub-keys.json").write_text(text)
    with pytest.raises(IdentityError):
        GatewayIdentity.load(lab)


@pytest.mark.parametrize("name", ["tls-cert.pem", "batch-key.pem"])
def test_damaged_file_is_refused(lab, name):
    (lab / name).write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(IdentityError):
        GatewayIdentity.load(lab)


def test_hub_folder_is_no_gateway(lab):
    with pytest.raises(IdentityError, match="gateway id 'hub:main'"):
        GatewayIdentity.load(lab.parent / "ca" / "hubs" / "main")


def test_gateway_folder_is_no_hub(lab):
    with pytest.raises(IdentityError, match="'lab-1': expected a hub worker"):
        HubIdentity.load(lab)
