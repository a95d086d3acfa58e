"""Keys, checks and the calendar of access rights at the command line, on a real database."""

import asyncio
import io
from pathlib import Path

import psycopg
import pytest

from cli.main import main
from cloud.imports.cards import key_id
from cloud.store.migrate import upgrade


@pytest.fixture(scope="module")
def dsn(postgres_dsn: str) -> str:
    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('Institute')")
            await connection.execute(
                "INSERT INTO sites (organisation_id, name, title, kind)"
                " VALUES (1, 'lab-1', 'L', 'laboratory')"
            )

    asyncio.run(make())
    return postgres_dsn


def heng(dsn: str, *words: str) -> int:
    return main(["rights", *words, "--database-url", dsn])


def test_key_is_written_once_for_its_owner_alone_and_another_is_taken_over(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "credential.key"
    assert heng(dsn, "check", "lab-1") == 1
    assert "credential key" in capsys.readouterr().out
    assert heng(dsn, "key", "--organisation", "Institute", "--out", str(file)) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    key = file.read_bytes()
    assert heng(dsn, "key", "--organisation", "Institute", "--out", str(file)) == 1
    assert file.read_bytes() == key
    other = tmp_path / "gateway.key"
    other.write_bytes(bytes(range(32)))
    assert heng(dsn, "key", "--organisation", "Institute", "--take", str(other)) == 0
    assert key_id(bytes(range(32))) in capsys.readouterr().out
    other.write_bytes(b"short")
    assert heng(dsn, "key", "--organisation", "Institute", "--take", str(other)) == 1
    assert "expected 32 bytes" in capsys.readouterr().err
    assert heng(dsn, "key", "--organisation", "Nobody", "--take", str(other)) == 1
    assert heng(dsn, "check", "lab-1") == 0
    assert heng(dsn, "check", "moon") == 1


def test_calendar_is_entered_whole_or_not_at_all(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "days.csv"
    file.write_text("2026-10-01,holiday,,National Day\n2026-10-10,workday,someday\n", encoding="utf-8")
    assert heng(dsn, "days", str(file), "--organisation", "Institute") == 2
    said = capsys.readouterr().err
    assert "row 2" in said
    assert "nothing was entered" in said
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM access_items").fetchone() == (0,)
    file.write_text("2026-10-01,holiday,,National Day\n2026-10-10,workday,wed\n", encoding="utf-8")
    assert heng(dsn, "days", str(file), "--organisation", "Institute") == 0
    assert capsys.readouterr().out == "2 days entered\n"
    assert heng(dsn, "gateways") == 0
    assert capsys.readouterr().out == "no gateway is sent rights\n"


def test_card_is_given_blocked_and_revoked_by_its_id_and_its_number_is_no_argument(
    dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO people (organisation_id, number, name) VALUES (1, '1001', 'He Ping')")
    of = ("1001", "--organisation", "Institute")
    monkeypatch.setattr("sys.stdin", io.StringIO("54321\n"))
    assert heng(dsn, "card", "give", *of, "--facility", "7") == 0
    card = capsys.readouterr().out.split()[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("54321\n"))
    assert heng(dsn, "card", "give", *of, "--facility", "7") == 1
    assert "54321" not in capsys.readouterr().err
    for word, state in (("block", "blocked"), ("unblock", "active"), ("revoke", "revoked")):
        assert heng(dsn, "card", word, card, "--why", "a test") == 0
        assert ("heng rights gateways" in capsys.readouterr().out) == (state != "active")
        assert heng(dsn, "card", "list", *of) == 0
        listed = capsys.readouterr().out
        assert f"{card}  h10301 …21  {state}" in listed
        assert "54321" not in listed
    assert heng(dsn, "card", "block", "999999", "--why", "a test") == 1
    assert heng(dsn, "card", "list", "9999", "--organisation", "Institute") == 1
    assert "somebody of Institute" in capsys.readouterr().err
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT why FROM audit_log WHERE action = 'credential.change'").fetchall()
    assert rows == [("a test",)] * 3
