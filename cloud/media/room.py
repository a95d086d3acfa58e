"""The media room of a hub process: listener, files and live views, and the old files that are let go."""

import asyncio
import itertools
import logging
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
from cryptography import x509

from cloud.https import FreshContext, Places, Server, server_context
from cloud.https_exchange import Limits
from cloud.media.live import SESSIONS_MAX, LiveSessions
from cloud.media.requests import Requests
from cloud.media.settings import MediaSettings
from cloud.media.vault import Vault
from cloud.media.video import Videos
from cloud.media.waiters import Waiters
from cloud.refusals import Refusals, Refused
from cloud.store.audit_log import Entry, append
from cloud.store.media import delete_old, known_hashes
from cloud.store.retention import forget_pictures
from cloud.store.snapshot import Pool
from cloud.tools import Tools
from provisioning import certificates, files, identity
from provisioning.errors import IdentityError
from wire.errors import TopicError
from wire.media import HEADER_BYTES_MAX
from wire.topics import check_gateway_id

PLACES = Places(
    connections=512,
    strangers=128,
    per_address=64,
    per_name=SESSIONS_MAX + 4,  # questions, files, each live view, and some that were cut off
)
IDLE_S = 90.0
"""So long a connection stays open between two requests."""
_log = logging.getLogger(__name__)
_RETENTION_EVERY = 120
"""So many times what was refused is told between two looks for old files."""


class MediaRoom:
    """Implements `cloud.api.services.Media`; `run` serves gateways."""

    def __init__(self, settings: MediaSettings, tools: Tools, pool: Pool, *, listener: socket.socket) -> None:
        """`listener` listens already. `IdentityError` when the server's certificate cannot be used."""
        self._settings = settings
        self._now = tools.now
        self._pool = pool
        self._listener = listener
        self._context = listener_context(settings.certificate, tools.identity.folder / identity.CA)
        self._vault = Vault(settings.folder, bytes_max=settings.bytes_max)
        self._videos = Videos(settings.folder / "shown")
        self._waiters = Waiters(monotonic_s=asyncio.get_running_loop().time)
        self._refusals = Refusals(asyncio.get_running_loop().time)
        self._live = LiveSessions(
            token=lambda: secrets.token_hex(16), changed=self._waiters.wake, grace_s=settings.live_grace_s
        )
        self.port: int = listener.getsockname()[1]

    async def run(self, up: Callable[[], None]) -> None:
        """Serve until cancelled."""
        async with self._pool.connection() as connection:
            known = await known_hashes(connection)
        gone = await asyncio.to_thread(self._vault.open, known)
        if gone:
            _log.info("media: %d files that were begun or are not known were removed", gone)
        requests = Requests(
            self._pool,
            vault=self._vault,
            live=self._live,
            waiters=self._waiters,
            refusals=self._refusals,
            now=self._now,
        )
        server = Server(
            self._listener,
            context=self._context,
            handle=requests.handle,
            places=PLACES,
            limits=Limits(head_bytes=HEADER_BYTES_MAX, idle_s=IDLE_S, read_s=self._settings.read_s),
            name=gateway_of,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            up()
            for number in itertools.count():
                if number % _RETENTION_EVERY == 0:
                    with suppress(psycopg.OperationalError):  # old files wait; what is on its way goes on
                        await self.let_go()
                await asyncio.sleep(self._settings.told_s)
                await self._refusals.write_down(self._pool, _entry, now=self._now)

    async def let_go(self) -> None:
        """Delete files that are older than they are kept; their rows stay and say so."""
        days = self._settings.keep_days
        while days is not None:
            async with self._pool.connection() as connection:
                gone = await delete_old(
                    connection,
                    self._now() - timedelta(days=days),
                    now=self._now(),
                    why=f"older than {days} days",
                )
            for sha256 in gone:
                self._vault.remove(sha256)
            if not gone:
                break
        await self._let_go_by_organisation()

    async def _let_go_by_organisation(self) -> None:
        counts: dict[int, int] | None = None
        while counts is None or counts:
            async with self._pool.connection() as connection, connection.transaction():
                gone, counts = await forget_pictures(connection, now=self._now())
                entries = [
                    Entry(
                        actor_kind="rule",
                        actor="retention",
                        action="retention.delete",
                        object="pictures and recordings",
                        organisation_id=organisation_id,
                        new={"files": count},
                        why="kept no longer",
                    )
                    for organisation_id, count in counts.items()
                ]
                if entries:
                    await append(connection, entries, at=self._now())
            for sha256 in gone:
                self._vault.remove(sha256)

    def close(self) -> None:
        """End all live views."""
        self._live.close()

    # --- for the API -------------------------------------------------------------------------------------

    def file(self, sha256: str) -> Path | None:
        """Return where the bytes of a hash are, None when they are not here."""
        return self._vault.path(sha256) if self._vault.holds(sha256) else None

    async def video(self, sha256: str, content_type: str) -> Path | None:
        """Return an MP4 of a segment, None when it is not here; `VideoError`."""
        segment = self.file(sha256)
        return None if segment is None else await self._videos.of(segment, content_type)

    def listening(self, gateway: str) -> bool:
        """Whether a gateway would soon hear what is wanted."""
        return self._waiters.listening(gateway)

    def wanted_changed(self, gateway: str) -> None:
        """Tell a gateway that waits to look again."""
        self._waiters.wake(gateway)

    def watch(self, gateway: str, camera: str) -> AsyncGenerator[bytes, None]:
        """Return frames of a camera; see `LiveSessions.watch`."""
        return self._live.watch(gateway, camera)


def listener_context(folder: Path, ca: Path) -> FreshContext:
    """Return the TLS side of the listener; `IdentityError` when the files cannot be used.

    `folder` holds key and certificate of the server, `ca` is the file of the root of all gateways.
    """
    return FreshContext(
        lambda: server_context(folder, files.read(ca), demand=True), folder / identity.TLS_CERTIFICATE
    )


def gateway_of(certificate: x509.Certificate) -> str | None:
    """Return the gateway that a certificate names, None when it names none."""
    try:
        return check_gateway_id(certificates.common_name(certificate))
    except (IdentityError, TopicError):
        return None


def _entry(refused: Refused) -> Entry:
    return Entry(
        actor_kind="gateway",
        actor=refused.who,
        action="media.request",
        object="media listener",
        outcome="refused",
        new={"times": refused.times},
        why=refused.reason,
    )


@asynccontextmanager
async def open_room(
    settings: MediaSettings | None, tools: Tools, pool: Pool
) -> AsyncIterator[MediaRoom | None]:
    """Give the room with its listener open, or None without settings; `OSError` when the port is taken."""
    if settings is None:
        yield None
        return
    with socket.create_server((settings.host, settings.port)) as listener:
        room = MediaRoom(settings, tools, pool, listener=listener)
        try:
            yield room
        finally:
            room.close()
