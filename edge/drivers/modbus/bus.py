"""One Modbus TCP connection: asks for registers and checks that the answer belongs to the question.

The only importer of pymodbus at the edge. It decodes no value and never tries a request again.

Errors::

    BusError
    ├── NoAnswerError        nothing came in time, or it did not fit the question; the connection is good
    ├── RefusedError         the device answered with an exception code
    └── ConnectionLostError  the connection is gone, or what came can no longer be told apart
"""

import asyncio
import logging
import struct
from types import TracebackType
from typing import Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from pymodbus.transaction import TransactionManager

UNREACHABLE_CODES = frozenset({0x0A, 0x0B})
"""Exceptions by which a gateway says that the unit behind it does not answer (V1.1b3, section 7)."""


class BusError(Exception):
    """A read that gave no registers; the text is one short sentence for a person."""


class NoAnswerError(BusError):
    """The unit did not answer in time, or answered something else; others may."""


class RefusedError(BusError):
    """The unit answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class ConnectionLostError(BusError):
    """The connection is gone; a new one is needed."""


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


class Bus:
    """An open connection. Use it as an async context manager; it reconnects on `reopen` alone."""

    def __init__(self, host: str, port: int, *, timeout_s: float) -> None:
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        self._where = (host, port)
        self._timeout_s = timeout_s
        self._client: AsyncModbusTcpClient | None = None

    async def __aenter__(self) -> Self:
        await self.reopen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def reopen(self) -> None:
        """Close what is open and connect anew; `ConnectionLostError` when that fails."""
        self.close()
        host, port = self._where
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

    async def read(
        self, unit: int, function: int, *, start: int, count: int, timeout_s: float | None = None
    ) -> list[int]:
        """Return `count` registers (0 to 65535 each) from `start` on, or raise a `BusError`.

        `timeout_s` is for this answer alone; the connection's own when absent.
        """
        client = self._client
        if client is None or not client.connected:
            raise ConnectionLostError("connection closed by the device")
        kind = ReadInputRegistersRequest if function == 4 else ReadHoldingRegistersRequest
        request = kind(dev_id=unit, address=start, count=count)
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
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
        return _checked(request, answer, count)


def _honour_cancellation() -> None:
    """Raise the cancellation that `asyncio.wait_for` inside pymodbus swallows on Python 3.11.

    It does when the awaited answer comes in the same turn of the loop (cpython issue 81839).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _checked(request: ModbusPDU, answer: ModbusPDU, count: int) -> list[int]:
    asked = (request.transaction_id, request.dev_id, request.function_code)
    got = (answer.transaction_id, answer.dev_id, answer.function_code & 0x7F)
    if asked != got:
        raise NoAnswerError(
            f"answer to another question (transaction, unit, function {got}: expected {asked})"
        )
    if answer.isError():
        if answer.exception_code in UNREACHABLE_CODES:
            raise NoAnswerError(
                f"the gateway cannot reach the unit (Modbus exception {answer.exception_code})"
            )
        raise RefusedError(answer.exception_code)
    if len(answer.registers) != count:
        raise NoAnswerError(f"answer of {len(answer.registers)} registers: expected {count}")
    return list(answer.registers)


def _short(error: Exception) -> str:
    text = str(error).removeprefix("Modbus Error: ").removeprefix("[Connection] ")
    return text[:160]
