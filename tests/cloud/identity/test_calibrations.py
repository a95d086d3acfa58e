"""Calibrations by API and page: who may enter them, what is refused, that no certificate runs as a page."""

import hashlib
import json

import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.world import NOW, START

PDF = b"%PDF-1.7\n<script>alert(1)</script>" + bytes(range(256))
NEW = {
    "from_at": START.isoformat(),
    "indicated": ["0", "30"],
    "correction": ["0.1", "-0.2"],
    "exponent": -3,
    "expanded_uncertainty": "0.050",
    "coverage_factor": "2",
    "certificate": "T-1",
    "laboratory": "Institute",
    "calibrated_on": "2026-01-01",
    "due_on": "2027-01-01",
    "reason": "yearly",
}
FORM = {
    "nodes": "0\t0.1\n30 −0.2\n",
    "expanded_uncertainty": "0.050",
    "coverage_factor": "2",
    "certificate": "T-2",
    "laboratory": "Institute",
    "calibrated_on": "2026-01-01",
    "reason": "yearly",
}
BROWSER = {"accept": "text/html", "origin": "http://hub"}


def enter(world, token, place, **given):
    path = f"/api/points/{place.point}/calibrations"
    return world.ask(path, token, "POST", json={**NEW, **given})


def newest_audit(world, action):
    rows = world.lab.execute(
        "SELECT actor, object, new::text, why FROM audit_log WHERE action = %s ORDER BY id DESC LIMIT 1",
        action,
    )
    return rows[0] if rows else None


@pytest.mark.requirement("S-4.3.2")
def test_laboratory_staff_enters_a_calibration_and_values_are_corrected_to_the_last_digit(world):
    here = world.places["here"]
    token = world.token(Grant(Role.LABORATORY, 1, here.site))
    span = {"point": here.point, "from": START.isoformat(), "to": NOW.isoformat()}
    made = enter(world, token, here)
    assert made.status_code == 201, made.text
    (reading,) = world.ask("/api/readings", token, params=span).json()["readings"]
    assert (reading["raw"], reading["value"]) == ("20.00", "19.900")
    (latest,) = [
        one for one in world.ask("/api/latest", token).json()["items"] if one["point"]["id"] == here.point
    ]
    assert latest["last"]["value"] == "19.900"
    found = world.ask(f"/api/calibrations/{made.json()['id']}", token).json()
    assert (found["expanded_uncertainty"], found["due_on"], found["author"]) == (
        "0.050",
        "2027-01-01",
        "asker/test",
    )
    actor, thing, new, why = newest_audit(world, "calibration.enter")
    assert (actor, thing, why) == ("asker/test", "point here-site/here/air/temperature", "yearly")
    assert json.loads(new)["correction"] == ["0.1", "-0.2"]
    states = world.ask("/api/calibration-states", token).json()["items"]
    assert [(one["site"], one["state"]) for one in states] == [("here-site", "in_calibration")]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.FACILITIES, Role.SAFETY, Role.CUSTOMER])
def test_other_roles_read_calibrations_and_enter_none(world, role):
    token = world.token(Grant(role, 1))
    assert enter(world, token, world.places["here"]).status_code == 403
    assert world.ask("/api/calibrations", token).status_code == 200


@pytest.mark.requirement("G-7.2a", "H-7.1c")
def test_nobody_enters_or_reads_calibrations_of_another_site_or_body(world):
    token = world.token(Grant(Role.LABORATORY, 1, world.places["here"].site), Grant(Role.VIEWER, 1))
    for mark in ("there", "alien"):
        assert enter(world, token, world.places[mark]).status_code == 404
        path = f"/api/points/{world.places[mark].point}/certificates"
        assert world.ask(path, token, "POST", content=PDF).status_code == 404
    alien = world.token(Grant(Role.LABORATORY, world.places["alien"].organisation))
    made = enter(world, alien, world.places["alien"]).json()["id"]
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    for path in (f"/api/calibrations/{made}", f"/api/calibrations/{made}/certificate"):
        assert world.ask(path, token).status_code == 404
    assert world.ask(f"/calibrations/{world.places['alien'].point}", token).status_code == 404


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"indicated": ["1", "1"], "correction": ["0", "0"]}, "nodes"),
        ({"indicated": ["1", "2"], "correction": ["0", "-1"]}, "nodes"),
        ({"indicated": ["1"], "correction": ["0", "1"]}, "nodes"),
        ({"indicated": ["1e400"], "correction": ["0"]}, "nodes"),
        ({"indicated": ["1e-400"], "correction": ["0"]}, "nodes"),
        ({"indicated": ["NaN"], "correction": ["0"]}, "indicated.0"),
        ({"expanded_uncertainty": "0"}, "expanded_uncertainty"),
        ({"expanded_uncertainty": "1e999999"}, "expanded_uncertainty"),
        ({"coverage_factor": "-2"}, "coverage_factor"),
        ({"certificate": "  "}, "certificate"),
        ({"certificate": "a\u0000b"}, "certificate"),
        ({"reason": ""}, "reason"),
        ({"calibrated_on": "2026-01-03"}, "calibrated_on"),
        ({"due_on": "2026-01-01"}, "due_on"),
        ({"to_at": START.isoformat()}, "to_at"),
        ({"certificate_sha256": "0" * 64}, "certificate_sha256"),
        ({"exponent": -13}, "exponent"),
        ({"extra": 1}, "extra"),
    ],
)
def test_entry_that_is_not_as_expected_is_refused_by_field(world, given, field):
    token = world.token(Grant(Role.QUALITY, 1))
    answer = enter(world, token, world.places["there"], **given)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_position_is_not_calibrated(world):
    here = world.places["here"]
    token = world.token(Grant(Role.QUALITY, 1))
    answer = world.ask(f"/api/points/{here.position}/calibrations", token, "POST", json=NEW)
    assert answer.json()["errors"][0]["field"] == "point"


