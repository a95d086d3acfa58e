"""The units of `modbus` on a serial line: a pseudo-terminal whose other end a gateway opens by its path.

It frames as Modbus over Serial Line V1.02 says, with a checksum of its own. A unit that is slow answers late,
into whatever goes on by then, as real ones do.
"""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TextIO

from simulators.devices.modbus import ModbusLine, Now, ResetError, Unit

REQUEST_BYTES = 8
IDLE_S = 0.05
"""Bytes that are no whole request for so long are forgotten."""
NOISE = b"\x00\xff\x00"


def crc(data: bytes) -> bytes:
    """Return the checksum as it is sent. Source: Modbus over Serial Line V1.02, 6.2.2."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


class RtuLine(ModbusLine):
    """The units on one serial line. `path` is a link to the terminal of the moment."""

    def __init__(
        self,
        units: list[Unit],
        *,
        now: Now,
        path: Path,
        log: TextIO | None = None,
    ) -> None:
        super().__init__(units, now=now, log=log)
        self.path = path
        self._ends: tuple[int, int] | None = None
        self._received = b""
        self._heard_at = 0.0
        self._answering: list[asyncio.TimerHandle] = []
        self.requests = 0

    def switch(self, fault: str, unit: int | None = None) -> None:
        """Switch a fault as on any line; `gone` without a unit pulls the adapter out until switched off."""
        if unit is None and fault == "gone":
            self.unplug()
            return
        super().switch(fault, unit)
        if unit is None and not fault:
            self.plug()

    def plug(self) -> None:
        """Have the adapter there, if it is not."""
        if self._ends is not None:
            return
        near, far = os.openpty()
        tty.setraw(far)
        os.set_blocking(near, False)
        self._ends = near, far
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(far))
        asyncio.get_running_loop().add_reader(near, self._readable)

    def unplug(self) -> None:
        """Have the adapter gone, as if pulled out."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)
        self._ends = None
        self.path.unlink(missing_ok=True)

    def reset(self) -> None:
        """Pull the adapter out and plug it in again."""
        self.unplug()
        self.plug()

    async def close(self) -> None:
        """Pull it out for good."""
        self.unplug()
        for answering in self._answering:
            answering.cancel()

    def babble(self, data: bytes) -> None:
        """Have bytes on the line that nobody asked for."""
        if self._ends is not None:
            with suppress(BlockingIOError):
                os.write(self._ends[0], data)

    def _readable(self) -> None:
        assert self._ends is not None
        with suppress(BlockingIOError):
            now = asyncio.get_running_loop().time()
            if now - self._heard_at > IDLE_S:
                self._received = b""
            self._heard_at = now
            self._received += os.read(self._ends[0], 4096)
        while (size := _request_bytes(self._received)) <= len(self._received):
            frame, self._received = self._received[:size], self._received[size:]
            if crc(frame[:-2]) == frame[-2:]:
                self.requests += 1
                self._later(frame[0], frame[1:-2])

    def _later(self, address: int, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._answering = [one for one in self._answering if one.when() > loop.time()]
        delay_s = self.delay_s(address)
        if delay_s:
            self._answering.append(loop.call_later(delay_s, self._serve, address, request))
        else:
            self._serve(address, request)

    def _serve(self, address: int, request: bytes) -> None:
        try:
            answer = self.answer(address, request)
        except ResetError:
            self.reset()
            return
        if answer is None:
            return
        fault = self.units[address].fault
        if fault == "garbage":
            self.babble(answer)
            return
        body = bytes((address + 1 if fault == "other_unit" else address,)) + answer
        check = bytes(byte ^ 0x55 for byte in crc(body)) if fault == "bad_crc" else crc(body)
        self.babble((NOISE if fault == "noise" else b"") + body + check)


def _request_bytes(received: bytes) -> int:
    if len(received) < REQUEST_BYTES:
        return REQUEST_BYTES
    return 9 + received[6] if received[1] == 16 else REQUEST_BYTES


@asynccontextmanager
async def rtu_line(
    units: list[Unit], *, now: Now, path: Path, log: Path | None = None
) -> AsyncIterator[RtuLine]:
    """Have units on a serial line at `path` while the context is open."""
    output = None if log is None else log.open("a", encoding="utf-8")
    try:
        line = RtuLine(units, now=now, path=path, log=output)
        line.plug()
        try:
            yield line
        finally:
            await line.close()
    finally:
        if output is not None:
            output.close()
