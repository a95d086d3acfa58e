"""Claim, approve, revoke and replace by pages and API: who may, where, and what is shown of it."""

import html
import json
import re
from base64 import b64decode
from dataclasses import replace

import pytest
from cryptography import x509

from cloud.endings import looks_of
from cloud.settings import Broker, HubSettings
from cloud.store.fleet import FleetRow
from cloud.web.gateway_words import ENDING
from cloud.web.gateways_view import line
from cloud.web.language import language
from provisioning.ca import CertificateAuthority
from provisioning.claim import read_claim
from provisioning.ends import End
from provisioning.identity import TLS_CERTIFICATE
from rules.permissions import Grant, Role
from tests.cloud.identity.test_pages import page, post
from tests.cloud.identity.world import NOW

pytestmark = pytest.mark.requirement("G-7.2a")

ADMINISTRATOR = Grant(Role.ADMINISTRATOR, 1)
EPOCH = bytes(16)
DISPATCHER = Grant(Role.DISPATCHER, 1)


@pytest.fixture(scope="module")
def claiming(world):
    """A hub whose EST listener ran once, asked by an administrator."""
    world.lab.execute(
        "INSERT INTO enrolment (url, ca_sha256, broker, updated_at) VALUES"
        " ('https://hub.example:8885', sha256('ca'), 'mqtts://hub.example:8883', %s)",
        NOW,
    )
    world.token(ADMINISTRATOR)
    return world


@pytest.fixture
def cookies(claiming):
    claiming.token(ADMINISTRATOR)
    return claiming.session()


def api(world, path, sent=None, grant=ADMINISTRATOR):
    return world.ask(f"/api/gateways{path}", world.token(grant), "POST", json=sent)


def audited(world, gateway):
    return [
        row[0]
        for row in world.lab.execute(
            "SELECT action FROM audit_log WHERE object = %s AND outcome = 'done' ORDER BY id",
            f"gateway {gateway}",
        )
    ]


def claims_of(world, gateway):
    return world.lab.execute(
        "SELECT c.site_id, c.made_by FROM claims c JOIN gateways g ON g.id = c.gateway_id"
        " WHERE g.name = %s AND c.withdrawn_at IS NULL",
        gateway,
    )


def enrolled(world, gateway, serial):
    world.lab.execute(
        "INSERT INTO certificates (serial, organisation_id, gateway_id, key_sha256, certificate_pem,"
        " not_before, not_after, way, issued_at) SELECT %s, 1, id, sha256('k'), '', %s, %s, 'claim', %s"
        " FROM gateways WHERE name = %s",
        *(serial, NOW, NOW.replace(month=3), NOW, gateway),
    )
    world.lab.execute(
        "UPDATE claims SET used_at = %s, used_key_sha256 = sha256('k')"
        " WHERE gateway_id = (SELECT id FROM gateways WHERE name = %s)",
        NOW,
        gateway,
    )


def test_form_proposes_an_id_for_each_site_that_one_may_manage(claiming, cookies):
    shown = page(claiming, "/gateways/claim?lang=en", cookies).text
    assert 'value="here-site-gw"' in shown or 'data-id="here-site-gw"' in shown
    assert 'data-id="there-site-gw"' in shown
    assert "alien" not in shown


def test_claim_is_shown_once_with_code_picture_file_and_what_to_do(claiming, cookies):
    site = claiming.places["here"].site
    made = post(claiming, "/gateways/claim?lang=en", cookies, site=site, gateway="pi-1", hours="8")
    assert made.status_code == 200, made.text
    code = re.search(r'class="claim-code"[^>]*>([0-9A-Z]{4}-[0-9A-Z]{4})<', made.text)
    file = re.search(
        r'href="data:application/octet-stream;base64,([\w+/=]+)" download="pi-1.claim"', made.text
    )
    assert code is not None
    assert file is not None
    claim = read_claim(b64decode(file[1]))
    assert (claim.gateway, claim.code, claim.url) == ("pi-1", code[1], "https://hub.example:8885")
    uri = re.search(r'class="secret">(heng:1\?[^<]+)<', made.text)
    assert uri is not None
    assert read_claim(html.unescape(uri[1]).encode()) == claim
    assert '<svg viewBox="0 0 ' in made.text
    assert "heng first-boot pi-1.claim --profile laboratory" in made.text
    assert "Waiting for the gateway" in made.text
    assert claims_of(claiming, "pi-1") == [(site, "asker")]
    assert audited(claiming, "pi-1") == ["gateway.claim"]
    for path in ("/gateways", "/gateways/pi-1", "/parts/gateways/pi-1"):
        assert code[1] not in page(claiming, path, cookies).text


