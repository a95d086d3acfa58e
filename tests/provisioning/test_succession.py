"""The issuing CA is followed by the next one: gateways of both go on, and a crash loses nothing."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from provisioning import certificates, ends, succession
from provisioning.ca import ISSUING_DAYS, CertificateAuthority
from provisioning.certificates import Issuer, Validity
from provisioning.errors import IdentityError, ProofError
from provisioning.proof import check_key_proof

SAFE = "safe-root-key.pem"


@pytest.fixture
def old(authority: CertificateAuthority, tmp_path: Path) -> CertificateAuthority:
    """An authority whose root's key is kept elsewhere; its own copy."""
    shutil.copytree(authority.folder, tmp_path / "ca")
    (tmp_path / "ca" / "root-key.pem").rename(tmp_path / SAFE)
    return CertificateAuthority.load(tmp_path / "ca")


def root_of(authority: CertificateAuthority) -> Issuer:
    key = certificates.key_from_pem((authority.folder.parent / SAFE).read_bytes())
    return Issuer(key, authority.root)


def followed(authority: CertificateAuthority, now, **days) -> CertificateAuthority:
    made = succession.sign_next(succession.ask(authority.folder), root_of(authority), now=now, **days)
    return succession.use(authority.folder, made, now=now)


def lists(authority: CertificateAuthority) -> dict[str, set[int]]:
    """Return issuer -> revoked numbers, of what the broker is given; each is signed by its issuer."""
    begin = b"-----BEGIN X509 CRL-----"
    found = [x509.load_pem_x509_crl(begin + one) for one in authority.revocations_pem().split(begin)[1:]]
    issuers = [authority.issuing, *authority.earlier]
    for one, issuer in zip(found, issuers, strict=True):
        assert one.issuer == issuer.certificate.subject
        assert one.is_signature_valid(issuer.key.public_key())
    return {str(one.issuer): {entry.serial_number for entry in one} for one in found}


def test_gateways_of_both_issuing_cas_are_believed(old, tmp_path, now):
    before = old.issue_gateway("before", tmp_path / "before", now=now)
    later = now + timedelta(days=8 * 365)
    new = followed(old, later)
    after = new.issue_gateway("after", tmp_path / "after", now=later)
    for one, at in ((before, now), (after, later)):
        assert check_key_proof(one.gateway, one.key_proof(), old.root, now=at) == one.signer.public_key
    assert new.root == old.root
    assert new.chain == [old.root, new.issuing.certificate, old.issuing.certificate]
    assert new.issuing.certificate.subject != old.issuing.certificate.subject
    assert new.issuing.certificate.not_valid_after_utc == (
        later.replace(microsecond=0) + timedelta(days=ISSUING_DAYS)
    )


def test_next_one_may_issue_leaves_and_nothing_else(old, tmp_path, now):
    new = followed(old, now)
    below = certificates.intermediate(new.issuing, "one more", Validity(now, 10))
    identity = new.issue_gateway("honest", tmp_path / "honest", now=now)
    leaf = certificates.client(
        below,
        "honest",
        uri="urn:heng:gateway:honest",
        key=certificates.from_pem(identity.certificate_pem.encode())[0].public_key(),
        validity=Validity(now, 5),
    )
    chain = certificates.to_pem([leaf, below.certificate, new.issuing.certificate]).decode()
    proof = identity.key_proof()
    forged = type(proof)(certificate_pem=chain, public_key=proof.public_key, signature=proof.signature)
    with pytest.raises(ProofError, match="not to be trusted"):
        check_key_proof("honest", forged, old.root, now=now)


def test_what_is_revoked_stays_so_under_both(old, now):
    old.write_revocations([4711, 815], now=now)
    new = followed(old, now)
    assert set(map(frozenset, lists(new).values())) == {frozenset({4711, 815})}
    assert len(lists(new)) == 2
    new.write_revocations([4711, 815, 9], now=now)
    assert all(one == {4711, 815, 9} for one in lists(CertificateAuthority.load(new.folder)).values())


def test_it_can_be_done_again_and_again(old, now):
    third = followed(followed(old, now), now)
    assert len(third.earlier) == 2
    assert len({one.certificate.subject for one in (third.issuing, *third.earlier)}) == 3
    assert len(lists(third)) == 3


def test_no_private_key_is_in_what_leaves_the_hub(old):
    request = succession.ask(old.folder)
    assert b"PRIVATE" not in request
    assert succession.ask(old.folder).split(b"\n")[0] == b"-----BEGIN CERTIFICATE REQUEST-----"
    assert (old.folder / succession.NEXT_KEY).stat().st_mode & 0o077 == 0


def test_it_ends_with_its_root_at_the_latest_and_so_do_leaves(old, tmp_path, now):
    late = old.root.not_valid_after_utc - timedelta(days=40)
    new = followed(old, late)
    assert new.issuing.certificate.not_valid_after_utc == old.root.not_valid_after_utc
    leaf = new.sign_gateway("late", certificates.new_key().public_key(), now=late, days=90)
    assert leaf.not_valid_after_utc == old.root.not_valid_after_utc
    over = old.root.not_valid_after_utc
    with pytest.raises(IdentityError, match=r"ended on \d{4}-\d\d-\d\d: it issues nothing any more"):
        new.sign_gateway("late", certificates.new_key().public_key(), now=over, days=90)
    with pytest.raises(IdentityError, match="it issues nothing any more"):
        succession.sign_next(succession.ask(old.folder), root_of(old), now=over)


