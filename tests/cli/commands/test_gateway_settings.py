"""Settings of a gateway at the command line, on a real database."""

import asyncio
import json

import psycopg
import pytest

from cli.main import main
from cloud.store.migrate import upgrade

pytestmark = pytest.mark.requirement("G-4.3a")

GPS = '# The car\n[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\n'


@pytest.fixture(scope="module")
def dsn(postgres_dsn: str, databases) -> str:
    async def make() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)
            await connection.execute("INSERT INTO organisations (name) VALUES ('Institute')")
            await connection.execute("INSERT INTO gateways (organisation_id, name) VALUES (1, 'van-1')")

    asyncio.run(make())
    return str(databases.hub_dsn(postgres_dsn))


@pytest.fixture
def call(dsn, capsys):
    def calling(*words: str) -> tuple[int, str, str]:
        code = main(["gateway", "settings", *words, "--database-url", dsn])
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling


def test_settings_are_set_shown_compared_and_taken_back(call, tmp_path):
    file, values = tmp_path / "one.toml", tmp_path / "two.json"
    file.write_text(GPS.format("car"))
    assert call("show", "van-1")[0] == 1
    assert call("set", "van-1", str(file), "--why", "first")[0] == 0
    code, out, err = call("show", "van-1")
    assert (code, out) == (0, GPS.format("car"))
    assert "wanted: 1" in err
    exported = json.loads(call("show", "van-1", "--json")[1])
    exported["device"][0]["prefix"] = "van"
    values.write_text(json.dumps(exported))
    assert call("set", "van-1", str(values), "--why", "second", "--based-on", "1")[0] == 0
    assert '+prefix = "van"' in call("diff", "van-1", "1", "2")[1]
    assert call("revert", "van-1", "1", "--why", "sold")[0] == 0
    assert [line.split(": ")[-1] for line in call("history", "van-1")[1].splitlines()] == [
        "sold",
        "second",
        "first",
    ]


def test_faults_and_conflicts_are_told_and_nothing_is_saved(call, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(GPS.format("A B") + "colour = 1\n")
    code, _, err = call("set", "van-1", str(file), "--why", "try")
    assert code == 1
    assert "2 fault(s), nothing was saved" in err
    assert "device[0].prefix" in err
    file.write_text(GPS.format("car"))
    assert "saved meanwhile" in call("set", "van-1", str(file), "--why", "late", "--based-on", "0")[2]
    assert "expected the id" in call("show", "nobody")[2]