def test_page_of_a_new_gateway_tells_when_it_enrolled_and_when_its_first_reading_is_stored(claiming, cookies):
    post(claiming, "/gateways/claim", cookies, site=claiming.places["here"].site, gateway="pi-2", hours="8")

    def steps():
        shown = page(claiming, "/parts/gateways/pi-2?lang=en", cookies).text
        return re.findall(r'class="state good">([^<]+)<', shown)

    assert steps() == []
    enrolled(claiming, "pi-2", "a1")
    assert steps() == ["Enrolled"]
    waiting = page(claiming, "/parts/gateways/pi-2?lang=en", cookies).text
    assert "not connected to the broker" in waiting
    assert "Readings follow" not in waiting
    claiming.lab.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received)"
        " SELECT id, 1, %s, '{[1,3)}' FROM gateways WHERE name = 'pi-2'",
        EPOCH,
    )
    for number, (state, readings) in enumerate((("quarantined", 5), ("placed", 5)), start=1):
        claiming.lab.execute(
            "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature,"
            " boot, clock_state, clock_source, state, readings, received_at) SELECT 1, id, %s, %s, '', '',"
            " '', '', '', 'synchronised', 'system', %s, %s, %s FROM gateways WHERE name = 'pi-2'",
            *(EPOCH, number, state, readings, NOW),
        )
        expected = ["Enrolled", "First batch arrived", "First reading stored"][: number + 1]
        assert steps() == expected


def test_list_says_what_each_gateway_waits_for(claiming, cookies):
    site = claiming.places["here"].site
    post(claiming, "/gateways/claim", cookies, site=site, gateway="listed-1", hours="8")
    claiming.lab.execute(
        "INSERT INTO recoveries (organisation_id, gateway_id, serial, expired_at, origin, asked_at)"
        " SELECT 1, id, 'b1', %s, 'there', %s FROM gateways WHERE name = 'there-gateway'",
        *(NOW, NOW),
    )
    shown = page(claiming, "/gateways?lang=en", cookies).text
    rows = dict(
        re.findall(
            r'scope="row"><a href="/gateways/([\w-]+)">.*?class="state \w+" id="[^"]+">([^<]+)<',
            shown,
            re.DOTALL,
        )
    )
    assert rows["listed-1"] == "Claimed"
    assert rows["there-gateway"] == "Waits for approval"
    assert next(iter(rows)) == "there-gateway"
    approved = post(claiming, "/gateways/there-gateway", cookies, do="approve")
    assert approved.status_code == 303
    assert audited(claiming, "there-gateway") == ["gateway.approve"]


def test_revocation_needs_a_reason_and_the_id_typed(claiming, cookies):
    post(claiming, "/gateways/claim", cookies, site=claiming.places["here"].site, gateway="out-1", hours="8")
    for form in ({"why": "stolen", "confirm": "out"}, {"why": " ", "confirm": "out-1"}, {"confirm": "out-1"}):
        refused = post(claiming, "/gateways/out-1?lang=en", cookies, do="revoke", **form)
        assert refused.status_code == 422
        assert 'role="alert"' in refused.text
    assert audited(claiming, "out-1") == ["gateway.claim"]
    done = post(claiming, "/gateways/out-1", cookies, do="revoke", why="stolen", confirm="out-1")
    assert done.status_code == 303
    shown = page(claiming, "/gateways/out-1?lang=en", cookies).text
    assert "Revoked" in shown
    assert "<form" not in shown.partition("<main")[2]
    assert re.search("Revoked on [^<]+ by asker: stolen", shown)
    assert "Readings follow" not in shown
    assert claims_of(claiming, "out-1") == []


