"""From a claim to an identity, through the real listener: what works, what is refused, what is kept."""

import json
import os
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from provisioning import certificates, enrolment, est, est_client
from provisioning.ca import CertificateAuthority
from provisioning.certificates import Issuer, Validity
from provisioning.claim import Claim, write_claim
from provisioning.errors import EnrolmentError, IdentityError
from provisioning.est_client import Connection, Trust
from provisioning.identity import GatewayIdentity
from provisioning.keystore import FileKeyStore
from provisioning.proof import check_key_proof

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]


def with_code(claim: Claim, code: str) -> Claim:
    return Claim(url=claim.url, ca_sha256=claim.ca_sha256, gateway=claim.gateway, code=code)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def connection(hub, context=None):
    return Connection(hub.url, context or Trust(hub.authority.root).context())


def test_claim_becomes_an_identity(hub, tmp_path):
    claim = hub.claim("first-1")
    made = hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    assert made.fresh
    assert made.identity.gateway == "first-1"
    assert made.identity.hub_verifiers.keys() == {hub.authority.signer.key_id}
    proven = check_key_proof("first-1", made.identity.key_proof(), hub.authority.root, now=hub.clock())
    assert proven == made.identity.signer.public_key
    assert enrolment.place_of(tmp_path / "identity").broker == "mqtts://localhost:8883"
    done = [action for action, outcome, _ in hub.audited("first-1") if outcome == "done"]
    assert done == ["gateway.claim", "gateway.enrol"]


def test_private_key_never_leaves_the_gateway(hub, tmp_path):
    claim = hub.claim("private-1")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    stored = hub.lab.execute("SELECT certificate_pem FROM certificates")
    assert "PRIVATE" not in json.dumps(stored)
    assert (tmp_path / "identity" / "tls-key.pem").stat().st_mode & 0o077 == 0


def test_code_is_kept_as_a_hash_alone(hub):
    code = hub.claim("hashed-1").code.replace("-", "")
    for table in ("claims", "audit_log"):
        text = json.dumps(hub.lab.execute(f"SELECT t::text FROM {table} t"))
        assert code not in text


def test_enrolling_again_changes_nothing_and_asks_nobody(hub, tmp_path):
    claim = hub.claim("again-1")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    before = contents(tmp_path / "identity")
    assert not enrolment.enrol(claim, tmp_path / "identity").fresh
    assert contents(tmp_path / "identity") == before


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", ["keys", "ca", "hub", "issued", "certificate"])
def test_enrolment_goes_on_after_a_crash_at_any_step(hub, tmp_path, step):
    """After `issued` the code is used up and the gateway has nothing: it gets the same certificate."""
    claim = hub.claim(f"crash-{step}")

    def crash(done):
        if done == step:
            raise Crash

    def scene():
        with pytest.raises(Crash):
            enrolment.enrol(claim, tmp_path / "identity", done=crash)
        return enrolment.enrol(claim, tmp_path / "identity")

    made = hub.serve(scene)
    assert made.fresh == (step != "certificate")
    assert made.identity.gateway == f"crash-{step}"
    issued = hub.lab.execute(
        "SELECT count(*) FROM certificates c JOIN gateways g ON g.id = c.gateway_id WHERE g.name = %s",
        f"crash-{step}",
    )
    assert issued == [(1,)]


def there(folder):
    """Return what is in a folder, so that another file in a place of the same name is seen too."""
    if not folder.exists():
        return set()
    with os.scandir(folder) as found:
        return {(one.name, one.inode()) for one in found}


def killed_behind(command, folder, changes):
    """Start a command, kill it when it has changed a folder so often; return whether that was in time."""
    seen, pause = there(folder), threading.Event()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while changes and process.poll() is None:
            now = there(folder)
            changes -= now != seen
            seen = now
            pause.wait(0.0005)
        process.kill()
    return process.returncode < 0


