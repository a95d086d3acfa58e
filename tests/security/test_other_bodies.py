"""Things of another organisation, asked for by their very ids: cameras, recordings, calibrations, tokens.

Reading them, in every role, is in tests/cloud/identity/test_every_route.py.
"""

import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.test_calibrations import NEW
from tests.cloud.identity.test_every_route import PARTS
from tests.cloud.identity.world import NOW, START

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]

TABLES = ("media_wishes", "calibrations", "certificate_files", "api_tokens", "web_sessions", "media")
STRETCH = {"from": START.isoformat(), "to": NOW.isoformat()}
BROWSER = {"accept": "text/html", "origin": "http://hub"}


def state(world, organisation):
    """Return every row of theirs that such a request could change."""
    return [
        world.lab.execute(f"SELECT * FROM {table} WHERE organisation_id = %s ORDER BY 1, 2", organisation)
        for table in TABLES
    ]


@pytest.mark.parametrize(
    ("path", "given"),
    [
        (
            "/api/cameras/{camera}/recordings/wanted",
            {"json": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:05:00Z"}},
        ),
        ("/api/points/{point}/calibrations", {"json": NEW}),
        ("/api/points/{point}/certificates", {"content": b"%PDF-1.7"}),
        ("/calibrations/{point}/preview", {"data": {"nodes": "0 0"}}),
    ],
)
def test_nothing_is_done_to_things_of_another_body(world, path, given):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    here, alien = world.places["here"], world.places["alien"]
    before = state(world, alien.organisation)
    (part,) = [name for name in PARTS if "{" + name + "}" in path]

    def ask(place):
        return world.ask(
            path.replace("{" + part + "}", str(PARTS[part](place, path))), token, "POST", **given
        )

    assert ask(alien).status_code == 404
    assert ask(here).status_code != 404
    assert state(world, alien.organisation) == before


def test_file_of_another_body_is_no_certificate(world):
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    sent = {**NEW, "certificate_sha256": world.places["alien"].sha256}
    answer = world.ask(f"/api/points/{world.places['here'].point}/calibrations", token, "POST", json=sent)
    assert answer.status_code == 422, answer.text
    assert [fault["field"] for fault in answer.json()["errors"]] == ["certificate_sha256"]


def test_neither_tokens_nor_sessions_of_others_are_shown_or_ended(world):
    world.token(Grant(Role.ADMINISTRATOR, 1))
    alien, cookies = world.places["alien"], world.session()
    ((session,),) = world.lab.execute(
        "INSERT INTO web_sessions (token_hash, organisation_id, account_id, proven, created_at, used_at,"
        " ends_at, address) VALUES (sha256('theirs'), %s, %s, true, %s, %s, %s, 'x') RETURNING id",
        *(alien.organisation, alien.account, START, START, NOW),
    )
    before = state(world, alien.organisation)
    assert "alien" not in world.ask("/api/tokens", cookies=cookies).text
    ended = world.ask(f"/api/tokens/{alien.token}", method="DELETE", cookies=cookies, headers=BROWSER)
    assert ended.status_code == 404
    for form in ({"do": "token-end", "token": alien.token}, {"do": "session", "session": session}):
        world.ask("/me", method="POST", cookies=cookies, data=form, headers=dict(BROWSER))
    assert state(world, alien.organisation) == before


@pytest.mark.parametrize("elsewhere", [Role.ADMINISTRATOR, Role.CUSTOMER])
def test_account_with_rights_elsewhere_is_not_taken_over(world, elsewhere):
    """What an account may elsewhere is not seen by who asks here, and counts nevertheless."""
    here, alien = world.places["here"], world.places["alien"]
    world.lab.execute(
        "INSERT INTO role_grants (organisation_id, account_id, role) VALUES (%s, %s, %s)",
        *(alien.organisation, here.account, str(elsewhere)),
    )
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    browser = {"cookies": world.session(), "headers": dict(BROWSER)}
    asked = [
        ("POST", f"/api/people/{here.person}/invitation", {"json": {}}, token),
        ("PUT", f"/api/accounts/{here.account}/closed", {"json": {"disabled": True, "why": "x"}}, token),
        ("PUT", f"/api/people/{here.person}", {"json": {"name": "x", "left_at": NOW.isoformat()}}, token),
        ("POST", f"/people/{here.person}", {"data": {"do": "factor", "why": "x"}, **browser}, None),
        ("POST", f"/people/{here.person}", {"data": {"do": "invite"}, **browser}, None),
    ]
    try:
        for method, path, given, by in asked:
            answer = world.ask(path, by, method, **given)
            assert answer.status_code == 403, (method, path, given, answer.text)
    finally:
        world.lab.execute("DELETE FROM role_grants WHERE organisation_id = %s AND account_id = %s",
                          alien.organisation, here.account)  # fmt: skip
