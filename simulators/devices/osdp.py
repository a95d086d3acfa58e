"""OSDP readers on a pseudo-terminal: libosdp's own peripheral side, with secure channel, keys and faults.

All readers of a line hear everything that is on it, as on RS-485. Baud rates are not simulated: a
pseudo-terminal is as fast as the machine. What a session's random numbers are is libosdp's; cards and noise
are the caller's, so the same seed shows the same cards. Source: IEC 60839-11-5.
"""

import asyncio
import ctypes
import hashlib
import os
import random
import tty
from binascii import crc_hqx
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import osdp_sys

Fault = Literal["", "silence", "slow", "garbage", "wrong_key", "clear", "tamper", "power"]
"""Of a reader; `silence` is its cable pulled, `clear` answers in clear within a session."""
LineFault = Literal["", "cut", "noise", "gone"]
"""Of the whole line; `gone` is the adapter unplugged."""
Answer = tuple[int, dict[str, object] | None]
"""What the binding wants for a command: 0 for done, and what is told."""
REFRESH_S = 0.01
SLOW_S = 0.15
WRONG_KEY = bytes.fromhex("9f31c2d4e5a60718293a4b5c6d7e8f90")
_DIGITS = {"#": 0x0D, "*": 0x7F}
_ALL = ("led", "buzzer", "text")
_CAPABILITIES = {
    "led": (osdp_sys.CAP_READER_LED_CONTROL, 4, 1),
    "buzzer": (osdp_sys.CAP_READER_AUDIBLE_OUTPUT, 2, 1),
    "text": (osdp_sys.CAP_READER_TEXT_OUTPUT, 1, 1),
}


