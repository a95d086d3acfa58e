"""Every route × role × own, neighbouring, foreign place: nothing reachable that the matrix does not grant."""

import itertools
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from cloud.api.guard import api_routes, need_of, undeclared
from rules.permissions import MATRIX, WHOLE_ORGANISATION, Grant, Permission, Rights, Role
from tests.cloud.identity.asking import World
from tests.cloud.identity.world import NOW, START, Place

OPEN = {
    *("/health", "/ready", "/api", "/docs", "/static/lib/{name}"),
    *("/sign-in", "/sign-in/code", "/invitation"),
}
SPAN = {"from": START.isoformat(), "to": NOW.isoformat()}
AUDITED = {**SPAN, "action": "test.marked"}
QUERIES: dict[str, Any] = {
    "/api/readings": lambda place: {"point": place.point, **SPAN},
    "/api/completeness": lambda place: {"point": place.point, **SPAN},
    "/api/gaps": lambda place: SPAN,
    "/api/events": lambda place: SPAN,
    "/api/audit": lambda place: AUDITED,
    "/api/audit.csv": lambda place: AUDITED,
    "/api/positions/{point}/track": lambda place: SPAN,
    "/api/cameras/{camera}/timeline": lambda place: SPAN,
    "/api/gateways/{gateway}/settings/diff": lambda place: {"from": NOTHING, "to": NOTHING},
    "/gateways/{gateway}/settings/file": lambda place: {"revision": NOTHING},
}
"""What must be asked besides the path."""
NAMED_BY_PLACE = {"/api/readings", "/api/completeness"}
"""Routes that ask for one place's thing by their query."""
PARTS: dict[str, Any] = {
    "site": lambda place, path: place.site,
    "gateway": lambda place, path: place.gateway,
    "point": lambda place, path: place.position if "positions" in path else place.point,
    "person": lambda place, path: place.person,
    "account": lambda place, path: place.account,
    "grant": lambda place, path: place.grant,
    "authorisation": lambda place, path: place.authorisation,
    "name": lambda place, path: f"{place.mark}-site",
    "point_id": lambda place, path: place.point,
    "camera": lambda place, path: place.camera,
    "calibration": lambda place, path: place.calibration,
    "sha256": lambda place, path: place.sha256,
    "token": lambda place, path: place.token,
    "interlock": lambda place, path: place.interlock,
    "command": lambda place, path: place.command,
}
"""What stands for a part of a path; of anything else this world has nothing."""
NOTHING = 999_999_999
REFUSALS = (404, 409, 415, 422)
"""What an unsafe request without a body may be answered with by who may ask."""
PERSONAL = {"/api/commands/{command}/approval", "/commands/{command}/approval"}
"""What a person does in a session of their own, and no token."""
STREAMS = {"/live"}
"""Answers without an end: only their head is asked for."""
FILLED = {
    *("/api/sites", "/api/gateways", "/api/points", "/api/latest", "/api/gaps", "/api/events"),
    *("/api/people", "/api/roles", "/api/authorisations", "/api/audit", "/api/audit.csv"),
    *("/api/cameras", "/api/calibrations", "/cameras"),
    *("/api/interlocks", "/api/commands", "/interlocks"),
    *("/", "/map", "/parts/tracks", "/devices", "/coverage"),
}
"""Lists that have to show what may be seen; of no list anything else may be shown."""


def routes(app: FastAPI) -> list[APIRoute]:
    return list(api_routes(app.routes))


def grants_of(role: Role, places: dict[str, Place]) -> list[Grant]:
    """A role in the whole organisation, and at one of its sites."""
    return [Grant(role, 1), Grant(role, 1, places["here"].site)]


def filled(route: APIRoute, place: Place) -> str:
    path = route.path
    for name in itertools.chain(route.param_convertors):
        part = PARTS.get(name, lambda place, path: NOTHING)(place, route.path)
        path = path.replace("{" + name + "}", str(part))
    return path


def test_every_route_declares_what_it_needs(world):
    assert undeclared(world.app) == []
    assert {r.path for r in routes(world.app) if need_of(r.endpoint).anybody} <= OPEN


