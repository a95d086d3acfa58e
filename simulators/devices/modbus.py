"""Modbus TCP units that encode the world: several behind one listener, with switches for faults.

It answers functions 1 to 6 and 16 from its own table of models (`registers.toml`), written from the manuals
and not from the gateway's profiles. Requests are answered one after another, as a serial line behind a
converter does. Source: Modbus Application Protocol V1.1b3; Modbus Messaging on TCP/IP V1.0b.
"""

import asyncio
import json
import struct
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, TextIO

import msgspec

COUNTER_TRUTH = "reads"
COUNTER_REGISTER = 0xF000
"""Every unit shows its counter of reads here too (two registers, functions 3 and 4)."""
REGISTERS_MAX = 125
Fault = Literal[
    "", "silence", "garbage", "slow", "exception", "wrong_count", "reset", "deaf",
    "other_unit", "bad_crc", "noise",
]  # fmt: skip
"""`deaf` acknowledges writes and does nothing; the last three are of a serial line alone."""
Truth = Callable[[str], float]
"""Name of a value -> what it truly is now, in the unit of its quantity."""
Told = Callable[[str, float], None]
"""Takes what a unit was told: name of a value, and its new value."""
Now = Callable[[], tuple[int, int]]
"""(monotonic ns, UTC ms)"""

_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f", "bit": ">H"}


class Writable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a value may be written to, as the manual says it; nothing of a switch."""

    low: Decimal | None = None
    high: Decimal | None = None
    step_max: Decimal | None = None
    apart_s: float = 0.0


class RegisterValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of a model, as its manual describes it."""

    function: Literal[1, 2, 3, 4]
    register: int
    encoding: Literal["int16", "uint16", "int32", "uint32", "float32", "bit"]
    truth: str
    words: Literal["high_first", "low_first"] = "high_first"
    scale: Decimal = Decimal(1)
    quantity: str = ""
    write: Writable | None = None

    @property
    def size(self) -> int:
        """Number of registers."""
        return struct.calcsize(_FORMATS[self.encoding]) // 2


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: list[RegisterValue]


@cache
def models() -> Mapping[str, list[RegisterValue]]:
    """Return every model's values."""
    text = (resources.files("simulators.devices") / "registers.toml").read_text(encoding="utf-8")
    table = msgspec.convert(tomllib.loads(text), dict[str, _Model])
    return {name: model.values for name, model in table.items()}


def encode(value: RegisterValue, truth: float) -> list[int]:
    """Return the registers that a device of this model shows for a true value."""
    layout = _FORMATS[value.encoding]
    if value.encoding == "float32":
        data = struct.pack(layout, truth)
    else:
        steps = (Decimal(truth) / value.scale).to_integral_value(ROUND_HALF_EVEN)
        bits = 8 * struct.calcsize(layout)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if layout[1].islower() else (0, (1 << bits) - 1)
        data = struct.pack(layout, max(low, min(high, int(steps))))
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    return words[::-1] if value.words == "low_first" else words


def decode(value: RegisterValue, words: list[int]) -> float:
    """Return what written registers tell a device of this model."""
    words = words[::-1] if value.words == "low_first" else words
    (raw,) = struct.unpack(_FORMATS[value.encoding], struct.pack(f">{len(words)}H", *words))
    return float(raw) if value.encoding == "float32" else float(raw * value.scale)


@dataclass(slots=True)
class Unit:
    """One simulated device on the line. `fault` may be switched at any time."""

    address: int
    model: str
    truth: Truth
    name: str = ""
    fault: Fault = ""
    slow_s: float = 2.0
    reads: int = 0
    told: Told | None = None
    """Where writes go; a unit without refuses them."""
    values: list[RegisterValue] = field(init=False)

    def __post_init__(self) -> None:
        self.values = models()[self.model]

    def read(self, function: int, start: int, count: int) -> list[int] | None:
        """Return registers, or None for an address that the device does not have; counts the read."""
        asked = range(start, start + count)
        if start == COUNTER_REGISTER and count == 2:
            self.reads += 1
            return [self.reads >> 16 & 0xFFFF, self.reads & 0xFFFF]
        present = [value for value in self.values if value.function == function]
        if not present or start + count > max(value.register + value.size for value in present):
            return None
        registers = [0] * count
        if any(value.truth == COUNTER_TRUTH and value.register in asked for value in present):
            self.reads += 1
        for value in present:
            covered = range(value.register, value.register + value.size)
            if covered.stop <= start or covered.start >= asked.stop:
                continue
            truth = self.reads if value.truth == COUNTER_TRUTH else self.truth(value.truth)
            for register, word in zip(covered, encode(value, truth), strict=True):
                if register in asked:
                    registers[register - start] = word
        return registers

    def write(self, function: int, start: int, words: list[int]) -> int:
        """Do what a write says and return 0, or the exception code that it is answered with."""
        wanted = 1 if function == 5 else 3
        found = [
            value
            for value in self.values
            if value.function == wanted and value.register == start and value.size == len(words)
        ]
        if not found or found[0].write is None or self.told is None:
            return 2
        number, limits = decode(found[0], words), found[0].write
        low, high = (0, 1) if limits.low is None or limits.high is None else (limits.low, limits.high)
        if not low <= number <= high:
            return 3
        if self.fault != "deaf":
            self.told(found[0].truth, number)
        return 0


