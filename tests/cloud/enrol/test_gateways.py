"""Replacing and revoking: who serves what, in event time, and who is refused from when on."""

import shutil
from datetime import timedelta
from random import Random

import pytest
from cryptography import x509

from cloud import gateway_acts
from cloud.enrol.keeper import Keeper
from cloud.gateway_acts import ActRefusedError, Replacement, Wish, next_name
from cloud.ingest.directory import Directory, Unknown
from cloud.keys import Keys
from cloud.mqtt import Arrived
from cloud.opening import Opening, open_all
from cloud.settings import Broker, HubSettings
from cloud.store import certificates as kept
from cloud.store import directory, fleet, gateways
from cloud.store.gateways import NewKey
from cloud.supervisor import Health
from cloud.tools import Tools
from provisioning import certificates, enrolment
from provisioning.errors import EnrolmentError
from provisioning.identity import GatewayIdentity
from provisioning.keystore import FileKeyStore
from tests.cloud.enrol.conftest import ACTOR
from wire import frame
from wire.codec import encode_body
from wire.messages import GatewayStatus
from wire.topics import Channel, build

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a", "G-7.2b")]

PG_EPOCH_US = 946_684_800_000_000


def us(at):
    return round(at.timestamp() * 1_000_000) - PG_EPOCH_US


def loaded(hub):
    async def load(connection):
        async with connection.transaction():
            await directory.repeatable(connection)
            return await directory.load(connection)

    return hub.lab.run(load)


def replace(hub, old, **wish):
    return hub.lab.run(
        lambda connection: gateway_acts.replace(connection, ACTOR, Replacement(old, **wish), now=hub.clock())
    ).claim


def revoke(hub, gateway, why="stolen"):
    return hub.lab.run(
        lambda connection: gateway_acts.revoke(connection, ACTOR, gateway, why=why, now=hub.clock())
    )


def test_replacement_takes_over_from_its_enrolment_on(hub, tmp_path):
    """Readings of the old gateway from before still find their points; none of after does."""
    hub.claim("old-1")
    hub.lab.execute(
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
        " VALUES (1, 1, 'room/old', 'temperature', 'analog')"
    )
    hub.lab.execute(
        "INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)"
        " SELECT 1, g.id, 'room/old', p.id FROM gateways g, points p"
        " WHERE g.name = 'old-1' AND p.name = 'room/old'"
    )
    claim = replace(hub, "old-1")
    assert claim.gateway == "old-1-r2"
    hub.clock.days(1)
    before = Directory(loaded(hub))
    old, new = before.gateways["old-1"].id, before.gateways["old-1-r2"].id
    assert before.site(old, us(hub.clock())) == 1
    assert before.site(new, us(hub.clock())) is None
    moved_at = hub.clock()
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "new"))
    after = Directory(loaded(hub))
    earlier, later = us(moved_at - timedelta(seconds=1)), us(moved_at + timedelta(seconds=1))
    assert (after.site(old, earlier), after.site(old, later)) == (1, None)
    assert (after.site(new, earlier), after.site(new, later)) == (None, 1)
    assert isinstance(after.point(old, "room/old", earlier), int)
    assert isinstance(after.point(old, "room/old", later), Unknown)


def test_replacement_that_is_enrolled_twice_moves_nothing_twice(hub, tmp_path):
    hub.claim("twice-old")
    claim = replace(hub, "twice-old")

    def scene():
        enrolment.enrol(claim, tmp_path / "new")
        (tmp_path / "new" / "tls-cert.pem").unlink()
        enrolment.enrol(claim, tmp_path / "new")

    hub.serve(scene)
    bindings = hub.lab.execute(
        "SELECT count(*) FROM gateway_bindings b JOIN gateways g ON g.id = b.gateway_id"
        " WHERE g.name = 'twice-old-r2'"
    )
    assert bindings == [(1,)]


def test_gateway_is_replaced_once_at_a_time(hub):
    hub.claim("single-1")
    replace(hub, "single-1", new="single-a")
    assert replace(hub, "single-1", new="single-a").gateway == "single-a"
    with pytest.raises(ActRefusedError, match="is replaced already"):
        replace(hub, "single-1", new="single-b")


def test_stand_in_is_claimed_for_the_site_that_it_takes_over_and_for_no_other(hub):
    """A claim that says one site and takes over another one would be a lie in the audit log."""
    hub.lab.execute(
        "INSERT INTO sites (organisation_id, name, title, kind)"
        " VALUES (1, 'lab-9', 'Laboratory 9', 'laboratory') ON CONFLICT DO NOTHING"
    )
    hub.claim("stand-1")
    replace(hub, "stand-1")

    def claim(site):
        wish = Wish(site, "stand-1-r2")
        return hub.lab.run(lambda one: gateway_acts.make_claim(one, ACTOR, wish, now=hub.clock()))

    with pytest.raises(ActRefusedError, match="stands in for stand-1 at site lab-1: expected that site"):
        claim("lab-9")
    assert claim("lab-1").claim.gateway == "stand-1-r2"


def test_enrolled_gateway_is_not_claimed_again(hub, tmp_path):
    claim = hub.claim("taken-1")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity"))
    with pytest.raises(ActRefusedError, match="is enrolled already"):
        hub.claim("taken-1")


def test_replaced_names_count_up():
    assert [next_name(name) for name in ("lab-1", "lab-1-r2", "lab-1-r9")] == [
        "lab-1-r2",
        "lab-1-r3",
        "lab-1-r10",
    ]
    assert len(next_name("a" * 63)) <= 63


