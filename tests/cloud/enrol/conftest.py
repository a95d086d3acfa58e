"""A real EST listener on a port of 127.0.0.1, over a real database, with a clock that tests set."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloud import gateway_acts
from cloud.enrol.desk import Policy
from cloud.enrol.service import EstListener
from cloud.enrol.settings import EnrolSettings
from cloud.gateway_acts import Actor, Wish
from cloud.store.connection import Connection
from provisioning.ca import CertificateAuthority
from provisioning.claim import Claim

T = TypeVar("T")
ACTOR = Actor("command", "tester", "here")


@dataclass
class Clock:
    """The hub's clock."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.at

    def days(self, number: float) -> None:
        self.at += timedelta(days=number)


@dataclass
class Hub:
    """What tests do at the hub."""

    lab: Any
    authority: CertificateAuthority
    clock: Clock
    listener: socket.socket
    policy: Policy

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def root(self) -> Path:
        return self.authority.folder / "root-cert.pem"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        settings = EnrolSettings(
            self.authority.folder,
            url=self.url,
            broker="mqtts://localhost:8883",
            policy=self.policy,
        )
        with self.listener.dup() as listener:
            listening = EstListener(
                settings,
                self.authority,
                database_url=self.lab.hub_dsn,
                now=self.clock,
                listener=listener,
                monotonic_s=lambda: self.clock().timestamp(),
            )
            up = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(listening.run(up.set))
                await up.wait()
                try:
                    yield
                finally:
                    task.cancel()

    def serve(self, ask: Callable[[], T]) -> T:
        """Run something that blocks, in a thread, while the listener serves."""

        async def scene() -> T | BaseException:
            async with self.serving():  # an error that went through its task group would come out wrapped
                (found,) = await asyncio.gather(asyncio.to_thread(ask), return_exceptions=True)
                return found

        found = asyncio.run(scene())
        if isinstance(found, BaseException):
            raise found
        return found

    def claim(self, gateway: str, **wish: Any) -> Claim:
        async def make(connection: Connection) -> Claim:
            made = await gateway_acts.make_claim(
                connection, ACTOR, Wish("lab-1", gateway, **wish), now=self.clock()
            )
            return made.claim

        claim: Claim = self.lab.run(make)
        return claim

    def claim_now(self, gateway: str) -> Claim:
        """Make a claim by the machine's clock, whatever the hub's says."""
        self.clock.at = datetime.now(UTC)
        return self.claim(gateway)

    def audited(self, gateway: str) -> list[tuple[str, str, str]]:
        """Return (action, outcome, why) of everything about a gateway."""
        rows: list[tuple[str, str, str]] = self.lab.execute(
            "SELECT action, outcome, why FROM audit_log WHERE object = %s ORDER BY id", f"gateway {gateway}"
        )
        return rows


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority without its root's key, as a hub should have it."""
    folder = tmp_path_factory.mktemp("authority")
    return CertificateAuthority.create(
        folder / "ca", now=datetime.now(UTC), root_key=folder / "safe-root-key.pem"
    )


@pytest.fixture
def hub(lab: Any, authority: CertificateAuthority) -> Iterator[Hub]:
    """A hub whose EST listener ran once, so that claims know where it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Hub(lab, authority, Clock(), listener, Policy())
        made.serve(lambda: None)
        yield made