class Reader:
    """One reader. It is its own channel to libosdp (`id`, `read`, `write`, `flush`)."""

    def __init__(self, address: int, key: bytes | None, *, has: Iterable[str] = _ALL) -> None:
        """`key` None: as from the factory, it knows the default key alone and takes any first one."""
        self.id = self.address = address
        self.key = key
        self.shown: list[dict[str, object]] = []
        """Every command that was given to it."""
        self.line: ReaderLine | None = None
        self._has = [_CAPABILITIES[name] for name in has]
        self._fault: Fault = ""
        self._inbox = b""
        self._device: osdp_sys.PeripheralDevice | None = None

    # --- what a person does ----------------------------------------------------------------------

    def present(self, value: int, bits: int, *, raw: bool = False) -> bool:
        """Hold a card to it; False when it cannot keep one more."""
        size = (bits + 7) // 8
        card = {
            "event": osdp_sys.EVENT_CARDREAD,
            "reader_no": 0,
            "format": osdp_sys.CARD_FMT_RAW_UNSPECIFIED if raw else osdp_sys.CARD_FMT_RAW_WIEGAND,
            "direction": 0,
            "length": bits,
            "data": (value << (-bits % 8)).to_bytes(size, "big"),
        }
        return self._submit(card)

    def press(self, keys: str) -> bool:
        """Press keys: digits, `#` for enter, `*` for clear."""
        data = bytes(_DIGITS.get(key, ord(key)) for key in keys)
        return self._submit({"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "data": data})

    def reboot(self) -> None:
        """Take its power away for a moment: its session and what waited are gone."""
        self.start()

    @property
    def fault(self) -> Fault:
        """What is wrong with it now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        before, self._fault = self._fault, fault
        if "wrong_key" in (before, fault):
            self.start()
        if {"tamper", "power"} & {before, fault}:
            self._submit(
                {
                    "event": osdp_sys.EVENT_STATUS,
                    "type": osdp_sys.STATUS_REPORT_LOCAL,
                    "report": self._status(),
                }
            )

    def _status(self) -> bytes:
        return bytes([self._fault == "tamper", self._fault == "power"])

    def _submit(self, event: dict[str, object]) -> bool:
        return self._device is not None and bool(self._device.submit_event(event))

    # --- libosdp ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with no session."""
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        key = WRONG_KEY if self._fault == "wrong_key" else self.key
        info = {
            "name": f"sim-{self.address}",
            "address": self.address,
            "flags": 0 if key is None else osdp_sys.FLAG_ENFORCE_SECURE,
            "scbk": key,
            "channel": self,
            "version": 1,
            "model": 2,
            "vendor_code": 0x00A1B2,
            "serial_number": 1000 + self.address,
            "firmware_version": 0x010203,
        }
        has = [*self._has, (osdp_sys.CAP_CONTACT_STATUS_MONITORING, 1, 1), (osdp_sys.CAP_READERS, 1, 1)]
        capabilities = [
            {"function_code": code, "compliance_level": level, "num_items": items}
            for code, level, items in has
        ]
        self._inbox = b""
        self._device = osdp_sys.PeripheralDevice(info, capabilities=capabilities)
        self._device.set_command_callback(self._obey)

    def stop(self) -> None:
        """Let libosdp go."""
        self._device = None

    def _obey(self, command: dict[str, object]) -> Answer:
        self.shown.append(command)
        if command["command"] == osdp_sys.CMD_KEYSET and isinstance(key := command["data"], bytes):
            self.key = key
        asked = command["command"] == osdp_sys.CMD_STATUS
        answer = _reported(self._status()) if asked else _DONE
        # The binding gives back a reference to the reply that it was never given, and none to the answer:
        # without one more, the reply is freed while the answer still holds it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(answer[1]))
        return answer

    def hear(self, data: bytes) -> None:
        """Take what is on the line."""
        if self._fault != "silence":
            self._inbox += data
            self.go_on()

    def go_on(self) -> None:
        """Let libosdp work; it takes one frame each time."""
        if self._device is None or self._fault == "silence":
            return
        for _ in range(4):
            self._device.refresh()
            if not self._inbox:
                break

    def read(self, max_bytes: int) -> bytes:
        """Give what was heard."""
        data, self._inbox = self._inbox[:max_bytes], self._inbox[max_bytes:]
        return data

    def write(self, data: bytes) -> int:
        """Answer."""
        if self.line is not None:
            self.line.answer(self, data)
        return len(data)

    def flush(self) -> None:
        """Forget what was heard."""
        self._inbox = b""


class ReaderLine:
    """The readers of one line, behind the path `path` that a gateway opens as its serial line."""

    def __init__(self, path: Path, readers: Iterable[Reader], *, seed: int = 0) -> None:
        self.path = path
        self.readers = {reader.address: reader for reader in readers}
        self.heard = b""
        """The last bytes that the gateway sent, at most 64 KiB."""
        self._random = random.Random(seed)
        self._fault: LineFault = ""
        self._files: tuple[int, int] | None = None

    @property
    def fault(self) -> LineFault:
        """What is wrong with the line now."""
        return self._fault

    @fault.setter
    def fault(self, fault: LineFault) -> None:
        before, self._fault = self._fault, fault
        if fault == "gone" != before:
            self._unplug()
        elif before == "gone" != fault:
            self._plug()

    def switch(self, fault: str, address: int | None) -> None:
        """Switch a fault of one reader, or of the line; `KeyError` or `ValueError` name what cannot be."""
        if address is None:
            self.fault = msgspec.convert(fault, LineFault)
        else:
            self.readers[address].fault = msgspec.convert(fault, Fault)

    def answer(self, reader: Reader, data: bytes) -> None:
        """Put a reader's reply on the line."""
        if self._fault == "cut":
            return
        if reader.fault == "garbage":
            data = self._random.randbytes(len(data))
        elif reader.fault == "clear" and len(data) > 6 and data[data.find(0x53) + 4] & 0x08:
            data = _in_clear(reader.address)
        if reader.fault == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._put, reader, data)
        else:
            self._put(reader, data)

    def say(self, data: bytes) -> None:
        """Put bytes on the line that are no reader's."""
        if self._files is not None and self._fault != "cut":
            with suppress(BlockingIOError):
                os.write(self._files[0], data)

    def _put(self, reader: Reader, data: bytes) -> None:
        if self._fault == "noise":
            self.say(self._random.randbytes(self._random.randrange(1, 30)))
        self.say(data)
        for other in self.readers.values():
            if other is not reader:
                asyncio.get_running_loop().call_soon(other.hear, data)

    def _plug(self) -> None:
        outer, inner = os.openpty()
        tty.setraw(inner)
        os.set_blocking(outer, False)
        self._files = outer, inner
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(inner))
        asyncio.get_running_loop().add_reader(outer, self._came)

    def _unplug(self) -> None:
        if self._files is not None:
            asyncio.get_running_loop().remove_reader(self._files[0])
            for file in self._files:
                os.close(file)
            self._files = None
            self.path.unlink(missing_ok=True)

    def _came(self) -> None:
        if self._files is None:
            return
        try:
            data = os.read(self._files[0], 4096)
        except OSError:
            return
        self.heard = (self.heard + data)[-65536:]
        if self._fault != "cut":
            for reader in self.readers.values():
                reader.hear(data)

    async def run(self) -> None:
        """Keep the readers going until cancelled."""
        for reader in self.readers.values():
            reader.line = self
            reader.start()
        if self._fault != "gone":
            self._plug()
        try:
            while True:
                for reader in self.readers.values():
                    reader.go_on()
                await asyncio.sleep(REFRESH_S)
        finally:
            self._unplug()
            for reader in self.readers.values():
                reader.stop()


