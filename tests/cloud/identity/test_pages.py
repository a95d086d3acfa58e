"""The way in, people, rights and the audit log as pages; what other sites make a browser send is refused."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import Request

from cloud.api.errors import ApiError
from cloud.identity.secrets import totp
from cloud.web.forms import read_pairs
from rules.permissions import Grant, Role
from tests.cloud.identity.conftest import PASSWORD
from tests.cloud.identity.world import NOW

BROWSER = {"accept": "text/html", "origin": "http://hub"}


@pytest.fixture(scope="module")
def asker(world, hashed):
    """The asker with a password, a clean slate of attempts and the roles of an administrator."""
    world.lab.execute("UPDATE accounts SET password = %s WHERE id = %s", hashed, world.asker)
    world.token(Grant(Role.ADMINISTRATOR, 1))
    return world


def post(world, path, cookies=None, headers=BROWSER, **form):
    return world.ask(path, method="POST", data=form, cookies=cookies, headers=dict(headers))


def sign_in(world, **form):
    world.lab.execute("DELETE FROM sign_in_attempts")
    return post(world, "/sign-in", **({"login": "asker", "password": PASSWORD} | form))


def page(world, path, cookies=None):
    return world.ask(path, cookies=cookies, headers={"accept": "text/html"})


def test_page_leads_to_the_sign_in_and_from_there_back(asker):
    away = page(asker, "/sites/here-site?range=7d")
    assert away.status_code == 303
    target = parse_qs(urlsplit(away.headers["location"]).query)["next"][0]
    entered = sign_in(asker, next=target)
    assert (entered.status_code, entered.headers["location"]) == (303, "/sites/here-site?range=7d")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert page(asker, target, dict(entered.cookies)).status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "\\/x", "x", "/a\nb"]
)
def test_sign_in_leads_to_no_other_site(asker, target):
    assert sign_in(asker, next=target).headers["location"] == "/"


@pytest.mark.requirement("G-7.2a")
def test_session_that_somebody_brought_along_is_not_the_one_that_is_signed_in(asker):
    asker.lab.execute("DELETE FROM sign_in_attempts")
    brought = {"heng_session": "chosen-by-the-attacker"}
    entered = post(asker, "/sign-in", cookies=brought, login="asker", password=PASSWORD)
    assert entered.status_code == 303
    assert entered.cookies["heng_session"] != "chosen-by-the-attacker"
    assert page(asker, "/", brought).status_code == 303


def test_wrong_password_says_so_and_many_of_them_say_wait(asker):
    assert "not right" in sign_in(asker, password="wrong wrong wrong").text
    for _ in range(5):
        last = post(asker, "/sign-in", login="asker", password="wrong wrong wrong")
    assert last.status_code == 429
    assert "Wait 15 minutes" in last.text


@pytest.mark.requirement("G-7.2a")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://hub"},
        {"sec-fetch-site": "same-site"},
        {},
    ],
)
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/people", {"organisation": "1", "name": "CSRF", "number": "csrf"}),
        ("/me", {"do": "x"}),
        ("/sign-out", {}),
    ],
)
def test_form_of_another_site_is_refused_and_written_down(asker, path, form, headers):
    cookies = asker.session()
    asker.lab.execute("DELETE FROM people WHERE number = 'csrf'")
    assert post(asker, path, cookies=cookies, headers=headers, **form).status_code == 403
    assert asker.lab.execute("SELECT * FROM people WHERE number = 'csrf'") == []
    rows = asker.lab.execute(
        "SELECT 1 FROM audit_log WHERE object = %s AND outcome = 'refused'", f"POST {path}"
    )
    assert rows


def test_sign_out_ends_the_session(asker):
    cookies = dict(sign_in(asker).cookies)
    assert post(asker, "/sign-out", cookies=cookies).headers["location"] == "/sign-in"
    assert page(asker, "/me", cookies).status_code == 303


def test_administrator_enters_a_person_invites_and_grants_and_the_person_comes_in(asker):
    cookies = asker.session()
    post(
        asker, "/people", cookies=cookies, organisation="1", number="4711", name="Chen Wei", department="Mass"
    )
    ((person,),) = asker.lab.execute("SELECT id FROM people WHERE number = '4711'")
    shown = post(asker, f"/people/{person}", cookies=cookies, do="invite", login="chen")
    code = re.search(r"http://hub/invitation#([\w-]+)&amp;chen<", shown.text)
    assert code is not None
    granted = post(asker, f"/people/{person}", cookies=cookies, do="role", role="facilities", site="all")
    assert granted.status_code == 303
    again = post(asker, f"/people/{person}", cookies=cookies, do="role", role="facilities", site="all")
    assert again.status_code == 422
    assert "cannot be granted" in again.text
    asker.lab.execute("DELETE FROM sign_in_attempts")
    short = post(asker, "/invitation", code=code[1], password="short", again="short")
    assert short.status_code == 422
    done = post(asker, "/invitation", code=code[1], password=PASSWORD, again=PASSWORD)
    assert done.headers["location"] == "/sign-in"
    welcome = page(asker, "/sign-in", dict(done.cookies))
    assert "Password set. Sign in as chen." in welcome.text
    assert 'value="chen"' in welcome.text
    assert "Max-Age=0" in welcome.headers["set-cookie"]
    assert "Password set" not in page(asker, "/sign-in").text
    entered = sign_in(asker, login="chen")
    mine = page(asker, "/me", dict(entered.cookies)).text
    assert "Chen Wei" in mine
    assert "Facilities" in mine
    assert page(asker, "/people", dict(entered.cookies)).status_code == 403
    assert page(asker, "/audit", dict(entered.cookies)).status_code == 403


def test_person_without_a_role_is_told_so_and_reaches_their_own_page(asker):
    cookies = asker.session()
    warned = "grant one before you hand the invitation over"
    rolled = asker.places["here"].person
    assert warned not in post(asker, f"/people/{rolled}", cookies=cookies, do="invite").text
    bare = _entered(asker, "no-role-1")
    assert warned in post(asker, f"/people/{bare}", cookies=cookies, do="invite", login="bare").text
    granted = asker.lab.execute("DELETE FROM role_grants WHERE account_id = %s RETURNING role", asker.asker)
    shown = page(asker, "/", cookies)
    assert shown.status_code == 403
    assert "No role was given to you yet" in shown.text
    assert 'href="/me"' in shown.text
    assert page(asker, "/me", cookies).status_code == 200
    assert granted == [("administrator",)]
    asker.token(Grant(Role.VIEWER, 1))
    assert "No role was given" not in page(asker, "/people", cookies).text
    asker.token(Grant(Role.ADMINISTRATOR, 1))


def test_what_was_typed_stays_and_the_wrong_field_is_named(asker):
    person = _entered(asker, "typed-1")
    form = {"organisation": "1", "number": "typed-1", "name": "Second Person", "department": "Length"}
    refused = post(asker, "/people", cookies=asker.session(), **form)
    assert refused.status_code == 422
    assert "This staff number is taken" in refused.text
    assert all(f'value="{form[name]}"' in refused.text for name in ("number", "name", "department"))
    assert refused.text.count('aria-invalid="true"') == 1
    missing = post(asker, "/people", cookies=asker.session(), **(form | {"number": " "}))
    assert "The staff number is missing." in missing.text
    long = post(asker, "/people", cookies=asker.session(), **(form | {"number": "9" * 41}))
    assert "40 characters at most" in long.text
    for login, said in (("Ann a", "A login has 2 to 63"), ("asker", "This login is taken")):
        shown = post(asker, f"/people/{person}", cookies=asker.session(), do="invite", login=login)
        assert said in shown.text
        assert f'value="{login}"' in shown.text


def test_where_a_role_holds_has_to_be_chosen(asker):
    here, cookies = asker.places["here"], asker.session()
    refused = post(asker, f"/people/{here.person}", cookies=cookies, do="role", role="quality", site="")
    assert refused.status_code == 422
    assert "Choose where the role holds" in refused.text
    assert re.search(r'<select name="site" required[^>]*><option value="">Choose where<', refused.text)
    assert '<option value="quality" selected>' in refused.text


def test_own_person_page_offers_nothing_that_is_refused(asker):
    ((own,),) = asker.lab.execute("SELECT person_id FROM accounts WHERE id = %s", asker.asker)
    other = asker.places["here"].person
    for person, offered in ((own, False), (other, True)):
        shown = page(asker, f"/people/{person}", asker.session()).text
        assert ("Close the account" in shown) == ("Has left" in shown) == offered


def test_people_is_marked_in_the_header_of_its_pages(asker):
    assert '.top .push a[aria-current="page"]' in asker.ask("/static/css/heng.css").text
    for path in ("/people", "/people/1", "/authorisations", "/audit"):
        shown = page(asker, path, asker.session()).text
        assert '<a class="language" href="/people" aria-current="page">' in shown, path


def _entered(world, number):
    form = {"organisation": "1", "number": number, "name": "Anna", "department": ""}
    assert post(world, "/people", cookies=world.session(), **form).status_code == 303
    ((person,),) = world.lab.execute("SELECT id FROM people WHERE number = %s", number)
    return person


def test_second_factor_is_set_up_on_ones_own_page_and_asked_at_the_next_sign_in(asker):
    cookies = dict(sign_in(asker).cookies)
    mine = page(asker, "/me", cookies).text
    seed = re.search(r'name="seed" value="([0-9a-f]{40})"', mine)
    assert seed is not None
    secret, step = bytes.fromhex(seed[1]), int(NOW.timestamp()) // 30
    form = {"do": "factor", "seed": seed[1], "password": PASSWORD}
    assert post(asker, "/me", cookies=cookies, **form, code="000000").status_code == 422
    assert post(asker, "/me", cookies=cookies, **form, code=totp(secret, step - 1)).status_code == 303
    half = sign_in(asker, next="/audit")
    assert half.headers["location"] == "/sign-in/code?next=%2Faudit"
    assert page(asker, "/me", dict(half.cookies)).status_code == 303
    replayed = post(asker, "/sign-in/code", dict(half.cookies), code=totp(secret, step - 1), next="/audit")
    assert replayed.status_code == 401
    whole = post(asker, "/sign-in/code", dict(half.cookies), code=totp(secret, step), next="/audit")
    assert whole.headers["location"] == "/audit"
    assert whole.cookies["heng_session"] != half.cookies["heng_session"]
    asker.lab.execute("UPDATE accounts SET totp_seed = NULL WHERE id = %s", asker.asker)


def test_token_is_made_shown_once_used_and_ended(asker):
    cookies = asker.session()
    made = post(asker, "/me", cookies=cookies, do="token", name="report", days="9", scope="readings.read")
    token = re.search(r"heng_[\w-]{43}", made.text)
    assert token is not None
    assert token[0] not in page(asker, "/me", cookies).text
    assert asker.ask("/api/sites", token[0]).status_code == 200
    assert asker.ask("/api/people", token[0]).status_code == 403
    ((number,),) = asker.lab.execute("SELECT id FROM api_tokens WHERE name = 'report'")
    assert post(asker, "/me", cookies=cookies, do="token-end", token=str(number)).status_code == 303
    asker.lab.execute("DELETE FROM sign_in_attempts")
    assert asker.ask("/api/sites", token[0]).status_code == 401


@pytest.mark.requirement("H-7.2c", "S-4.3.2", "G-6.9b", "H-7.2d")
def test_authorisation_is_entered_asked_for_a_moment_and_withdrawn_without_touching_the_past(asker):
    cookies, here = asker.session(), asker.places["here"]
    form = {"person": str(here.person), "kind": "activity", "subject": "signing certificates"}
    post(asker, "/authorisations", cookies=cookies, **form, **{"from": "2025-06-01"}, basis="exam 3")
    ((number,),) = asker.lab.execute("SELECT id FROM authorisations WHERE subject = 'signing certificates'")
    post(asker, "/authorisations", cookies=cookies, withdraw=str(number), why="left the group")

    def held(at):
        return "signing certificates" in page(asker, f"/authorisations?at={at}", cookies).text

    assert [held(at) for at in ("2025-05-31", "2025-06-01", "2025-12-31", "2026-01-02")] == [
        False,
        True,
        True,
        False,
    ]
    for odd in ("0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "0001-01-01"):
        assert asker.ask("/authorisations", params={"at": odd}, cookies=cookies).status_code == 422
    bad = post(asker, "/authorisations", cookies=cookies, **form, **{"from": "soon"}, basis="x")
    assert bad.status_code == 422
    assert "2026-01-31" in bad.text


@pytest.mark.requirement("G-7.2d")
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "path", ["/people", "/people/1", "/authorisations", "/audit", "/me", "/sign-in", "/invitation"]
)
def test_pages_of_people_are_shown_in_both_languages(asker, path, language):
    shown = page(asker, f"{path}?lang={language}", asker.session())
    assert shown.status_code == 200, shown.text
    assert ("登录" in shown.text or "人员" in shown.text or "密码" in shown.text) == (language == "zh")


def test_body_that_is_too_large_or_no_form_is_refused(asker):
    assert post(asker, "/sign-in", login="x" * 20_000).status_code == 413
    sent = asker.ask("/sign-in", method="POST", json={"login": "asker"}, headers=dict(BROWSER))
    assert sent.status_code == 415


def test_nobody_reads_another_person_by_number(asker):
    alien = asker.places["alien"]
    assert page(asker, f"/people/{alien.person}", asker.session()).status_code == 404
    changed = post(asker, f"/people/{alien.person}", cookies=asker.session(), do="facts", name="mine now")
    assert changed.status_code == 404


def test_body_that_comes_too_slowly_is_refused():
    async def slowly():
        return await asyncio.Event().wait()

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    request = Request({"type": "http", "method": "POST", "headers": [kind]}, slowly)
    with pytest.raises(ApiError) as refused:
        asyncio.run(read_pairs(request, patience_s=0.05))
    assert refused.value.status == 408


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/lib/..%2f..%2fx"]
)
def test_path_leads_to_no_file_beyond_the_static_ones(asker, path):
    assert asker.ask(path).status_code in (400, 401, 404)
