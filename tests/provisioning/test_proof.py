import base64
from datetime import timedelta
from random import Random

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Validity
from provisioning.errors import IdentityError, ProofError
from provisioning.keys import Ed25519Signer
from provisioning.proof import check_key_proof, sign_key_proof
from wire.messages import KeyProof

pytestmark = pytest.mark.requirement("G-7.2a")


@pytest.fixture(scope="module")
def root(authority):
    return certificates.from_pem(authority.root_pem)[0]


@pytest.fixture(scope="module")
def lab(authority, tmp_path_factory, now):
    return authority.issue_gateway("lab-1", tmp_path_factory.mktemp("lab") / "identity", now=now, days=365)


def proof_by(issuer, common_name, now, *, gateway="lab-1", chain=()):
    """Return a proof for `gateway` with a fresh key whose certificate names `common_name`."""
    key = certificates.new_key()
    leaf = certificates.client(
        issuer, common_name, uri=f"urn:heng:gateway:{common_name}", key=key, validity=Validity(now, 365)
    )
    batch = Ed25519Signer.generate().public_key
    pem = certificates.to_pem([leaf, *chain]).decode()
    return KeyProof(certificate_pem=pem, public_key=batch, signature=sign_key_proof(gateway, batch, key))


def test_proof_of_an_issued_identity_holds(lab, root, now):
    assert check_key_proof("lab-1", lab.key_proof(), root, now=now) == lab.signer.public_key


def test_proof_holds_under_one_of_several_roots(lab, root, now):
    other = certificates.root("Other", Validity(now, 10)).certificate
    assert check_key_proof("lab-1", lab.key_proof(), [other, root], now=now) == lab.signer.public_key


def test_certificate_that_names_another_gateway_is_refused(lab, root, now):
    with pytest.raises(ProofError, match="gateway lab-2: its certificate names 'lab-1'"):
        check_key_proof("lab-2", lab.key_proof(), root, now=now)


@pytest.mark.parametrize("days", [-1, 366])
def test_certificate_outside_its_dates_is_refused(lab, root, now, days):
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-1", lab.key_proof(), root, now=now + timedelta(days=days))


def test_certificate_is_good_to_its_last_day(lab, root, now):
    last = now + timedelta(days=364, hours=23)
    assert check_key_proof("lab-1", lab.key_proof(), root, now=last) == lab.signer.public_key


def test_certificate_of_another_authority_is_refused(tmp_path, root, now):
    other = CertificateAuthority.create(tmp_path / "other", now=now)
    stranger = other.issue_gateway("lab-1", tmp_path / "lab-1", now=now)
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-1", stranger.key_proof(), root, now=now)


def test_self_signed_certificate_is_refused(root, now):
    own = certificates.root("lab-1", Validity(now, 10))
    batch = Ed25519Signer.generate().public_key
    pem = certificates.to_pem([own.certificate]).decode()
    proof = KeyProof(certificate_pem=pem, public_key=batch, signature=sign_key_proof("lab-1", batch, own.key))
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-1", proof, root, now=now)


def test_gateway_cannot_act_as_an_authority(lab, root, now):
    key = certificates.key_from_pem((lab.folder / "tls-key.pem").read_bytes())
    chain = certificates.from_pem(lab.certificate_pem.encode())
    proof = proof_by(certificates.Issuer(key, chain[0]), "lab-2", now, gateway="lab-2", chain=chain)
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-2", proof, root, now=now)


def test_missing_issuing_certificate_is_refused(authority, root, now):
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-1", proof_by(authority.issuing, "lab-1", now), root, now=now)


def test_certificate_of_a_hub_worker_is_refused(authority, root, now):
    proof = proof_by(authority.hub_ca, "lab-1", now, chain=[authority.hub_ca.certificate])
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("lab-1", proof, root, now=now)


def test_certificate_of_the_broker_is_refused(authority, root, now):
    folder = authority.broker_folder
    key = certificates.key_from_pem((folder / "tls-key.pem").read_bytes())
    batch = Ed25519Signer.generate().public_key
    proof = KeyProof(
        certificate_pem=(folder / "tls-cert.pem").read_text(),
        public_key=batch,
        signature=sign_key_proof("heng-broker", batch, key),
    )
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("heng-broker", proof, root, now=now)


def test_batch_key_that_was_swapped_is_refused(lab, root, now):
    swapped = msgspec.structs.replace(lab.key_proof(), public_key=Ed25519Signer.generate().public_key)
    with pytest.raises(ProofError, match="did not sign this batch key"):
        check_key_proof("lab-1", swapped, root, now=now)


@pytest.mark.parametrize("place", [0, 10, -1])
def test_signature_that_was_tampered_with_is_refused(lab, root, now, place):
    damaged = bytearray(lab.proof)
    damaged[place] ^= 1
    proof = msgspec.structs.replace(lab.key_proof(), signature=bytes(damaged))
    with pytest.raises(ProofError, match="did not sign this batch key"):
        check_key_proof("lab-1", proof, root, now=now)