def test_process_that_is_killed_at_any_moment_goes_on_where_it_was(hub, tmp_path):
    """A power cut does not wait for a step to end: the real command, killed behind more and more changes.

    What it has done says when, and no clock: so it is killed at work, on a slow machine as on a quick one.
    """
    claim = hub.claim("killed-1")
    (tmp_path / "claim.json").write_bytes(write_claim(claim))
    words = [sys.executable, "-m", "cli.main", "enrol", tmp_path / "claim.json"]
    command = [*words, "--identity", tmp_path / "identity"]

    def scene():
        killed = [killed_behind(command, tmp_path / "identity", changes) for changes in (1, 2, 4, 6)]
        return killed, subprocess.run(command, check=True, capture_output=True, timeout=60)

    killed, _ = hub.serve(scene)
    assert sum(killed) >= 3
    made = GatewayIdentity.load(tmp_path / "identity")
    check_key_proof("killed-1", made.key_proof(), hub.authority.root, now=hub.clock())
    assert made.tls_context() is not None
    assert not list((tmp_path / "identity").glob("*.new"))


def test_used_code_buys_no_second_gateway(hub, tmp_path):
    claim = hub.claim("once-1")

    def scene():
        enrolment.enrol(claim, tmp_path / "one")
        with pytest.raises(EnrolmentError, match="403: the claim code was used before") as caught:
            enrolment.enrol(claim, tmp_path / "two")
        return caught.value.again

    assert hub.serve(scene) is False
    assert not (tmp_path / "two" / "tls-cert.pem").exists()
    assert hub.audited("once-1")[-1] == ("gateway.enrol", "refused", "code used again with another key")


def test_id_that_was_issued_by_hand_is_not_issued_again(hub, tmp_path):
    hub.authority.issue_gateway("hand-2", tmp_path / "hand", now=hub.clock())
    claim = hub.claim("hand-2")
    with pytest.raises(EnrolmentError, match="403: the gateway id was issued before"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))


def test_id_that_was_enrolled_is_not_issued_by_hand(hub, tmp_path):
    claim = hub.claim("net-1")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    with pytest.raises(IdentityError, match="never overwritten"):
        hub.authority.issue_gateway("net-1", tmp_path / "hand", now=hub.clock())


def test_expired_claim_is_refused(hub, tmp_path):
    claim = hub.claim("late-1", hours=1)
    hub.clock.at += timedelta(hours=1)
    with pytest.raises(EnrolmentError, match="403: the claim has expired"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))


def test_lost_answer_is_not_given_again_once_the_claim_expired(hub, tmp_path):
    claim = hub.claim("lost-1", hours=1)
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    (tmp_path / "identity" / "tls-cert.pem").unlink()
    hub.clock.at += timedelta(hours=2)
    with pytest.raises(EnrolmentError, match="403: the claim code was used before"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))


def test_wrong_code_and_unknown_gateway_are_answered_alike(hub, tmp_path):
    claim = hub.claim("guess-1")
    unknown = Claim(url=claim.url, ca_sha256=claim.ca_sha256, gateway="nobody-1", code="00000000")

    def scene():
        said = []
        for number, guess in enumerate((with_code(claim, "0000-0000"), unknown)):
            with pytest.raises(EnrolmentError) as caught:
                enrolment.enrol(guess, tmp_path / str(number))
            said.append(str(caught.value))
        return said

    first, second = hub.serve(scene)
    assert first == second == "the hub answered 401: gateway and claim code do not belong together"
    assert ("gateway.enrol", "refused", "wrong code, the 1. of this claim") in hub.audited("guess-1")