def test_certificate_is_kept_under_its_hash_and_only_given_out_to_be_saved(world):
    here = world.places["here"]
    token = world.token(Grant(Role.QUALITY, 1))
    brought = world.ask(f"/api/points/{here.point}/certificates", token, "POST", content=PDF)
    assert brought.json() == {"sha256": hashlib.sha256(PDF).hexdigest()}
    made = enter(world, token, here, certificate_sha256=brought.json()["sha256"]).json()["id"]
    answer = world.ask(f"/api/calibrations/{made}/certificate", token)
    assert answer.content == PDF
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="certificate-{made}.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("body", [b"<html><script>", b"MZ\x90", b"PK\x03\x04", b"GIF89a", b"\x00"])
def test_file_of_another_kind_is_refused_whatever_it_is_called(world, body):
    token = world.token(Grant(Role.QUALITY, 1))
    path = f"/api/points/{world.places['here'].point}/certificates"
    answer = world.ask(path, token, "POST", content=body, headers={"content-type": "application/pdf"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file")


def test_file_of_ten_megabytes_is_taken_and_a_larger_one_is_not(world):
    token = world.token(Grant(Role.QUALITY, 1))
    path = f"/api/points/{world.places['here'].point}/certificates"
    most = 10 * 1024 * 1024
    assert world.ask(path, token, "POST", content=b"%PDF-".ljust(most, b"x")).status_code == 201
    assert world.ask(path, token, "POST", content=b"%PDF-".ljust(most + 1, b"x")).status_code == 413


def post(world, path, fields, file=None, **headers):
    sent = {name: (None, value) for name, value in fields.items()}
    files = sent if file is None else {**sent, "file": ("c.pdf", file)}
    return world.ask(path, None, "POST", files=files, cookies=world.session(), headers={**BROWSER, **headers})


def test_form_enters_revision_and_certificate(world):
    there = world.places["there"]
    world.token(Grant(Role.QUALITY, 1))
    path = f"/calibrations/{there.point}?lang=en"
    answer = post(world, path, FORM, PDF)
    assert answer.status_code == 303, answer.text
    rows = world.lab.execute(
        "SELECT lower(entered_for) AT TIME ZONE 'UTC', correction::text, exponent, author,"
        " encode(certificate_sha256, 'hex') FROM calibrations WHERE point_id = %s ORDER BY id DESC LIMIT 1",
        there.point,
    )
    at, correction, exponent, author, sha256 = rows[0]
    assert (at.isoformat(), correction, exponent) == ("2025-12-31T16:00:00", "{0.1,-0.2}", -2)
    assert (author, sha256) == ("asker", hashlib.sha256(PDF).hexdigest())
    page = world.ask(path, cookies=world.session(), headers={"accept": "text/html"}).text
    assert "T-2" in page
    assert "U = 0.050 °C (k = 2)" in page


def test_form_names_every_fault_at_once_and_keeps_what_was_typed(world):
    there = world.places["there"]
    world.token(Grant(Role.QUALITY, 1))
    before = world.lab.execute("SELECT count(*) FROM calibrations")
    bad = {**FORM, "nodes": "30 1\n20 <b>", "coverage_factor": "x", "calibrated_on": "soon", "reason": ""}
    answer = post(world, f"/calibrations/{there.point}?lang=en", bad, b"<html>")
    assert answer.status_code == 422
    for field in ("nodes", "coverage_factor", "calibrated_on", "reason", "file"):
        assert f'href="#f-{field}"' in answer.text, field
    assert "20 &lt;b&gt;" in answer.text
    assert world.lab.execute("SELECT count(*) FROM calibrations") == before


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_day_that_is_no_moment_in_every_zone_is_named(world, day):
    world.token(Grant(Role.QUALITY, 1))
    answer = post(world, f"/calibrations/{world.places['there'].point}", {**FORM, "calibrated_on": day})
    assert answer.status_code == 422
    assert 'href="#f-calibrated_on"' in answer.text


def test_preview_says_what_becomes_of_a_value_without_entering_anything(world):
    here = world.places["here"]
    world.token(Grant(Role.QUALITY, 1))
    before = world.lab.execute("SELECT count(*) FROM calibrations")
    sent = {"nodes": "0 0.1\n30 -0.2", "sample": "15.0", "decimals": "3"}
    answer = world.ask(
        f"/calibrations/{here.point}/preview?lang=en",
        None,
        "POST",
        data=sent,
        cookies=world.session(),
        headers=BROWSER,
    )
    assert "14.950 °C" in answer.text
    assert "<svg" in answer.text
    assert world.lab.execute("SELECT count(*) FROM calibrations") == before


def test_form_of_another_origin_is_refused(world):
    here = world.places["here"]
    world.token(Grant(Role.QUALITY, 1))
    answer = post(world, f"/calibrations/{here.point}", FORM, origin="https://evil.example")
    assert answer.status_code == 403


def test_who_may_not_enter_sees_no_form(world):
    here = world.places["here"]
    world.token(Grant(Role.VIEWER, 1))
    page = world.ask(f"/calibrations/{here.point}", cookies=world.session(), headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "<textarea" not in page.text
