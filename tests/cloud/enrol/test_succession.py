"""Gateways go over from one issuing CA to the next by themselves, through the real listener."""

import shutil
from dataclasses import replace

import pytest

from provisioning import certificates, enrolment, succession
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Issuer
from provisioning.proof import check_key_proof

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]


def enrolled(hub, tmp_path, name):
    claim = hub.claim(name)
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / name))
    return tmp_path / name


def succeeded(hub, tmp_path):
    """Return the hub before and after its issuing CA was followed by the next one; the folder is a copy."""
    folder = tmp_path / "ca"
    shutil.copytree(hub.authority.folder, folder)
    before = replace(hub, authority=CertificateAuthority.load(folder))

    def follow():
        key = certificates.key_from_pem((hub.authority.folder.parent / "safe-root-key.pem").read_bytes())
        root = Issuer(key, hub.authority.root)
        made = succession.sign_next(succession.ask(folder), root, now=hub.clock())
        return replace(hub, authority=succession.use(folder, made, now=hub.clock()))

    return before, follow


def test_gateway_goes_over_to_the_next_issuing_ca_when_it_renews(hub, tmp_path):
    before, follow = succeeded(hub, tmp_path)
    folder = enrolled(before, tmp_path, "heir-1")
    after = follow()
    assert enrolment.certificate_of(folder).issuer != after.authority.issuing.certificate.subject
    renewed = after.serve(lambda: enrolment.renew(folder))
    check_key_proof("heir-1", renewed.key_proof(), hub.authority.root, now=hub.clock())
    chain = certificates.from_pem((folder / "tls-cert.pem").read_bytes())
    assert chain[1] == after.authority.issuing.certificate
    assert certificates.is_issued(*chain)


def test_gateway_that_slept_until_its_issuing_ca_had_ended_comes_back(hub, tmp_path):
    before, follow = succeeded(hub, tmp_path)
    hub.clock.days(3560)
    folder = enrolled(before, tmp_path, "sleeper-1")
    after = follow()
    hub.clock.days(300)
    assert hub.clock() > before.authority.issuing.certificate.not_valid_after_utc
    renewed = after.serve(lambda: enrolment.renew(folder))
    check_key_proof("sleeper-1", renewed.key_proof(), hub.authority.root, now=hub.clock())


def test_answer_that_was_lost_is_given_again_by_the_next_issuing_ca(hub, tmp_path):
    before, follow = succeeded(hub, tmp_path)
    claim = hub.claim("lost-2")
    first = before.serve(lambda: enrolment.enrol(claim, tmp_path / "lost-2")).identity
    (tmp_path / "lost-2" / "tls-cert.pem").unlink()
    after = follow()
    again = after.serve(lambda: enrolment.enrol(claim, tmp_path / "lost-2"))
    assert again.identity.certificate_pem == first.certificate_pem
