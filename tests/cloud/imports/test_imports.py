"""A workbook is previewed with all faults at once, applied whole or not, undone while nothing changed."""

import io
import json
from typing import Any

import pytest
from openpyxl import load_workbook

from rules.permissions import Grant, Permission, Role
from tests.cloud.identity.world import NOW
from tests.cloud.imports.conftest import make_book

PEOPLE = ["工号", "Name", "部门 / Department", "E-mail", "Role"]
CARDS = ["Staff number", "Card format", "Facility code", "Card number", "Valid from", "Valid to"]
POINTS = ["Site", "Point", "Title", "Calibration due"]
THINGS = ["Name", "Kind", "Model", "Serial number", "Tag", "Site", "Home zone"]
BOOK = {
    "人员": [
        PEOPLE,
        ["2001", "李娜", "质量室", "Li.Na@lab.example", "laboratory, viewer@here-site"],
        ["2002", "Bo"],
    ],
    "Cards": [CARDS, ["2001", "h10301", 118, 16034, "2026-01-01", "2026-12-31"]],
    "测点 Points": [POINTS, ["here-site", "here/air/temperature", "恒温室温度", "2027-01-06"]],
    "Instruments": [THINGS, ["E2-1", "standard", "E2", "S-1", "tag-1", "here-site", "room-1"]],
}
AUTHORISE = (
    "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
    " SELECT 1, id, 'activity', 'x', '[2026-01-01,)' FROM people WHERE number = '2002'"
)
TABLES = ("people", "accounts", "role_grants", "credentials", "assets", "points", "import_runs")


@pytest.fixture
def token(world: Any) -> str:
    """An administrator's, in a house without what earlier tests imported."""
    world.lab.execute(
        "DELETE FROM credentials; DELETE FROM credential_keys; DELETE FROM assets; DELETE FROM import_runs;"
        "DELETE FROM role_grants WHERE account_id IN (SELECT a.id FROM accounts a JOIN people p"
        " ON p.id = a.person_id WHERE p.number LIKE '2%%');"
        "DELETE FROM accounts WHERE person_id IN (SELECT id FROM people WHERE number LIKE '2%%');"
        "DELETE FROM authorisations WHERE person_id IN (SELECT id FROM people WHERE number LIKE '2%%');"
        "DELETE FROM people WHERE number LIKE '2%%'; UPDATE points SET title = '', calibration_due = NULL"
    )
    return str(world.token(Grant(Role.ADMINISTRATOR, 1)))


def state(world: Any) -> dict[str, Any]:
    return {table: world.lab.execute(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}


def send(world: Any, token: str, sheets: Any, path: str = "/api/imports", **query: Any) -> Any:
    body = sheets if isinstance(sheets, bytes) else make_book(sheets)
    return world.ask(path, token, "POST", params={"organisation": 1, **query}, content=body)


def preview(world: Any, token: str, sheets: Any) -> Any:
    answer = send(world, token, sheets, "/api/imports/preview")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_preview_says_what_would_be_and_writes_nothing(world: Any, token: str) -> None:
    before = state(world)
    told = preview(world, token, BOOK)
    assert (told["added"], told["changed"], told["unchanged"], told["fault_count"]) == (7, 1, 0, 0)
    assert [(one["sheet"], one["row"], one["what"], one["action"]) for one in told["changes"]] == [
        ("人员", 2, "person 2001", "add"),
        ("人员", 2, "account of person 2001", "add"),
        ("人员", 2, "role laboratory of person 2001 in the whole organisation", "add"),
        ("人员", 2, "role viewer of person 2001 at here-site", "add"),
        ("人员", 3, "person 2002", "add"),
        ("Cards", 2, "card …34 of person 2001", "add"),
        ("测点 Points", 2, "point here-site/here/air/temperature", "change"),
        ("Instruments", 2, "asset E2-1", "add"),
    ]
    assert "16034" not in json.dumps(told)
    assert state(world) == before


def test_whole_file_is_applied_and_written_down_without_the_number_of_a_card(world: Any, token: str) -> None:
    assert send(world, token, BOOK, name="people.xlsx").status_code == 200
    (card,) = world.lab.execute(
        "SELECT c.format, c.ending, c.state, c.valid::text, length(c.token), p.name FROM credentials c"
        " JOIN people p ON p.id = c.person_id"
    )
    valid = '["2025-12-31 16:00:00+00","2026-12-31 16:00:00+00")'
    assert card == ("h10301", "34", "active", valid, 32, "李娜")
    rows = world.lab.execute(
        "SELECT action, object, coalesce(new::text, '') FROM audit_log WHERE at = %s", NOW
    )
    done = {(action, thing) for action, thing, _ in rows}
    assert {("import.apply", "import 1"), ("person.add", "person 2001")} <= {
        (action, "import 1" if action == "import.apply" else thing) for action, thing in done
    }
    everything = json.dumps([rows, [str(row) for table in TABLES for row in state(world)[table]]])
    assert "16034" not in everything
    (thing,) = world.lab.execute(
        "SELECT a.model, a.tag, z.name FROM assets a JOIN zones z ON z.id = a.home_zone_id"
    )
    assert thing == ("E2", "tag-1", "room-1")
    (due,) = world.lab.execute("SELECT calibration_due::text FROM points WHERE title = '恒温室温度'")
    assert due == ("2027-01-06",)


def test_same_file_again_changes_nothing(world: Any, token: str) -> None:
    send(world, token, BOOK)
    before = state(world)
    again = send(world, token, BOOK).json()
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 7)
    assert state(world) == before


