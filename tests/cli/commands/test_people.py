"""People, audit and evidence at the command line, on a real database."""

import asyncio
import csv
import hashlib
import io
import json
import re

import psycopg
import pytest
from openpyxl import Workbook

from cli.commands.evidence import _tell
from cli.embedded.processes import free_port
from cli.main import main
from cloud.api.routes.audit import cell
from cloud.identity.evidence import EvidenceVerdict
from cloud.store.migrate import upgrade

FILE = """
organisation = "Institute"

[[person]]
number = "1001"
name = "Anna"
department = "Mass"
login = "anna"
password = "facilities-2026"
roles = ["facilities", "viewer@lab-1"]

[[person]]
number = "1002"
name = "Bo"

[[authorisation]]
person = "1002"
kind = "activity"
subject = "weighing E2"
from_at = "2026-01-01T00:00:00+08:00"
basis = "certificate 7"
"""


@pytest.fixture(scope="module")
def dsn(postgres_dsn: str, databases) -> str:
    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('Institute')")
            await connection.execute(
                "INSERT INTO sites (organisation_id, name, title, kind)"
                " VALUES (1, 'lab-1', 'Lab', 'laboratory')"
            )

    asyncio.run(make())
    return str(databases.hub_dsn(postgres_dsn))


@pytest.fixture
def call(dsn, capsys, hub_identity):
    def calling(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--database-url", dsn])
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling


def test_people_file_is_applied_once_and_read_again_as_nothing_to_do(call, tmp_path):
    file = tmp_path / "people.toml"
    file.write_text(FILE, "utf-8")
    code, said, _ = call("people", "apply", str(file))
    assert code == 0
    assert said.splitlines() == [
        "person 1001",
        "account anna",
        "password of anna",
        "role facilities of anna",
        "role viewer@lab-1 of anna",
        "person 1002",
        "authorisation of 1002: weighing E2",
    ]
    assert call("people", "apply", str(file))[:2] == (0, "nothing to do\n")
    code, said, _ = call("audit", "export")
    assert "facilities-2026" not in said
    rows = list(csv.DictReader(io.StringIO(said)))
    assert [row["action"] for row in rows][:4] == [
        "person.add",
        "account.invite",
        "password.set",
        "role.grant",
    ]
    assert {row["actor_kind"] for row in rows} == {"command"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("facilities-2026", "short"), "person[0].password"),
        (('"facilities",', '"king",'), "roles"),
        (('number = "1002"', 'number = "1001"'), "person[1].number"),
        (('person = "1002"', 'person = "9"'), "authorisation[0].person"),
        (("+08:00", ""), "authorisation[0].from_at"),
        (('name = "Bo"', 'nam = "Bo"'), "nam"),
    ],
)
def test_fault_of_a_people_file_names_its_field_and_no_password(call, tmp_path, change, fault):
    file = tmp_path / "people.toml"
    file.write_text(FILE.replace(*change), "utf-8")
    code, _, said = call("people", "check", str(file))
    assert code == 2
    assert fault in said
    assert "short" not in said


@pytest.mark.requirement("G-7.2a")
def test_first_administrator_gets_an_invitation_and_no_password_in_any_argument(call):
    words = (
        "people",
        "add-administrator",
        "root",
        "--organisation",
        "Institute",
        "--name",
        "R",
        "--number",
        "1",
    )
    code, said, _ = call(*words)
    assert code == 0
    assert re.search(r"/invitation#[\w-]{43}$", said, re.MULTILINE)
    code, again, _ = call("people", "invite", "root")
    assert code == 0
    assert again.split("#")[1] != said.split("#")[1]
    code, _, error = call("people", "invite", "nobody")
    assert (code, "expected the login of an account" in error) == (1, True)


@pytest.mark.requirement("G-7.2d")
def test_log_is_verified_against_heads_that_were_kept_elsewhere(
    call, dsn, postgres_dsn, hub_identity, tmp_path
):
    identity = ("--identity", str(hub_identity.folder))
    _, line, _ = call("audit", "head", *identity)
    heads = tmp_path / "heads"
    heads.write_text(line, "utf-8")
    code, said, _ = call("audit", "verify", *identity, "--heads", str(heads))
    assert (code, said.splitlines()[-1]) == (0, "whole: nothing was edited, removed or put in")
    with psycopg.connect(postgres_dsn, autocommit=True) as owner:
        owner.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        owner.execute("UPDATE audit_log SET why = 'because' WHERE id = 2")
        owner.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
    code, said, error = call("audit", "verify", *identity)
    assert (code, said.splitlines()[-1]) == (1, "not whole")
    assert "row 2: edited" in error


