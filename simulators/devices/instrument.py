"""SCPI instruments over TCP: a multimeter and a temperature bath that settles as slowly as a real one.

What they measure comes from functions of time; faults distort it. Sources: SCPI-99, IEEE 488.2. Each line is
one command; several with ';' are done one after the other.
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from simulators.world import wander

Fault = Literal["", "silence", "garbage", "slow", "reset", "overflow", "stranger", "overload", "endless"]
QUEUE_MAX = 20
LINE_MAX = 4096
SLOW_S = 30.0
UNDEFINED = (-113, "Undefined header")
OUT_OF_RANGE = (-222, "Data out of range")
OVERFLOW = (-350, "Queue overflow")
PICTURE = bytes.fromhex("89504e470d0a1a0a") + bytes(range(256))
"""What a multimeter gives as its screen: the head of a PNG and every byte there is, line ends among them."""


class Model(Protocol):
    """What differs between instruments."""

    identity: str

    def obey(self, header: str, argument: str) -> bytes | tuple[int, str] | None:
        """Return the answer of a query, None for a command without one, or an error."""


@dataclass(slots=True)
class Multimeter:
    """Measures a voltage that a function of time gives."""

    identity: str = "Heng simulators,SIM-6500,DMM0001,1.0"
    now_s: Callable[[], float] = field(default=lambda: 0.0)
    voltage: Callable[[float], float] = field(default=lambda _: 10.0)
    overload: bool = False
    _range: str = "10"
    _cycles: str = "10"

    def obey(self, header: str, argument: str) -> bytes | tuple[int, str] | None:
        """Do one command."""
        match header:
            case "READ?" | "MEAS:VOLT:DC?":
                return b"+9.90000000E+37" if self.overload else self._reading()
            case "CONF:VOLT:DC":
                if argument not in ("0.1", "1", "10", "100", "1000"):
                    return OUT_OF_RANGE
                self._range = argument
                return None
            case "CONF?":
                return f'"VOLT {self._range},{self._cycles}"'.encode()
            case "SENS:VOLT:DC:NPLC":
                self._cycles = argument
                return None
            case "HCOP:SDUM:DATA?":
                return b"#3" + str(len(PICTURE)).encode() + PICTURE
        return UNDEFINED

    def _reading(self) -> bytes:
        now = self.now_s()
        return f"{self.voltage(now) + 2e-6 * wander(self.identity, now, 1):+.8E}".encode()


@dataclass(slots=True)
class Bath:
    """A stirred bath: it nears its set point exponentially and follows the room when it is off."""

    identity: str = "Heng simulators,SIM-BATH,BATH0001,1.0"
    now_s: Callable[[], float] = field(default=lambda: 0.0)
    room: Callable[[float], float] = field(default=lambda _: 20.0)
    settling_s: float = 300.0
    """Time constant towards the set point; six times slower towards the room."""
    set_point: float = 25.0
    on: bool = False
    _from: float | None = None
    _since_s: float = 0.0

    def temperature(self) -> float:
        """Return the true temperature of the liquid now."""
        now = self.now_s()
        target = self.set_point if self.on else self.room(now)
        start = self.room(self._since_s) if self._from is None else self._from
        constant = self.settling_s if self.on else 6 * self.settling_s
        settled = target + (start - target) * math.exp(-(now - self._since_s) / constant)
        return settled + 0.003 * wander(self.identity, now, 20)

    def obey(self, header: str, argument: str) -> bytes | tuple[int, str] | None:
        """Do one command."""
        match header:
            case "SENS:TEMP?":
                return f"{self.temperature():.3f}".encode()
            case "SOUR:TEMP:SPT?":
                return f"{self.set_point:.3f}".encode()
            case "OUTP?":
                return b"1" if self.on else b"0"
            case "SOUR:TEMP:SPT":
                return self._set(argument)
            case "OUTP" if argument in ("0", "1", "ON", "OFF"):
                self._hold()
                self.on = argument in ("1", "ON")
                return None
        return UNDEFINED

    def _set(self, argument: str) -> tuple[int, str] | None:
        if not re.fullmatch(r"[+-]?\d{1,4}(\.\d{1,6})?", argument) or not -40 <= float(argument) <= 150:
            return OUT_OF_RANGE
        self._hold()
        self.set_point = float(argument)
        return None

    def _hold(self) -> None:
        """Go on from the temperature of now: liquid does not jump."""
        self._from, self._since_s = self.temperature(), self.now_s()


@dataclass(slots=True)
class Instrument:
    """A model behind a socket, with its error queue. `fault` may be switched at any time."""

    model: Model
    fault: Fault = ""
    commands: list[str] = field(default_factory=list)
    """What came in, at most the last thousand."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once something came in."""
    _errors: deque[tuple[int, str]] = field(default_factory=deque)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def answer(self, line: str) -> bytes:
        """Return what the instrument sends for a line."""
        del self.commands[:-999]
        self.commands.append(line)
        self.asked.set()
        answers = [self._obey(part.strip()) for part in line.split(";")]
        said = b";".join(answer for answer in answers if answer is not None)
        return said + b"\n" if said else b""

    def _obey(self, command: str) -> bytes | None:
        header, _, argument = command.partition(" ")
        if isinstance(self.model, Multimeter):
            self.model.overload = self.fault == "overload"
        match header.upper():
            case "*IDN?":
                return b"Nobody,STRANGER,0,0" if self.fault == "stranger" else self.model.identity.encode()
            case "*CLS":
                self._errors.clear()
                return None
            case "SYST:ERR?":
                return self._next_error()
        answer = self.model.obey(header.upper(), argument.strip())
        if isinstance(answer, tuple):
            self._fail(answer)
            return None
        if self.fault == "overflow":
            for _ in range(QUEUE_MAX + 1):
                self._fail(UNDEFINED)
        return answer

    def _fail(self, error: tuple[int, str]) -> None:
        """Queue an error; a full queue says so in its last entry."""
        if len(self._errors) < QUEUE_MAX:
            self._errors.append(error)
        else:
            self._errors[-1] = OVERFLOW

    def _next_error(self) -> bytes:
        if self.fault == "endless":
            return b'-100,"Command error"'
        code, text = self._errors.popleft() if self._errors else (0, "No error")
        return f'{code:+d},"{text}"'.encode()

    def close(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                if self.fault == "reset":
                    return
                answer = self.answer(line.decode("ascii", "replace").strip())
                if self.fault == "garbage":
                    answer = b"\x00\xff\xfe no such thing\n"
                if self.fault == "silence":
                    continue
                await self._send(answer, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _send(self, answer: bytes, writer: asyncio.StreamWriter) -> None:
        if self.fault != "slow":
            writer.write(answer)
            await writer.drain()
            return
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(SLOW_S / len(answer))


@asynccontextmanager
async def scpi_server(instrument: Instrument, *, port: int = 0) -> AsyncIterator[int]:
    """Listen on 127.0.0.1 while the context is open; gives the port."""
    server = await asyncio.start_server(instrument.serve, "127.0.0.1", port, limit=LINE_MAX)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        instrument.close()
        await server.wait_closed()