_DONE: Answer = (0, None)


@cache
def _reported(status: bytes) -> Answer:
    """Return the answer to a question for the local status; always the same one, as none is ever freed.

    The binding has no way to give a report, only the C structures lie over one another: behind the vendor
    code of a maker's command, its data are the count and the bytes of a status report.
    """
    return 0, {
        "command": osdp_sys.CMD_MFG,
        "vendor_code": osdp_sys.STATUS_REPORT_LOCAL,
        "data": len(status).to_bytes(4, "little") + status,
    }


def _in_clear(address: int) -> bytes:
    """Return a card in clear, as somebody at the cable would send it."""
    head = bytes([0x53, address | 0x80, 0, 0, 0x04, 0x50, 0x00, 0x01, 26, 0, 1, 2, 3, 0x40])
    whole = head[:2] + (len(head) + 2).to_bytes(2, "little") + head[4:]
    return whole + crc_hqx(whole, 0x1D0F).to_bytes(2, "little")


@asynccontextmanager
async def reader_line(
    path: Path, readers: Iterable[Reader], *, seed: int = 0, visits: bool = False
) -> AsyncIterator[ReaderLine]:
    """Run the readers of a line while the context is open; with `visits` people show cards."""
    line = ReaderLine(path, readers, seed=seed)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(line.run())]
        await asyncio.sleep(0)
        if visits:
            running.append(tasks.create_task(_visit(line, random.Random(f"{seed}/visits"))))
        try:
            yield line
        finally:
            for one in running:
                one.cancel()


async def _visit(line: ReaderLine, chance: random.Random) -> None:
    """Show one of a few cards (26 bits) every now and then, the same ones for the same seed."""
    cards = [wiegand_26(chance.randrange(256), chance.randrange(65536)) for _ in range(8)]
    while True:
        await asyncio.sleep(chance.uniform(5, 40))
        line.readers[chance.choice(sorted(line.readers))].present(chance.choice(cards), 26)


def wiegand_26(facility: int, number: int) -> int:
    """Return a card of HID's H10301: even parity over the first 12 bits, odd over the last."""
    body = facility << 16 | number
    even, odd = (body >> 12).bit_count() & 1, (body & 0xFFF).bit_count() + 1 & 1
    return even << 25 | body << 1 | odd


def write_key(file: Path, seed: str) -> bytes:
    """Write and return a reader's key that only depends on `seed`."""
    key = hashlib.sha256(seed.encode()).digest()[:16]
    file.touch(mode=0o600)
    file.write_text(key.hex() + "\n", encoding="ascii")
    return key
