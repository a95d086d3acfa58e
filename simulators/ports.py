"""Where simulated devices listen: new ports, or those of an earlier run, where gateways find them again.

It opens no port for others; it only chooses and looks.
"""

import asyncio
import errno
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import msgspec

from simulators.processes import DaemonError

CONTROL = "control"
"""Stands for the control port among the names of devices, which all have a `/`."""
_LOOK_S = 0.05


class PortsFileError(Exception):
    """The ports of an earlier run cannot be read; the text names the file and what was expected."""


_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class _File(msgspec.Struct):
    listening: dict[str, _Port] = {}
    posting: dict[str, _Port] = {}


@dataclass(slots=True)
class Ports:
    """Which port each device gets; without an earlier run any that is free."""

    file: Path | None = None
    """Where the earlier run wrote its ports; None when they need not stay the same."""
    earlier: Mapping[str, int] = field(default_factory=dict)
    wait_s: float = 5.0
    """So long may the daemons of a killed run take to end."""
    earlier_to: Mapping[str, int] = field(default_factory=dict)
    """Where the gateways listened in the earlier run, for devices that connect to them."""
    listening: dict[str, int] = field(default_factory=dict)
    """What was given out, for the ports file."""
    posting: dict[str, int] = field(default_factory=dict)
    """The same, of the ports that gateways listen on."""

    @classmethod
    def kept_in(cls, file: Path) -> Self:
        """Return the ports that a ports file names, or new ones without it; `PortsFileError`."""
        try:
            told = msgspec.json.decode(file.read_bytes(), type=_File)
        except FileNotFoundError:
            return cls(file)
        except (OSError, msgspec.MsgspecError) as error:
            raise PortsFileError(
                f"{file}: {error}: expected a ports file that heng simulate wrote, or none"
            ) from None
        return cls(file, told.listening, earlier_to=told.posting)

    async def check(self) -> None:
        """Wait a little until the ports of the earlier run are free; `DaemonError` names all that are not."""
        for _ in range(int(self.wait_s / _LOOK_S)):
            if not self._taken():
                return
            await asyncio.sleep(_LOOK_S)
        if taken := self._taken():
            names = ", ".join(f"{port} of {name}" for name, port in taken.items())
            raise DaemonError(
                f"taken by other programs: port {names}: expected the ports of the earlier run to be free; "
                f"end those programs, or remove {self.file} to have other ports"
            )

    def of(self, name: str) -> int:
        """Return the port of a device, `<gateway>/<name>`; 0 when any will do."""
        if self.file is None:
            return 0
        self.listening[name] = self.earlier.get(name) or _chosen()
        return self.listening[name]

    def to(self, name: str) -> int:
        """Return the port on which a gateway shall listen for a device; 0 when any will do."""
        if self.file is None:
            return 0
        self.posting[name] = self.earlier_to.get(name) or _chosen()
        return self.posting[name]

    def told(self) -> dict[str, object]:
        """Return what the ports file says of them for a later run."""
        return {"listening": self.listening, "posting": self.posting}

    def _taken(self) -> dict[str, int]:
        return {name: port for name, port in self.earlier.items() if not _is_free(port)}


def _chosen() -> int:
    """Return a free port outside the range of outgoing connections, which would take it during a restart."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True
