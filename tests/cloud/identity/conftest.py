"""People and doors on a real database, with a clock that stands until it is moved."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.identity.acts import Act
from cloud.identity.doors import Doors
from cloud.identity.secrets import Passwords
from cloud.identity.viewer import Origin, Viewer
from cloud.store import accounts, people
from cloud.store.snapshot import changing
from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
PASSWORD = "correct horse battery"
HERE = Origin("192.0.2.7", "test")


class Lab(Protocol):
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **given: float) -> None:
        self.now += timedelta(**given)


@dataclass
class House:
    """One hub as its doors see it."""

    pool: Any
    clock: Clock
    doors: Doors
    hashed: str
    numbers: list[int] = field(default_factory=lambda: [0])

    @asynccontextmanager
    async def act(self, viewer: Viewer | None = None) -> AsyncIterator[Act]:
        async with changing(self.pool) as connection:
            yield Act(connection, viewer or Viewer(kind="command", login="root", origin=HERE), self.clock())

    async def account(
        self, login: str, *grants: Grant, organisation: int = 1, seed: bytes | None = None
    ) -> int:
        """Open an account with the usual password and return its id."""
        async with changing(self.pool) as connection:
            person = await people.add_person(
                connection, organisation, number=f"n-{login}", name=login.title(), department="Mass"
            )
            assert person is not None
            account = await accounts.add_account(connection, organisation, person_id=person, login=login)
            assert account is not None
            await accounts.set_password(connection, account, self.hashed, at=self.clock())
            if seed is not None:
                await accounts.set_totp(connection, account, seed)
            for grant in grants:
                await accounts.add_grant(
                    connection,
                    grant.organisation_id,
                    account_id=account,
                    role=grant.role,
                    site_id=grant.site_id,
                )
        return account

    async def viewer(self, login: str) -> Viewer:
        """Sign in and return who that is."""
        entered = await self.doors.sign_in(login, PASSWORD, HERE)
        found = await self.doors.viewer_of(entered.token, HERE)
        assert found is not None
        return found


@pytest.fixture(scope="session")
def hashed() -> str:
    return asyncio.run(Passwords().hash(PASSWORD))


@pytest.fixture
def in_house(lab: Lab, hashed: str) -> Iterator[Callable[[Callable[[House], Awaitable[T]]], T]]:
    """A function that plays a scene in a house whose people and attempts are this test's own."""
    lab.execute(
        "ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_heads DISABLE TRIGGER USER;"
        "TRUNCATE people, accounts, role_grants, invitations, web_sessions, sign_in_attempts, api_tokens,"
        " authorisations, audit_log, audit_heads CASCADE;"
        "ALTER TABLE audit_log ENABLE TRIGGER USER; ALTER TABLE audit_heads ENABLE TRIGGER USER"
    )

    def play(scene: Callable[[House], Awaitable[T]]) -> T:
        async def on_pool() -> T:
            async with AsyncConnectionPool(
                lab.hub_dsn, min_size=1, max_size=8, open=False, kwargs={"autocommit": True}
            ) as pool:
                clock = Clock()
                return await scene(House(pool, clock, Doors(pool, now=clock), hashed))

        return asyncio.run(on_pool())

    return play


def administrator(organisation: int = 1) -> Grant:
    return Grant(Role.ADMINISTRATOR, organisation)


@pytest.fixture(scope="module")
def world(lab: Lab) -> Iterator[World]:
    """The application over three places, with an account that asks."""
    with open_world(lab) as made:
        yield made
