"""One connection to a NUT server: asks for variables of a UPS, with bounds on lines, count and time.

It interprets nothing; `decode` does. It never reconnects and never asks twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.drivers.ups.decode import NutError, NutProtocolError, check_answer, parse_variable

LINE_BYTES_MAX = 4096
VARIABLES_MAX = 2000


class NutConnectionError(NutError):
    """The server cannot be reached, went away or answers too slowly."""


class NutClient:
    """An open connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, timeout_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s

    async def variables(self, ups: str) -> dict[str, str]:
        """Return all variables of a UPS by name; raises `NutError` or one of its kinds."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._writer.write(f"LIST VAR {ups}\n".encode("ascii"))
                check_answer(await self._line(), f"BEGIN LIST VAR {ups}")
                found: dict[str, str] = {}
                while (line := await self._line()) != f"END LIST VAR {ups}":
                    name, value = parse_variable(line, ups)
                    found[name] = value
                    if len(found) > VARIABLES_MAX:
                        raise NutProtocolError(f"more than {VARIABLES_MAX} variables")
                return found
        except TimeoutError:
            raise NutConnectionError(f"no answer within {self._timeout_s:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            raise NutConnectionError("the NUT server closed the connection") from None

    async def variable(self, ups: str, name: str) -> str:
        """Return one variable of a UPS; raises `NutError` or one of its kinds."""
        try:
            async with asyncio.timeout(self._timeout_s):
                self._writer.write(f"GET VAR {ups} {name}\n".encode("ascii"))
                line = await self._line()
        except TimeoutError:
            raise NutConnectionError(f"no answer within {self._timeout_s:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            raise NutConnectionError("the NUT server closed the connection") from None
        check_answer(line if line.startswith("ERR ") else "VAR", "VAR")
        found, value = parse_variable(line, ups)
        if found != name:
            raise NutProtocolError(f"{line[:80]!r}: expected variable {name}")
        return value

    async def _line(self) -> str:
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise NutProtocolError(f"a line of more than {LINE_BYTES_MAX} bytes") from None
        return line.decode("utf-8", errors="replace").rstrip("\r\n")


@asynccontextmanager
async def connect(host: str, port: int, *, timeout_s: float) -> AsyncIterator[NutClient]:
    """Connect and give the client; `NutConnectionError` when that fails. Closes on the way out."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX)
    except TimeoutError:
        raise NutConnectionError(f"no answer from {host} port {port} within {timeout_s:g} s") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise NutConnectionError(f"cannot connect to NUT at {host} port {port}: {reason}") from None
    try:
        yield NutClient(reader, writer, timeout_s=timeout_s)
    finally:
        writer.close()
