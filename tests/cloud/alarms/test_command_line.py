"""Alarms at the command line, on a real database."""

import asyncio

import psycopg
import pytest

from cli.main import main
from cloud.alarms.keeper import Keeper
from cloud.store.connection import StoreConnection

FILE = """
organisation = "metrology"
reason = "first rules"

[[way]]
name = "duty"
kind = "email"
target = "duty@lab.example"

[[template]]
name = "air"
quantity = "temperature"
points = ["lab-1/*"]
[[template.rules]]
condition = "hi"
priority = "high"
limit = "23.0"
deadband = "0.5"
[[template.rules]]
condition = "comms"
on_delay_s = 60

[[policy]]
sites = ["lab-1"]
[policy.chains.all]
[[policy.chains.all.steps]]
to = ["duty"]
repeat_s = 900
[[policy.routes]]
chain = "all"
"""


@pytest.fixture
def call(lab, capsys):
    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--database-url", lab.hub_dsn])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_alarms_are_set_up_seen_and_handled_at_the_command_line(lab, call, tmp_path):
    point = lab.point(period_ms=None)
    name = lab.execute("SELECT name FROM points WHERE id = %s", point)[0][0]
    file = tmp_path / "alarms.toml"
    file.write_text(FILE, encoding="utf-8")
    code, said = call("alarm", "apply", str(file))
    assert code == 0, said
    assert said.split("\n")[:4] == [
        "way duty",
        "template air, revision 1",
        "template air watches 1 more points",
        "policy of lab-1, revision 1",
    ]
    assert call("alarm", "apply", str(file)) == (0, "way duty\n")

    async def turn():
        async with await StoreConnection.connect(lab.hub_dsn, autocommit=True) as connection:
            await Keeper(connection).turn((await (await connection.execute("SELECT now()")).fetchone())[0])

    asyncio.run(turn())
    with psycopg.connect(lab.dsn, autocommit=True) as db:
        ((now,),) = db.execute("SELECT now()").fetchall()
    lab.store(point, [(now, 2450, 0)])
    asyncio.run(turn())
    code, said = call("alarm", "list")
    assert code == 0
    assert "high" in said
    assert "24.50 °C" in said
    said = call("alarm", "acknowledge", "lab-1", name, "hi", "--text", "seen")
    assert said == (0, "acknowledged: 1\n")
    code, said = call("alarm", "acknowledge", "lab-1", name, "hi")
    assert code == 2
    assert "expected an alarm that nobody has acknowledged" in said
    assert call("alarm", "shelve", "lab-1", name, "hi", "--minutes", "30", "--text", "new filter") == (0, "")
    assert "shelved" in call("alarm", "list", "--site", "lab-1")[1]
    assert call("alarm", "unshelve", "lab-1", name, "hi") == (0, "")
    assert call("alarm", "take-out", "lab-1", name, "--text", "service") == (0, "")
    assert call("alarm", "put-back", "lab-1", name) == (0, "")
    assert call("alarm", "test", "duty", "--organisation", "metrology")[0] == 0
    assert call("alarm", "list", "--site", "nowhere")[0] == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('limit = "23.0"', 'limit = "warm"'), "template"),
        (('limit = "23.0"', 'limit = "900"'), "hi.limit '900'"),
        (('to = ["duty"]', 'to = ["nobody"]'), "chains.all.0.to 'nobody'"),
        (("lab-1/*", "lab-9/*"), "a pattern that fits points"),
        (('sites = ["lab-1"]', 'sites = ["lab-9"]'), "policy, sites 'lab-9'"),
        (('kind = "email"', 'kind = "pigeon"'), "kind 'pigeon': expected one of email"),
        (("deadband", "deadbandd"), "deadbandd"),
        (('organisation = "metrology"', 'organisation = "nobody"'), "organisation 'nobody'"),
    ],
)
def test_file_with_a_fault_is_refused_whole_with_its_place(lab, call, tmp_path, change, told):
    lab.point()
    before = lab.execute("SELECT count(*) FROM alarm_template_revisions")
    file = tmp_path / "alarms.toml"
    file.write_text(FILE.replace("first rules", "again").replace(*change), encoding="utf-8")
    code, said = call("alarm", "apply", str(file))
    assert code == 2
    assert told in said
    assert lab.execute("SELECT count(*) FROM alarm_template_revisions") == before