def test_empty_cell_leaves_what_is_there(world: Any, token: str) -> None:
    send(world, token, BOOK)
    told = preview(world, token, {"People": [PEOPLE, ["2001", "李娜 (new)"]]})
    assert told["changes"][0]["fields"] == [{"field": "name", "before": "李娜", "after": "李娜 (new)"}]


FAULTY = {
    "People": [
        PEOPLE,
        ["2001", "Li", None, "no address", "laboratory"],
        ["2001", "Li"],
        ["2003", None],
        ["2004", "x", None, None, "laboratory"],
        ["2005", "x", None, "x@lab.example", "king"],
        ["2006", "=1+1"],
    ],
    "Cards": [CARDS, ["9999", "h10301", 1, 12345], ["here-1", "h1", 1, 2], ["here-1", "h10301", 1, 9912345]],
    "Points": [POINTS, ["nowhere", "x"], ["here-site", "x"],
               ["here-site", "here/air/temperature", "", "soon"]],
    "Instruments": [THINGS, ["a", "toy"], ["b", "standard", "", "", "t"], ["c", "standard", "", "", "t"],
                    ["d", "standard", "", "", "", "here-site", "cellar"]],
    "Extra": [["x"]],
}  # fmt: skip


@pytest.mark.requirement("G-7.2b")
def test_every_fault_is_told_at_once_with_its_place_and_nothing_is_applied(world: Any, token: str) -> None:
    before = state(world)
    told = preview(world, token, FAULTY)
    places = [(one["sheet"], one["row"], one["column"].split(" ")[0]) for one in told["faults"]]
    assert sorted(places) == sorted(
        [
            *(("People", 2, "D"), ("People", 3, "A"), ("People", 4, "B"), ("People", 5, "D")),
            *(("People", 6, "E"), ("People", 7, "B")),
            *(("Cards", 2, "A"), ("Cards", 3, "B"), ("Cards", 4, "D")),
            *(("Points", 2, "A"), ("Points", 3, "B"), ("Points", 4, "D")),
            *(("Instruments", 2, "B"), ("Instruments", 4, "E"), ("Instruments", 5, "G"), ("Extra", 0, "")),
        ]
    )
    assert all(one["expected"] for one in told["faults"])
    assert "12345" not in json.dumps(told)
    answer = send(world, token, FAULTY)
    assert (answer.status_code, len(answer.json()["errors"])) == (422, len(places))
    assert state(world) == before


def test_fault_of_a_field_hides_no_other_of_its_row(world: Any, token: str) -> None:
    told = preview(
        world,
        token,
        {
            "People": [PEOPLE, ["2001", None, None, "no mail", "boss"]],
            "Cards": [[*CARDS, "State"], ["9999", "h1", 1, 1603, "2026-13-01", None, "gone"]],
            "Points": [POINTS, ["here-site", "unknown", None, "2027-13-01"]],
            "Instruments": [[*THINGS], ["a" * 201, "toy", None, None, None, "here-site", "cellar"]],
        },
    )
    assert sorted((one["sheet"], one["column"][0]) for one in told["faults"]) == [
        *(("Cards", column) for column in "ABEG"),
        *(("Instruments", column) for column in "ABG"),
        *(("People", column) for column in "BDE"),
        *(("Points", column) for column in "BD"),
    ]


def test_undo_takes_the_last_import_back_whole(world: Any, token: str) -> None:
    before = {table: rows for table, rows in state(world).items() if table != "import_runs"}
    send(world, token, BOOK)
    (run,) = world.ask("/api/imports", token).json()["items"]
    assert world.ask(f"/api/imports/{run['id']}/undo", token, "POST").status_code == 204
    after = {table: rows for table, rows in state(world).items() if table != "import_runs"}
    assert after == before
    again = world.ask(f"/api/imports/{run['id']}/undo", token, "POST")
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "import")
    assert preview(world, token, BOOK)["added"] == 7