def test_form_that_is_sent_again_keeps_the_code_that_was_told(claiming, cookies):
    form = page(claiming, "/gateways/claim", cookies).text
    before = re.search(r'name="before" value="(\d+)"', form)[1]
    sent = {"site": claiming.places["here"].site, "gateway": "twice-1", "hours": "8", "before": before}
    assert post(claiming, "/gateways/claim", cookies, **sent).status_code == 200
    again = post(claiming, "/gateways/claim", cookies, **sent)
    assert (again.status_code, again.headers["location"]) == (303, "/gateways/twice-1?told=1")
    assert audited(claiming, "twice-1") == ["gateway.claim"]
    assert "shown once already" in page(claiming, "/gateways/twice-1?told=1&lang=en", cookies).text


def test_certificate_issued_by_hand_is_told_in_words(claiming, cookies):
    claiming.lab.execute(
        "INSERT INTO gateways (organisation_id, name) VALUES (1, 'hand-1')",
    )
    claiming.lab.execute(
        "INSERT INTO gateway_keys (gateway_id, organisation_id, key_id, public_key, certificate_pem, proof)"
        " SELECT id, 1, sha256('hand'), '', '', '' FROM gateways WHERE name = 'hand-1'"
    )
    for path in ("/gateways?lang=en", "/gateways/hand-1?lang=en"):
        assert "issued by hand, not known here" in page(claiming, path, cookies).text


def test_end_of_a_certificate_issued_by_hand_is_read_from_what_its_gateway_showed(tmp_path):
    authority = CertificateAuthority.create(tmp_path / "ca", now=NOW)
    authority.issue_gateway("hand-2", tmp_path / "hand-2", now=NOW)
    chain = tmp_path / "hand-2" / TLS_CERTIFICATE
    until = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc
    row = FleetRow(
        id=1, organisation_id=1, name="hand-2", site=None, site_id=None, online=True, last_batch_at=None,
        certificate_until=None, keys=1, claim_until=None, recovery_asked_at=None, revoked_at=None,
        replaces=None, proved_pem=chain.read_text(),
    )  # fmt: skip
    told = line(row, NOW, manage=True, language=language("en")).certificate_until_ms
    assert told == int(until.timestamp() * 1000)


def test_replacement_shows_the_claim_of_the_new_one(claiming, cookies):
    post(claiming, "/gateways/claim", cookies, site=claiming.places["here"].site, gateway="old-1", hours="8")
    assert "Replace" not in page(claiming, "/gateways/old-1?lang=en", cookies).text
    enrolled(claiming, "old-1", "c1")
    assert 'value="old-1-r2"' in page(claiming, "/gateways/old-1", cookies).text
    made = post(
        *(claiming, "/gateways/old-1?lang=en", cookies),
        do="replace", gateway="old-1-r2", hours="4", why="lightning",
    )  # fmt: skip
    assert made.status_code == 200
    assert 'download="old-1-r2.claim"' in made.text
    assert claims_of(claiming, "old-1-r2") == [(claiming.places["here"].site, "asker")]
    again = post(
        *(claiming, "/gateways/old-1?lang=en", cookies),
        do="replace", gateway="old-1-r3", hours="4", why="lightning",
    )  # fmt: skip
    assert again.status_code == 422
    assert "replaced already" in again.text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"gateway": "Not An Id"}, "a-z, 0-9"),
        ({"hours": "9999"}, "1 to 720"),
        ({"hours": "soon"}, "1 to 720"),
        ({"site": "424242"}, "Choose a site"),
        ({"site": "x"}, "Choose a site"),
        ({"gateway": "alien-gateway"}, "This id is taken"),
        ({"gateway": "there-gateway"}, "This id is taken"),
    ],
)
def test_bad_claim_says_what_was_expected_and_keeps_what_was_typed(claiming, cookies, form, said):
    sent = {"site": str(claiming.places["here"].site), "gateway": "bad-1", "hours": "8"} | form
    refused = post(claiming, "/gateways/claim?lang=en", cookies, **sent)
    assert refused.status_code == 422
    assert said in refused.text
    assert f'value="{sent["gateway"]}"' in refused.text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", ["/gateways", "/gateways/claim", "/gateways/here-gateway", "/devices"])
