"""One RS-485 line: asks one question at a time and lets no late answer pass for another one's.

An answer on a serial line names its unit and function, not the registers it is of. So

- the line is quiet for a while before each question, and what came until then is thrown away;
- after a unit did not answer in time, everything unread is thrown away, and the unit is not asked again until
  a late answer of it can no longer come; others are asked meanwhile, since their answers carry their address.

It owns the port alone (the kernel refuses a second owner) and never asks again by itself.
"""

import asyncio
from typing import Self

from edge.drivers.modbus.bus import ConnectionLostError, NoAnswerError, refused
from edge.drivers.modbus.frames import FRAME_BYTES_MAX, Question, describe_misfit, find_answer, framed
from edge.drivers.modbus.port import PortLostError, SerialPort
from wire.settings.modbus import ModbusRtuDevice

BITS_PER_CHARACTER = 11
BABBLE_S = 0.5
"""A line that is not quiet for so long has another master, or something broken on it."""
NOISE_BYTES_MAX = 4 * FRAME_BYTES_MAX


class RtuBus:
    """Implements `edge.drivers.modbus.bus.Bus` on a serial port."""

    hurried = False

    def __init__(self, settings: ModbusRtuDevice) -> None:
        """Opens nothing yet."""
        self._settings = settings
        self._character_s = BITS_PER_CHARACTER / settings.baud
        self._quiet_s = max(settings.turnaround_ms / 1000, 3.5 * self._character_s, 0.00175)
        self._late_s = settings.late_ms / 1000
        self._port: SerialPort | None = None
        self._active_at = 0.0
        self._owed: dict[int, float] = {}
        """Unit -> until when an answer to a question that it left open may come."""

    @property
    def where(self) -> str:
        """Port, baud rate and format."""
        return f"{self._settings.path} at {self._settings.baud} {self._settings.format}"

    @property
    def overhead_s(self) -> float:
        """The longest question and answer, and the longest wait for a quiet line."""
        return 2 * FRAME_BYTES_MAX * self._character_s + self._quiet_s + BABBLE_S

    async def __aenter__(self) -> Self:
        await self.reopen()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    async def reopen(self) -> None:
        """Close the port if it is open, and open it; `ConnectionLostError` when that fails."""
        self.close()
        try:
            self._port = SerialPort(self._settings.path, baud=self._settings.baud, form=self._settings.format)
        except PortLostError as error:
            raise ConnectionLostError(str(error)) from None
        self._active_at = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Let the port go, if it is open. What units still owe is kept in mind."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def rest_s(self, unit: int) -> float:
        """Return for how long the unit must not be asked."""
        return max(0.0, self._owed.get(unit, 0.0) - asyncio.get_running_loop().time())

    async def ask(self, unit: int, question: Question, *, timeout_s: float) -> list[int]:
        """Return what was asked for, or raise a `BusError`; `timeout_s` is until the answer begins."""
        if self._port is None:
            raise ConnectionLostError(f"{self._settings.path} is not open")
        rest_s = self.rest_s(unit)
        if rest_s > 0:
            raise NoAnswerError(
                f"did not answer before; it rests for {rest_s:.1f} s, lest answers be swapped"
            )
        try:
            return await self._exchange(self._port, unit, question, timeout_s=timeout_s)
        except PortLostError as error:
            raise ConnectionLostError(str(error)) from None

    async def _exchange(
        self, port: SerialPort, unit: int, question: Question, *, timeout_s: float
    ) -> list[int]:
        await self._quiet(port)
        loop = asyncio.get_running_loop()
        frame = framed(unit, question.pdu)
        asked = loop.time()
        self._owed[unit] = asked + self._late_s
        port.send(frame)
        on_the_line_s = (len(frame) + question.answer_bytes) * self._character_s
        self._active_at = asked + len(frame) * self._character_s
        until, received = asked + on_the_line_s + timeout_s, b""
        while (left_s := until - loop.time()) > 0 and len(received) <= NOISE_BYTES_MAX:
            news = await port.receive(left_s)
            if not news:
                continue
            self._active_at = loop.time()
            received += news
            answer = find_answer(unit, question, received)
            if answer is not None:
                del self._owed[unit]
                if answer.code is not None:
                    raise refused(answer.code)
                return answer.values
        port.discard()
        misfit = describe_misfit(unit, question, received)
        raise NoAnswerError(f"no answer within {timeout_s:.3g} s" + (f": {misfit}" if misfit else ""))

    async def _quiet(self, port: SerialPort) -> None:
        """Wait until nothing moved on the line for the turnaround, throwing away what still comes."""
        loop = asyncio.get_running_loop()
        if port.discard():
            self._active_at = loop.time()
        began = loop.time()
        while (left_s := self._active_at + self._quiet_s - loop.time()) > 0:
            if await port.receive(left_s):
                self._active_at = loop.time()
            if loop.time() - began > BABBLE_S + self._quiet_s:
                raise NoAnswerError("the line does not become quiet: another master, or something broken")
