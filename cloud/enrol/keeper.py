"""Has the broker turn away what is revoked: writes its list, has it read that, and ends the live sessions.

Mosquitto looks at its list when a connection begins and never again. A live session is ended from the
workers' listener, by a connection with the gateway's client id: every broker then closes the older one (MQTT
5, 3.1.4-3). Data of a revoked gateway are refused by ingest, whatever a broker does.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Collection
from pathlib import Path

from cloud.mqtt import end_session
from cloud.store import certificates
from cloud.store.connection import Connection
from cloud.tools import Tools
from provisioning.ca import CertificateAuthority

LOOK_S = 1.0
_READ_S = 0.5
"""How long a broker may take to read its list; it says nothing when it has."""
_ROUNDS = 2
"""A gateway that came back before the list was read is put out once more."""

Reload = Callable[[], None]


class Keeper:
    """Follows what is revoked in the database."""

    def __init__(self, tools: Tools, authority: CertificateAuthority, reload: Reload) -> None:
        self._tools = tools
        self._authority = authority
        self._reload = reload
        self._serials: frozenset[int] | None = None
        self._gateways: frozenset[str] | None = None
        self._by_folder: frozenset[int] = frozenset()
        """What revoked gateways were issued into a folder, whether the database knows it or not."""

    async def run(self, up: Callable[[], None]) -> None:
        """Look once a second until cancelled, or until database or broker go away."""
        async with self._tools.connection("enrolment: revocations") as connection:
            up()
            while True:
                await self.look(connection)
                await asyncio.sleep(LOOK_S)

    async def look(self, connection: Connection) -> None:
        """Bring the broker up to date with what is revoked now."""
        found = await certificates.revoked(connection)
        gateways = frozenset(found.gateways)
        if gateways != self._gateways:
            self._by_folder = frozenset(self._authority.serials_of(gateways))
        serials = self._by_folder | {int(serial, 16) for serial in found.serials}
        if serials != self._serials:
            self._authority.write_revocations(sorted(serials), now=self._tools.now())
            self._reload()
            self._serials = serials
        fresh = (
            gateways - self._gateways if self._gateways is not None else gateways & frozenset(found.online)
        )
        for _ in range(_ROUNDS if fresh else 0):
            await asyncio.sleep(_READ_S)
            await self._end(sorted(fresh))
        self._gateways = gateways

    async def _end(self, gateways: Collection[str]) -> None:
        tls = self._tools.identity.tls_context()
        for gateway in gateways:
            await end_session(self._tools.settings.broker, tls, gateway)


def reload_by_signal(
    authority: CertificateAuthority, *, copy_to: Path | None, pid_file: Path | None
) -> Reload:
    """Return what tells a broker that somebody else runs: the list at its place, and SIGHUP."""

    def reload() -> None:
        if copy_to is not None:
            fresh = copy_to.with_name(copy_to.name + ".new")
            shutil.copyfile(authority.revocations, fresh)
            fresh.replace(copy_to)
        if pid_file is not None and pid_file.exists():
            text = pid_file.read_text().strip()
            if text.isascii() and text.isdigit() and int(text) > 1:
                os.kill(int(text), signal.SIGHUP)

    return reload
