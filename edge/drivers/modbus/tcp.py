"""One Modbus TCP connection: asks one question at a time and checks that the answer belongs to it.

The only importer of pymodbus at the edge. It decodes no value and never tries a request again.
"""

import asyncio
import logging
import struct
from typing import Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from pymodbus.transaction import TransactionManager

from edge.drivers.modbus.bus import ConnectionLostError, NoAnswerError, refused
from edge.drivers.modbus.frames import (
    READ_BITS,
    READ_REGISTERS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Question,
)
from wire.settings.modbus import ModbusDevice

_READS: dict[int, type[ModbusPDU]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}


class _Transactions(TransactionManager):
    """Hands what cannot be decoded to the waiting request instead of the event loop's handler."""

    def callback_data(self, data: bytes, addr: tuple[str, int] | None = None) -> int:
        """Take in received bytes and return how many were used."""
        try:
            return super().callback_data(data, addr)
        except (ModbusException, ValueError, IndexError, struct.error) as error:
            if not self.response_future.done():
                self.response_future.set_exception(ConnectionException(f"undecodable answer ({error})"))
            return len(data)


class TcpBus:
    """Implements `edge.drivers.modbus.bus.Bus` on a TCP connection; it reconnects on `reopen` alone."""

    hurried = True

    def __init__(self, settings: ModbusDevice) -> None:
        """Opens nothing yet."""
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        self._address = (settings.host, settings.port)
        self._timeout_s = settings.timeout_ms / 1000
        self._client: AsyncModbusTcpClient | None = None

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self._address[0]} port {self._address[1]}"

    async def __aenter__(self) -> Self:
        await self.reopen()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    @property
    def overhead_s(self) -> float:
        """Return 0: the unit's time-out covers all."""
        return 0.0

    def rest_s(self, unit: int) -> float:
        """Return 0: transaction numbers tell late answers from others."""
        return 0.0

    async def reopen(self) -> None:
        """Close what is open and connect anew; `ConnectionLostError` when that fails."""
        self.close()
        host, port = self._address
        client = AsyncModbusTcpClient(host, port=port, timeout=self._timeout_s, retries=0, reconnect_delay=0)
        framer = FramerSocket(DecodePDU(is_server=False))
        client.ctx = _Transactions(
            client.comm_params,
            framer,
            retries=0,
            is_server=False,
            trace_packet=None,
            trace_pdu=None,
            trace_connect=None,
        )
        try:
            connected = await client.connect()
            _honour_cancellation()
        except asyncio.CancelledError:
            client.close()
            raise
        if not connected:
            client.close()
            raise ConnectionLostError(f"cannot connect to {host} port {port}")
        self._client = client

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def ask(self, unit: int, question: Question, *, timeout_s: float) -> list[int]:
        """Return registers or bits, nothing for a write, or raise a `BusError`."""
        client = self._client
        if client is None or not client.connected:
            raise ConnectionLostError("connection closed by the device")
        request = _request(unit, question)
        client.ctx.comm_params.timeout_connect = timeout_s
        try:
            answer = await client.execute(no_response_expected=False, request=request)
        except ConnectionException as error:
            raise ConnectionLostError(_short(error)) from None
        except ModbusIOException:
            if not client.connected:
                raise ConnectionLostError("connection lost while waiting for an answer") from None
            raise NoAnswerError(f"no answer within {timeout_s:.3g} s") from None
        finally:
            _honour_cancellation()
        return _checked(request, answer, question)


def _honour_cancellation() -> None:
    """Raise the cancellation that `asyncio.wait_for` inside pymodbus swallows on Python 3.11.

    It does when the awaited answer comes in the same turn of the loop (cpython issue 81839).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _request(unit: int, question: Question) -> ModbusPDU:
    kind = _READS.get(question.function)
    if kind is not None:
        return kind(dev_id=unit, address=question.start, count=question.count)
    if question.function == WRITE_COIL:
        bits = [bool(question.values[0])]
        return WriteSingleCoilRequest(dev_id=unit, address=question.start, bits=bits)
    words = list(question.values)
    if question.function == WRITE_REGISTER:
        return WriteSingleRegisterRequest(dev_id=unit, address=question.start, registers=words)
    return WriteMultipleRegistersRequest(
        dev_id=unit, address=question.start, count=len(words), registers=words
    )


def _checked(request: ModbusPDU, answer: ModbusPDU, question: Question) -> list[int]:
    asked = (request.transaction_id, request.dev_id, request.function_code)
    got = (answer.transaction_id, answer.dev_id, answer.function_code & 0x7F)
    if asked != got:
        raise NoAnswerError(
            f"answer to another question (transaction, unit, function {got}: expected {asked})"
        )
    if answer.isError():
        raise refused(answer.exception_code)
    if question.function in READ_REGISTERS:
        if len(answer.registers) != question.count:
            raise NoAnswerError(f"answer of {len(answer.registers)} registers: expected {question.count}")
        return list(answer.registers)
    if question.function in READ_BITS:
        if len(answer.bits) != (question.count + 7) // 8 * 8:
            raise NoAnswerError(f"answer of {len(answer.bits)} bits: expected {question.count}")
        return [int(bit) for bit in answer.bits[: question.count]]
    return _checked_write(answer, question)


def _checked_write(answer: ModbusPDU, question: Question) -> list[int]:
    if question.function == WRITE_REGISTERS:
        fits = answer.count == len(question.values)
    else:
        said = answer.bits if question.function == WRITE_COIL else answer.registers
        fits = [int(one) for one in said] == list(question.values)
    if answer.address != question.start or not fits:
        raise NoAnswerError("answer to a write of another place or value")
    return []


def _short(error: Exception) -> str:
    text = str(error).removeprefix("Modbus Error: ").removeprefix("[Connection] ")
    return text[:160]
