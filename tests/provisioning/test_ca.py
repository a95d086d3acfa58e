import ssl
import stat

import pytest
from cryptography import x509

from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.errors import IdentityError
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer

PRIVATE = {
    "root-key.pem",
    "issuing-key.pem",
    "hub-ca-key.pem",
    "signing-key.pem",
    "share-name",
    "tls-key.pem",
    "batch-key.pem",
}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_private_files_are_for_their_owner_alone(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    authority.issue_gateway("lab-1", tmp_path / "lab-1", now=now)
    authority.issue_hub("main", now=now)
    files = list(contents(tmp_path))
    assert {path.name for path in files if mode(path) == 0o600} == PRIVATE
    assert {path.name for path in files if mode(path) & 0o077} & PRIVATE == set()
    for path in files:
        assert (b"PRIVATE KEY" in path.read_bytes()) <= (mode(path) == 0o600)


def test_second_creation_changes_nothing(tmp_path, now):
    CertificateAuthority.create(tmp_path / "ca", now=now)
    before = contents(tmp_path)
    with pytest.raises(IdentityError, match="holds a certificate authority already"):
        CertificateAuthority.create(tmp_path / "ca", now=now)
    assert contents(tmp_path) == before


def test_half_made_authority_is_not_overwritten(tmp_path, now):
    (tmp_path / "root-key.pem").write_text("precious")
    with pytest.raises(IdentityError, match=r"root-key\.pem: is there already"):
        CertificateAuthority.create(tmp_path, now=now)
    assert (tmp_path / "root-key.pem").read_text() == "precious"


def test_gateway_id_is_never_issued_twice(authority, tmp_path, now):
    authority.issue_gateway("once", tmp_path / "a", now=now)
    before = contents(authority.folder)
    with pytest.raises(IdentityError, match="never overwritten"):
        authority.issue_gateway("once", tmp_path / "b", now=now)
    assert not (tmp_path / "b").exists()
    assert contents(authority.folder) == before


def test_folder_with_files_is_not_written_to(authority, tmp_path, now):
    (tmp_path / "note").write_text("mine")
    for issue in (authority.issue_gateway, authority.issue_hub):
        with pytest.raises(IdentityError, match="never overwritten"):
            issue("fresh", tmp_path, now=now)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
    authority.issue_gateway("fresh", tmp_path / "fresh", now=now)


@pytest.mark.parametrize("name", ["", "Lab", "lab_1", "lab/1", "../lab", "+", "#", "a" * 64, "lab 1", "läb"])
def test_name_outside_the_alphabet_is_refused(authority, tmp_path, now, name):
    before = contents(authority.folder)
    for issue in (authority.issue_gateway, authority.issue_hub):
        with pytest.raises(IdentityError, match="1 to 63"):
            issue(name, tmp_path / "out", now=now)
    assert contents(authority.folder) == before
    assert not (tmp_path / "out").exists()


def test_loaded_authority_is_the_one_that_was_made(authority):
    again = CertificateAuthority.load(authority.folder)
    assert again.signer.public_key == authority.signer.public_key
    assert again.issuing.certificate == authority.issuing.certificate
    assert again.hub_ca.certificate == authority.hub_ca.certificate
    assert again.share_name == authority.share_name


def test_missing_file_is_named(tmp_path):
    with pytest.raises(IdentityError, match=r"issuing-key\.pem: cannot be read: No such file"):
        CertificateAuthority.load(tmp_path)


def test_server_certificate_names_this_machine_and_the_given_hosts(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now, hosts=["hub.example", "10.1.2.3"])
    leaf = certificates.from_pem((authority.broker_folder / "tls-cert.pem").read_bytes())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "hub.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.1.2.3"]


def test_impossible_host_is_refused(tmp_path, now):
    with pytest.raises(IdentityError, match="host 'hüb'"):
        CertificateAuthority.create(tmp_path / "ca", now=now, hosts=["hüb"])


def test_hub_names_are_those_issued(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    assert authority.hub_names() == []
    authority.issue_hub("watch", now=now)
    elsewhere = authority.issue_hub("ingest", tmp_path / "out", now=now)
    assert authority.hub_names() == ["ingest", "watch"]
    assert elsewhere.folder == tmp_path / "out"


def test_gateway_pins_the_key_of_the_hub(authority, tmp_path, now):
    authority.issue_gateway("pins-1", tmp_path / "pins", now=now)
    hub = authority.issue_hub("pinned", now=now)
    gateway = GatewayIdentity.load(tmp_path / "pins")
    assert list(gateway.hub_verifiers) == [hub.signer.key_id]
    assert gateway.hub_verifiers[hub.signer.key_id](b"word", hub.signer.sign(b"word"))
    assert not gateway.hub_verifiers[hub.signer.key_id](b"word", Ed25519Signer.generate().sign(b"word"))


def test_tls_contexts_want_tls_1_3_and_a_known_server(authority, tmp_path, now):
    gateway = authority.issue_gateway("tls-1", tmp_path / "tls", now=now)
    hub = authority.issue_hub("tls", now=now)
    for context in (gateway.tls_context(), hub.tls_context()):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert len(context.get_ca_certs()) == 1


def test_hub_client_ids_are_no_gateway_ids(authority, now):
    hub = authority.issue_hub("ids", now=now)
    assert hub.client_id("ingest") == "hub:ids:ingest"
    assert HubIdentity.load(hub.folder).name == "ids"