@pytest.mark.requirement("G-7.2b")
def test_guessing_is_slowed_down_and_then_ended(hub, tmp_path):
    """An address may be wrong ten times; a claim is void after so many wrong codes, from wherever."""
    claim = hub.claim("guessed-1")

    def guess(number):
        with pytest.raises(EnrolmentError) as caught:
            enrolment.enrol(with_code(claim, f"0000-{number:04}"), tmp_path / "identity")
        return str(caught.value)

    said = hub.serve(lambda: [guess(number) for number in range(12)])
    assert ["401" in one for one in said] == [True] * 10 + [False] * 2
    assert all("429" in one for one in said[10:])
    hub.lab.execute(
        "UPDATE claims SET wrong_codes = %s"
        " WHERE gateway_id = (SELECT id FROM gateways WHERE name = 'guessed-1')",
        hub.policy.wrong_codes,
    )
    with pytest.raises(EnrolmentError, match="401"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))


def test_newer_claim_voids_the_older_one(hub, tmp_path):
    older = hub.claim("twice-1")
    newer = hub.claim("twice-1")

    def scene():
        with pytest.raises(EnrolmentError, match="401"):
            enrolment.enrol(older, tmp_path / "identity")
        return enrolment.enrol(newer, tmp_path / "identity")

    assert hub.serve(scene).fresh


@pytest.mark.parametrize("pin", ["00" * 32, "ff" * 32])
def test_hub_with_another_ca_is_told_no_code(hub, tmp_path, pin):
    claim = hub.claim("pinned-1")
    other = Claim(url=claim.url, ca_sha256=pin, gateway=claim.gateway, code=claim.code)
    with pytest.raises(EnrolmentError, match="another key than the claim says") as caught:
        hub.serve(lambda: enrolment.enrol(other, tmp_path / "identity"))
    assert not caught.value.again
    assert ("gateway.enrol", "done", "") not in hub.audited("pinned-1")


def test_thief_who_shows_the_right_ca_is_told_no_code(hub, tmp_path):
    """The CA's certificate is no secret: who only repeats it does not hold its key, and TLS says so."""
    claim = hub.claim("thief-1")
    folder = tmp_path / "other"
    thief = CertificateAuthority.create(folder, now=hub.clock())
    leaf = thief.est_folder
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf / "tls-cert.pem", leaf / "tls-key.pem")
    trust = Trust(hub.authority.root)

    def scene():
        with pytest.raises(EnrolmentError, match="is not the claimed hub"):
            Connection(claim.url, Trust(thief.root).context()).enrol(b"", gateway="thief-1", code=claim.code)
        return est_client.fetch_trust(claim.url, certificates.spki_sha256(trust.root)).root

    assert hub.serve(scene) == hub.authority.root


def begun(folder, authority):
    """Leave what an enrolment leaves that a hub refused by its code."""
    FileKeyStore(folder).make()
    (folder / "ca.pem").write_bytes(certificates.to_pem([authority.root]))
    (folder / "hub.json").write_text('{"url": "https://other", "broker": "mqtts://other:8883"}')
    (folder / "hub-keys.json").write_text('["not of this hub"]')


def test_folder_that_never_enrolled_anywhere_takes_the_claim_of_another_hub(hub, tmp_path):
    begun(tmp_path / "identity", CertificateAuthority.create(tmp_path / "other", now=hub.clock()))
    key = (tmp_path / "identity" / "tls-key.pem").read_bytes()
    made = hub.serve(lambda: enrolment.enrol(hub.claim("moved-1"), tmp_path / "identity"))
    assert made.fresh
    assert made.identity.hub_verifiers.keys() == {hub.authority.signer.key_id}
    assert (tmp_path / "identity" / "tls-key.pem").read_bytes() == key


def test_folder_that_another_hub_gave_a_certificate_is_left_alone(hub, tmp_path):
    """The proof comes just before the certificate: a crash between them counts as one that is there."""
    begun(tmp_path / "identity", CertificateAuthority.create(tmp_path / "other", now=hub.clock()))
    (tmp_path / "identity" / "key-proof.bin").write_bytes(b"proof")
    before = contents(tmp_path / "identity")
    with pytest.raises(IdentityError, match="belongs to another hub than the claim"):
        enrolment.enrol(hub.claim("moved-2"), tmp_path / "identity")
    assert contents(tmp_path / "identity") == before


