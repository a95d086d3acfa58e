"""`heng job`, from a method to a record in a file."""

import csv
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cli.main import main

pytestmark = pytest.mark.requirement("H-7.3.1a")
TOO_FEW = "Too few of its people are known to be in the zone"


@pytest.fixture
def database(databases):
    url = databases.create()
    assert main(["database", "upgrade", "--database", url]) == 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO organisations (name) VALUES ('body')")
        connection.execute(
            "INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 'lab', 'Lab', 'laboratory')"
        )
        connection.execute(
            "INSERT INTO zones (organisation_id, site_id, name, title, kind)"
            " VALUES (1, 1, 'room', 'Room', 'room')"
        )
        connection.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '7', 'Ann')")
    yield url
    databases.drop(url)


def test_job_is_planned_begun_and_finished_and_its_record_is_a_file(database, capsys, tmp_path):
    def job(*words):
        code = main(["job", *words, "--database", database])
        return code, capsys.readouterr()

    capsys.readouterr()
    made = job("method", "M", "--organisation", "body", "--limit", "temperature:18:22", "--people", "1",
               "--why", "first")  # fmt: skip
    assert made[1].out == "version: 1\n"
    now = datetime.now(UTC)
    plan = ("plan", "J-1", "--method", "M:1", "--zone", "lab/room", "--from", now.isoformat(), "--to",
            (now + timedelta(hours=1)).isoformat())  # fmt: skip
    code, told = job(*plan, "--person", "8")
    assert code == 1
    assert "people '8': expected the number of a person" in told.err
    assert job(*plan, "--person", "7")[0] == 0
    code, told = job("start", "J-1")
    assert (code, told.err) == (
        1,
        "heng job: not done: Too few of its people are known to be in the zone (7)\n",
    )
    assert job("start", "J-1", "--present", "7")[0] == 0
    code, told = job("release", "J-1", "--why", "x")
    assert (code, told.err) == (1, "heng job: not done: The job is not held\n")
    assert job("finish", "J-1")[0] == 0
    assert "J-1  finished  M, version 1  lab/room  7" in job("list")[1].out
    record = json.loads(job("record", "J-1")[1].out)
    assert (record["final"], record["missing"], record["job"]["attested"]) == (True, ["temperature"], ["7"])
    assert job("record", "J-1", "--out", str(tmp_path / "record.csv"))[0] == 0
    rows = list(csv.reader((tmp_path / "record.csv").read_text("utf-8").splitlines()))
    assert ["not measured", "temperature", "", "", "", ""] in rows


def test_time_without_offset_is_bad_input(database, capsys):
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "job",
                "plan",
                "J",
                "--method",
                "M:1",
                "--zone",
                "a/b",
                "--from",
                "2026-01-01T08:00",
                "--to",
                "x",
            ]
        )
    assert caught.value.code == 2
    assert "expected a time such as 2026-01-31T08:00:00+08:00" in capsys.readouterr().err
