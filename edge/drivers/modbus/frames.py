"""Questions, and the frames of Modbus RTU: builds them, and finds the one answer that fits a question.

Pure. Source: Modbus Application Protocol V1.1b3, section 6; Modbus over Serial Line V1.02, section 2.5.1. An
answer carries no register address: unit, function, number of bytes and checksum are all that ties it to its
question; that no late one is taken for it is the line's business (`rtu`).
"""

import struct
from dataclasses import dataclass

READ_BITS = (1, 2)
READ_REGISTERS = (3, 4)
WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS = 5, 6, 16
COIL_ON = 0xFF00
FRAME_BYTES_MAX = 256
_EXCEPTION_BYTES = 5
_CRC_BYTES = 2


@dataclass(frozen=True, slots=True)
class Question:
    """One request: `count` bits or registers from `start` on, or the `values` to write there."""

    function: int
    """1 to 4 read; 5, 6 and 16 write."""
    start: int
    count: int = 1
    values: tuple[int, ...] = ()
    """Of a write: 0 or 1 for a coil, else registers (0 to 65535)."""

    @property
    def pdu(self) -> bytes:
        """The request without address and checksum."""
        if self.function == WRITE_COIL:
            return struct.pack(">BHH", self.function, self.start, COIL_ON if self.values[0] else 0)
        if self.function == WRITE_REGISTER:
            return struct.pack(">BHH", self.function, self.start, self.values[0])
        if self.function == WRITE_REGISTERS:
            size = len(self.values)
            return struct.pack(f">BHHB{size}H", self.function, self.start, size, 2 * size, *self.values)
        return struct.pack(">BHH", self.function, self.start, self.count)

    @property
    def answer_head(self) -> bytes:
        """What an answer begins with, behind the unit's address."""
        if self.function in READ_BITS:
            return bytes((self.function, (self.count + 7) // 8))
        if self.function in READ_REGISTERS:
            return bytes((self.function, 2 * self.count))
        return self.pdu[:5]

    @property
    def answer_bytes(self) -> int:
        """How long the whole answer is."""
        head = self.answer_head
        return 1 + len(head) + (head[1] if self.function in (*READ_BITS, *READ_REGISTERS) else 0) + _CRC_BYTES

    def answer_values(self, data: bytes) -> list[int]:
        """Return what the bytes behind the head of an answer say."""
        if self.function in READ_BITS:
            return [data[place // 8] >> place % 8 & 1 for place in range(self.count)]
        return list(struct.unpack(f">{len(data) // 2}H", data))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit answered: values, or an exception code."""

    values: list[int]
    code: int | None = None


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """Return the checksum of a frame's bytes; it is sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def framed(unit: int, pdu: bytes) -> bytes:
    """Return a whole frame."""
    body = bytes((unit,)) + pdu
    return body + struct.pack("<H", crc16(body))


def sound(frame: bytes) -> bool:
    """Whether the last two bytes are the checksum of those before."""
    return len(frame) > _CRC_BYTES and frame[-2:] == struct.pack("<H", crc16(frame[:-2]))


def find_answer(unit: int, question: Question, received: bytes) -> Answer | None:
    """Return the answer to the question among the bytes that came; None while there is none.

    Noise and whole frames of others may stand before it: converters and their drivers put a byte or two in
    front when the line turns round.
    """
    head = bytes((unit,)) + question.answer_head
    complaint = bytes((unit, question.function | 0x80))
    for place in range(len(received) - _EXCEPTION_BYTES + 1):
        if received.startswith(head, place):
            frame = received[place : place + question.answer_bytes]
            if len(frame) == question.answer_bytes and sound(frame):
                return Answer(question.answer_values(frame[len(head) : -_CRC_BYTES]))
        elif received.startswith(complaint, place):
            frame = received[place : place + _EXCEPTION_BYTES]
            if sound(frame):
                return Answer([], code=frame[2])
    return None


def describe_misfit(unit: int, question: Question, received: bytes) -> str:
    """Say for a person what came instead of an answer; empty when nothing did."""
    if not received:
        return ""
    if received.startswith(framed(unit, question.pdu)):
        return "only an echo of the question came (does the adapter hear itself?)"
    for end in range(_EXCEPTION_BYTES, min(len(received), FRAME_BYTES_MAX) + 1):
        if sound(received[:end]):
            other, function = received[0], received[1] & 0x7F
            if (other, function) == (unit, question.function):
                return "an answer of another length came"
            return f"an answer of unit {other}, function {function} came, not of {unit}, {question.function}"
    return f"garbled: {len(received)} bytes without a right checksum"