def test_identity_of_another_gateway_is_left_alone(hub, tmp_path):
    claim = hub.claim("mine-1")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    before = contents(tmp_path / "identity")
    with pytest.raises(IdentityError, match="belongs to gateway mine-1"):
        enrolment.enrol(hub.claim("yours-1"), tmp_path / "identity")
    assert contents(tmp_path / "identity") == before


@pytest.mark.parametrize("certificate_days", [1, 90])
@pytest.mark.requirement("G-7.2a")
def test_gateway_needs_no_clock(hub, tmp_path, certificate_days):
    """The hub lives in nine years, or 20 years ago, for the gateway: nobody asks for the other's time."""
    for number, years in enumerate((-20, 9)):
        hub.clock.at = datetime.now(UTC) + timedelta(days=365 * years)
        claim = hub.claim(f"clock-{certificate_days}-{number}")
        made = hub.serve(lambda claim=claim, number=number: enrolment.enrol(claim, tmp_path / str(number)))
        assert made.identity.gateway == claim.gateway
        renewed = hub.serve(lambda number=number: enrolment.renew(tmp_path / str(number)))
        assert renewed.certificate_pem != made.identity.certificate_pem


def test_issuing_ca_that_has_ended_issues_nothing_and_says_so(hub, tmp_path):
    """What it signed would be refused by the broker, and the gateway would take it for good."""
    claim = hub.claim("too-late-1", hours=24)
    hub.clock.at = hub.authority.issuing.certificate.not_valid_after_utc
    hub.lab.execute(
        "UPDATE claims SET expires_at = %s"
        " WHERE gateway_id = (SELECT id FROM gateways WHERE name = 'too-late-1')",
        hub.clock.at + timedelta(days=1),
    )
    with pytest.raises(EnrolmentError, match="503: the hub cannot issue at the moment"):
        hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))


# --- renewal and recovery -------------------------------------------------------------------------------


def enrolled(hub, tmp_path, name):
    claim = hub.claim(name)
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / name))
    return tmp_path / name


def test_renewal_keeps_the_keys_and_moves_the_end(hub, tmp_path):
    folder = enrolled(hub, tmp_path, "renew-1")
    before = GatewayIdentity.load(folder)
    old = enrolment.certificate_of(folder)
    assert not enrolment.is_due(old, hub.clock())
    hub.clock.days(61)
    assert enrolment.is_due(old, hub.clock())
    after = hub.serve(lambda: enrolment.renew(folder))
    new = enrolment.certificate_of(folder)
    assert new.not_valid_after_utc - old.not_valid_after_utc == timedelta(days=61)
    assert (after.signer.key_id, new.public_key()) == (before.signer.key_id, old.public_key())
    check_key_proof("renew-1", after.key_proof(), hub.authority.root, now=hub.clock())
    assert hub.audited("renew-1")[-1][:2] == ("gateway.renew", "done")


@pytest.mark.requirement("G-7.2f")
def test_gateway_comes_back_after_400_days_without_a_hand(hub, tmp_path):
    folder = enrolled(hub, tmp_path, "away-1")
    hub.clock.days(400)
    after = hub.serve(lambda: enrolment.renew(folder))
    check_key_proof("away-1", after.key_proof(), hub.authority.root, now=hub.clock())
    assert hub.audited("away-1")[-1][:2] == ("gateway.recover", "done")


@pytest.mark.requirement("G-7.2f")
def test_gateway_that_was_away_too_long_waits_for_a_person(hub, tmp_path):
    from cloud import gateway_acts
    from tests.cloud.enrol.conftest import ACTOR

    folder = enrolled(hub, tmp_path, "gone-1")
    hub.clock.days(90 + hub.policy.recover_days + 1)

    def ask():
        with pytest.raises(EnrolmentError, match="202: an administrator has to approve") as caught:
            enrolment.renew(folder)
        return caught.value

    waiting = hub.serve(lambda: (ask(), ask()))[0]
    assert (waiting.again, waiting.wait_s) == (True, hub.policy.wait_s)
    hub.lab.run(lambda connection: gateway_acts.approve(connection, ACTOR, "gone-1", now=hub.clock()))
    after = hub.serve(lambda: enrolment.renew(folder))
    check_key_proof("gone-1", after.key_proof(), hub.authority.root, now=hub.clock())
    open_ones = hub.lab.execute(
        "SELECT count(*) FROM recoveries r JOIN gateways g ON g.id = r.gateway_id"
        " WHERE g.name = 'gone-1' AND closed_at IS NULL"
    )
    assert open_ones == [(0,)]


