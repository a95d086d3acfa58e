"""Which database a command takes: what was said, the environment, or that of an embedded hub's folder."""

import argparse
import asyncio
from pathlib import Path

import psycopg
import pytest

from cli.database import add_database_options, chosen_database, embedded_identity
from cli.embedded.postgres import HUB, OWNER, EmbeddedPostgres

OWNERS, HUBS = "HENG_OWNER_DATABASE_URL", "HENG_DATABASE_URL"


def chosen(*words: str, owner: bool = False) -> str | None:
    parser = argparse.ArgumentParser()
    add_database_options(parser, owner=owner)
    return chosen_database(parser.parse_args(words), "test")


def found_identity(*words: str) -> Path | None:
    parser = argparse.ArgumentParser()
    add_database_options(parser, owner=False)
    return embedded_identity(parser.parse_args(words))


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in (OWNERS, HUBS):
        monkeypatch.delenv(name, raising=False)


def test_url_wins_over_the_environment_and_each_command_has_the_role_that_it_prefers(monkeypatch) -> None:
    monkeypatch.setenv(OWNERS, "owner")
    assert chosen() == "owner"
    monkeypatch.setenv(HUBS, "hub")
    assert chosen() == "hub"
    assert chosen(owner=True) == "owner"
    assert chosen("--database-url", "given") == "given"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no database: give --data or --database-url"),
        (("--data", "nowhere"), "no database runs here"),
        (("--data", "x", "--database-url", "y"), "give one of them"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(capsys, words, said) -> None:
    assert chosen(*words) is None
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_identity_of_an_embedded_hub_is_found_by_its_data_folder(monkeypatch, tmp_path: Path) -> None:
    assert found_identity("--data", "elsewhere") is None
    for name in ("elsewhere", "heng-data"):
        (tmp_path / name / "ca" / "hubs" / "hub").mkdir(parents=True)
    assert found_identity("--data", "elsewhere") == Path("elsewhere/ca/hubs/hub")
    assert found_identity() == Path("heng-data/ca/hubs/hub")
    assert found_identity("--database-url", "of another hub") is None
    monkeypatch.setenv(HUBS, "of another hub")
    assert found_identity() is None


@pytest.mark.parametrize("broken", ["", "1\n", "x\n" * 8, "\xff"])
def test_file_that_is_none_of_a_server_is_no_server(capsys, tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "heng-data" / "postgres"
    (folder / "data").mkdir(parents=True)
    (folder / "passwords.json").write_text('{"admin": "a", "owner": "b", "hub": "c"}')
    (folder / "data" / "postmaster.pid").write_bytes(broken.encode("latin-1"))
    assert chosen() is None
    assert "no database runs here" in capsys.readouterr().err


@pytest.mark.slow
def test_running_database_of_a_folder_is_found_and_a_stopped_one_is_not(capsys, service_folder: Path) -> None:
    data = service_folder / "found"

    async def entered(url: str | None) -> str:
        assert url is not None
        async with await psycopg.AsyncConnection.connect(url) as connection:
            (role,) = await (await connection.execute("SELECT current_user")).fetchone() or ("",)
            return str(role)

    async def scene() -> None:
        server = EmbeddedPostgres(data / "postgres")
        async with server:
            assert await entered(chosen("--data", str(data))) == HUB
            assert await entered(chosen("--data", str(data), owner=True)) == OWNER
            left = (server.data / "postmaster.pid").read_bytes()
        (server.data / "postmaster.pid").write_bytes(left)

    asyncio.run(scene())
    assert chosen("--data", str(data)) is None
    assert "no database runs here" in capsys.readouterr().err