@pytest.mark.requirement("G-7.2a")
def test_without_sign_in_nothing_but_what_is_open_is_answered(world):
    for route, method in ((r, m) for r in routes(world.app) for m in r.methods):
        if route.path in OPEN:
            continue
        response = world.ask(filled(route, world.places["here"]), method=method)
        assert response.status_code == 401, (method, route.path, response.text)
        assert "here" not in response.text.replace(filled(route, world.places["here"]), "")


@pytest.mark.requirement("G-7.2a", "H-7.1c")
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("whole", [True, False])
def test_nothing_is_reachable_that_the_matrix_does_not_grant(world, role, whole):
    grant = grants_of(role, world.places)[0 if whole else 1]
    token = world.token(grant)
    rights = Rights(frozenset({grant}))
    asked = 0
    for route in routes(world.app):
        need = need_of(route.endpoint)
        if "GET" not in route.methods or need is None or need.permission is None:
            continue
        scope = rights.scope(need.permission)
        if need.permission is Permission.METRICS_READ:
            scope = Rights().scope(need.permission)  # one organisation of two is not the whole hub
        for place in world.places.values():
            query = QUERIES.get(route.path, lambda place: {})(place)
            method = "HEAD" if route.path in STREAMS else "GET"
            response = world.ask(filled(route, place), token, method, params=query)
            what = (route.path, role, whole, place.mark, response.status_code, response.text[:300])
            single = bool(route.param_convertors) or route.path in NAMED_BY_PLACE
            site = None if need.permission in WHOLE_ORGANISATION else place.site
            covered = scope.covers(place.organisation, site)
            asked += 1
            if response.status_code == 200:
                assert {"no-store", "private"} & set(response.headers["cache-control"].split(", ")), what
            if scope.empty:
                assert response.status_code == 403, what
            elif str(NOTHING) in str(response.url):
                assert response.status_code in (404, 422), what
            elif single:
                assert response.status_code == (200 if covered else 404), what
            else:
                assert response.status_code == 200, what
            if response.status_code == 200 and not single and method == "GET":
                for other in world.places.values():
                    other_site = None if need.permission in WHOLE_ORGANISATION else other.site
                    shown = f"{other.mark}" in response.text
                    within = scope.covers(other.organisation, other_site)
                    assert within or not shown, (*what, other.mark)
                    assert shown or not within or route.path not in FILLED, (*what, other.mark)
    assert asked > 30


@pytest.mark.parametrize("role", list(Role))
def test_every_unsafe_route_asks_for_a_permission_that_the_role_must_have(world, role):
    token = world.token(Grant(role, 1))
    for route, method in ((r, m) for r in routes(world.app) for m in r.methods - {"GET", "HEAD", "OPTIONS"}):
        need = need_of(route.endpoint)
        if route.path in OPEN or need is None:
            continue
        allowed = need.permission is not None and need.permission in MATRIX[role]
        for place in world.places.values():
            status = world.ask(filled(route, place), token, method).status_code
            if not allowed:
                assert status == 403, (method, route.path, role)
            else:
                done = (204,) if place.organisation == 1 else ()
                done = (*done, 403) if route.path in PERSONAL else done
                assert status in (*REFUSALS, *done), (method, route.path, role, place.mark, status)


def test_scopes_of_a_token_narrow_it_to_them(world):
    token = world.token(Grant(Role.ADMINISTRATOR, 1), scopes=[Permission.READINGS_READ])
    assert world.ask("/api/sites", token).status_code == 200
    assert world.ask("/api/events", token, params=SPAN).status_code == 403


def test_readiness_shows_figures_of_the_whole_hub_to_who_may_see_all_of_it(world):
    alien = world.places["alien"].organisation
    assert world.ask("/ready").json()["backlog"] is None
    assert world.ask("/ready", world.token(Grant(Role.ADMINISTRATOR, 1))).json()["backlog"] is None
    both = world.token(Grant(Role.ADMINISTRATOR, 1), Grant(Role.ADMINISTRATOR, alien))
    assert world.ask("/ready", both).json()["backlog"] is not None
    assert world.ask("/metrics", both).status_code == 200