def test_pages_of_gateways_are_shown_in_both_languages(claiming, cookies, path, language):
    shown = page(claiming, f"{path}?lang={language}", cookies)
    assert shown.status_code == 200, shown.text
    assert ("网关" in shown.text) == (language == "zh")


def test_who_may_only_read_sees_the_list_and_no_act(claiming):
    claiming.token(DISPATCHER)
    cookies = claiming.session()
    assert "/gateways/claim" not in page(claiming, "/gateways", cookies).text
    assert "<form" not in page(claiming, "/gateways/here-gateway", cookies).text.partition("<main")[2]
    assert page(claiming, "/gateways/claim", cookies).status_code == 403
    sent = {"do": "revoke", "why": "x", "confirm": "here-gateway"}
    assert post(claiming, "/gateways/here-gateway", cookies, **sent).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}]
)
@pytest.mark.parametrize("path", ["/gateways/claim", "/gateways/here-gateway"])
def test_form_of_another_site_changes_nothing(claiming, cookies, path, headers):
    form = {
        "site": "1",
        "gateway": "csrf",
        "hours": "8",
        "do": "revoke",
        "why": "x",
        "confirm": "here-gateway",
    }
    assert post(claiming, path, cookies, headers, **form).status_code == 403
    assert claims_of(claiming, "csrf") == []
    assert claiming.lab.execute("SELECT 1 FROM gateways WHERE name = 'here-gateway' AND revoked_at IS NULL")


def test_program_claims_approves_replaces_and_revokes(claiming):
    site = claiming.places["here"].site
    made = api(claiming, "/claims", {"site_id": site, "gateway": "api-1", "hours": 2})
    assert made.status_code == 201, made.text
    body = made.json()
    assert body["expires_at"] == "2026-01-01T03:00:00Z"
    file = {key: body[key] for key in ("url", "ca_sha256", "gateway", "code")}
    assert read_claim(json.dumps(file).encode()) == read_claim(body["uri"].encode())
    assert made.headers["cache-control"] == "no-store"
    assert api(claiming, "/api-1/approve").status_code == 409
    stand_in = api(claiming, "/api-1/replace", {"why": "broken"})
    assert (stand_in.status_code, stand_in.json()["gateway"]) == (201, "api-1-r2")
    assert api(claiming, "/api-1/revoke", {"why": "broken"}).status_code == 204
    twice = api(claiming, "/api-1/revoke", {"why": "broken"})
    assert twice.status_code == 409
    assert "revoked already" in twice.json()["detail"]
    assert audited(claiming, "api-1") == ["gateway.claim", "gateway.replace", "gateway.revoke"]


@pytest.mark.parametrize(
    ("path", "sent", "field"),
    [
        ("/claims", {"site_id": 1, "gateway": "NO"}, "gateway"),
        ("/claims", {"site_id": 1, "hours": 721}, "hours"),
        ("/claims", {"site_id": 1, "more": 1}, "more"),
        ("/here-gateway/revoke", {"why": ""}, "why"),
        ("/here-gateway/replace", {}, "why"),
    ],
)
def test_bad_field_is_named(claiming, path, sent, field):
    refused = api(claiming, path, sent)
    assert refused.status_code == 422
    assert [fault["field"] for fault in refused.json()["errors"]] == [field]


def test_administrator_of_one_body_does_nothing_to_another(claiming):
    alien = claiming.places["alien"]
    grant = Grant(Role.ADMINISTRATOR, 1)
    before = claiming.lab.execute("SELECT * FROM gateways WHERE name = %s", alien.gateway)
    assert api(claiming, "/claims", {"site_id": alien.site}, grant).status_code == 404
    for act in ("approve", "revoke", "replace"):
        assert api(claiming, f"/{alien.gateway}/{act}", {"why": "x"}, grant).status_code == 404
    assert claiming.lab.execute("SELECT * FROM gateways WHERE name = %s", alien.gateway) == before


