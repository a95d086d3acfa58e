"""Settings over HTTP: checked by the gateway's own code, never over another's head, every revision kept."""

from collections.abc import Callable
from typing import Any, Protocol

import httpx
import pytest

pytestmark = pytest.mark.requirement("G-4.3a", "H-7.1c")
GPS = '# The car\n[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\n'
ADDRESS = "/api/gateways/gateway-1/settings"


class Http(Protocol):
    runner: Any
    client: httpx.AsyncClient

    def get(self, path: str, **query: object) -> httpx.Response: ...


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


Send = Callable[..., httpx.Response]


@pytest.fixture
def send(http: Http) -> Send:
    def sent(method: str, path: str = ADDRESS, **body: object) -> httpx.Response:
        answer = http.runner.run(http.client.request(method, path, json=body))
        assert isinstance(answer, httpx.Response)
        return answer

    return sent


@pytest.fixture(autouse=True)
def _nothing_yet(lab: Lab) -> None:
    lab.execute("DELETE FROM settings_desired")
    lab.execute("DELETE FROM settings_reported")
    lab.execute("DELETE FROM settings_revisions")


def test_saved_document_is_wanted_and_every_revision_stays(http: Http, send: Send) -> None:
    assert http.get(ADDRESS).json()["newest"] == 0
    assert send("PUT", document=GPS.format("car"), based_on=0, reason="first").json() == {"number": 1}
    assert send("PUT", document=GPS.format("van"), based_on=1, reason="moved").json() == {"number": 2}
    state = http.get(ADDRESS).json()
    assert (state["newest"], state["wanted"], state["document"]) == (2, 2, GPS.format("van"))
    history = http.get(ADDRESS + "/revisions").json()["items"]
    assert [(one["number"], one["reason"], one["based_on"]) for one in history] == [
        (2, "moved", 1),
        (1, "first", 0),
    ]
    assert http.get(ADDRESS + "/revisions/1").json()["values"]["device"][0]["prefix"] == "car"
    assert http.get(ADDRESS + "/diff", **{"from": 1, "to": 2}).json()["lines"][-2:] == [
        '-prefix = "car"',
        '+prefix = "van"',
    ]


def test_same_document_again_makes_no_revision(send: Send) -> None:
    assert send("PUT", document=GPS.format("car"), based_on=0, reason="first").json() == {"number": 1}
    assert send("PUT", document=GPS.format("car"), based_on=1, reason="again").json() == {"number": 1}


def said(lab: Lab, state: str, *, number: int, running: int, incarnation: int = 0) -> None:
    """The gateway has spoken."""
    lab.execute("DELETE FROM settings_reported")
    lab.execute(
        "INSERT INTO settings_reported"
        " VALUES (1, 1, %s, %s, %s, '[]', %s, %s, sha256('x'), NULL, NULL, now())",
        *(incarnation, number, state, incarnation if running else 0, running),
    )


@pytest.mark.parametrize(
    ("state", "running", "number"),
    [("rolled_back", 0, 2), ("refused", 0, 2), ("applied", 0, 2), ("applied", 1, 1), ("trying", 1, 1)],
)
def test_same_document_is_tried_again_where_it_does_not_run(
    lab: Lab, send: Send, state: str, running: int, number: int
) -> None:
    send("PUT", document=GPS.format("car"), based_on=0, reason="first")
    said(lab, state, number=1, running=running)
    assert send("PUT", document=GPS.format("car"), based_on=1, reason="again").json() == {"number": number}


def test_number_that_the_gateway_has_seen_already_goes_into_a_new_incarnation(lab: Lab, send: Send) -> None:
    send("PUT", document=GPS.format("car"), based_on=0, reason="first")
    said(lab, "applied", number=9, running=9, incarnation=2)
    assert send("PUT", document=GPS.format("van"), based_on=1, reason="second").json() == {"number": 2}
    assert lab.execute("SELECT incarnation, number FROM settings_desired") == [(3, 2)]


def test_all_faults_come_at_once_and_nothing_is_saved(http: Http, send: Send) -> None:
    wrong = '[uplink]\nhost = "x"\n[journal]\nbytes_max = 1\n[[device]]\ndriver = "gnss"\nname = "A B"\n'
    answer = send("PUT", document=wrong, based_on=0, reason="try")
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [
        "uplink",
        "journal.bytes_max",
        "device[0].name",
    ]
    assert http.get(ADDRESS).json()["newest"] == 0


def test_who_saves_over_another_is_told(send: Send) -> None:
    send("PUT", document=GPS.format("car"), based_on=0, reason="first")
    answer = send("PUT", document=GPS.format("van"), based_on=0, reason="late")
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["value"] == "1"