def test_identity_made_by_hand_renews_as_well(hub, tmp_path):
    folder = tmp_path / "by-hand"
    hub.authority.issue_gateway("by-hand", folder, now=hub.clock())
    hub.lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'by-hand')")

    def scene():
        facts = connection(hub).hub()
        enrolment.take_hub_facts(folder, facts, url=hub.url)
        return enrolment.renew(folder)

    assert hub.serve(scene).gateway == "by-hand"


def shown(hub, folder, leaf, key):
    """Return a client that shows this certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key.pem").write_bytes(certificates.key_to_pem(key))
    (folder / "cert.pem").write_bytes(certificates.to_pem(leaf))
    context = Trust(hub.authority.root).context()
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return connection(hub, context)


def client_leaf(issuer: Issuer, name: str, key, *, now, days=90):
    return certificates.client(
        issuer, name, uri=f"urn:heng:gateway:{name}", key=key, validity=Validity(now, days)
    )


def test_certificates_of_others_open_nothing(hub, tmp_path):
    """Self-signed, of another authority under the same names, a hub worker's, a server's."""
    now = hub.clock()
    enrolled(hub, tmp_path, "target-1")
    key = certificates.new_key()
    other = CertificateAuthority.create(tmp_path / "other", now=now)
    own = certificates.root("target-1", Validity(now, 90))
    made = {
        "self-signed": ([own.certificate], own.key),
        "other CA": ([client_leaf(other.issuing, "target-1", key, now=now), other.issuing.certificate], key),
        "hub CA": ([client_leaf(hub.authority.hub_ca, "target-1", key, now=now)], key),
        "server": (
            [certificates.server(hub.authority.issuing, ["localhost"], key=key, validity=Validity(now, 90))],
            key,
        ),
    }

    def scene():
        for what, (leaf, signer) in made.items():
            client = shown(hub, tmp_path / what, leaf, signer)
            with pytest.raises(EnrolmentError):
                client.renew(est.make_request("target-1", signer))

    hub.serve(scene)
    issued = hub.lab.execute(
        "SELECT count(*) FROM certificates c JOIN gateways g ON g.id = c.gateway_id WHERE g.name = 'target-1'"
    )
    assert issued == [(1,)]


def test_gateway_renews_no_other_gateway(hub, tmp_path):
    folder = enrolled(hub, tmp_path, "greedy-1")
    enrolled(hub, tmp_path, "victim-1")
    context = Trust(hub.authority.root).context()
    FileKeyStore(folder).use_in(context, folder / "tls-cert.pem")
    key = certificates.key_from_pem((folder / "tls-key.pem").read_bytes())
    with pytest.raises(EnrolmentError, match="403: the request names another gateway"):
        hub.serve(lambda: connection(hub, context).renew(est.make_request("victim-1", key)))


def test_renewal_without_a_certificate_is_refused(hub):
    with pytest.raises(EnrolmentError, match="403: expected the gateway's certificate"):
        hub.serve(lambda: connection(hub).renew(est.make_request("any", certificates.new_key())))


def test_one_gateway_gets_so_many_certificates_a_day(hub, tmp_path):
    folder = enrolled(hub, tmp_path, "hungry-1")

    def scene():
        for _ in range(hub.policy.a_day - 1):
            enrolment.renew(folder)
        with pytest.raises(EnrolmentError, match="429"):
            enrolment.renew(folder)

    hub.serve(scene)
