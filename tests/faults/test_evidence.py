"""What is in the database is what is accounted for: rows, gaps and holes in the ledger."""

import asyncio
from collections.abc import Iterator, Mapping

import psycopg
import pytest

from cli.faults.accounting import Verdict, Window
from cli.faults.evidence import Unit, audit
from cloud.store.migrate import upgrade

NOW = 1_789_000_000.0
GIVEN = {number: NOW + number for number in range(1, 6)}
SETUP = """
INSERT INTO organisations (name) VALUES ('o');
INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 's', 's', 'laboratory');
INSERT INTO gateways (organisation_id, name) VALUES (1, 'g');
INSERT INTO points (organisation_id, site_id, name, quantity, kind)
    VALUES (1, 1, 'u/answers', 'count', 'counter'), (1, 1, 'u/t', 'temperature', 'analog');
INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)
    VALUES (1, 1, 'u/answers', 1), (1, 1, 'u/t', 2);
INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms)
    VALUES (1, 1, 0, 1000), (1, 2, 0, 1000);
INSERT INTO readings (observed_at, raw, point_id, organisation_id, status)
    SELECT to_timestamp(1789000000 + n), CASE p WHEN 1 THEN n ELSE 20 END, p, 1, 0
    FROM generate_series(1, 5) n, generate_series(1, 2) p;
"""


@pytest.fixture
def stored(fresh_postgres_dsn: str) -> Iterator[psycopg.Connection]:
    """A database in which five answers of a device with two points are stored."""

    async def prepare() -> None:
        async with await psycopg.AsyncConnection.connect(fresh_postgres_dsn, autocommit=True) as connection:
            await upgrade(connection)

    asyncio.run(prepare())
    with psycopg.connect(fresh_postgres_dsn, autocommit=True) as connection:
        connection.execute(SETUP)
        yield connection


def judge(
    connection: psycopg.Connection,
    given: Mapping[int, float] = GIVEN,
    *,
    goes_on: bool = False,
    others: tuple[str, ...] = (),
) -> Verdict:
    unit = Unit(
        gateway="g",
        prefix="u",
        numbering="u/answers",
        points=2,
        windows=[Window("kill", NOW, NOW + 10, frozenset({"gateway"}))],
        goes_on=goes_on,
        given_out=lambda: given,
    )
    dsn = f"{connection.info.dsn} password={connection.info.password}"
    return asyncio.run(audit(dsn, [unit], NOW + 60, others=others))


OTHER = """
INSERT INTO points (organisation_id, site_id, name, quantity, kind)
    VALUES (1, 1, 'van/position', 'position', 'analog');
INSERT INTO channel_bindings (organisation_id, gateway_id, channel, point_id)
    VALUES (1, 1, 'van/position', 3);
INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms) VALUES (1, 3, -9, 10000);
INSERT INTO positions (observed_at, point_id, organisation_id, mode)
    SELECT to_timestamp(1789000000 + 10 * n), 3, 1, 1 FROM generate_series(1, 6) n;
INSERT INTO latest_positions (observed_at, point_id, organisation_id, mode)
    VALUES (to_timestamp(1789000060), 3, 1, 1);
"""


@pytest.mark.parametrize(
    ("change", "duplicated", "unexplained"),
    [
        ("SELECT 1", 0, 0),
        ("INSERT INTO positions SELECT * FROM positions WHERE observed_at = to_timestamp(1789000030)", 1, 0),
        ("DELETE FROM positions WHERE observed_at = to_timestamp(1789000030)", 0, 1),
    ],
)
def test_what_numbers_nothing_is_judged_by_the_hubs_own_account(
    stored: psycopg.Connection, change: str, duplicated: int, unexplained: int
) -> None:
    stored.execute(OTHER)
    stored.execute(change)
    verdict = judge(stored, others=("g",))
    assert (verdict.others, verdict.duplicated, verdict.unexplained) == (1, duplicated, unexplained)
    assert len(verdict.findings) == duplicated + unexplained
    assert judge(stored, others=("h",)).clean


def test_all_rows_once_is_clean(stored: psycopg.Connection) -> None:
    verdict = judge(stored)
    assert verdict.clean
    assert (verdict.given_out, verdict.stored) == (10, 10)


def test_deleted_answer_is_lost(stored: psycopg.Connection) -> None:
    stored.execute("DELETE FROM readings WHERE observed_at = to_timestamp(1789000003)")
    assert judge(stored).lost == 2


def test_deleted_row_is_lost(stored: psycopg.Connection) -> None:
    stored.execute("DELETE FROM readings WHERE observed_at = to_timestamp(1789000003) AND point_id = 2")
    assert judge(stored).lost == 1


def test_row_stored_twice_is_doubled(stored: psycopg.Connection) -> None:
    stored.execute("INSERT INTO readings SELECT * FROM readings WHERE observed_at = to_timestamp(1789000003)")
    assert judge(stored).duplicated == 2


@pytest.mark.parametrize(("cause", "explained", "unexplained"), [("gateway", 2, 0), ("bus", 0, 2)])
def test_gap_explains_by_its_cause(
    stored: psycopg.Connection, cause: str, explained: int, unexplained: int
) -> None:
    stored.execute("DELETE FROM readings WHERE observed_at = to_timestamp(1789000003)")
    stored.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at, to_at)"
        " VALUES (1, 1, 1, 'k', %s, NULL, to_timestamp(1789000004))",
        (cause,),
    )
    verdict = judge(stored)
    assert (verdict.explained, verdict.unexplained, verdict.lost) == (explained, unexplained, 0)


def test_hole_in_the_ledger_is_a_loss(stored: psycopg.Connection) -> None:
    stored.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received)"
        " VALUES (1, 1, decode(repeat('ab', 16), 'hex'), '{[1,3),[4,6)}')"
    )
    verdict = judge(stored)
    assert verdict.lost == 1
    assert "never came" in verdict.findings[0]


def without_the_third(stored: psycopg.Connection) -> Mapping[int, float]:
    """The device itself gave out nothing at that second."""
    stored.execute("DELETE FROM readings WHERE observed_at = to_timestamp(1789000003)")
    return {number: at for number, at in GIVEN.items() if number != 3}


def test_silence_of_a_device_that_nobody_told_is_unexplained(stored: psycopg.Connection) -> None:
    verdict = judge(stored, without_the_third(stored))
    assert (verdict.lost, verdict.unexplained) == (0, 2)
    assert "1 due readings" in verdict.findings[0]


def test_silence_of_a_device_in_a_gap_is_clean(stored: psycopg.Connection) -> None:
    given = without_the_third(stored)
    stored.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at, to_at)"
        " VALUES (1, 1, 1, 'k', 'sensor', to_timestamp(1789000002), to_timestamp(1789000004))"
    )
    assert judge(stored, given).clean


def test_device_that_is_never_read_again_is_unexplained(stored: psycopg.Connection) -> None:
    verdict = judge(stored, goes_on=True)
    assert verdict.unexplained == 2 * 54
    assert not verdict.clean