def test_reader_of_a_site_does_nothing_to_its_gateways_by_being_administrator_of_another(claiming):
    """Rights at one site do not carry to what another one's gateway serves, nor to who stands in for it."""
    here, there = claiming.places["here"], claiming.places["there"]
    at_there = Grant(Role.ADMINISTRATOR, 1, there.site)
    for act in ("approve", "revoke", "replace"):
        assert api(claiming, f"/{here.gateway}/{act}", {"why": "x"}, at_there).status_code == 404
    assert api(claiming, "/claims", {"site_id": here.site}, at_there).status_code == 404
    post_made = api(claiming, "/claims", {"site_id": there.site, "gateway": "there-2"}, at_there)
    assert post_made.status_code == 201
    api(claiming, "/claims", {"site_id": here.site, "gateway": "here-9"})
    api(claiming, "/here-9/replace", {"why": "broken"})
    stolen = api(claiming, "/claims", {"site_id": there.site, "gateway": "here-9-r2"}, at_there)
    assert stolen.status_code == 409
    assert claims_of(claiming, "here-9-r2") == [(here.site, "asker/test")]


def test_administrator_of_a_site_is_shown_the_claim_of_who_stands_in(claiming):
    there = claiming.places["there"]
    claiming.token(Grant(Role.ADMINISTRATOR, 1, there.site))
    cookies = claiming.session()
    post(claiming, "/gateways/claim", cookies, site=there.site, gateway="site-1", hours="8")
    made = post(claiming, "/gateways/site-1", cookies, do="replace", gateway="", hours="4", why="broken")
    assert made.status_code == 200
    assert 'download="site-1-r2.claim"' in made.text


def test_hub_without_a_listener_says_so(claiming, cookies):
    kept = claiming.lab.execute("DELETE FROM enrolment RETURNING url, ca_sha256, broker, updated_at")
    shown = page(claiming, "/gateways/claim?lang=en", cookies).text
    refused = post(
        claiming,
        "/gateways/claim?lang=en",
        cookies,
        site=claiming.places["here"].site,
        gateway="x",
        hours="8",
    )
    claiming.lab.execute(
        "INSERT INTO enrolment (url, ca_sha256, broker, updated_at) VALUES (%s, %s, %s, %s)", *kept[0]
    )
    assert "enrols no gateways" in shown
    assert refused.status_code == 422
    assert "enrols no gateways" in refused.text


def test_certificates_of_the_hub_that_end_soon_are_shown_to_who_can_do_something(claiming, cookies):
    near = [
        End("issuing CA", NOW.replace(year=2036), "heng ca issuing ask, sign, use"),
        End("certificate of hub worker", NOW.replace(year=2037), "heng ca issue hub one", name="one"),
    ]
    before = claiming.app.state.services
    claiming.app.state.services = replace(before, ending=lambda: near)
    try:
        shown = page(claiming, "/gateways?lang=zh", cookies).text
        ready = claiming.ask("/ready").json()
    finally:
        claiming.app.state.services = before
    assert (
        shown.index("签发证书机构") < shown.index("中心进程的证书 one") < shown.index("heng ca issue hub one")
    )
    assert f"{NOW.replace(year=2036):%Y-%m-%d}" in shown
    assert "签发证书机构" not in page(claiming, "/gateways?lang=zh", cookies).text
    (check,) = [one for one in ready["checks"] if one["name"] == "certificates"]
    assert check["ok"]
    assert check["detail"].startswith("issuing CA ends on 2036-")


def test_every_kind_of_end_has_its_word(tmp_path):
    """What `provisioning.ends` and `cloud.endings` name is named on the page too."""
    authority = CertificateAuthority.create(tmp_path / "ca", now=NOW)
    worker = authority.issue_hub("one", now=NOW).folder
    cert = authority.broker_folder / "tls-cert.pem"
    settings = HubSettings("", Broker("", 0), worker, certificate=cert, key=cert)
    environment = {
        "HENG_ENROL_CA": str(authority.folder),
        "HENG_MEDIA_PORT": "1",
        "HENG_MEDIA_FOLDER": "x",
        "HENG_MEDIA_CERTIFICATE": str(authority.broker_folder),
    }
    looks = looks_of(settings, ("web", "est"), environment)
    assert {end.kind for look in looks for end in look()} == set(ENDING)
