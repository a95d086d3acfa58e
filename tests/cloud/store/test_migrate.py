"""Migrations: applied once, in order, whole or not at all; services refuse what they do not know."""

import asyncio

import psycopg
import pytest

from cloud.store.migrate import SchemaError, check_version, load_migrations, parse_migration, upgrade
from cloud.store.statements import split_statements

pytestmark = pytest.mark.slow


def run(dsn, scene):
    async def play():
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await scene(connection)

    return asyncio.run(play())


def test_fresh_database_gets_all_files_once(fresh_postgres_dsn):
    async def scene(connection):
        with pytest.raises(SchemaError, match="heng database upgrade"):
            await check_version(connection)
        first = await upgrade(connection)
        assert first == sorted(first)
        assert "0001_first_tables.sql" in first
        await check_version(connection)
        assert await upgrade(connection) == []

    run(fresh_postgres_dsn, scene)


def test_failing_file_leaves_nothing_behind(fresh_postgres_dsn):
    good = parse_migration("0001_good.sql", "CREATE TABLE a (x int);")
    bad = parse_migration("0002_bad.sql", "CREATE TABLE b (x int); SELECT 1 / 0;")

    async def scene(connection):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await upgrade(connection, [good, bad])
        cursor = await connection.execute("SELECT to_regclass('a') IS NULL, to_regclass('b') IS NULL")
        assert await cursor.fetchone() == (False, True)

    run(fresh_postgres_dsn, scene)


def test_older_newer_and_edited_schemas_are_refused(fresh_postgres_dsn):
    async def scene(connection):
        await upgrade(connection)
        await connection.execute("DELETE FROM schema_migrations WHERE number = 5")
        with pytest.raises(SchemaError, match=r"older than this code.*0005_ingest.sql.*database upgrade"):
            await check_version(connection)
        file = next(m for m in load_migrations() if m.number == 5)
        insert = "INSERT INTO schema_migrations VALUES (%s, %s, %s)"
        await connection.execute(insert, (5, file.name, "0" * 64))
        with pytest.raises(SchemaError, match=r"made from another 0005_ingest.sql"):
            await check_version(connection)
        await connection.execute("UPDATE schema_migrations SET sha256 = %s WHERE number = 5", (file.sha256,))
        await connection.execute(insert, (9999, "9999_future.sql", ""))
        with pytest.raises(SchemaError, match="newer than this code"):
            await check_version(connection)
        with pytest.raises(SchemaError, match="newer than this code"):
            await upgrade(connection)

    run(fresh_postgres_dsn, scene)


def test_hub_role_can_add_evidence_but_not_change_it(databases, fresh_postgres_dsn):
    async def prepare(connection):
        await upgrade(connection)

    async def scene(connection):
        for statement in (
            "UPDATE readings SET raw = 0",
            "DELETE FROM readings",
            "DELETE FROM batches",
            "UPDATE batch_bodies SET body = ''",
            "UPDATE tombstones SET reason = ''",
            "CREATE TABLE mine (x int)",
            "INSERT INTO schema_migrations VALUES (1, '', '')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
        await check_version(connection)

    run(fresh_postgres_dsn, prepare)
    run(databases.hub_dsn(fresh_postgres_dsn), scene)


def test_header_words_are_read_and_unknown_ones_refused():
    plain = parse_migration("0001_a.sql", "-- Why: so.\nSELECT 1;")
    assert (plain.transaction, plain.requires_timescaledb) == (True, None)
    special = parse_migration("0002_b.sql", "-- transaction: none\n-- requires: timescaledb\nSELECT 1;")
    assert (special.transaction, special.requires_timescaledb) == (False, True)
    assert special.belongs(timescaledb=True)
    assert not special.belongs(timescaledb=False)
    for name, text in (
        ("1_a.sql", ""),
        ("0001_a.sql", "-- requires: oracle"),
        ("0001_a.sql", "-- transaction: maybe"),
    ):
        with pytest.raises(SchemaError):
            parse_migration(name, text)


def test_statements_are_split_outside_of_quotes_and_comments():
    text = """
    -- a; comment
    SELECT 'a;b', "c;d"; /* e;f */
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; $x$;
    -- nothing; here
    """
    first, second = split_statements(text)
    assert first.endswith("SELECT 'a;b', \"c;d\"")
    assert second.endswith("$x$ SELECT 1; $x$")
