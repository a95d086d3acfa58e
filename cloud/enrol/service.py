"""The enrolment room: EST listener, renewal of its own certificate, and the keeper of revocations."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime

from cloud.enrol.desk import Desk
from cloud.enrol.keeper import Keeper, Reload, reload_by_signal
from cloud.enrol.routes import Office, Routes
from cloud.enrol.settings import EnrolSettings
from cloud.enrol.throttle import Throttle
from cloud.https import Places, Server, server_context
from cloud.https_exchange import Limits
from cloud.pool import open_pool
from cloud.refusals import Refusals, Refused
from cloud.store import claims
from cloud.store.audit_log import Entry
from cloud.store.claims import Listener
from cloud.store.connection import Connection
from cloud.store.snapshot import Pool
from cloud.supervisor import supervise
from cloud.tools import Tools
from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.claim import hub_address

LISTENER, KEEPER = "enrolment: listener", "enrolment: revocations"
PARTS = (LISTENER, KEEPER)
_POOL_MAX = 4
_POOL_WAIT_S = 5.0
_WRONG_PER_MINUTE = 10
_RENEW_S = 3600.0
_TOLD_S = 5.0
PLACES = Places(connections=64, strangers=64, per_address=16, handshake_s=5.0, total_s=20.0)
LIMITS = Limits(head_bytes=8 * 1024, requests=4, keeps=False)


class Enrolment:
    """One enrolment room."""

    def __init__(
        self, tools: Tools, settings: EnrolSettings, *, listener: socket.socket, reload: Reload | None
    ) -> None:
        """`listener` is bound already; `IdentityError` when the authority's folder cannot be used."""
        authority = CertificateAuthority.load(settings.authority)
        self._tools = tools
        by_signal = reload_by_signal(authority, copy_to=settings.revocations, pid_file=settings.broker_pid)
        self._keeper = Keeper(tools, authority, reload or by_signal)
        self._est = EstListener(
            settings,
            authority,
            database_url=tools.settings.database_url,
            now=tools.now,
            listener=listener,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        health, random = self._tools.health, self._tools.random
        async with asyncio.TaskGroup() as group:
            group.create_task(supervise(LISTENER, self._est.run, health=health, random=random))
            group.create_task(supervise(KEEPER, self._keeper.run, health=health, random=random))


@contextlib.contextmanager
def open_enrolment(
    settings: EnrolSettings | None, tools: Tools, reload: Reload | None
) -> Iterator[Enrolment | None]:
    """Bind the port and give the room, or None where nothing is enrolled; `OSError` when the port is taken.

    `reload` tells the broker to read its list again; without it that is done as the settings say.
    """
    if settings is None:
        yield None
        return
    with socket.create_server((settings.host, settings.port)) as listener:
        yield Enrolment(tools, settings, listener=listener, reload=reload)


class EstListener:
    """Serves EST, and says in the database where."""

    def __init__(
        self,
        settings: EnrolSettings,
        authority: CertificateAuthority,
        *,
        database_url: str,
        now: Callable[[], datetime],
        listener: socket.socket,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listener` is bound already; `monotonic_s` is what wrong tries are forgotten by."""
        self._monotonic_s = monotonic_s
        self._settings = settings
        self._authority = authority
        self._database_url = database_url
        self._now = now
        self._listener = listener
        self._hosts = [hub_address(settings.url)[0]]
        self._context = self._fresh_context()
        self._refusals = Refusals(time.monotonic)

    async def run(self, up: Callable[[], None]) -> None:
        """Serve until cancelled."""
        async with open_pool(self._database_url, "enrolment", most=_POOL_MAX) as pool:
            place = Listener(
                self._settings.url, certificates.spki_sha256(self._authority.root), self._settings.broker
            )
            async with pool.connection(timeout=_POOL_WAIT_S) as connection:
                await claims.set_listener(connection, place, self._now())
            server = Server(
                self._listener,
                context=lambda: self._context,
                handle=Routes(self._office(pool), Throttle(_WRONG_PER_MINUTE)).handle,
                places=PLACES,
                limits=LIMITS,
                refused=self._note_refused,
            )
            up()
            async with asyncio.TaskGroup() as group:
                group.create_task(server.run())
                group.create_task(self._keep_certificate())
                group.create_task(self._tell_refused(pool))

    def _office(self, pool: Pool) -> Office:
        @contextlib.asynccontextmanager
        async def connect() -> AsyncIterator[Connection]:
            async with pool.connection(timeout=_POOL_WAIT_S) as connection:
                yield connection

        return Office(
            self._authority,
            Desk(self._authority, self._settings.policy),
            connect=connect,
            now=self._now,
            monotonic=self._monotonic_s,
            refused=self._note_refused,
            broker=self._settings.broker,
        )

    async def _keep_certificate(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            self._context = self._fresh_context()

    def _fresh_context(self) -> ssl.SSLContext:
        self._authority.keep_est_server(now=self._now(), hosts=self._hosts)
        authorities = certificates.to_pem(self._authority.chain)
        return server_context(self._authority.est_folder, authorities, demand=False, judge_dates=False)

    def _note_refused(self, address: str, reason: str) -> None:
        self._refusals.note(address, reason)

    async def _tell_refused(self, pool: Pool) -> None:
        """Write down now and then what was turned away, counted: strangers do not fill the audit log."""
        while True:
            await asyncio.sleep(_TOLD_S)
            await self._refusals.write_down(pool, _entry, now=self._now)


def _entry(refused: Refused) -> Entry:
    return Entry(
        actor_kind="nobody",
        actor="",
        action="enrolment.connect",
        object="EST listener",
        outcome="refused",
        new={"times": refused.times},
        why=refused.reason,
        origin=refused.who,
    )
