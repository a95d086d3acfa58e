import asyncio
import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from cli.embedded import processes
from cli.embedded.postgres import HUB, OWNER, EmbeddedPostgres, Passwords
from cli.embedded.processes import ProcessError

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a")]


async def rows(dsn: str, statement: str) -> list[tuple]:
    async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=10) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_second_start_continues_with_its_data(tmp_path):
    async def scene():
        async with EmbeddedPostgres(tmp_path / "pg") as first:
            await rows(first.owner_dsn, "CREATE TABLE t AS SELECT 7 AS n")
        assert first.pid is None
        async with EmbeddedPostgres(tmp_path / "pg") as second:
            assert await rows(second.owner_dsn, "SELECT n FROM t") == [(7,)]

    asyncio.run(scene())


def test_killed_server_starts_again_on_its_port_with_what_was_committed(tmp_path):
    async def scene():
        async with EmbeddedPostgres(tmp_path / "pg") as server:
            await rows(server.owner_dsn, "CREATE TABLE t (n int)")
            for number in range(3):
                await rows(server.owner_dsn, f"INSERT INTO t VALUES ({number})")
                port, pid = server.port, server.pid
                await server.kill()
                assert server.pid is None
                await server.start()
                assert (server.port, server.pid != pid) == (port, True)
            assert await rows(server.owner_dsn, "SELECT n FROM t ORDER BY n") == [(0,), (1,), (2,)]

    asyncio.run(scene())


def test_lock_file_of_a_dead_server_is_no_obstacle(tmp_path):
    """Its process id may belong to another program by now: here, to this very test."""

    async def scene():
        async with EmbeddedPostgres(tmp_path / "pg") as server:
            lock = (server.data / "postmaster.pid").read_text()
            await server.kill()
            (server.data / "postmaster.pid").write_text(
                lock.replace(lock.split("\n")[0], str(os.getpid()), 1)
            )
            await server.start()
            assert await rows(server.hub_dsn, "SELECT 1") == [(1,)]

    asyncio.run(scene())


def test_interrupted_initialisation_is_begun_anew(tmp_path):
    async def scene():
        half = tmp_path / "pg" / "initdb-x" / "data"
        half.mkdir(parents=True)
        (half / "PG_VERSION").write_text("18\n")
        async with EmbeddedPostgres(tmp_path / "pg") as server:
            assert await rows(server.hub_dsn, "SELECT 1") == [(1,)]

    asyncio.run(scene())


def test_folder_in_use_is_left_alone(postgres_server):
    async def scene():
        other = EmbeddedPostgres(postgres_server.folder, orphans_s=0.2)
        with pytest.raises(ProcessError, match="is in use by the processes"):
            await other.start()
        assert await rows(postgres_server.hub_dsn, "SELECT 1") == [(1,)]

    asyncio.run(scene())


@pytest.fixture(scope="module")
def postgres_server(service_folder):
    server = EmbeddedPostgres(service_folder / "own-postgres")
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.mark.parametrize("role", ["heng_admin", OWNER, HUB, "postgres"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_gets_in_without_the_password(postgres_server, role, password):
    async def scene():
        with pytest.raises(psycopg.OperationalError, match="password"):
            await rows(postgres_server.dsn(role, password), "SELECT 1")

    asyncio.run(scene())


def test_no_rule_trusts_anybody(postgres_server):
    async def scene():
        rules = await rows(postgres_server.admin_dsn, "SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        assert rules == [("scram-sha-256",)]

    asyncio.run(scene())


def test_roles_are_no_superusers_and_the_owner_owns(postgres_server):
    async def scene():
        statement = (
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname ~ '^heng_[oh]'"
        )
        assert sorted(await rows(postgres_server.admin_dsn, statement)) == [
            (HUB, False, False, False),
            (OWNER, False, False, False),
        ]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await rows(postgres_server.hub_dsn, "CREATE TABLE mine (n int)")

    asyncio.run(scene())


def test_it_listens_on_this_machine_alone(postgres_server):
    sockets = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    port = f"{postgres_server.port:04X}"
    listening = [words[1] for words in sockets if words[3] == "0A" and words[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]
    assert f".s.PGSQL.{postgres_server.port}" not in Path("/proc/net/unix").read_text()


def test_commits_are_synced_to_disk(postgres_server):
    async def scene():
        settings = dict(await rows(postgres_server.admin_dsn, "SELECT name, setting FROM pg_settings"))
        assert [settings[name] for name in ("fsync", "full_page_writes", "synchronous_commit")] == ["on"] * 3
        assert settings["data_checksums"] == "on"
        assert settings["unix_socket_directories"] == ""

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_settings_that_would_weaken_the_promise_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=name):
        EmbeddedPostgres(tmp_path, settings={name: "off"})


def test_passwords_are_for_their_owner_alone_and_stay(postgres_server):
    path = postgres_server.folder / "passwords.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passwords = EmbeddedPostgres(postgres_server.folder).passwords()
    assert passwords == postgres_server.passwords()
    assert len({passwords.admin, passwords.owner, passwords.hub}) == len(Passwords.__struct_fields__) == 3
    assert not list(postgres_server.folder.rglob("password"))


def test_server_runs_as_no_root(postgres_server):
    status = Path(f"/proc/{postgres_server.pid}/status").read_text()
    assert "\nUid:\t0" not in status


def test_clean_stop_needs_no_recovery(tmp_path):
    async def scene():
        server = EmbeddedPostgres(tmp_path / "pg")
        await server.start()
        await server.stop()
        assert server.log.read_text().rstrip().endswith("database system is shut down")

    asyncio.run(scene())


def test_backends_end_with_the_killed_server(tmp_path):
    async def scene():
        async with EmbeddedPostgres(tmp_path / "pg") as server:
            connection = await psycopg.AsyncConnection.connect(server.owner_dsn)
            backend = connection.info.backend_pid
            assert runs(backend)
            os.kill(server.pid, signal.SIGKILL)

            async def ended() -> bool:
                return not runs(backend)

            assert await processes.until(ended, timeout_s=30)
            await connection.close()

    asyncio.run(scene())
