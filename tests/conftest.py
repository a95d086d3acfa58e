"""Real services for every test that asks: PostgreSQL, Mosquitto, certificate authority, identities.

Each is started once a session, on ports of 127.0.0.1, and ended by its process id. `HENG_TEST_DSN` (a
role that may create databases and roles) takes the place of the embedded PostgreSQL.
"""

import asyncio
import hashlib
import itertools
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import HUB, OWNER, EmbeddedPostgres
from provisioning.ca import CertificateAuthority
from provisioning.identity import GatewayIdentity, HubIdentity

# The same examples in every run, and no test that fails because others use the machine.
settings.register_profile(
    "shared-machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared-machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have long tests, lest one of them is left when all others have ended.

    Those with a browser, which compute, come spread among those that wait.
    """
    long = list(dict.fromkeys(item.path for item in items if item.get_closest_marker("slow")))
    groups = ([path for path in long if (path.parent.name == "browser") is shown] for shown in (True, False))
    turn = {path: (place + 0.5) / len(group) for group in groups for place, path in enumerate(group)}
    items.sort(key=lambda item: turn.get(item.path, 1.0))


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes fresh databases on one server, with an owner and a hub role."""

    admin_dsn: str
    owner_password: str
    hub_password: str

    def create(self) -> str:
        """Return the owner's DSN of a new, empty database."""
        name = f"heng_test_{secrets.token_hex(6)}"
        self._admin(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
        )
        return make_conninfo(self.admin_dsn, user=OWNER, password=self.owner_password, dbname=name)

    def hub_dsn(self, owner_dsn: str) -> str:
        """Return the DSN of the role that services use, for a database made by `create`."""
        return make_conninfo(owner_dsn, user=HUB, password=self.hub_password)

    def drop(self, owner_dsn: str) -> None:
        """Remove a database made by `create`, with its sessions."""
        name = str(conninfo_to_dict(owner_dsn)["dbname"])
        self._admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _admin(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """A folder that the services' unprivileged users may enter (those of pytest are closed to them)."""
    with tempfile.TemporaryDirectory(prefix="heng-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def databases(service_folder: Path) -> Iterator[Databases]:
    """A PostgreSQL server to make databases on."""
    given = os.environ.get("HENG_TEST_DSN")
    if given:
        yield _given_server(given)
        return
    server = EmbeddedPostgres(service_folder / "postgres", settings={"shared_buffers": "128MB"})
    asyncio.run(server.start())
    try:
        passwords = server.passwords()
        yield Databases(server.admin_dsn, passwords.owner, passwords.hub)
    finally:
        asyncio.run(server.stop())


def _given_server(admin_dsn: str) -> Databases:
    """Use the server that was given; sessions that share it agree on the two roles' passwords."""
    shared = hashlib.sha256(admin_dsn.encode()).hexdigest()
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for role in (OWNER, HUB):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                connection.execute(_with_password("CREATE ROLE {} LOGIN PASSWORD {}", role, shared))
            elif not _may_enter(make_conninfo(admin_dsn, user=role, password=shared)):
                connection.execute(_with_password("ALTER ROLE {} LOGIN PASSWORD {}", role, shared))
    return Databases(admin_dsn, shared, shared)


def _with_password(statement: LiteralString, role: str, password: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(role), sql.Literal(password))


def _may_enter(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def postgres_dsn(databases: Databases) -> Iterator[str]:
    """The owner's DSN of an empty database of this module's own."""
    dsn = databases.create()
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def fresh_postgres_dsn(databases: Databases) -> Iterator[str]:
    """The owner's DSN of an empty database of this test's own."""
    dsn = databases.create()
    yield dsn
    databases.drop(dsn)


@pytest.fixture(scope="session")
def ca(service_folder: Path) -> CertificateAuthority:
    """A certificate authority, with its folder in `.folder`."""
    return CertificateAuthority.create(service_folder / "ca", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def hub_identity(ca: CertificateAuthority) -> HubIdentity:
    """The identity of one hub worker."""
    return ca.issue_hub("main", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def gateway_identity(ca: CertificateAuthority, service_folder: Path) -> Callable[[str], GatewayIdentity]:
    """A function: gateway id -> its identity, issued on the first call and the same after."""
    issued: dict[str, GatewayIdentity] = {}
    number = itertools.count(1)

    def identity(gateway: str) -> GatewayIdentity:
        if gateway not in issued:
            folder = service_folder / f"identity-{next(number)}"
            issued[gateway] = ca.issue_gateway(gateway, folder, now=datetime.now(UTC))
        return issued[gateway]

    return identity


@pytest.fixture(scope="session")
def broker(
    service_folder: Path, ca: CertificateAuthority, hub_identity: HubIdentity
) -> Iterator[EmbeddedMosquitto]:
    """A real Mosquitto that lets `hub_identity` and every gateway of `ca` in."""
    server = EmbeddedMosquitto(service_folder / "mosquitto", ca)
    assert hub_identity.name in ca.hub_names()
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())