class Crash(Exception):
    pass


FILES = [
    "earlier/key",
    "earlier/certificate",
    "issuing-key.pem",
    "issuing-cert.pem",
    "crl.pem",
]


@pytest.mark.parametrize("number", range(len(FILES)), ids=FILES)
def test_it_goes_on_after_a_crash_behind_any_file(old, now, number):
    """A crash is a state of the folder: one in which so many files were put in place, and no more."""
    folder = old.folder
    made = succession.sign_next(succession.ask(folder), root_of(old), now=now)
    key = (folder / succession.NEXT_KEY).read_bytes()
    aside = folder / "earlier" / certificates.serial_text(old.issuing.certificate)
    steps = [
        (aside / "issuing-key.pem", (folder / "issuing-key.pem").read_bytes()),
        (aside / "issuing-cert.pem", (folder / "issuing-cert.pem").read_bytes()),
        (folder / "issuing-key.pem", key),
        (folder / "issuing-cert.pem", made),
        (folder / "crl.pem", (folder / "crl.pem").read_bytes()),
    ]
    aside.mkdir(parents=True)
    for path, data in steps[: number + 1]:
        path.write_bytes(data)
    new = succession.use(folder, made, now=now)
    assert [one.certificate for one in new.earlier] == [old.issuing.certificate]
    assert certificates.to_pem([new.issuing.certificate]) == made
    assert not (folder / succession.NEXT_KEY).exists()
    assert len(lists(CertificateAuthority.load(folder))) == 2


def test_key_and_certificate_that_do_not_fit_are_not_used(old, now):
    """What a crash may leave: nothing is issued with it, and the words say which file it is."""
    succession.ask(old.folder)
    (old.folder / "issuing-key.pem").write_bytes((old.folder / succession.NEXT_KEY).read_bytes())
    with pytest.raises(IdentityError, match=r"issuing-cert\.pem: is not of the key beside it"):
        CertificateAuthority.load(old.folder)


def test_certificates_that_are_not_the_next_one_are_refused(old, tmp_path, now):
    request = succession.ask(old.folder)
    other = CertificateAuthority.create(tmp_path / "other", now=now, root_key=tmp_path / "other-root.pem")
    foreign = Issuer(certificates.key_from_pem((tmp_path / "other-root.pem").read_bytes()), other.root)
    key = certificates.key_from_pem((old.folder / succession.NEXT_KEY).read_bytes())
    leaf = certificates.client(
        root_of(old), "lab", uri="urn:heng:gateway:lab", key=key, validity=Validity(now, 9)
    )
    early = succession.sign_next(request, root_of(old), now=now + timedelta(days=2))
    for wrong, words in (
        (succession.sign_next(request, foreign, now=now), "is not signed by the root"),
        (certificates.to_pem([old.issuing.certificate]), "is not of the key in next-issuing-key.pem"),
        (certificates.to_pem([leaf]), "expected one that may issue leaves"),
        (early, "not now"),
        (b"nonsense", "certificate:"),
    ):
        with pytest.raises(IdentityError, match=words):
            succession.use(old.folder, wrong, now=now)
    assert CertificateAuthority.load(old.folder).issuing.certificate == old.issuing.certificate
    assert not (old.folder / "earlier").exists()


@pytest.mark.parametrize("wrong", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n"])
def test_request_that_is_none_is_refused(old, now, wrong):
    with pytest.raises(IdentityError, match="request"):
        succession.sign_next(wrong, root_of(old), now=now)


def test_key_that_is_not_the_roots_signs_nothing(old, now):
    for certificate in (old.issuing.certificate, old.root):
        with pytest.raises(IdentityError, match="root: expected"):
            succession.sign_next(
                succession.ask(old.folder), Issuer(certificates.new_key(), certificate), now=now
            )


def test_est_listener_shows_a_certificate_of_the_next_one(old, now):
    new = followed(old, now)
    assert new.keep_est_server(now=now)
    assert not new.keep_est_server(now=now)
    shown = certificates.from_pem((new.est_folder / "tls-cert.pem").read_bytes())
    assert certificates.is_issued(shown[0], new.issuing.certificate)
    assert shown[1] == new.issuing.certificate


# --- what ends ------------------------------------------------------------------------------------------


def test_ends_are_told_long_before(old, now):
    old.issue_hub("main", now=now)
    found = {end.what: end for end in ends.of_authority(old.folder)}
    assert list(found) == [
        "certificate of the broker",
        "certificate of hub worker main",
        "issuing CA",
        "root CA",
        "hub CA",
    ]
    assert not any(end.is_near(now) for end in found.values())
    near = [end.what for end in found.values() if end.is_near(now + timedelta(days=740))]
    assert near == ["certificate of the broker", "certificate of hub worker main"]
    assert found["issuing CA"].is_near(now + timedelta(days=ISSUING_DAYS - 729))
    assert not found["issuing CA"].is_near(now + timedelta(days=ISSUING_DAYS - 731))
    told = found["issuing CA"].told(now)
    assert told == "issuing CA ends on 2036-03-01: heng ca issuing ask, sign, use"
    assert "ended on" in found["issuing CA"].told(now + timedelta(days=4000))
