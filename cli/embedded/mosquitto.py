"""A private Mosquitto with the configuration of `provisioning.broker`, on ports of 127.0.0.1.

It keeps nothing between two starts but its log.
"""

import asyncio
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from cli.embedded import processes
from cli.embedded.processes import Child, Command, ProcessError
from cli.embedded.service_user import service_user
from provisioning import broker
from provisioning.broker import Listeners
from provisioning.ca import CertificateAuthority

_READY_S = 60.0


class EmbeddedMosquitto:
    """A broker that lives as long as its `async with` block; the ports stay the same over restarts."""

    role: ClassVar = "broker"
    """What people call it."""

    def __init__(
        self,
        folder: Path,
        authority: CertificateAuthority,
        *,
        gateway_port: int | None = None,
        hub_port: int | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.gateway_port = gateway_port or processes.free_port()
        self.hub_port = hub_port or processes.free_port()
        self._authority = authority
        self._child: Child | None = None

    @property
    def hub_url(self) -> str:
        """What `HENG_MQTT_URL` would hold for this broker."""
        return f"mqtts://127.0.0.1:{self.hub_port}"

    @property
    def log(self) -> Path:
        """The broker's log file."""
        return self.folder / "mosquitto.log"

    @property
    def pid_file(self) -> Path:
        """Holds the process id while it runs, for who tells it to read its files again."""
        return self.folder / "mosquitto.pid"

    @property
    def revocations(self) -> Path:
        """Where it reads which certificates are revoked."""
        return self.folder / "etc" / broker.REVOCATIONS

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child and self._child.exit_code is None else None

    async def start(self) -> None:
        """Write the configuration anew and start; `ProcessError` when it does not come up."""
        if self.pid is not None:
            raise ProcessError(f"mosquitto: runs already as {self.pid}")
        self.folder.mkdir(parents=True, exist_ok=True)
        configured = self.folder / "etc"
        listeners = Listeners(self.gateway_port, self.hub_port, "127.0.0.1", "127.0.0.1")
        broker.write_configuration(self._authority, configured, listeners)
        user = service_user(("mosquitto",), configured)
        if user is not None:
            user.own(configured)
        program = mosquitto_program()
        command = Command(
            (program, "-c", configured / broker.CONFIGURATION), self.log, user=user, folder=self.folder
        )
        self._child = processes.start(command)
        self.pid_file.write_text(f"{self._child.pid}\n")
        await processes.until_ready(self._child, self._ready, timeout_s=_READY_S)

    async def stop(self) -> None:
        """End it in good order."""
        self.pid_file.unlink(missing_ok=True)
        if self._child is not None:
            await self._child.stop()

    async def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self.pid_file.unlink(missing_ok=True)
        if self._child is not None:
            await self._child.kill()

    def reload(self) -> None:
        """Make it read its ACL files again, with the hub workers issued since."""
        configured = self.folder / "etc"
        listeners = Listeners(self.gateway_port, self.hub_port, "127.0.0.1", "127.0.0.1")
        broker.write_configuration(self._authority, configured, listeners)
        user = service_user(("mosquitto",), configured)
        if user is not None:
            user.own(configured)
        if self._child is not None:
            self._child.signal(signal.SIGHUP)

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

    async def _ready(self) -> bool:
        return await processes.accepts(self.gateway_port) and await processes.accepts(self.hub_port)


def mosquitto_program() -> str:
    """Return the path of the broker; `ProcessError` says what to install."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise ProcessError("mosquitto: is not installed (package mosquitto)")
    return program
