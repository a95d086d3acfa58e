"""The media room of a hub process: listener, files and live views, and the old files that are let go."""

import asyncio
import itertools
import logging
import secrets
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from cloud.media.live import LiveSessions
from cloud.media.refusals import Refusals
from cloud.media.requests import Requests
from cloud.media.server import server_context, serving
from cloud.media.settings import MediaSettings
from cloud.media.vault import Vault
from cloud.media.video import Videos
from cloud.media.waiters import Waiters
from cloud.store.audit_log import Entry, append
from cloud.store.media import delete_old, known_hashes
from cloud.store.retention import forget_pictures
from cloud.store.snapshot import Pool
from cloud.tools import Tools
from provisioning import identity

_log = logging.getLogger(__name__)
_TELL_S = 5.0
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
        self._context = server_context(settings.certificate, tools.identity.folder / identity.CA)
        self._vault = Vault(settings.folder, bytes_max=settings.bytes_max)
        self._videos = Videos(settings.folder / "shown")
        self._waiters = Waiters(monotonic_s=asyncio.get_running_loop().time)
        self._refusals = Refusals()
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
        async with serving(self._listener, self._context, requests.handle, read_s=self._settings.read_s):
            up()
            for number in itertools.count():
                if number % _RETENTION_EVERY == 0:
                    await self.let_go()
                await asyncio.sleep(_TELL_S)
                await self._refusals.write_down(self._pool, now=self._now())

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
