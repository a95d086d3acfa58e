"""What others change meanwhile is never overwritten, and an undo is written down as what it undoes was."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from rules.permissions import Grant, Permission, Role
from tests.cloud.imports.conftest import make_book
from tests.cloud.imports.test_imports import BOOK, CARDS, PEOPLE, THINGS, preview, send, state, token

__all__ = ["token"]
WAITS_S = 10.0


@contextmanager
def held(world: Any, statement: str) -> Iterator[None]:
    """Somebody else's change, committed as soon as an import waits for it."""
    with psycopg.connect(world.lab.dsn) as other:
        other.execute(statement)

        def let_go() -> None:
            with psycopg.connect(world.lab.dsn, autocommit=True) as watch:
                until = time.monotonic() + WAITS_S
                waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                while time.monotonic() < until and watch.execute(waiting).fetchall() == [(0,)]:
                    pass
            other.commit()

        thread = threading.Thread(target=let_go)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def undo(world: Any, token: str) -> Any:
    run = world.ask("/api/imports", token).json()["items"][-1]["id"]
    return world.ask(f"/api/imports/{run}/undo", token, "POST")


def department(world: Any) -> str:
    ((found,),) = world.lab.execute("SELECT department FROM people WHERE number = '2001'")
    return str(found)


def test_what_somebody_changes_while_a_file_is_applied_is_not_overwritten(world: Any, token: str) -> None:
    send(world, token, BOOK)
    with held(world, "UPDATE people SET department = 'Mass' WHERE number = '2001'"):
        answer = send(world, token, {"People": [PEOPLE, ["2001", "Li Na"]]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["value"] == "People row 2, person 2001"
    assert department(world) == "Mass"


def test_what_somebody_enters_while_a_file_is_applied_is_told(world: Any, token: str) -> None:
    enter = "INSERT INTO people (organisation_id, number, name) VALUES (1, '2001', 'x')"
    with held(world, enter):
        answer = send(world, token, {"People": [PEOPLE, ["2001", "Li Na"]]})
    assert answer.status_code == 422
    assert world.lab.execute("SELECT name FROM people WHERE number = '2001'") == [("x",)]


def test_what_somebody_changes_during_an_undo_stays(world: Any, token: str) -> None:
    send(world, token, BOOK)
    with held(world, "UPDATE people SET department = 'Mass' WHERE number = '2001'"):
        answer = undo(world, token)
    assert "person 2001: changed since" in answer.json()["errors"][0]["expected"]
    assert department(world) == "Mass"


def test_undo_that_would_take_what_another_has_by_now_says_so(world: Any, token: str) -> None:
    send(world, token, {"Instruments": [THINGS, ["E1", "standard", "", "", "tag-1"]]})
    send(world, token, {"Instruments": [THINGS, ["E1", "standard", "", "", "tag-2"]]})
    world.lab.execute(
        "INSERT INTO assets (organisation_id, name, kind, tag) VALUES (1, 'E9', 'standard', 'tag-1')"
    )
    before = state(world)
    answer = undo(world, token)
    assert "asset E1: something else has since what it had" in answer.json()["errors"][0]["expected"]
    assert state(world) == before


@pytest.mark.requirement("G-7.2b")
def test_undo_is_written_down_row_by_row(world: Any, token: str) -> None:
    send(world, token, BOOK)
    ((before,),) = world.lab.execute("SELECT max(id) FROM audit_log")
    undo(world, token)
    rows = world.lab.execute("SELECT action, object, old FROM audit_log WHERE id > %s ORDER BY id", before)
    assert [(action, thing) for action, thing, _ in rows[1:]] == [
        ("asset.remove", "asset E2-1"),
        ("point.change", "point here-site/here/air/temperature"),
        ("credential.remove", "card …34 of person 2001"),
        ("person.remove", "person 2002"),
        ("role.remove", "role viewer of person 2001 at here-site"),
        ("role.remove", "role laboratory of person 2001 in the whole organisation"),
        ("account.remove", "account of person 2001"),
        ("person.remove", "person 2001"),
    ]
    assert rows[2][2] == {"title": "恒温室温度", "calibration_due": "2027-01-06"}
    assert "token" not in str(rows)


def test_undo_asks_what_applying_asked(world: Any, token: str) -> None:
    send(world, token, BOOK)
    narrow = world.token(Grant(Role.ADMINISTRATOR, 1), scopes=[Permission.PEOPLE_MANAGE])
    before = state(world)
    assert undo(world, narrow).status_code == 403
    assert state(world) == before


def test_undo_leaves_an_organisation_an_administrator(world: Any, token: str) -> None:
    enter = {"People": [PEOPLE, ["2001", "Li", "", "li@lab.example"]]}
    send(world, token, enter)
    send(world, token, {"People": [PEOPLE, ["2001", "Li", "", "li@lab.example", "administrator"]]})
    world.lab.execute("UPDATE accounts SET password = 'x' WHERE login = 'li@lab.example'")
    world.lab.execute("UPDATE accounts SET password = NULL WHERE id = %s", world.asker)
    before = state(world)
    answer = undo(world, token)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["expected"] == "an organisation that keeps an administrator"
    assert state(world) == before


def test_same_role_twice_in_a_cell_is_given_once(world: Any, token: str) -> None:
    told = preview(
        world, token, {"People": [PEOPLE, ["2001", "Li", "", "li@lab.example", "viewer, viewer；viewer"]]}
    )
    assert (told["fault_count"], told["added"]) == (0, 3)


def test_two_sheets_of_one_kind_are_one_list(world: Any, token: str) -> None:
    row = ["2001", "Li", "", "li@lab.example", "viewer"]
    twice = preview(world, token, {"People": [PEOPLE, row], "人员": [PEOPLE, row]})
    assert [one["expected"] for one in twice["faults"]] == ["each once; it stands in People row 2 already"]
    other = ["2002", *row[1:]]
    login = preview(world, token, {"People": [PEOPLE, row], "人员": [PEOPLE, other]})
    assert [one["expected"] for one in login["faults"]] == ["an address that is nobody's login yet"]


def test_preview_names_the_zone_of_an_instrument(world: Any, token: str) -> None:
    bare = {"Instruments": [THINGS, ["E1", "standard"]]}
    placed = {"Instruments": [THINGS, ["E1", "standard", "", "", "", "here-site", "room-1"]]}
    send(world, token, bare)
    assert preview(world, token, placed)["changes"][0]["fields"] == [
        {"field": "home_zone", "before": "", "after": "here-site/room-1"}
    ]


def test_page_speaks_chinese_of_rows_fields_and_faults(world: Any, token: str) -> None:
    def shown(sheets: Any) -> str:
        cookies = world.session()
        answer = world.ask(
            "/imports?lang=zh",
            method="POST",
            cookies=cookies,
            headers={"origin": "http://hub", "accept": "text/html"},
            data={"organisation": "1", "do": "preview"},
            files={"file": ("x.xlsx", make_book(sheets))},
        )
        return str(answer.text)

    good = shown(BOOK)
    assert "人员 2001 在站点 here-site 的角色：" in good
    assert "部门" in good
    assert "department" not in good
    assert "2026-01-01 00:00 – 2027-01-01 00:00" in good
    bad = shown({"Cards": [CARDS, ["9999", "h10301", 1, 12345]]})
    assert "已有人员或本文件中人员的工号" in bad


def test_page_shows_the_newest_imports_and_undoes_the_last(world: Any, token: str) -> None:
    send(world, token, BOOK)
    world.lab.execute(
        "INSERT INTO import_runs (organisation_id, file_name, file_sha256, author, applied_at, added,"
        " changed, changes, undone_at, undone_by)"
        " SELECT 1, 'old ' || n, sha256('x'), 'x', now(), 0, 0, '[]', now(), 'x'"
        " FROM generate_series(1, 1100) n"
    )
    send(world, token, {"People": [PEOPLE, ["2009", "Newest"]]}, name="newest.xlsx")
    page = world.ask("/imports", cookies=world.session(), headers={"accept": "text/html"}).text
    assert "newest.xlsx" in page
    assert "Undo the import of newest.xlsx" in page