class ResetError(Exception):
    """Ends a connection without an answer."""


class ModbusLine:
    """The units behind one listener; `log` gets one JSON line per answer that was given out."""

    def __init__(self, units: list[Unit], *, now: Now, log: TextIO | None = None) -> None:
        self.units = {unit.address: unit for unit in units}
        self._now = now
        self._log = log
        self._bus = asyncio.Lock()
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    def switch(self, fault: str, unit: int | None = None) -> None:
        """Switch a fault of one unit or of all, off with the empty word; `ValueError` for an unknown one."""
        wanted: Fault = msgspec.convert(fault, Fault)
        for one in self.units.values() if unit is None else [self.units[unit]]:
            one.fault = wanted

    def reset(self) -> None:
        """Drop every connection, as a converter does that loses power."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Drop every connection and wait for their ends."""
        self.reset()
        tasks = [task for task in self._writers.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        self._writers[writer] = asyncio.current_task()
        try:
            while True:
                head = await reader.readexactly(7)
                transaction, protocol, length, address = struct.unpack(">HHHB", head)
                if protocol != 0 or not 2 <= length <= 254:
                    return
                request = await reader.readexactly(length - 1)
                async with self._bus:
                    await asyncio.sleep(self.delay_s(address))
                    answer = self.answer(address, request)
                    if answer is None:
                        continue
                    writer.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, address) + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ResetError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            del self._writers[writer]
            writer.transport.abort()

    def delay_s(self, address: int) -> float:
        """Return for how long a unit thinks before it answers."""
        unit = self.units.get(address)
        return unit.slow_s if unit is not None and unit.fault == "slow" else 0.0

    def answer(self, address: int, request: bytes) -> bytes | None:
        """Return what a unit answers (function first), None for nothing; `ResetError`."""
        unit = self.units.get(address)
        if unit is None or unit.fault == "silence":
            return None
        if unit.fault == "reset":
            raise ResetError
        if unit.fault == "garbage":
            return b"\x03\xff" + b"\x5a" * 9
        function = request[0]
        if unit.fault == "exception":
            return bytes((function | 0x80, 4))
        if function not in (1, 2, 3, 4, 5, 6, 16):
            return bytes((function | 0x80, 1))
        if function in (5, 6, 16):
            return _written(unit, function, request)
        return self._registers(unit, function, request)

    def _registers(self, unit: Unit, function: int, request: bytes) -> bytes:
        if len(request) != 5:
            return bytes((function | 0x80, 3))
        start, count = struct.unpack(">HH", request[1:])
        if not 1 <= count <= REGISTERS_MAX:
            return bytes((function | 0x80, 3))
        registers = unit.read(function, start, count)
        if registers is None:
            return bytes((function | 0x80, 2))
        self._note(unit, (function, start), registers)
        if unit.fault == "wrong_count":
            registers = registers[:-1]
        if function in (1, 2):
            packed = sum(bit << place for place, bit in enumerate(registers))
            size = (len(registers) + 7) // 8
            return bytes((function, size)) + packed.to_bytes(size, "little")
        return struct.pack(f">BB{len(registers)}H", function, 2 * len(registers), *registers)

    def _note(self, unit: Unit, place: tuple[int, int], registers: list[int]) -> None:
        if self._log is None:
            return
        function, start = place
        monotonic_ns, utc_ms = self._now()
        line = {
            "unit": unit.name or unit.address,
            "reads": unit.reads,
            "function": function,
            "start": start,
            "registers": registers,
            "monotonic_ns": monotonic_ns,
            "utc_ms": utc_ms,
        }
        self._log.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._log.flush()


def _written(unit: Unit, function: int, request: bytes) -> bytes:
    if len(request) < 5 or (function == 16 and len(request) != 6 + 2 * request[4]):
        return bytes((function | 0x80, 3))
    start, number = struct.unpack(">HH", request[1:5])
    if function == 5:
        words = [int(number == 0xFF00)]
    else:
        words = [number] if function == 6 else list(struct.unpack(f">{number}H", request[6:]))
    code = unit.write(function, start, words)
    return bytes((function | 0x80, code)) if code else request[:5]


@asynccontextmanager
async def modbus_server(
    units: list[Unit], *, now: Now, port: int = 0, log: Path | None = None
) -> AsyncIterator[tuple[ModbusLine, int]]:
    """Serve units on 127.0.0.1 while the context is open; gives the line and its port."""
    output = None if log is None else log.open("a", encoding="utf-8")
    try:
        line = ModbusLine(units, now=now, log=output)
        server = await asyncio.start_server(line.serve, "127.0.0.1", port)
        try:
            yield line, server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await line.close()
            await server.wait_closed()
    finally:
        if output is not None:
            output.close()