@pytest.mark.requirement("G-7.2d")
def test_verify_says_how_much_of_the_log_no_signature_covers(call, hub_identity, tmp_path):
    identity = ("--identity", str(hub_identity.folder))
    call("audit", "head", *identity)
    _, said, _ = call("audit", "verify", *identity)
    assert "every row is signed: the last head signs row " in said
    call("people", "invite", "root")
    _, said, _ = call("audit", "verify", *identity)
    assert "; 1 rows stand behind it and are not signed yet" in said


def test_log_that_cannot_be_read_is_told_apart_from_one_that_is_not_whole(capsys, hub_identity):
    port = free_port()
    nowhere = f"postgresql://heng@127.0.0.1:{port}/heng?connect_timeout=5"
    assert main(["audit", "verify", "--identity", str(hub_identity.folder), "--database-url", nowhere]) == 3
    assert str(port) in capsys.readouterr().err


def test_site_file_that_is_applied_stands_in_the_audit_log(call, tmp_path):
    file = tmp_path / "site.toml"
    file.write_text(
        'organisation = "Institute"\n[[site]]\nname = "lab-2"\ntitle = "Lab 2"\nkind = "laboratory"\n'
        'time_zone = "UTC"\n[[gateway]]\nname = "gw-2"\nsite = "lab-2"\n',
        "utf-8",
    )
    assert call("site", "apply", str(file))[0] == 0
    row = list(csv.DictReader(io.StringIO(call("audit", "export")[1])))[-1]
    assert (row["actor_kind"], row["action"]) == ("command", "site.apply")
    new = json.loads(row["new"])
    assert new["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert new["changes"] == ["gateway gw-2 serves lab-2"]


def test_cell_is_no_formula():
    assert cell("=cmd()") == "'=cmd()"
    assert cell(-3) == "-3"
    assert cell(None) == ""


def test_evidence_of_an_unknown_gateway_is_bad_input_and_of_a_silent_one_is_nothing(call, postgres_dsn):
    assert call("evidence", "verify", "--gateway", "nobody")[0] == 2
    with psycopg.connect(postgres_dsn, autocommit=True) as owner:
        owner.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'gw-quiet')")
    code, said, _ = call("evidence", "verify", "--gateway", "gw-quiet", "--json")
    assert (code, json.loads(said)["batches"], json.loads(said)["nothing"]) == (3, 0, True)
    code, said, _ = call("evidence", "verify", "--gateway", "gw-quiet")
    assert (code, said) == (3, "gw-quiet: 0 batches, 0 proven, 0 without bytes: nothing to prove\n")


@pytest.mark.parametrize(
    ("compared", "faults", "ending"),
    [
        (True, [], ": whole"),
        (True, ["x"], ": not whole"),
        (False, [], "as far as it was checked, but the keys' certificates were not checked: give --identity"),
        (False, ["x"], ": not whole; the keys' certificates were not checked: give --identity"),
    ],
)
def test_evidence_is_plainly_whole_only_with_certificates_that_were_checked(capsys, compared, faults, ending):
    verdict = EvidenceVerdict("gw-1", batches=1, proven=1, faults=faults)
    _tell(verdict, as_json=False, compared=compared)
    assert capsys.readouterr().out.rstrip().endswith(ending)


def test_workbook_is_previewed_imported_and_then_as_it_was(call, dsn, tmp_path):
    book = Workbook()
    book.active.title = "People"
    for row in (["Staff number", "Name"], ["3001", "Chen Wei"]):
        book.active.append(row)
    file = tmp_path / "people.xlsx"
    book.save(file)
    words = ("people", "import", str(file), "--organisation", "Institute")
    lines = ["People row 2: add person 3001", "1 would be added, 0 would be changed, 0 as they were"]
    assert call(*words, "--preview")[:2] == (0, "\n".join(lines) + "\n")
    assert call(*words)[1].splitlines()[-1] == "1 added, 0 changed, 0 as they were"
    assert call(*words)[1].splitlines() == ["0 added, 0 changed, 1 as they were"]
    book.active.append(["3001", "again"])
    book.save(file)
    code, said, fault = call(*words)
    assert (code, said) == (2, "")
    assert (
        "People row 3 A 工号 / Staff number: '3001': expected each once; it stands in People row 2" in fault
    )
    assert call(*words[:3], "--organisation", "nobody")[0] == 1
