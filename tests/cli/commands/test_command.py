"""Commands at the command line, on a real database."""

import asyncio
import re

import psycopg
import pytest

from cli.main import main
from cloud.store.migrate import upgrade

pytestmark = pytest.mark.requirement("G-6.9d")
TRIP = ("van-1", "interlock.trip", "interlock=cabin")


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
        code = main(["command", *words, "--database-url", dsn])
        said = capsys.readouterr()
        return code, said.out, said.err

    return calling


def test_command_is_sent_listed_and_shown(call):
    code, out, _ = call("send", *TRIP, "reason=smoke", "--no-wait")
    assert (code, "on its way" in out) == (0, True)
    identity = out.split()[0]
    assert re.fullmatch("[0-9a-f]{32}", identity)
    assert identity in call("list", "--gateway", "van-1")[1]
    shown = call("show", identity)[1]
    assert '{"interlock": "cabin", "reason": "smoke"}' in shown
    assert "by " in shown


def test_who_waits_hears_that_nothing_is_known_and_not_that_it_was_done(call):
    code, out, _ = call("send", *TRIP, "--valid-s", "1")
    assert (code, "unknown: no receipt in time" in out) == (1, True)


@pytest.mark.parametrize(
    ("state", "said"),
    [("refused", "refused by the gateway: "), ("failed", "begun, and not known to be done: ")],
)
def test_what_was_not_done_is_told_with_the_sentence_of_the_gateway(call, postgres_dsn, state, said):
    _, out, _ = call("send", *TRIP, "--no-wait")
    command = out.split()[0]
    sentence = "no interlock is called room-2; there is climate"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO command_receipts (organisation_id, command_id, gateway_id, state, reason, text,"
            " received_at, from_journal) VALUES (1, decode(%s, 'hex'), 1, %s, 'unknown', %s, now(), true)",
            (command, state, sentence),
        )
        connection.execute("UPDATE commands SET outcome = %s WHERE id = decode(%s, 'hex')", (state, command))
    code, out, _ = call("show", command)
    assert (code, out.splitlines()[-1]) == (0, f"state:    {said}{sentence}")


def test_second_person_is_another_one(call):
    words = ("interlock=cabin", "cause=gas", "reason=test", "seconds=60")
    code, out, _ = call("send", "van-1", "interlock.bypass", *words)
    assert (code, "heng command approve" in out) == (0, True)
    code, _, err = call("approve", out.split()[0])
    assert (code, "another person" in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("van-1", "interlock.reset", "interlock=cabin", "breach=soon"), "expected a number"),
        (("van-1", "interlock.reset", "interlock=cabin"), "arguments.breach"),
        (("van-1", "interlock.trip", "cabin"), "ARGUMENT=VALUE"),
        (("van-2", "interlock.trip", "interlock=cabin"), "an existing gateway"),
    ],
)
def test_bad_input_gets_one_clear_error(call, words, expected):
    code, _, err = call("send", *words)
    assert (code, expected in err) == (1, True), err


def test_command_that_is_not_there(call):
    assert call("show", "0" * 32)[0] == 1
