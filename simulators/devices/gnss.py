"""A GNSS receiver behind a real gpsd: NMEA over a local TCP source, one private daemon per receiver.

gpsd connects to us as it would to a receiver on the network, so that no device file and no permission is
needed. What the sentences say is made by `nmea`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from simulators.devices.nmea import mon_rf, sentence
from simulators.processes import daemon, find_program, free_port, wait_for_port

Fault = Literal["", "silence", "no_fix", "garbage", "antenna_open", "jammed"]
Epoch = Callable[[Fault], bytes]
"""What the receiver writes this second."""


@dataclass(slots=True)
class Receiver:
    """Writes one epoch every `period_s` to whoever is connected. `fault` may be switched at any time."""

    epoch: Epoch
    period_s: float = 1.0
    fault: Fault = ""
    tells_antenna: bool = False
    """Whether it says the state of its antenna after each epoch."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep one client until it leaves; what it sends is ignored."""
        self._writers.add(writer)
        try:
            while await reader.read(4096):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def write(self) -> None:
        """Write until cancelled."""
        while True:
            if self.fault != "silence":
                data = self.epoch(self.fault) + self._own()
                if self.fault == "garbage":
                    data = bytes(byte ^ 0x15 if byte > 0x20 else byte for byte in data)
                for writer in self._writers:
                    writer.write(data)
            await asyncio.sleep(self.period_s)

    def _own(self) -> bytes:
        """What the receiver says of itself; a jammed one says it in a binary packet, as u-blox does."""
        if self.fault == "jammed":
            return mon_rf(antenna=2, jamming=212, state=3)
        if not self.tells_antenna:
            return b""
        word = "OPEN" if self.fault == "antenna_open" else "OK"
        return sentence(f"GNTXT,01,01,02,ANTSTATUS={word}")

    def close(self) -> None:
        """Drop whoever is connected."""
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def gpsd_fed_by(
    receiver: Receiver, *, folder: Path, port: int = 0, name: str = "gpsd"
) -> AsyncIterator[int]:
    """Run a private gpsd on 127.0.0.1 that reads this receiver; gives its port. `DaemonError`."""
    source = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    source_port = source.sockets[0].getsockname()[1]
    port = port or free_port()
    log = folder / f"{name}.log"
    command = [find_program("gpsd"), "-N", "-n", "-b", "-S", str(port), f"tcp://127.0.0.1:{source_port}"]
    try:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(receiver.write())
            try:
                async with daemon(command, log=log, unprivileged=True) as process:
                    await wait_for_port(process, port, log=log)
                    yield port
            finally:
                writing.cancel()
    finally:
        source.close()
        receiver.close()
        await source.wait_closed()
