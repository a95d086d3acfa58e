"""Holds the newest directory that this process has read."""

from cloud.ingest.directory import Directory
from cloud.opening import Opening
from cloud.store import directory
from cloud.store.connection import Connection
from cloud.tools import Tools


class Shelf:
    """Shared by the loops of one ingest worker; a newer directory replaces an older one."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._held: tuple[Directory, Opening] | None = None

    @property
    def directory(self) -> Directory:
        """The directory as last read; one was read before anything else is done."""
        assert self._held is not None
        return self._held[0]

    @property
    def opening(self) -> Opening:
        """What the stages look things up in."""
        assert self._held is not None
        return self._held[1]

    async def look(self, connection: Connection) -> None:
        """Read the directory again when its version grew."""
        if self._held is not None and self._held[0].version == await directory.version(connection):
            return
        async with connection.transaction():
            await directory.repeatable(connection)
            known = Directory(await directory.load(connection))
        if self._held is None or known.version > self._held[0].version:
            opening = Opening(known, self._tools.identity.ca_certificate, self._tools.now)
            self._held = known, opening
