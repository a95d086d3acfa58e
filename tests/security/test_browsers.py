"""What other sites make a browser send, what guesses at the door, and what lasts longer than a session."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from cloud.api.guard import api_routes, need_of
from cloud.api.routes import cameras
from cloud.identity.secrets import token_hash
from cloud.store import web_sessions
from rules.permissions import Grant, Role
from tests.cloud.identity.test_every_route import filled
from tests.cloud.identity.world import NOW

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]

FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://hub.evil.example"},
    {"sec-fetch-site": "cross-site", "origin": "http://hub"},
    {"sec-fetch-site": "same-site"},
    {},
    # a link with a name and a password in it makes a browser send them
    {"authorization": "Basic aGVuZzpoZW5n", "origin": "https://evil.example"},
    {"authorization": "Negotiate abc"},
]


def unsafe(world):
    for route in api_routes(world.app.routes):
        for method in sorted(route.methods - {"GET", "HEAD", "OPTIONS"}):
            yield route, method


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_route_changes_anything_for_a_page_of_another_origin(world, refused, headers):
    world.token(Grant(Role.ADMINISTRATOR, 1))
    cookies = world.session()
    asked = set()
    for route, method in unsafe(world):
        answer = world.ask(
            filled(route, world.places["here"]), method=method, cookies=cookies, headers=dict(headers)
        )
        assert answer.status_code == 403, (method, route.path, answer.text[:200])
        asked.add(f"{method} {route.path}")
    assert len(asked) > 30
    assert asked <= {thing for _, thing, _, _ in refused("it was sent by a page of another origin")}


def test_change_without_a_sign_in_is_refused_and_written_down(world, refused):
    for route, method in unsafe(world):
        if not need_of(route.endpoint).anybody:
            assert world.ask(filled(route, world.places["here"]), method=method).status_code == 401
    assert refused("nobody is signed in")


def test_safe_routes_change_nothing(world):
    """What a picture or a link of another site asks for carries the cookie; it may only read."""
    world.token(Grant(Role.ADMINISTRATOR, 1))
    cookies = world.session()
    tables = [row[0] for row in world.lab.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")]
    owned = [
        one for one in ("people", "accounts", "role_grants", "authorisations", "gateways") if one in tables
    ]

    def state():
        return [world.lab.execute(f"SELECT * FROM {table} ORDER BY 1") for table in owned]

    before = state()
    for route in api_routes(world.app.routes):
        if "GET" in route.methods:
            world.ask(filled(route, world.places["here"]), method="HEAD", cookies=cookies)
    assert state() == before


def guess(world, address, **form):
    """Try a login and a password from an address, as a browser would."""

    async def ask():
        transport = httpx.ASGITransport(world.app, raise_app_exceptions=False, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.post("/sign-in", data=form, headers={"origin": "http://hub"})

    return world.runner.run(ask())


def test_one_password_for_many_logins_is_stopped_and_written_down(world, refused):
    answers = [
        guess(world, "192.0.2.50", login=f"name-{n}", password="Summer2026!").status_code for n in range(14)
    ]
    assert answers[:10] == [401] * 10
    assert set(answers[10:]) == {429}
    assert [row for row in refused("too many tries%") if row[3] == "192.0.2.50"]
    assert len([row for row in refused("login or password") if row[3] == "192.0.2.50"]) == 10


def test_many_addresses_for_one_login_are_stopped(world, refused):
    answers = [
        guess(world, f"198.51.100.{n}", login="here-login", password="wrong wrong").status_code
        for n in range(34)
    ]
    assert set(answers[:30]) == {401}
    assert set(answers[30:]) == {429}
    assert any("for this login" in why for (why,) in world.lab.execute("SELECT why FROM audit_log"))


def test_tokens_that_are_guessed_are_refused_and_counted(world, refused):
    before = len(refused("token"))
    answers = {world.ask("/api/sites", f"heng_{n:040x}").status_code for n in range(25)}
    assert answers == {401}
    written = len(refused("token")) - before
    assert 0 < written <= 20


@pytest.mark.parametrize(
    "form",
    [
        {"login": "a\0b", "password": "x"},
        {"login": "a", "password": "\0" * 2000},
        {"login": "\ud800".encode("utf-8", "surrogatepass"), "password": "x"},
        {"login": "a" * 10_000, "password": "x"},
        {"login": "' OR 1=1 --", "password": "' OR 1=1 --"},
        {"code": "\0", "password": "long enough 1", "again": "long enough 1"},
    ],
)
@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/invitation"])
def test_odd_forms_at_the_door_are_refused(world, path, form):
    world.lab.execute("DELETE FROM sign_in_attempts")
    answer = world.ask(path, method="POST", data=form, headers={"origin": "http://hub"})
    assert answer.status_code in (401, 422), (answer.status_code, answer.text[:300])


def test_ended_sessions_are_forgotten_as_new_ones_begin(world):
    def begin(number, ended):
        world.lab.execute(
            "INSERT INTO web_sessions (token_hash, organisation_id, account_id, proven, created_at, used_at,"
            " ends_at, ended_at, address) VALUES (%s, 1, %s, true, %s, %s, %s, %s, 'old')",
            token_hash(f"old-{number}"),
            world.asker,
            NOW - timedelta(days=5),
            NOW - timedelta(days=5),
            NOW - timedelta(days=4) if ended is None else NOW + timedelta(hours=1),
            ended,
        )

    for number in range(7):
        begin(number, None if number % 2 else NOW - timedelta(days=2))
    begin(7, NOW - timedelta(hours=1))

    async def forget(connection):
        return [
            await web_sessions.forget_sessions(connection, NOW - timedelta(days=1), most=4) for _ in range(3)
        ]

    assert world.lab.run(forget) == [4, 3, 0]
    assert world.lab.execute("SELECT count(*) FROM web_sessions WHERE address = 'old'") == [(1,)]


def test_live_view_ends_with_the_session():
    asked = []

    async def scene():
        async def frames():
            while True:
                await asyncio.sleep(0.001)
                yield b"\xff\xd8\xff"

        async def admitted():
            asked.append(True)
            return len(asked) < 5

        return [part async for part in cameras.parts(b"\xff\xd8\xff", frames(), admitted, ask_s=0)]

    assert len(asyncio.run(scene())) == 5