def birth(identity, session=b"s" * 16):
    topic = build(identity.gateway, Channel.UP_STATUS)
    status = GatewayStatus(
        gateway=identity.gateway, session=session, online=True, boot=b"b" * 16, key_proof=identity.key_proof()
    )
    return topic, frame.encode(topic, encode_body(status), identity.signer)


def judged(hub, identity, book):
    """Return why ingest or watch refuse the gateway's birth, or nothing."""
    topic, payload = birth(identity)
    opening = Opening(book, hub.authority.root, hub.clock)
    _, refused = open_all([Arrived(topic, payload, hub.clock())], opening)
    return refused[0][1].reason if refused else ""


def test_revoked_gateway_is_refused_everywhere(hub, tmp_path):
    """With the key that was known, with one that was never shown, for renewal, and with its claim."""
    claim = hub.claim("bad-1")
    identity = hub.serve(lambda: enrolment.enrol(claim, tmp_path / "identity")).identity

    async def add_key(connection):
        found = await fleet.find(connection, "bad-1", hub.clock())
        async with connection.transaction():
            await directory.change(connection)
            await gateways.add_key(
                connection,
                NewKey(
                    identity.signer.key_id,
                    1,
                    found.id,
                    identity.signer.public_key,
                    identity.certificate_pem,
                    identity.proof,
                ),
            )

    hub.lab.run(add_key)
    shutil.copytree(tmp_path / "identity", tmp_path / "second")
    (tmp_path / "second" / "batch-key.pem").unlink()
    keys = FileKeyStore(tmp_path / "second")
    keys.make()
    (tmp_path / "second" / "key-proof.bin").write_bytes(keys.key_proof("bad-1"))
    never_shown = GatewayIdentity.load(tmp_path / "second")
    books = (Directory, Keys)
    assert [judged(hub, one, book(loaded(hub))) for one in (identity, never_shown) for book in books] == [
        ""
    ] * 4
    assert revoke(hub, "bad-1") == 1
    said = [judged(hub, one, book(loaded(hub))) for one in (identity, never_shown) for book in books]
    assert said == ["bad-1 is revoked"] * 4

    def scene():
        with pytest.raises(EnrolmentError, match="403: the gateway is revoked") as caught:
            enrolment.renew(tmp_path / "identity")
        with pytest.raises(EnrolmentError, match="401"):
            enrolment.enrol(claim, tmp_path / "third")
        return caught.value.again

    assert hub.serve(scene) is False
    with pytest.raises(ActRefusedError, match="revoked already"):
        revoke(hub, "bad-1")
    assert hub.audited("bad-1")[-3:] == [
        ("gateway.revoke", "done", "stolen"),
        ("gateway.renew", "refused", "revoked gateway"),
        ("gateway.enrol", "refused", "no claim"),
    ]


def test_certificate_made_by_hand_is_on_the_list_too(hub, tmp_path):
    folder = tmp_path / "hand"
    hub.authority.issue_gateway("hand-1", folder, now=hub.clock())
    hub.lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'hand-1')")
    pem = (folder / "tls-cert.pem").read_text()
    hub.lab.execute(
        "INSERT INTO gateway_keys (key_id, organisation_id, gateway_id, public_key, certificate_pem, proof)"
        " SELECT 'handhand', 1, id, '', %s, '' FROM gateways WHERE name = 'hand-1'",
        pem,
    )
    assert revoke(hub, "hand-1") == 1
    serial = certificates.serial_text(certificates.from_pem(pem.encode())[0])
    assert serial in hub.lab.run(kept.revoked).serials


def test_certificate_made_by_hand_that_nobody_has_seen_is_on_the_brokers_list(hub, hub_identity, tmp_path):
    """A stolen gateway need not have been at work: the authority's folder knows its certificate."""
    made = hub.authority.issue_gateway("unseen-1", tmp_path / "unseen", now=hub.clock())
    hub.lab.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'unseen-1')")
    settings = HubSettings(hub.lab.hub_dsn, Broker("", 0), hub_identity.folder)
    reloads = []
    keeper = Keeper(
        Tools(settings, hub_identity, Health(), Random(1), hub.clock),
        hub.authority,
        lambda: reloads.append(True),
    )
    serial = certificates.from_pem(made.certificate_pem.encode())[0].serial_number

    def is_listed():
        hub.lab.run(keeper.look)
        listed = x509.load_pem_x509_crl(hub.authority.revocations_pem())
        return listed.get_revoked_certificate_by_serial_number(serial) is not None

    revoke(hub, "unseen-1")
    assert is_listed()
    assert is_listed()
    assert len(reloads) == 1


def test_revocation_needs_a_reason(hub):
    hub.claim("why-1")
    with pytest.raises(ActRefusedError, match="needs a reason"):
        revoke(hub, "why-1", why=" ")


def test_what_is_replaced_may_be_revoked_before_and_after(hub, tmp_path):
    """A stolen gateway is revoked first; what stands in for it takes over all the same."""
    hub.claim("gone-2")
    revoke(hub, "gone-2")
    claim = replace(hub, "gone-2")
    hub.serve(lambda: enrolment.enrol(claim, tmp_path / "new"))
    rows = {one.name: one for one in hub.lab.run(lambda connection: fleet.fleet(connection, hub.clock()))}
    assert (rows["gone-2"].site, rows["gone-2-r2"].site) == (None, "lab-1")
    assert rows["gone-2-r2"].replaces == "gone-2"