@pytest.mark.parametrize(
    ("since", "told"),
    [
        ("UPDATE people SET name = 'x' WHERE number = '2002'", "person 2002: changed since"),
        (
            "UPDATE accounts SET password_at = now() WHERE login = 'li.na@lab.example'",
            "account of person 2001",
        ),
        (
            AUTHORISE,
            "person 2002: something was entered for it since",
        ),
        ("UPDATE assets SET tag = 'other'", "asset E2-1: changed since"),
    ],
)
def test_undo_says_what_changed_since_and_then_keeps_everything(
    world: Any, token: str, since: str, told: str
) -> None:
    send(world, token, BOOK)
    world.lab.execute(since)
    before = state(world)
    (run,) = world.ask("/api/imports", token).json()["items"]
    answer = world.ask(f"/api/imports/{run['id']}/undo", token, "POST")
    assert answer.status_code == 422
    assert told in answer.json()["errors"][0]["expected"]
    assert state(world) == before


def test_only_the_last_import_is_undone(world: Any, token: str) -> None:
    send(world, token, BOOK)
    send(world, token, {"People": [PEOPLE, ["2002", "Bo Li"]]})
    first, second = (one["id"] for one in world.ask("/api/imports", token).json()["items"])
    assert world.ask(f"/api/imports/{first}/undo", token, "POST").status_code == 422
    assert world.ask(f"/api/imports/{second}/undo", token, "POST").status_code == 204
    assert world.lab.execute("SELECT name FROM people WHERE number = '2002'") == [("Bo",)]
    assert world.ask(f"/api/imports/{first}/undo", token, "POST").status_code == 204


@pytest.mark.requirement("G-7.2a", "H-7.1c")
def test_nobody_imports_into_another_body_or_without_the_permission(world: Any, token: str) -> None:
    kept = [table for table in TABLES if table != "role_grants"]
    before = [state(world)[table] for table in kept]
    alien = world.places["alien"].organisation
    for path in ("/api/imports", "/api/imports/preview"):
        assert send(world, token, BOOK, path, organisation=alien).status_code == 403
    for role in set(Role) - {Role.ADMINISTRATOR}:
        other = world.token(Grant(role, 1), Grant(Role.ADMINISTRATOR, 1, world.places["here"].site))
        assert send(world, other, BOOK).status_code == 403
    narrow = world.token(Grant(Role.ADMINISTRATOR, 1), scopes=[Permission.PEOPLE_MANAGE])
    told = preview(world, narrow, BOOK)
    assert {one["sheet"] for one in told["faults"]} == {"人员", "测点 Points", "Instruments"}
    assert [state(world)[table] for table in kept] == before


def test_point_whose_calibration_says_when_it_is_due_takes_no_other_day(world: Any, token: str) -> None:
    here = world.places["here"]
    world.lab.execute(
        "INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent, due_on)"
        " VALUES (1, %s, '(,)', '{0}', '{0}', -3, '2026-08-01')",
        here.point,
    )
    sheet = [POINTS, ["here-site", "here/air/temperature", "", "2027-01-06"]]
    (fault,) = preview(world, token, {"Points": sheet})["faults"]
    assert "2026-08-01" in fault["expected"]
    world.lab.execute("DELETE FROM calibrations WHERE point_id = %s", here.point)


def test_template_is_taken_back_without_a_fault_once_a_row_is_filled_in(world: Any, token: str) -> None:
    answer = world.ask("/api/imports/template", token)
    assert answer.headers["content-disposition"].startswith("attachment")
    book = load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["人员 People", "卡片 Cards", "测点 Points", "仪器 Instruments"]
    book["人员 People"].append(["2001", "李娜"])
    filled = io.BytesIO()
    book.save(filled)
    told = preview(world, token, filled.getvalue())
    assert (told["fault_count"], told["added"]) == (0, 1)
    (empty,) = preview(world, token, answer.content)["faults"]
    assert empty["expected"] == "at least one row below a heading"


def test_what_is_no_workbook_is_told_so(world: Any, token: str) -> None:
    assert preview(world, token, b"%PDF-")["faults"][0]["expected"].startswith("expected an .xlsx")
    assert send(world, token, b"x" * (5 * 1024 * 1024 + 1)).status_code == 413
    assert send(world, token, b"").status_code == 415


def test_person_sees_which_cards_are_kept_of_them_and_no_number(world: Any, token: str) -> None:
    send(world, token, BOOK)
    ((person,),) = world.lab.execute("SELECT id FROM people WHERE number = '2001'")
    for path in (f"/people/{person}", f"/api/people/{person}"):
        page = world.ask(path, token, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "Li.Na@lab.example" in page.text
        assert "16034" not in page.text
    assert "h10301 …34" in world.ask(f"/people/{person}", token).text
