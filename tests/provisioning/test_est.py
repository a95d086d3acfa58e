"""Requests and answers as bytes: what is read strictly, what a certificate holds whatever was wished for."""

import asyncio
import contextlib
import ssl
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from provisioning import certificates, est, est_client, identity
from provisioning.ca import CertificateAuthority
from provisioning.errors import EnrolmentError, RequestError
from provisioning.est_client import Trust

pytestmark = pytest.mark.requirement("G-7.2a")


def test_request_says_name_and_key():
    key = certificates.new_key()
    name, public = est.read_request(est.make_request("lab-1", key))
    assert (name, public) == ("lab-1", key.public_key())


@given(st.binary(max_size=600))
def test_noise_is_no_request(noise):
    with pytest.raises(RequestError):
        est.read_request(noise)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_request_with_one_other_byte_is_never_taken_for_somebody_else(place, change):
    """Every byte is signed or belongs to the signature, but for the count of unused bits in its end."""
    der = bytearray(REQUEST)
    der[place % len(der)] ^= change
    with contextlib.suppress(RequestError):
        assert est.read_request(bytes(der)) == est.read_request(REQUEST)
        assert place % len(der) == UNUSED_BITS


REQUEST = est.make_request("lab-1", certificates.new_key())
UNUSED_BITS = len(REQUEST) - 1 - len(x509.load_der_x509_csr(REQUEST).signature)


def test_request_with_a_weak_hash_is_refused():
    key = certificates.new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab-1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA224())
    with pytest.raises(RequestError, match="SHA-256"):
        est.read_request(request.public_bytes(serialization.Encoding.DER))


def test_request_with_another_curve_is_refused():
    key = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(RequestError, match="P-256"):
        est.read_request(est.make_request("lab-1", key))


def test_certificates_survive_the_way(authority):
    sent = [authority.root, authority.issuing.certificate]
    assert set(est.read_certificates(est.certificates_only(sent))) == set(sent)


@pytest.mark.parametrize("body", [b"", b"AAAA", b"!!", b"MAA="])
def test_answer_that_holds_no_certificates_is_refused(body):
    with pytest.raises(RequestError):
        est.read_certificates(body)


def test_base64_is_read_whatever_its_lines():
    assert est.from_base64(b" AA\r\nEC\n") == est.from_base64(b"AAEC") == b"\x00\x01\x02"


# --- what a client believes -----------------------------------------------------------------------------


def test_pinned_root_is_found_among_others(authority, tmp_path, now):
    other = CertificateAuthority.create(tmp_path / "other", now=now)
    found = [other.root, other.issuing.certificate, authority.issuing.certificate, authority.root]
    trust = Trust.pinned(found, certificates.spki_sha256(authority.root))
    assert (trust.root, trust.others) == (authority.root, (authority.issuing.certificate,))


def test_certificate_that_only_borrows_the_pinned_key_is_not_believed(authority, now):
    """The key is public: anybody can write it into a certificate, and only its owner can sign one."""
    thief = certificates.new_key()
    borrowed = (
        x509.CertificateBuilder()
        .subject_name(authority.root.subject)
        .issuer_name(authority.root.issuer)
        .public_key(authority.root.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 1))
        .sign(thief, hashes.SHA256())
    )
    with pytest.raises(EnrolmentError, match="another key"):
        Trust.pinned([borrowed], certificates.spki_sha256(authority.root))


def test_leaf_of_a_stranger_leads_nowhere(authority, tmp_path, now):
    trust = Trust(authority.root, (authority.issuing.certificate,))
    other = CertificateAuthority.create(tmp_path / "other", now=now)
    key = certificates.new_key().public_key()
    good = authority.sign_gateway("lab-1", key, now=now, days=1)
    assert trust.chain(good) == [good, authority.issuing.certificate]
    with pytest.raises(EnrolmentError, match="did not sign"):
        trust.chain(other.sign_gateway("lab-1", key, now=now, days=1))


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30.0), ("", 0.0), ("soon", 0.0), ("9" * 8, 604800.0), ("-1", 0.0)]
)
def test_time_that_a_hub_asks_for_is_bounded(text, seconds):
    assert est_client.Answer(202, {"retry-after": text}, b"").wait_s == seconds


# --- what an authority keeps ----------------------------------------------------------------------------


def test_root_key_can_be_kept_elsewhere(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now, root_key=tmp_path / "safe.pem")
    assert not (tmp_path / "ca" / "root-key.pem").exists()
    assert (
        certificates.key_from_pem((tmp_path / "safe.pem").read_bytes()).public_key()
        == authority.root.public_key()
    )
    authority.issue_gateway("lab-1", tmp_path / "lab-1", now=now)


def test_listener_certificate_is_renewed_in_time_and_for_new_names(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    path = authority.est_folder / "tls-cert.pem"
    first = path.read_bytes()
    assert not authority.keep_est_server(now=now)
    assert authority.keep_est_server(now=now, hosts=["hub.example"])
    second = path.read_bytes()
    assert not authority.keep_est_server(now=now, hosts=["hub.example"])
    assert authority.keep_est_server(now=certificates.renewal_due(certificates.from_pem(second)[0]))
    assert len({first, second, path.read_bytes()}) == 3


def test_listener_pair_that_was_left_halfway_is_made_again(tmp_path, now):
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    (authority.est_folder / "tls-cert.pem").unlink()
    assert authority.keep_est_server(now=now)


def test_list_of_revoked_certificates_lasts_as_long_as_its_issuer(authority, now):
    listed = x509.load_pem_x509_crl(authority.write_revocations([5, 3, 5], now=now).read_bytes())
    assert sorted(one.serial_number for one in listed) == [3, 5]
    assert listed.next_update_utc == authority.issuing.certificate.not_valid_after_utc
    issuer = authority.issuing.certificate.public_key()
    assert listed.is_signature_valid(issuer)


def test_validity_of_a_leaf_is_judged_in_thirds(authority, now):
    leaf = authority.sign_gateway("lab-1", certificates.new_key().public_key(), now=now, days=90)
    assert 59 <= (certificates.renewal_due(leaf) - now).days < 61
    assert certificates.renewal_due(authority.root) > now


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_hub_that_drips_its_answer_is_given_up_in_time(tmp_path, begin):
    """Each byte comes well within the time for one byte, and there is no end of them."""
    authority = CertificateAuthority.create(tmp_path / "ca", now=datetime.now(UTC))
    authority.keep_est_server(now=datetime.now(UTC), hosts=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        authority.est_folder / identity.TLS_CERTIFICATE, authority.est_folder / identity.TLS_KEY
    )

    async def drip(reader, writer):
        writer.write(begin)
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    async def scene():
        async with await asyncio.start_server(drip, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            began = time.monotonic()
            with pytest.raises(EnrolmentError, match="no whole answer") as refused:
                await asyncio.to_thread(
                    est_client.fetch_trust, f"https://127.0.0.1:{port}", bytes(32), timeout_s=2.0, total_s=0.5
                )
            return time.monotonic() - began, refused.value.again

    took, again = asyncio.run(scene())
    assert 0.5 <= took < 2.0
    assert again