def test_earlier_revision_comes_back_as_a_new_one(http: Http, send: Send) -> None:
    send("PUT", document=GPS.format("car"), based_on=0, reason="first")
    send("PUT", document=GPS.format("van"), based_on=1, reason="second")
    answer = send("POST", ADDRESS + "/revert", number=1, based_on=2, reason="the van is sold")
    assert answer.json() == {"number": 3}
    assert http.get(ADDRESS).json()["document"] == GPS.format("car")
    assert send("POST", ADDRESS + "/revert", number=9, based_on=3, reason="x").status_code == 404


def test_settings_may_come_as_json(http: Http, send: Send) -> None:
    values = {"device": [{"driver": "gnss", "name": "gps", "prefix": "car"}], "clock": {"drift_ppm": 5.5}}
    assert send("PUT", values=values, based_on=0, reason="import").status_code == 200
    assert http.get(ADDRESS + "/revisions/1").json()["values"] == values
    assert send("PUT", values={"a": None}, based_on=1, reason="import").status_code == 422
    assert send("PUT", based_on=1, reason="nothing").status_code == 422
    assert send("PUT", values=values, document="", based_on=1, reason="both").status_code == 422


def test_template_is_filled_in_and_checked(http: Http, send: Send) -> None:
    template = {"organisation_id": 1, "site_kind": "vehicle", "reason": "vans"}
    document = GPS.format("{{vehicle}}") + "port = {{port}}\n"
    kept = send("PUT", "/api/settings-templates/van", document=document, **template)
    assert kept.status_code == 200, kept.text
    (listed,) = http.get("/api/settings-templates").json()["items"]
    assert (listed["id"], listed["name"], listed["document"]) == (kept.json()["id"], "van", document)
    place = ADDRESS + "/from-template"
    rest = {"template_id": listed["id"], "based_on": 0, "reason": "new van"}
    wrong = send("POST", place, values={"vehicle": "van-7", "colour": "red"}, **rest)
    assert [fault["field"] for fault in wrong.json()["errors"]] == ["values.port", "values.colour"]
    hostile = send("POST", place, values={"vehicle": 'x"\n[gateway]\nid = "y', "port": 2947}, **rest)
    assert [fault["field"] for fault in hostile.json()["errors"]] == ["device[0].prefix"]
    assert send("POST", place, values={"vehicle": "van-7", "port": 2947}, **rest).json() == {"number": 1}
    assert http.get(ADDRESS).json()["document"] == GPS.format("van-7") + "port = 2947\n"


def test_template_of_nobody_is_refused(send: Send) -> None:
    body = {"organisation_id": 999, "site_kind": "vehicle", "document": "a", "reason": "b"}
    assert send("PUT", "/api/settings-templates/van", **body).status_code == 404


def test_document_found_at_a_gateway_may_have_faults(http: Http, lab: Lab) -> None:
    lab.execute(
        "INSERT INTO settings_revisions VALUES (1, 1, 1, %s, sha256('x'), 'gateway', 'g', 'r', now(), 0)",
        f"a = {2**70}\nb = nan\n",
    )
    assert http.get(ADDRESS + "/revisions/1").json()["values"] == {}


def test_every_change_is_in_the_audit_log_with_what_and_why(lab: Lab, send: Send) -> None:
    send("PUT", document=GPS.format("car"), based_on=0, reason="first")
    send("PUT", document=GPS.format("van"), based_on=1, reason="moved to the van")
    rows = lab.execute(
        "SELECT action, object, why, old ->> 'lines', new ->> 'lines' FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    assert rows == [
        (
            "settings.save",
            "gateway gateway-1",
            "moved to the van",
            '["prefix = \\"car\\""]',
            '["prefix = \\"van\\""]',
        )
    ]


def test_hub_cannot_change_or_delete_a_revision(lab: Lab) -> None:
    rights = lab.execute(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'heng_hub' AND table_name = 'settings_revisions' AND table_schema = 'public'"
    )
    assert {right for (right,) in rights} == {"SELECT", "INSERT"}


@pytest.mark.parametrize(
    ("path", "query"),
    [("", {}), ("/revisions", {}), ("/revisions/1", {}), ("/diff", {"from": 1, "to": 2})],
)
def test_unknown_gateway_and_revision_are_not_there(http: Http, path: str, query: dict[str, int]) -> None:
    assert http.get("/api/gateways/nobody/settings" + path, **query).status_code == 404
    if path not in ("", "/revisions"):
        assert http.get(ADDRESS + path, **query).status_code == 404