def test_signature_for_another_gateway_is_refused(authority, root, now):
    """The same TLS key, but the words it signed name someone else."""
    chain = [authority.issuing.certificate]
    proof = proof_by(authority.issuing, "lab-1", now, gateway="lab-2", chain=chain)
    with pytest.raises(ProofError, match="did not sign this batch key"):
        check_key_proof("lab-1", proof, root, now=now)


def test_batch_key_of_wrong_length_is_refused(lab, root, now):
    short = msgspec.structs.replace(lab.key_proof(), public_key=b"x" * 31)
    with pytest.raises(ProofError, match="31 bytes: expected 32"):
        check_key_proof("lab-1", short, root, now=now)


@pytest.mark.parametrize(
    "pem", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_damaged_certificate_is_refused(lab, root, now, pem):
    damaged = msgspec.structs.replace(lab.key_proof(), certificate_pem=pem)
    with pytest.raises(ProofError, match="gateway lab-1"):
        check_key_proof("lab-1", damaged, root, now=now)


def test_long_chain_is_refused_unread(lab, root, now):
    long = msgspec.structs.replace(lab.key_proof(), certificate_pem=lab.certificate_pem * 3)
    with pytest.raises(ProofError, match="chain of 6: expected at most 4"):
        check_key_proof("lab-1", long, root, now=now)


def test_two_common_names_are_refused(authority, root, now):
    key = certificates.new_key()
    leaf = _client_named(authority, key, now, ["lab-1", "lab-2"])
    batch = Ed25519Signer.generate().public_key
    pem = certificates.to_pem([leaf, authority.issuing.certificate]).decode()
    proof = KeyProof(certificate_pem=pem, public_key=batch, signature=sign_key_proof("lab-1", batch, key))
    with pytest.raises(ProofError, match="2 common names"):
        check_key_proof("lab-1", proof, root, now=now)


def test_tls_key_of_another_kind_is_refused(authority, root, now):
    key = rsa.generate_private_key(65537, 2048)
    leaf = _client_named(authority, key, now, ["lab-1"])
    pem = certificates.to_pem([leaf, authority.issuing.certificate]).decode()
    proof = KeyProof(certificate_pem=pem, public_key=b"x" * 32, signature=b"x")
    with pytest.raises(ProofError, match="expected an elliptic curve"):
        check_key_proof("lab-1", proof, root, now=now)


def _client_named(authority, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, now, names):
    issued = certificates.client(
        authority.issuing, "x", uri="urn:x", key=certificates.new_key(), validity=Validity(now, 9)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names]))
        .issuer_name(issued.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued.not_valid_before_utc)
        .not_valid_after(issued.not_valid_after_utc)
    )
    for extension in issued.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(authority.issuing.key, hashes.SHA256())


def as_pem(der):
    text = base64.encodebytes(bytes(der)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("version", [3, 9, 127])
def test_certificate_of_an_unknown_version_is_refused(lab, root, now, version):
    leaf, *chain = certificates.from_pem(lab.certificate_pem.encode())
    der = bytearray(leaf.public_bytes(serialization.Encoding.DER))
    der[der.index(bytes.fromhex("a003020102")) + 4] = version
    pem = as_pem(der) + certificates.to_pem(chain).decode()
    proof = msgspec.structs.replace(lab.key_proof(), certificate_pem=pem)
    with pytest.raises(ProofError, match="not a valid X509 version"):
        check_key_proof("lab-1", proof, root, now=now)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_damaged_certificate_is_more_than_a_refusal(lab, root, now):
    whole = [
        c.public_bytes(serialization.Encoding.DER)
        for c in certificates.from_pem(lab.certificate_pem.encode())
    ]
    random = Random(1)
    refused = 0
    for _ in range(3000):
        damaged = [bytearray(der) for der in whole]
        for _ in range(random.choice((1, 1, 2, 3))):
            der = random.choice(damaged)
            der[random.randrange(len(der))] = random.randrange(256)
        pem = "".join(map(as_pem, damaged))
        try:
            check_key_proof(
                "lab-1", msgspec.structs.replace(lab.key_proof(), certificate_pem=pem), root, now=now
            )
        except ProofError:
            refused += 1
        for one in damaged:
            try:
                certificate = certificates.from_pem(as_pem(one).encode())[0]
                certificates.common_name(certificate)
                certificates.elliptic_key(certificate)
            except IdentityError:
                refused += 1
    assert refused > 3000


def test_certificate_that_is_no_text_is_refused(lab, root, now):
    proof = msgspec.structs.replace(lab.key_proof(), certificate_pem="\ud800")
    with pytest.raises(ProofError):
        check_key_proof("lab-1", proof, root, now=now)