def test_forged_tokens_are_refused_counted_and_written_down(world):
    before = world.lab.execute("SELECT count(*) FROM audit_log WHERE why LIKE 'token%%'")[0][0]
    answers = [world.ask("/api/sites", f"heng_{n}").status_code for n in range(8)]
    assert set(answers) == {401}
    assert world.lab.execute("SELECT count(*) FROM audit_log WHERE why LIKE 'token%%'")[0][0] > before
    assert world.lab.execute("SELECT count(*) FROM audit_log WHERE why LIKE 'too many%%'")[0][0] > 0


def test_refused_request_is_written_down_once_a_minute(world):
    token = world.token(Grant(Role.CUSTOMER, 1))
    for _ in range(3):
        assert world.ask("/api/events", token, params=SPAN).status_code == 403
    rows = world.lab.execute(
        "SELECT actor, outcome, origin FROM audit_log"
        " WHERE object = 'GET /api/events' AND actor = 'asker/test'"
    )
    assert rows[-1][1] == "refused"
    assert len(rows) <= 2


BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/people"): lambda p: {"organisation_id": p.organisation, "number": "x", "name": "x"},
    ("PUT", "/api/people/{person}"): lambda p: {"name": "taken over"},
    ("POST", "/api/people/{person}/invitation"): lambda p: {},
    ("PUT", "/api/accounts/{account}/closed"): lambda p: {"disabled": True, "why": "x"},
    ("POST", "/api/roles"): lambda p: {
        "account_id": p.account,
        "organisation_id": p.organisation,
        "role": "viewer",
    },
    ("DELETE", "/api/roles/{grant}"): lambda p: None,
    ("POST", "/api/authorisations"): lambda p: {
        "person_id": p.person,
        "kind": "activity",
        "subject": "x",
        "from_at": START.isoformat(),
        "basis": "x",
    },
    ("POST", "/api/authorisations/{authorisation}/withdrawal"): lambda p: {
        "from_at": NOW.isoformat(),
        "why": "x",
    },
}
TABLES = ("people", "accounts", "role_grants", "invitations", "authorisations", "api_tokens")


def state(world: World, organisation: int) -> list[Any]:
    return [
        world.lab.execute(f"SELECT * FROM {table} WHERE organisation_id = %s ORDER BY 1", organisation)
        for table in TABLES
    ]


@pytest.mark.requirement("G-7.2a", "H-7.1c")
@pytest.mark.parametrize(("method", "path"), sorted(BODIES))
def test_administrator_of_one_body_cannot_touch_another(world, method, path):
    alien = world.places["alien"]
    (route,) = [r for r in routes(world.app) if r.path == path and method in r.methods]
    token = world.token(Grant(Role.ADMINISTRATOR, 1), Grant(Role.VIEWER, alien.organisation))
    before = state(world, alien.organisation)
    response = world.ask(filled(route, alien), token, method, json=BODIES[method, path](alien))
    assert response.status_code in (403, 404), response.text
    assert state(world, alien.organisation) == before


def test_every_unsafe_route_of_this_room_is_tried_on_another_body(world):
    unsafe = {
        (method, route.path)
        for route in routes(world.app)
        for method in route.methods - {"GET", "HEAD"}
        if route.path.startswith(("/api/people", "/api/roles", "/api/accounts", "/api/authorisations"))
    }
    assert unsafe == set(BODIES)


def test_one_body_is_not_granted_by_naming_ones_own(world):
    """A site of another organisation, or an account of it, named beside an organisation of one's own."""
    here, alien = world.places["here"], world.places["alien"]
    token = world.token(Grant(Role.ADMINISTRATOR, 1))
    for account, site in ((alien.account, here.site), (here.account, alien.site), (world.asker, alien.site)):
        sent = {"account_id": account, "organisation_id": 1, "role": "viewer", "site_id": site}
        assert world.ask("/api/roles", token, "POST", json=sent).status_code == 404


def test_person_without_rights_over_people_cannot_raise_themselves(world):
    for role in set(Role) - {Role.ADMINISTRATOR}:
        token = world.token(Grant(role, 1), Grant(Role.ADMINISTRATOR, 1, world.places["here"].site))
        sent = {"account_id": world.asker, "organisation_id": 1, "role": "administrator"}
        assert world.ask("/api/roles", token, "POST", json=sent).status_code == 403
