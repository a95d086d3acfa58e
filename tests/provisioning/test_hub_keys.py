"""The hub's signing key changes: stated before it is used, believed only along the statements."""

import base64

import msgspec
import pytest

from provisioning import files
from provisioning.algorithms import read_public, write_public
from provisioning.ca import CertificateAuthority
from provisioning.errors import IdentityError
from provisioning.est import KeyStatement, statement_bytes
from provisioning.hub_keys import HubKeys, believed, stage_next, use_next
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer

pytestmark = pytest.mark.requirement("G-7.2")


@pytest.fixture
def authority(tmp_path, now):
    return CertificateAuthority.create(tmp_path / "ca", now=now)


def keys(authority):
    return HubKeys.load(
        authority.folder, Ed25519Signer.from_pem(files.read(authority.folder / "signing-key.pem"))
    )


def test_next_key_is_stated_before_anything_is_signed_with_it(authority):
    first = authority.signer
    fresh = stage_next(authority.folder)
    found = keys(authority)
    assert found.keys == (write_public(first.public_key), write_public(fresh.public_key))
    assert CertificateAuthority.load(authority.folder).signer.key_id == first.key_id
    assert believed([found.keys[0]], found.statements) == list(found.keys)


def test_key_taken_into_use_reaches_the_workers(authority, now):
    worker = authority.issue_hub("main", now=now)
    stage_next(authority.folder)
    fresh = use_next(authority.folder)
    assert HubIdentity.load(worker.folder).signer.key_id == fresh.key_id
    assert CertificateAuthority.load(authority.folder).signer.key_id == fresh.key_id
    assert not (authority.folder / "next-signing-key.pem").exists()


def test_gateway_made_meanwhile_knows_both_keys(authority, tmp_path, now):
    first = authority.signer
    fresh = stage_next(authority.folder)
    made = authority.issue_gateway("both-1", tmp_path / "both", now=now)
    assert set(made.hub_verifiers) == {first.key_id, fresh.key_id}
    assert GatewayIdentity.load(made.folder).hub_verifiers[fresh.key_id](b"x", fresh.sign(b"x"))


def test_two_changes_are_walked_in_any_order(authority):
    for _ in range(2):
        stage_next(authority.folder)
        use_next(authority.folder)
    found = keys(authority)
    assert len(found.keys) == 3
    assert believed([found.keys[0]], list(reversed(found.statements))) == list(found.keys)


def test_second_next_key_is_refused_while_one_waits(authority):
    stage_next(authority.folder)
    with pytest.raises(IdentityError, match="a next key is there already"):
        stage_next(authority.folder)


def test_nothing_is_used_without_a_next_key(authority):
    with pytest.raises(IdentityError, match=r"next-signing-key\.pem: cannot be read"):
        use_next(authority.folder)


def test_key_without_a_statement_is_not_used(authority):
    """A crash between the key and its statement: nobody was told, so nobody would believe it."""
    files.write_new(authority.folder / "next-signing-key.pem", Ed25519Signer.generate().to_pem())
    with pytest.raises(IdentityError, match="no statement leads to it"):
        use_next(authority.folder)


def test_statement_of_a_stranger_is_not_believed(authority):
    stage_next(authority.folder)
    found = keys(authority)
    stranger = Ed25519Signer.generate()
    key = write_public(stranger.public_key)
    signature = base64.b64encode(stranger.sign(statement_bytes(1, key))).decode()
    own = KeyStatement(key, 1, stranger.key_id.hex(), signature)
    claimed = KeyStatement(key, 1, authority.signer.key_id.hex(), signature)
    (real,) = found.statements
    altered = msgspec.structs.replace(real, key=key)
    renumbered = msgspec.structs.replace(real, number=2)
    noise = KeyStatement("sm9:AAAA", 1, "zz", "!!")
    pinned = [found.keys[0]]
    assert believed(pinned, [own, claimed, altered, renumbered, noise]) == pinned


def test_chain_with_a_missing_link_ends_there(authority):
    for _ in range(2):
        stage_next(authority.folder)
        use_next(authority.folder)
    found = keys(authority)
    assert believed([found.keys[0]], found.statements[1:]) == [found.keys[0]]


def test_damaged_list_is_named(authority):
    (authority.folder / "signing-keys.json").write_text("{}")
    with pytest.raises(IdentityError, match=r"signing-keys\.json"):
        keys(authority)


@pytest.mark.parametrize("text", ["sm2:AAAA", "ed25519:!!", "AAAA", "ed25519:" + "A" * 8])
def test_key_of_no_known_algorithm_is_refused(text):
    with pytest.raises(IdentityError):
        read_public(text)


def test_key_is_read_with_and_without_its_algorithm():
    key = Ed25519Signer.generate()
    plain = write_public(key.public_key)
    assert read_public(plain).key_id == read_public(f"ed25519:{plain}").key_id == key.key_id
